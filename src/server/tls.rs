//! The certificate: read from PEM or PFX files or made by the server, and replaced while connections are open.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
            pem::{self, PemObject},
        },
    },
};

use x509_parser::prelude::{GeneralName, X509Certificate};

use super::{client_certificates, self_signed};
use crate::config::{self, listen::CertificateSource};

/// The protocols that clients may choose from (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The keys that can be used.
const KINDS: &str = "RSA of 2048 to 8192 bits, ECDSA with the curve P-256 or P-384, or Ed25519";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The settings make no sense; a sentence that names one.
    #[error("{0}")]
    Setting(String),
    /// There is none to be read again.
    #[error("tls: no certificate is set")]
    None,
    /// A file that a setting names is not what it should be.
    #[error("{setting}: {}", file.display())]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: CertificateFileError,
    },
    /// The key belongs to another certificate.
    #[error("{0}: the private key is not that of the certificate")]
    OtherKey(&'static str),
    /// The key is of a kind that cannot be used.
    #[error("{0}: the private key is of no known kind: {KINDS}")]
    UnknownKey(&'static str),
    /// The TLS library refuses it.
    #[error("{0}")]
    Tls(&'static str, #[source] rustls::Error),
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum CertificateFileError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It cannot be read as PEM.
    #[error(transparent)]
    Pem(#[from] pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in PEM form")]
    NoCertificate,
    /// There is no key in it.
    #[error("there is no private key in PEM form without a password")]
    NoKey,
    /// It cannot be read as PFX.
    #[error("it cannot be read, or the password is wrong")]
    Pfx(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It should have one key with a certificate, and has so many.
    #[error("it has {0} private keys with a certificate, and not one")]
    Keys(usize),
    /// It could not be made.
    #[error("{0:#}")]
    NotMade(anyhow::Error),
}

/// The certificate in force; cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificate {
    config: config::Tls,
    data: PathBuf,
    server: Arc<ArcSwap<ServerConfig>>,
    only_http1: bool,
}

impl Certificate {
    /// Reads the certificate that the configuration names; `None` when it names none. A certificate that the server makes
    /// itself is kept below the folder `data`.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn open(config: &config::Tls, data: &Path) -> Result<Option<Self>, CertificateError> {
        let Some(identity) = Identity::read(config, data)? else { return Ok(None) };
        let server = Arc::new(ArcSwap::from_pointee(identity.server(config)?));
        Ok(Some(Self { config: config.clone(), data: data.to_owned(), server, only_http1: false }))
    }

    /// Reads it again. New connections get the new certificate; if it cannot be read, the old one stays.
    ///
    /// # Errors
    /// As [`Self::open`]
    pub fn reload(&self) -> Result<(), CertificateError> {
        let identity = Identity::read(&self.config, &self.data)?.ok_or(CertificateError::None)?;
        self.server.store(Arc::new(identity.server(&self.config)?));
        Ok(())
    }

    /// The same certificate for a listener that speaks HTTP/1.1 only.
    #[must_use]
    pub fn only_http1(self) -> Self {
        Self { only_http1: true, ..self }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut server = self.server.load_full();
        if self.only_http1 {
            Arc::make_mut(&mut server).alpn_protocols = PROTOCOLS[1..].iter().map(|name| name.to_vec()).collect();
        }
        TlsAcceptor::from(server)
    }
}

/// A certificate, the certificates that it is signed by, and its key.
#[derive(Debug)]
pub struct Identity {
    /// The certificate of this server first.
    pub chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    /// The setting that it comes from.
    setting: &'static str,
}

impl Identity {
    /// Reads what the configuration names; `None` when it names nothing.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub fn read(config: &config::Tls, data: &Path) -> Result<Option<Self>, CertificateError> {
        Ok(Some(match config.source().map_err(CertificateError::Setting)? {
            None => return Ok(None),
            Some(CertificateSource::Pem { certificate, key }) => pem("tls.certificate", certificate, key)?,
            Some(CertificateSource::Pfx(file)) => pfx(file, config.password().map_err(CertificateError::Setting)?.expose())?,
            Some(CertificateSource::SelfSigned) => {
                let (certificate, key) = self_signed::files(data, &config.names)?;
                pem("tls.self_signed", &certificate, &key)?
            }
        }))
    }

    /// The settings of a server with this certificate, which asks clients for theirs if the configuration says so.
    ///
    /// # Errors
    /// When the key does not belong to the certificate, or is of an unknown kind, or what clients are to show cannot be read.
    fn server(self, config: &config::Tls) -> Result<ServerConfig, CertificateError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let failed = |error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateError::OtherKey(self.setting),
            error => CertificateError::Tls(self.setting, error),
        };
        if ring::sign::any_supported_type(&self.key).is_err() {
            return Err(CertificateError::UnknownKey(self.setting));
        }
        let builder = builder.with_safe_default_protocol_versions().map_err(failed)?;
        let builder = match client_certificates::verifier(config)? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut server = builder.with_single_cert(self.chain, self.key).map_err(failed)?;
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(server)
    }

    /// Whether a server can use it.
    ///
    /// # Errors
    /// As [`Certificate::open`]
    pub fn check(self, config: &config::Tls) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        let chain = self.chain.clone();
        self.server(config).map(|_| chain)
    }
}

fn pem(setting: &'static str, certificate: &Path, key: &Path) -> Result<Identity, CertificateError> {
    let failed = |file: &Path, source: CertificateFileError| CertificateError::File { setting, file: file.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| failed(certificate, error.into()))?;
    if chain.is_empty() {
        return Err(failed(certificate, CertificateFileError::NoCertificate));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
        pem::Error::NoItemsFound => failed(key, CertificateFileError::NoKey),
        error => failed(key, error.into()),
    })?;
    Ok(Identity { chain, key, setting })
}

fn pfx(file: &Path, password: &str) -> Result<Identity, CertificateError> {
    const SETTING: &str = "tls.pfx";
    let failed = |source: CertificateFileError| CertificateError::File { setting: SETTING, file: file.to_owned(), source };
    let bytes = std::fs::read(file).map_err(|error| failed(error.into()))?;
    // A PFX file may hold the issuers or not, and in any order.
    let store = KeyStore::from_pkcs12(&bytes, password, Pkcs12ImportPolicy::Relaxed)
        .map_err(|error| failed(CertificateFileError::Pfx(error.into())))?;
    let keys = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) if !chain.certs().is_empty() => Some(chain),
        _ => None,
    });
    let chains: Vec<_> = keys.collect();
    let [chain] = chains.as_slice() else {
        return Err(failed(CertificateFileError::Keys(chains.len())));
    };
    Ok(Identity {
        chain: chain.certs().iter().map(|certificate| CertificateDer::from(certificate.as_der().to_vec())).collect(),
        key: PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into(),
        setting: SETTING,
    })
}

/// The hosts that a certificate is for.
#[must_use]
pub fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}
