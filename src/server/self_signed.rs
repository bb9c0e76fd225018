//! A certificate that the server makes itself, for where there is no other.

use std::{
    fs::File,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::tls::{CertificateError, CertificateFileError};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};

/// How long it is valid: as long as browsers accept (CA/Browser Forum, Baseline Requirements before 2026).
const DAYS: i64 = 397;
/// When less than this is left, the next start makes another.
const RENEWAL_DAYS: i64 = 30;

/// The files of the certificate and of its key, below the folder `data`. They are made if there are none, if the
/// certificate ends soon, or if it is not for all of `names`.
///
/// # Errors
/// [`CertificateError::File`]
pub(super) fn files(data: &Path, names: &[String]) -> Result<(PathBuf, PathBuf), CertificateError> {
    let folder = data.join("tls");
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let is_good = std::fs::read(&certificate).is_ok_and(|pem| is_good(&pem, names).unwrap_or(false));
    if !key.exists() || !is_good {
        make(&folder, &certificate, &key, names).map_err(|error| CertificateError::File {
            setting: "tls.self_signed",
            file: folder,
            source: CertificateFileError::NotMade(error),
        })?;
    }
    Ok((certificate, key))
}

/// Whether a certificate in PEM form is valid for some time more, and for these names.
fn is_good(pem: &[u8], names: &[String]) -> Option<bool> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let days_left = (certificate.validity().not_after.timestamp() - jiff::Timestamp::now().as_second()) / 86_400;
    let known = super::tls::names(&certificate);
    Some(days_left >= RENEWAL_DAYS && names.iter().all(|name| known.contains(name)))
}

fn make(folder: &Path, certificate: &Path, key: &Path, names: &[String]) -> anyhow::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut all: Vec<String> = ["localhost", "127.0.0.1", "::1", own.as_str()].map(str::to_owned).into();
    all.extend_from_slice(names);
    let common = names.first().unwrap_or(&own).clone();
    let mut parameters = CertificateParams::new(all)?;
    parameters.distinguished_name.push(DnType::CommonName, common);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(DAYS * 24);
    // Valid from yesterday on: a client's clock may be behind.
    let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let day = |moment: jiff::Timestamp| {
        let date = moment.to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    parameters.not_before = day(since);
    parameters.not_after = day(until);
    let pair = KeyPair::generate()?;
    let made = parameters.self_signed(&pair)?;
    // The key first: if the server is killed in between, the next start finds no certificate and makes both anew.
    write(key, &pair.serialize_pem(), 0o600)?;
    write(certificate, &made.pem(), 0o644)?;
    tracing::info!(file = %certificate.display(), "a self-signed certificate was made");
    Ok(())
}

/// Writes a whole file, or none.
fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft);
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(draft, path)
}
