//! Sessions and clients that do harm, on purpose or not. Each gets a clear answer, and the server and all others go on.

mod groups;
mod leftovers;
mod limits;
mod native;
mod requests;
mod trees;
mod zygote;

use crate::harness::{Client, Server, is_root_for};

pub use native::load as load_native;
pub use requests::add_user;

/// The two ways in which servers run. The tests have to pass in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As root, with a user id for each session.
    Users,
    /// Everything as one user other than root, as in Docker and under systemd.
    OneUser,
}

impl Way {
    /// The ways that the tests' user can try.
    pub fn all() -> Vec<Self> {
        if is_root_for("a server whose sessions have users of their own") { vec![Self::Users, Self::OneUser] } else { vec![Self::OneUser] }
    }

    pub fn start(self, settings: &str) -> Server {
        match self {
            Self::Users => Server::start(settings),
            Self::OneUser => Server::start_as_one_user(settings),
        }
    }

    pub fn start_in(self, folder: tempfile::TempDir, settings: &str) -> Server {
        match self {
            Self::Users => Server::start_in(folder, settings),
            Self::OneUser => Server::start_as_one_user_in(folder, settings),
        }
    }
}

/// Checks that a server still works.
pub async fn assert_works(server: &Server) {
    let session = Client::admin(server).await.session().await;
    assert_eq!(session.value("6 * 7").await["value"], 42);
    session.close().await;
}
