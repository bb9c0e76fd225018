//! Tokens that people make for their programs.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use super::hash;
use crate::store::PersonalToken;

/// What such a token begins with, so that it is known for what it is: in headers, and by those who look for secrets in source code.
const PREFIX: &str = "offshoot_";
/// A use is noted if the last one that was noted is older than this, in microseconds.
const NOTED: i64 = 60_000_000;

/// Whether a text looks like one.
#[must_use]
pub fn is_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// 256 random bits in base64 (RFC 4648, section 5).
///
/// # Panics
/// If the system has no random numbers.
pub(super) fn secret() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("invariant: the system has random numbers");
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// A new token of an account, and the text by which it is used: it is not kept.
#[must_use]
pub fn make(account: &str, name: &str, roles: Option<Vec<String>>, expires: Option<i64>) -> (PersonalToken, String) {
    let text = format!("{PREFIX}{}", secret());
    let token = PersonalToken {
        id: Uuid::new_v4(),
        account: account.to_owned(),
        name: name.to_owned(),
        hash: hash(&text),
        roles,
        created: jiff::Timestamp::now().as_microsecond(),
        expires,
        used: None,
    };
    (token, text)
}

/// When tokens were last used, as far as it was noted.
#[derive(Debug, Default)]
pub(super) struct LastUses(Mutex<HashMap<Uuid, i64>>);

impl LastUses {
    /// Whether a use of a token is to be noted, which is then taken for done.
    pub(super) fn is_to_be_noted(&self, token: &PersonalToken, now: i64) -> bool {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = uses.entry(token.id).or_insert_with(|| token.used.unwrap_or(0));
        let is_to_be = now.saturating_sub(*last) >= NOTED;
        if is_to_be {
            *last = now;
        }
        is_to_be
    }
}
