//! `offshoot ping`: whether the server with these settings works. For health checks.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::Settings;
use crate::config::Listen;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(settings: &Settings) -> anyhow::Result<()> {
    let config = settings.config()?;
    let apart = config.metrics.listen.iter().map(|&address| Listen { address, https: false });
    let mut listen = apart.chain(config.listen.iter().copied()).next().context("there is no address to ask: listen is empty")?;
    listen.address = here(listen.address);
    let answer = ask(listen, "/_ready").with_context(|| listen.to_string())?;
    let status = answer.lines().next().unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") && !is_full(body) {
        bail!("{listen}: not ready: {status} {body}");
    }
    Ok(())
}

/// Whether a server that is not ready lacks nothing but a free place for a session. Such a server is healthy:
/// orchestrators restart what is not, and that would end all of its sessions.
fn is_full(readiness: &str) -> bool {
    let readiness: serde_json::Value = serde_json::from_str(readiness).unwrap_or_default();
    ["r", "store", "serving"].iter().all(|part| readiness[part] == true)
}

/// Where this machine reaches a listener: one that listens everywhere is reached at the loopback address.
fn here(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, address.port())
}

/// The answer to a GET, head and body.
pub(super) fn ask(listen: Listen, path: &str) -> std::io::Result<String> {
    let stream = TcpStream::connect_timeout(&listen.address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if listen.https {
        let client = ClientConnection::new(client()?, ServerName::from(listen.address.ip())).map_err(std::io::Error::other)?;
        get(StreamOwned::new(client, stream), path)
    } else {
        get(stream, path)
    }
}

fn get(mut stream: impl Read + Write, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        // The connection was closed without TLS's own farewell. No harm: the answer says how long it is.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(answer),
    }
}

fn client() -> std::io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let client = client.map_err(std::io::Error::other)?.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    Ok(Arc::new(client.with_no_client_auth()))
}

/// Accepts any certificate. The certificate is for the server's name, and not for the address at which this machine
/// finds it; and no secret is sent, only the question whether the server is there.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
