//! Everything that decides who may do what. It is read in one go and kept in memory.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use sqlx::query_scalar;
use uuid::Uuid;

use super::{
    Account, PersonalToken, Store, StoreError,
    boundaries::Boundary,
    filters::Pattern,
    policies::{Policies, Policy},
    roles::Role,
};

/// The rules as they were when they were read.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Changes when the whole store is replaced.
    pub generation: String,
    pub(super) accounts: HashMap<String, Account>,
    pub(super) roles: HashMap<String, Role>,
    pub(super) boundaries: HashMap<String, Boundary>,
    pub(super) filters: HashMap<String, Pattern>,
    /// By their hashes.
    pub(super) personal_tokens: HashMap<Vec<u8>, PersonalToken>,
    /// Access tokens that would still be good if they had not been ended.
    ended: HashSet<Uuid>,
    /// The policies that are set.
    pub policies: Policies,
}

impl Rules {
    /// The account of that name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// The role of that name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Whether an account has the role.
    #[must_use]
    pub fn is_given(&self, role: &str) -> bool {
        self.accounts.values().any(|account| account.roles.iter().any(|held| held == role))
    }

    /// The boundary of that name.
    #[must_use]
    pub fn boundary(&self, name: &str) -> Option<&Boundary> {
        self.boundaries.get(name)
    }

    /// All boundaries.
    pub fn boundaries(&self) -> impl Iterator<Item = &Boundary> {
        self.boundaries.values()
    }

    /// The token for programs with this hash.
    #[must_use]
    pub fn personal_token(&self, hash: &[u8]) -> Option<&PersonalToken> {
        self.personal_tokens.get(hash)
    }

    /// Whether an access token was replaced or revoked.
    #[must_use]
    pub fn has_ended(&self, access_token: Uuid) -> bool {
        self.ended.contains(&access_token)
    }

    /// The boundary of an account: its own, or the default.
    #[must_use]
    pub fn boundary_of(&self, account: &str) -> Option<&Boundary> {
        let own = self.account(account).and_then(|account| account.boundary.as_deref());
        own.or_else(|| self.policies.text(Policy::DefaultBoundary)).and_then(|name| self.boundary(name))
    }

    /// Whether the filter that a policy names lets an address in; `None` when it names none.
    #[must_use]
    pub fn lets_in(&self, policy: Policy, address: IpAddr) -> Option<bool> {
        // If the filter does not exist, nobody is let in.
        self.policies.text(policy).map(|filter| self.filters.get(filter).is_some_and(|pattern| pattern.matches(address)))
    }
}

impl Store {
    /// Reads the rules.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn rules(&self) -> Result<Rules, StoreError> {
        let generation = query_scalar("SELECT id FROM generation").fetch_one(&self.pool).await?;
        let filters = self.filter_list().await?;
        let pattern = |address: &str| Pattern::parse(address).ok();
        Ok(Rules {
            generation,
            accounts: self.account_list().await?.into_iter().map(|account| (account.name.clone(), account)).collect(),
            roles: self.role_list().await?.into_iter().map(|role| (role.name.clone(), role)).collect(),
            boundaries: self.boundary_list().await?.into_iter().map(|boundary| (boundary.name.clone(), boundary)).collect(),
            filters: filters.into_iter().filter_map(|filter| Some((filter.name, pattern(&filter.address)?))).collect(),
            personal_tokens: self.personal_token_list(None).await?.into_iter().map(|token| (token.hash.clone(), token)).collect(),
            ended: self.token_ended().await?.into_iter().collect(),
            policies: Policies(self.policy_list().await?),
        })
    }
}
