//! What a call requires of a request before it is carried out.

use axum::http::Method;

use crate::{app::uploads::Destination, auth::Permission};

/// The methods of a call. Clients of 2010 send reads by POST as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Methods {
    /// GET, HEAD and POST.
    Read,
    /// POST.
    Change,
    /// GET and HEAD: the address of a file or a page.
    File,
}

impl Methods {
    /// The methods as the header `Allow` lists them.
    #[must_use]
    pub fn allow(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD, POST",
            Self::Change => "POST",
            Self::File => "GET, HEAD",
        }
    }

    /// Whether a method is among them.
    #[must_use]
    pub fn allows(self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => self != Self::Change,
            Method::POST => self != Self::File,
            _ => false,
        }
    }
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// Everybody.
    Open,
    /// Everybody who wants to log in. The rules for callers with a login, such as policies on addresses, apply already.
    Entrance,
    /// Callers who have logged in and have this permission.
    Login(Permission),
}

/// What a request brings, and what its answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exchange {
    /// A form; the answer is an envelope.
    Form,
    /// A form with a file, which goes to this destination.
    Upload(Destination),
    /// A form; the answer is the bytes of a file.
    Download,
    /// Only its address, which is the secret that opens a file: the log therefore has the call and not the address.
    Address,
}

/// Whether a call that changes something is completed when the client goes away in the middle. Completing it leaves nothing half changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// The call is completed.
    GoesOn,
    /// The call ends. Only a run in an R session of its own was going on, and nobody needs its result any more.
    Ends,
    /// The call ends, unless it works in an R session that has an owner.
    EndsWithoutSession,
}

/// What a call requires of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its path below the context, in axum's notation.
    pub path: &'static str,
    /// The path that answers name; differs from `path` for an alias.
    pub name: &'static str,
    /// Its methods.
    pub methods: Methods,
    /// Who may call it.
    pub access: Requirement,
    /// What the request brings, and what the answer is.
    pub kind: Exchange,
    /// What happens when the client goes away.
    pub abandoned: Abandoned,
}
