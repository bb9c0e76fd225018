//! Whom to believe that a server outside is the one that it says it is.

use std::{fmt::Display, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

/// TLS to servers whose certificates the authorities in the PEM file `ca` have signed or, if that is no path, those that this machine trusts.
///
/// # Errors
/// What is wrong with the setting `ca`.
pub(super) fn trusting(ca: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if ca.as_os_str().is_empty() {
        // Those that cannot be read are nobody's whom the server needs; if none can, the connection fails and says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    } else {
        let failed = |what: &dyn Display| format!("ca: {}: {what}", ca.display());
        for certificate in CertificateDer::pem_file_iter(ca).map_err(|error| failed(&error))? {
            roots.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
        }
        if roots.is_empty() {
            return Err(failed(&"there is no certificate in PEM form"));
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth())
}
