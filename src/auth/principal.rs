//! The principal of a request. Every way of logging in makes one, and the rest of the program need not know which way it was.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use uuid::Uuid;

use super::{Login, permissions::narrowed, tokens::Holder};
use crate::store::rules::Rules;

/// How a principal has proved their identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Not at all.
    None,
    /// By the cookie that they got when they logged in.
    Cookie,
    /// By the password, which the request carries.
    Password,
    /// By a token, which the request carries.
    Token,
    /// By the certificate that the client has shown when it connected.
    Certificate,
    /// No proof is needed: the configuration accepts everybody.
    Unneeded,
}

/// The sender of a request; cheap to clone.
#[derive(Debug, Clone)]
pub struct Principal {
    account: Option<Arc<Account>>,
    login: Option<Arc<Login>>,
    /// What the token belongs to, or the certificate, if that was the proof.
    token: Option<Uuid>,
    address: IpAddr,
    proof: Proof,
}

#[derive(Debug)]
struct Account {
    name: String,
    /// Empty if the account is disabled or gone.
    roles: Vec<String>,
}

impl Account {
    fn of(rules: &Rules, name: &str) -> Arc<Self> {
        let roles = rules.account(name).filter(|account| account.enabled).map(|account| account.roles.clone());
        Arc::new(Self { name: name.to_owned(), roles: roles.unwrap_or_default() })
    }
}

impl Principal {
    /// A principal without any credentials.
    #[must_use]
    pub fn nobody(address: IpAddr) -> Self {
        Self { account: None, login: None, token: None, address, proof: Proof::None }
    }

    /// The principal of a cookie: the login's account, or nobody if the login has no account.
    #[must_use]
    pub fn of_login(rules: &Rules, login: Arc<Login>, address: IpAddr) -> Self {
        let account = (!login.is_anonymous()).then(|| Account::of(rules, &login.user));
        Self { account, login: Some(login), token: None, address, proof: Proof::Cookie }
    }

    /// The principal of an account whose password was right.
    #[must_use]
    pub fn with_password(rules: &Rules, name: &str, address: IpAddr) -> Self {
        Self { account: Some(Account::of(rules, name)), login: None, token: None, address, proof: Proof::Password }
    }

    /// The principal of a token, which may have fewer roles than its account.
    #[must_use]
    pub fn with_token(rules: &Rules, holder: &Holder, address: IpAddr) -> Self {
        let account = Account::of(rules, &holder.account);
        let account = match &holder.roles {
            None => account,
            Some(roles) => Arc::new(Account { name: account.name.clone(), roles: narrowed(&account.roles, roles) }),
        };
        Self { account: Some(account), login: None, token: Some(holder.id), address, proof: Proof::Token }
    }

    /// An account for which the server does what its user asked for earlier.
    #[must_use]
    pub fn of_account(rules: &Rules, name: &str) -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self { account: Some(Account::of(rules, name)), login: None, token: None, address, proof: Proof::None }
    }

    /// The principal of an account that a certificate is for.
    #[must_use]
    pub fn with_certificate(rules: &Rules, name: &str, certificate: Uuid, address: IpAddr) -> Self {
        Self { account: Some(Account::of(rules, name)), login: None, token: Some(certificate), address, proof: Proof::Certificate }
    }

    /// The principal where no proof is needed: every caller has the name `name` and these roles.
    #[must_use]
    pub fn anybody(name: &str, roles: &[&str], address: IpAddr) -> Self {
        let account = Account { name: name.to_owned(), roles: roles.iter().map(|&role| role.to_owned()).collect() };
        Self { account: Some(Arc::new(account)), login: None, token: None, address, proof: Proof::Unneeded }
    }

    /// The account's name; `None` for nobody.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.account.as_ref().map(|account| account.name.as_str())
    }

    /// The account's name; empty for nobody, because the owner of nobody's sessions is the empty name.
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

    /// The login that sessions, objects and files of this principal end with. Nobody may have a login, too.
    #[must_use]
    pub fn login(&self) -> Option<&Arc<Login>> {
        self.login.as_ref()
    }

    /// The address that the request comes from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// What the principal's token belongs to, or their certificate.
    #[must_use]
    pub fn token(&self) -> Option<Uuid> {
        self.token
    }

    /// How the principal has proved their identity.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// The principal with a login that was begun meanwhile.
    #[must_use]
    pub fn given(&self, login: Arc<Login>) -> Self {
        Self { login: Some(login), ..self.clone() }
    }
}
