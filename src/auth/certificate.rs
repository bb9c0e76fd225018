//! What a certificate says of the client that has shown it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The certificate of a client. Who has signed it was checked when the connection began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Names the certificate.
    pub id: Uuid,
    /// Whom it is for, in the forms in which the setting `auth.certificates` has them.
    pub names: Vec<String>,
}

impl ClientCertificate {
    /// The certificate in this DER, which is for these names.
    #[must_use]
    pub fn new(der: &[u8], names: Vec<String>) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&Sha256::digest(der)[..16]);
        Self { id: Uuid::new_v8(id), names }
    }

    /// The account that it is for, by a table from names to accounts; none if it is for several.
    #[must_use]
    pub fn account<'t>(&self, table: &'t BTreeMap<String, String>) -> Option<&'t str> {
        let mut accounts = self.names.iter().filter_map(|name| table.get(name));
        let account = accounts.next()?;
        if accounts.any(|other| other != account) {
            tracing::warn!(names = ?self.names, "a certificate is for several accounts, so it counts for none");
            return None;
        }
        Some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_one_account_or_for_none() {
        let table = [("CN=ada", "ada"), ("email:ada@example.org", "ada"), ("dns:bob", "bob")];
        let table = table.map(|(name, account)| (name.to_owned(), account.to_owned())).into();
        let of = |names: &[&str]| ClientCertificate::new(b"x", names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(of(&["C=DE, CN=ada", "CN=ada", "email:ada@example.org"]).account(&table), Some("ada"));
        assert_eq!(of(&["CN=ada", "dns:bob"]).account(&table), None);
        assert_eq!(of(&["CN=ADA", "ada", ""]).account(&table), None);
        assert_ne!(of(&[]).id, ClientCertificate::new(b"y", Vec::new()).id);
    }
}
