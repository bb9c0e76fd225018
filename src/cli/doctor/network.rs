//! Ports and certificates.

use x509_parser::prelude::{FromDer, X509Certificate};

use super::Findings;
use crate::{
    cli::ping,
    config::{Config, Listen, Tls, listen::CertificateSource},
    server::{self, tls::Identity},
    with_sources,
};

/// A certificate that expires sooner should be renewed.
const RENEWAL_DAYS: i64 = 14;

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    for listen in &config.listen {
        port(*listen, findings).await;
    }
    for &address in &config.metrics.listen {
        port(Listen { address, https: false }, findings).await;
    }
    for listen in &config.rtvs.listen {
        port(*listen, findings).await;
    }
    match config.check_tls() {
        Err(error) => findings.error("certificate", error, "give HTTPS a certificate, or --self-signed; see docs/configuration.md"),
        Ok(()) => {
            certificate("certificate", &config.tls, config, findings);
            if config.rtvs.tls != config.tls {
                certificate("certificate of remote workspaces", &config.rtvs.tls, config, findings);
            }
        }
    }
}

async fn port(listen: Listen, findings: &mut Findings) {
    const SUBJECT: &str = "port";
    match server::bind(listen.address).await {
        Ok(_) => findings.good(SUBJECT, format!("{listen} is free")),
        Err(_) if answers(listen).await => findings.good(SUBJECT, format!("a server answers at {listen}")),
        Err(error) => findings.error(
            SUBJECT,
            with_sources(&error),
            "end what uses it (ss -ltnp shows it), choose another address, or, for a port below 1024, grant CAP_NET_BIND_SERVICE",
        ),
    }
}

/// Whether an Offshoot server answers at this address, with the APIs or with remote workspaces.
async fn answers(listen: Listen) -> bool {
    for (path, answer) in [("/_check", "HTTP/1.1 204"), ("/info/about", "HTTP/1.1 200")] {
        let asked = tokio::task::spawn_blocking(move || ping::ask(listen, path)).await;
        if matches!(asked, Ok(Ok(told)) if told.starts_with(answer)) {
            return true;
        }
    }
    false
}

fn certificate(subject: &'static str, tls: &Tls, config: &Config, findings: &mut Findings) {
    const MEND: &str = "correct the setting, or take the file away";
    let made_later = tls.source() == Ok(Some(CertificateSource::SelfSigned)) && !config.data.join("tls/certificate.pem").exists();
    if made_later {
        return findings.good(subject, "a self-signed one is made at the first start");
    }
    let read = Identity::read(tls, &config.data).and_then(|identity| identity.map(|identity| identity.check(tls)).transpose());
    let chain = match read {
        Ok(None) => return,
        Ok(Some(chain)) => chain,
        Err(error) => {
            return findings.error(subject, with_sources(&error), "correct the file or the setting that is named");
        }
    };
    match chain.first() {
        Some(certificate) => validity(subject, "it", certificate, findings),
        None => findings.error(subject, "it cannot be read", MEND),
    }
}

/// For whom a certificate is good, and until when.
pub(super) fn validity(subject: &'static str, what: &str, certificate: &[u8], findings: &mut Findings) {
    const MEND: &str = "get another from whoever has signed it, put it in place, and have the server read it";
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return findings.error(subject, format!("{what} cannot be read"), MEND);
    };
    let validity = certificate.validity();
    let now = jiff::Timestamp::now().as_second();
    let days = (validity.not_after.timestamp() - now).div_euclid(86_400);
    let names = server::tls::names(&certificate).join(", ");
    if validity.not_before.timestamp() > now {
        findings.error(
            subject,
            format!("{what} is not good yet, but from {} on", validity.not_before),
            "look at the clock, and at the certificate",
        );
    } else if days < 0 {
        findings.error(subject, format!("{what} has ended: {}", validity.not_after), MEND);
    } else if days < RENEWAL_DAYS {
        findings.warning(subject, format!("{what} ends in {days} days"), MEND);
    } else if names.is_empty() {
        findings.warning(
            subject,
            format!("{what} names no host, and clients do not take it"),
            "have one made with a subject alternative name",
        );
    } else {
        findings.good(subject, format!("{what} is for {names}, and good for {days} days"));
    }
}
