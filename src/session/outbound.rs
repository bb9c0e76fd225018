//! Sessions that reach other machines, and not this one.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::failure::WorkerError;
use crate::{link::messages::Network, system::firewall::Firewall};

/// The firewall for such sessions, which is raised for the first of them; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Outbound(Arc<OnceCell<Result<Firewall, String>>>);

impl Outbound {
    /// Whether there can be such sessions. They need users of their own, by which the firewall knows them.
    ///
    /// # Errors
    /// Why there can be none; the end of a sentence.
    pub async fn is_possible(&self, own_users: bool) -> Result<(), String> {
        if !own_users {
            return Err("sessions have no user ids of their own (sessions.users)".to_owned());
        }
        self.firewall().await.map(drop)
    }

    /// Gives the network to the next session of a user.
    ///
    /// # Errors
    /// [`WorkerError::Network`]
    pub async fn give(&self, user: Option<u32>, network: Network) -> Result<(), WorkerError> {
        let is_outbound = network == Network::Outbound;
        let given = match (user, is_outbound) {
            (Some(user), true) => match self.firewall().await {
                Ok(firewall) => firewall.hold(user, true).await.map_err(|error| error.to_string()),
                Err(reason) => Err(reason),
            },
            (None, true) => self.is_possible(false).await,
            // The last session of this user may have been another one.
            (Some(user), false) => match self.0.get() {
                Some(Ok(firewall)) => firewall.hold(user, false).await.map_err(|error| error.to_string()),
                _ => Ok(()),
            },
            (None, false) => Ok(()),
        };
        given.map_err(WorkerError::Network)
    }

    /// Removes the firewall.
    pub async fn end(&self) {
        if let Some(Ok(firewall)) = self.0.get()
            && let Err(error) = firewall.end().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "rules of nftables are left");
        }
    }

    async fn firewall(&self) -> Result<&Firewall, String> {
        let raise = || async { Firewall::raise().await.map_err(|error| error.to_string()) };
        self.0.get_or_init(raise).await.as_ref().map_err(Clone::clone)
    }
}
