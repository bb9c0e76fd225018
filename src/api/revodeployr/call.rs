//! What a call asks of a request, before it is carried out.

use axum::http::Method;

use crate::{app::uploads::Destination, auth::Permission};

/// Which methods a call takes: clients of 2010 send reads by POST as well.
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
    /// As the header `Allow` has it.
    #[must_use]
    pub fn allow(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD, POST",
            Self::Change => "POST",
            Self::File => "GET, HEAD",
        }
    }

    /// Whether a method is one of them.
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
pub enum Access {
    /// Everybody.
    Open,
    /// Everybody, to become somebody with a login: what counts for those, as policies on addresses, counts already.
    Entrance,
    /// Who has logged in, and has this permission.
    Login(Permission),
}

/// What comes with a request, and goes with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A form, and an envelope.
    Form,
    /// A form with a file, which goes there.
    Upload(Destination),
    /// A form, and the bytes of a file.
    Download,
    /// Nothing but its address, which is the secret that opens a file: only the call is logged.
    Address,
}

/// Whether a call that changes something is carried out to its end when the client goes away in the middle, so that
/// nothing is half changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It is carried out.
    GoesOn,
    /// It ends: what a run has in an R session of its own is nobody's then.
    Ends,
    /// It ends unless it is about an R session that has an owner.
    EndsWithoutSession,
}

/// What a call asks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Its path below the context, in axum's notation.
    pub path: &'static str,
    /// The path that its answers name, where that is another.
    pub name: &'static str,
    /// Its methods.
    pub methods: Methods,
    /// Who may call it.
    pub access: Access,
    /// What comes and goes.
    pub kind: Kind,
    /// What becomes of it without its client.
    pub abandoned: Abandoned,
}
