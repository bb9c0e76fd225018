//! Identifiers as clients see them: a prefix and a UUID (contract, section 3).

use axum::http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::{api::address, config::RevoDeployR};

/// The characters that are not percent-encoded in a file's name at the end of a URL (RFC 3986, section 2.3).
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A live session's identifier.
#[must_use]
pub fn session(id: Uuid) -> String {
    format!("LIVE-{id}")
}

/// The identifier of an object or a workspace in the repository.
#[must_use]
pub fn object(id: Uuid) -> String {
    format!("CBNRY-{id}")
}

/// The identifier of a file in the repository.
#[must_use]
pub fn file(id: Uuid) -> String {
    format!("CFILE-{id}")
}

/// A project's identifier.
#[must_use]
pub fn project(id: Uuid) -> String {
    format!("PROJ-{id}")
}

/// A script's identifier.
#[must_use]
pub fn script(id: Uuid) -> String {
    format!("SCRPT-{id}")
}

/// The UUID in an identifier with one of these prefixes.
#[must_use]
pub fn parse_any(prefixes: &[&str], identifier: &str) -> Option<Uuid> {
    prefixes.iter().find_map(|prefix| parse(prefix, identifier))
}

/// The UUID in an identifier with that prefix.
#[must_use]
pub fn parse(prefix: &str, identifier: &str) -> Option<Uuid> {
    let rest = identifier.trim().strip_prefix(prefix)?.strip_prefix('-')?;
    // Only the usual form is taken, so that each thing has one name.
    (rest.len() == 36).then(|| Uuid::try_parse(rest).ok()).flatten()
}

/// The address of the API as the client knows it.
#[must_use]
pub fn base(config: &RevoDeployR, policy: Option<&str>, headers: &HeaderMap) -> String {
    root(config, policy, headers) + &config.context
}

/// The address of the server as the client knows it.
#[must_use]
pub fn root(config: &RevoDeployR, policy: Option<&str>, headers: &HeaderMap) -> String {
    let configured = Some(config.web_context.as_str()).filter(|address| !address.is_empty());
    let address = configured.or(policy).map_or_else(|| address(headers), str::to_owned);
    let address = address.trim_end_matches('/');
    // The address may already end with the context.
    address.strip_suffix(&config.context).unwrap_or(address).to_owned()
}

/// The address of a file that R has made. It has the file's name without folders.
#[must_use]
pub fn file_url(base: &str, id: Uuid, name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    format!("{base}/r/file/get/FILE-{id}/{}", utf8_percent_encode(name, NAME))
}

/// The address of an uploaded file.
#[must_use]
pub fn upload_url(base: &str, id: Uuid) -> String {
    format!("{base}/r/repository/get/binary/CFILE-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read_strictly() {
        let id = Uuid::from_u128(7);
        assert_eq!(parse("LIVE", &session(id)), Some(id));
        for wrong in ["", "LIVE-", "PROJ-00000000-0000-0000-0000-000000000007", "LIVE-00000000000000000000000000000007", "LIVE-x"] {
            assert_eq!(parse("LIVE", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn file_names_are_encoded() {
        let url = file_url("http://h/deployr", Uuid::from_u128(1), "sub/a b%é.png");
        assert_eq!(url, "http://h/deployr/r/file/get/FILE-00000000-0000-0000-0000-000000000001/a%20b%25%C3%A9.png");
    }
}
