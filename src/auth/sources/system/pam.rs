//! Asks PAM (pam(3)), in a process of its own: its modules may do anything with the process that loads them, have threads and take long.

use std::io::{self, Read};

use pam_client2::{Context, ErrorCode, Flag, conv_mock::Conversation};
use serde::{Deserialize, Serialize};

/// A question to PAM: one line of JSON on standard input.
#[derive(Serialize, Deserialize)]
pub(super) struct Question {
    /// The service, which is a file in /etc/pam.d.
    pub(super) service: String,
    /// The name.
    pub(super) name: String,
    /// The password.
    pub(super) password: String,
}

/// Its answer, on standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The name and the password are somebody's, whom PAM calls so and lets in.
    Accepted(String),
    /// They are not, or PAM does not let them in, and why.
    Refused(String),
    /// PAM cannot tell.
    Failed(String),
}

/// Answers the question on standard input.
///
/// # Errors
/// When there is none, or nobody reads the answer.
pub fn answer() -> io::Result<()> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let question: Question = serde_json::from_str(&text).map_err(io::Error::other)?;
    serde_json::to_writer(io::stdout().lock(), &ask(&question)).map_err(io::Error::other)
}

fn ask(question: &Question) -> Reply {
    let conversation = Conversation::with_credentials(&question.name, &question.password);
    let accepted = Context::new(&question.service, Some(&question.name), conversation).and_then(|mut context| {
        context.authenticate(Flag::DISALLOW_NULL_AUTHTOK)?;
        context.acct_mgmt(Flag::DISALLOW_NULL_AUTHTOK)?;
        context.user()
    });
    accepted.map_or_else(
        |error| match error.code() {
            ErrorCode::AUTH_ERR
            | ErrorCode::USER_UNKNOWN
            | ErrorCode::MAXTRIES
            | ErrorCode::PERM_DENIED
            | ErrorCode::ACCT_EXPIRED
            | ErrorCode::NEW_AUTHTOK_REQD
            | ErrorCode::AUTHTOK_EXPIRED
            | ErrorCode::CRED_INSUFFICIENT => Reply::Refused(error.to_string()),
            _ => Reply::Failed(error.to_string()),
        },
        Reply::Accepted,
    )
}
