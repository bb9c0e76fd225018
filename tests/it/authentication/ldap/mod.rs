//! Accounts of a directory, by a real one.

mod command_line;
mod dialects;
mod faults;
mod principal_names;
mod users;

use std::net::{IpAddr, Ipv4Addr};

use offshoot::{
    auth::{Accounts, AuthError, LiveRules, NewAccount, Offered},
    config::{Config, layers::Layers},
    store::{Account, Store},
};

use crate::harness::{DIRECTORY_PASSWORD, PASSWORD, Slapd};

/// Settings by which the bind account searches.
fn by_search(directory: &Slapd, further: &str) -> String {
    by_search_at(&directory.url(), further)
}

fn by_search_at(url: &str, further: &str) -> String {
    format!(
        "[[auth.source]]\nkind = 'local'\n[[auth.source]]\nkind = 'ldap'\nname = 'corp'\nurl = '{url}'\n\
         bind_dn = 'cn=reader,dc=example,dc=org'\nbind_password = '{DIRECTORY_PASSWORD}'\nsearch_base = 'dc=example,dc=org'\n{further}\n"
    )
}

/// Settings by which users bind at once.
fn by_template(directory: &Slapd, further: &str) -> String {
    format!(
        "[[auth.source]]\nkind = 'ldap'\nname = 'corp'\nurl = '{}'\nuser_dn = 'uid={{name}},ou=people,dc=example,dc=org'\n{further}\n",
        directory.url()
    )
}

fn config(settings: &str) -> Config {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), settings).unwrap();
    let mut layers = Layers::default();
    layers.file(file.path()).unwrap();
    layers.finish().unwrap()
}

/// The accounts of a server with these settings, without the server.
struct Logins {
    accounts: Accounts,
    store: Store,
    _data: tempfile::TempDir,
}

impl Logins {
    /// There is an account `local` besides those of the sources.
    async fn with(settings: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let rules = LiveRules::open(store.clone()).await.unwrap();
        let accounts = Accounts::new(store.clone(), rules, &config(settings).auth).unwrap();
        let local = NewAccount {
            name: "local".to_owned(),
            display_name: "Local".to_owned(),
            password: PASSWORD.to_owned(),
            enabled: true,
            ..NewAccount::default()
        };
        accounts.add(local).await.unwrap();
        Self { accounts, store, _data: data }
    }

    async fn check(&self, name: &str, password: &str) -> Result<Account, AuthError> {
        self.accounts.check(name, Offered::password(password), IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// The account that has this name and the password of all users.
    async fn account(&self, name: &str) -> Account {
        self.check(name, DIRECTORY_PASSWORD).await.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Why somebody is not let in.
    async fn refusal(&self, name: &str, password: &str) -> AuthError {
        match self.check(name, password).await {
            Err(error) => error,
            Ok(account) => panic!("{name} was let in as {}", account.name),
        }
    }
}
