//! R at its own prompt, for a client that holds the connection to it.

use super::App;
use crate::{auth::Principal, session::Opening};
pub use crate::{
    link::host::{
        Begin, BlobReply, BlobRequest, Choices, EvaluationEnd, HostAnswer, HostEvaluation, HostQuestion, Notice, Plot, Say, Scope, Tell,
        ValueWanted,
    },
    session::{Hearer, Host, HostGone, OpenError, Said, Teller, Terms},
};

impl App {
    /// Opens a session whose R is interactive. It ends with the connection. The name may be empty.
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn prompt_open(&self, principal: &Principal, name: &str, terms: Terms) -> Result<Host, OpenError> {
        let boundary = self.session_boundary(principal);
        let run_as = self.person(principal.name()).await?;
        let opening = Opening { owner: principal.name(), name, boundary, run_as: run_as.as_ref(), ..Opening::default() };
        self.sessions.open_prompt(opening, terms).await
    }
}
