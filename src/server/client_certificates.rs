//! Certificates that clients show when they connect.

use std::sync::Arc;

use tokio_rustls::rustls::{
    RootCertStore, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::tls::{CertificateError, CertificateFileError};
use crate::{
    auth::ClientCertificate,
    config::{Tls, listen::ClientCertificates},
};

/// Checks certificates of clients, as the settings say; `None` if clients are not asked for any.
///
/// # Errors
/// [`CertificateError`]
pub(super) fn verifier(config: &Tls) -> Result<Option<Arc<dyn ClientCertVerifier>>, CertificateError> {
    const SETTING: &str = "tls.client_ca";
    let file = &config.client_ca;
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let failed = |source| CertificateError::File { setting: SETTING, file: file.clone(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.into()))? {
        roots.add(certificate.map_err(|error| failed(error.into()))?).map_err(|error| CertificateError::Tls(SETTING, error))?;
    }
    if roots.is_empty() {
        return Err(failed(CertificateFileError::NoCertificate));
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::new(ring::default_provider()));
    let builder = match config.client_certificates {
        ClientCertificates::Ask => builder.allow_unauthenticated(),
        ClientCertificates::Require => builder,
    };
    Ok(Some(builder.build().map_err(|error| failed(CertificateFileError::NotMade(error.into())))?))
}

/// The certificate that the client of a connection has shown.
pub(super) fn shown(connection: &ServerConnection) -> Option<ClientCertificate> {
    let der = connection.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(ClientCertificate::new(der, names(&certificate)))
}

/// Whom a certificate is for: its subject, whole and by its common names, and its alternative names with their kind.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let subject = certificate.subject();
    let mut names = vec![subject.to_string()];
    names.extend(subject.iter_common_name().filter_map(|name| name.as_str().ok()).map(|name| format!("CN={name}")));
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    names.extend(alternatives.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::RFC822Name(name) => Some(format!("email:{name}")),
        GeneralName::DNSName(name) => Some(format!("dns:{name}")),
        GeneralName::URI(name) => Some(format!("uri:{name}")),
        _ => None,
    }));
    names
}
