//! Who is asking: made by whatever way of logging in has let somebody in, and the same to all that comes after.

use std::{net::IpAddr, sync::Arc};

use super::Login;
use crate::store::rules::Rules;

/// How somebody has proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Not at all.
    None,
    /// By a cookie, which they were given when they logged in.
    Cookie,
    /// By the password, sent with the request.
    Password,
    /// The configuration takes everybody for whoever they like.
    Unneeded,
}

/// Whoever sends a request; cheap to clone.
#[derive(Debug, Clone)]
pub struct Principal {
    account: Option<Arc<Account>>,
    login: Option<Arc<Login>>,
    address: IpAddr,
    proof: Proof,
}

#[derive(Debug)]
struct Account {
    name: String,
    /// None of an account that is disabled, or gone.
    roles: Vec<String>,
}

impl Account {
    fn of(rules: &Rules, name: &str) -> Arc<Self> {
        let roles = rules.account(name).filter(|account| account.enabled).map(|account| account.roles.clone());
        Arc::new(Self { name: name.to_owned(), roles: roles.unwrap_or_default() })
    }
}

impl Principal {
    /// Somebody who has not said who they are.
    #[must_use]
    pub fn nobody(address: IpAddr) -> Self {
        Self { account: None, login: None, address, proof: Proof::None }
    }

    /// Whoever has a login's cookie: its account, or nobody where the login is nobody's.
    #[must_use]
    pub fn of_login(rules: &Rules, login: Arc<Login>, address: IpAddr) -> Self {
        let account = (!login.is_anonymous()).then(|| Account::of(rules, &login.user));
        Self { account, login: Some(login), address, proof: Proof::Cookie }
    }

    /// Whoever has an account's password.
    #[must_use]
    pub fn with_password(rules: &Rules, name: &str, address: IpAddr) -> Self {
        Self { account: Some(Account::of(rules, name)), login: None, address, proof: Proof::Password }
    }

    /// Whoever asks, where nobody has to say who they are: they are called `name`, and have these roles.
    #[must_use]
    pub fn anybody(name: &str, roles: &[&str], address: IpAddr) -> Self {
        let account = Account { name: name.to_owned(), roles: roles.iter().map(|&role| role.to_owned()).collect() };
        Self { account: Some(Arc::new(account)), login: None, address, proof: Proof::Unneeded }
    }

    /// The account's name; `None` for nobody.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.account.as_ref().map(|account| account.name.as_str())
    }

    /// The account's name; empty for nobody, whose sessions have an owner of that name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.account().unwrap_or_default()
    }

    /// Whether the account has a role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles().iter().any(|held| held == role)
    }

    /// The account's roles.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        self.account.as_ref().map_or(&[], |account| &account.roles)
    }

    /// The login that sessions, objects and files of this principal end with; also nobody may have one.
    #[must_use]
    pub fn login(&self) -> Option<&Arc<Login>> {
        self.login.as_ref()
    }

    /// Where the request comes from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How they have proved who they are.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// The same, with a login that they have been given meanwhile.
    #[must_use]
    pub fn given(&self, login: Arc<Login>) -> Self {
        Self { login: Some(login), ..self.clone() }
    }
}
