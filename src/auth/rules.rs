//! The store's rules, kept in memory and up to date, because every request needs them.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{
    store::{Store, StoreError, rules::Rules},
    telemetry::audit,
};

/// The rules in force; cheap to clone.
#[derive(Debug, Clone)]
pub struct LiveRules {
    store: Store,
    rules: Arc<RwLock<Arc<Rules>>>,
}

impl LiveRules {
    /// Reads the rules for the first time.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(store: Store) -> Result<Self, StoreError> {
        let rules = store.rules().await?;
        Ok(Self { store, rules: Arc::new(RwLock::new(Arc::new(rules))) })
    }

    /// The rules as they are now.
    #[must_use]
    pub fn now(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the rules again.
    ///
    /// # Errors
    /// [`StoreError`]; the rules are unchanged in this case.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let rules = Arc::new(self.store.rules().await?);
        let before = std::mem::replace(&mut *self.rules.write().unwrap_or_else(PoisonError::into_inner), Arc::clone(&rules));
        if before.generation != rules.generation {
            audit::restored();
        }
        for change in before.changes(&rules) {
            audit::changed(change.event, change.kind, &change.name, &change.what);
        }
        Ok(())
    }
}
