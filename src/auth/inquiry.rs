//! Whose a name and a password are, for an administrator who wants to know what a login would give.

use std::net::IpAddr;

use super::{
    Accounts, AuthError, Offered,
    authentication::{Found, Heard, may_be_used},
};

/// Somebody whose name and password are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The source that knows them.
    pub source: String,
    /// What it calls them.
    pub subject: String,
    /// Their account here.
    pub account: String,
    /// Whether that exists already.
    pub exists: bool,
    /// The name to show.
    pub display_name: String,
    /// Their groups there.
    pub groups: Vec<String>,
    /// The roles that they have here.
    pub roles: Vec<String>,
}

impl Accounts {
    /// Asks the sources as a login does, and makes no account. Returns also what each source has said.
    pub async fn inquire(&self, name: &str, password: &str, address: IpAddr) -> (Result<Whose, AuthError>, Vec<Heard>) {
        let mut heard = Vec::new();
        let answer = self.whose(name, password, address, &mut heard).await;
        (answer, heard)
    }

    async fn whose(&self, name: &str, password: &str, address: IpAddr, heard: &mut Vec<Heard>) -> Result<Whose, AuthError> {
        let (source, person) = match self.find(name, &Offered::password(password), address, heard).await? {
            Found::Elsewhere(source, person) => (source, person),
            Found::Here(account) => {
                return Ok(Whose {
                    source: account.source,
                    subject: account.name.clone(),
                    account: account.name,
                    exists: true,
                    display_name: account.display_name,
                    groups: Vec::new(),
                    roles: account.roles,
                });
            }
        };
        let known = self.store.account_of(source.name(), &person.subject).await?;
        if let Some(account) = &known {
            may_be_used(account)?;
        }
        Ok(Whose {
            source: source.name().to_owned(),
            account: known.as_ref().map_or_else(|| self.name_of(source, &person), |account| account.name.clone()),
            exists: known.is_some(),
            display_name: person.display_name.unwrap_or_else(|| person.subject.clone()),
            subject: person.subject,
            groups: person.groups,
            roles: person.roles,
        })
    }
}
