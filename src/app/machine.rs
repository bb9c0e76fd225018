//! The machine that the server runs on, and what sessions have opened on it.

use std::{net::SocketAddr, sync::Arc};

use super::App;
use crate::session::Session;
use crate::system::listening::Listening;
pub use crate::system::machine::{Machine, MachineLoad};

impl App {
    /// The machine.
    #[must_use]
    pub fn machine(&self) -> Machine {
        Machine::now()
    }

    /// How busy the machine is.
    #[must_use]
    pub fn machine_load(&self) -> MachineLoad {
        self.load.look()
    }

    /// The address of the web server that one of these sessions has at a port of this machine.
    pub async fn session_web_server(&self, sessions: Vec<Arc<Session>>, port: u16) -> Option<SocketAddr> {
        if sessions.is_empty() {
            return None;
        }
        // To look at the descriptors of all processes takes a while.
        let look = move || {
            let found = Listening::at(port);
            let is_of = |listening: &Listening, session: &Session| {
                // If the session has a user of its own, nobody else has that.
                let user = session.user.or(session.ids.map(|(user, _)| user));
                user == Some(listening.user) || listening.is_of(session.pid)
            };
            found.into_iter().find(|listening| sessions.iter().any(|session| is_of(listening, session))).map(|found| found.address)
        };
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }
}
