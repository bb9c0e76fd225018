//! Stored passwords: argon2 over the SHA-1 digest of the password.
//!
//! Clients of the RevoDeployR API send `sha1hex(password)`, so all ways of logging in check the digest. The digest itself is never stored.

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha1::{Digest, Sha1};

use super::ForeignHash;

/// The hash of a password of 30 random bytes that was never written down. It is checked where an account does not exist, so that the check
/// takes the same time, and is that of accounts that have no password yet.
pub const OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$pbMPY2ZJq8IYPY62tyaskQ$uplaqd06cUjxXVF41nbhnF60RPlqNWAZszUKs2NPoNM";

/// The SHA-1 digest of a password: 40 hexadecimal digits in lower case.
#[must_use]
pub fn digest(password: &str) -> String {
    use std::fmt::Write;
    Sha1::digest(password.as_bytes()).iter().fold(String::with_capacity(40), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether this may be a digest. Clients send digests in either case.
#[must_use]
pub fn is_digest(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The hash of a password, for the store. It takes some 20 ms of processor time, on purpose.
///
/// # Panics
/// Never: the parameters are argon2's own, and the system has random numbers.
#[must_use]
pub fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(digest(password).as_bytes());
    hash.expect("invariant: argon2's default parameters are valid").to_string()
}

/// Whether `digest` belongs to the password stored as `hash`. As slow as [`hash()`].
#[must_use]
pub fn verify(digest: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(digest.as_bytes(), &hash).is_ok())
}

/// Whether `password` is the one stored as `hash`, which another program may have made. Such hashes cannot be checked by a digest.
#[must_use]
pub fn verify_plain(password: &str, hash: &str) -> bool {
    match ForeignHash::read(hash) {
        Ok(Some(foreign)) => foreign.is_of(password),
        _ => verify(&digest(password), hash),
    }
}

/// A new password to show once: 20 letters and digits, some 119 bits. There are capital and small letters and digits in it.
///
/// # Errors
/// When the system has no random numbers.
pub fn generate() -> Result<String, getrandom::Error> {
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let mut password = String::new();
    let has = |password: &str, is: fn(&u8) -> bool| password.as_bytes().iter().any(is);
    while password.len() < 20 {
        let mut byte = [0];
        getrandom::fill(&mut byte)?;
        // Bytes beyond the last whole multiple of the alphabet are skipped, so that each letter is equally likely.
        if usize::from(byte[0]) < 256 / LETTERS.len() * LETTERS.len() {
            password.push(char::from(LETTERS[usize::from(byte[0]) % LETTERS.len()]));
        }
        let kinds: [fn(&u8) -> bool; 3] = [u8::is_ascii_uppercase, u8::is_ascii_lowercase, u8::is_ascii_digit];
        if password.len() == 20 && !kinds.into_iter().all(|kind| has(&password, kind)) {
            password.clear();
        }
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_clients_send() {
        assert_eq!(digest("secret"), "e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4");
        assert!(is_digest(&digest("x")) && is_digest(&digest("x").to_uppercase()) && !is_digest("secret"));
    }

    #[test]
    fn a_hash_verifies_its_own_password_only() {
        let hash = hash("secret");
        let cost = |hash: &str| hash.rsplitn(3, '$').nth(2).unwrap().to_owned();
        assert_eq!(cost(&hash), cost(OF_NOBODY));
        assert!(hash.starts_with("$argon2id$") && PasswordHash::new(OF_NOBODY).is_ok());
        assert!(verify(&digest("secret"), &hash));
        assert!(!verify(&digest("Secret"), &hash) && !verify("secret", &hash) && !verify("", "garbage"));
    }

    #[test]
    fn plain_passwords_are_verified_by_either_hash() {
        let bcrypt = format!("{{bcrypt}}{}", bcrypt::hash("secret", 4).unwrap());
        for hash in [bcrypt, hash("secret")] {
            assert!(verify_plain("secret", &hash) && !verify_plain("Secret", &hash));
        }
        assert!(!verify_plain("secret", "{bcrypt}$2"));
    }

    #[test]
    fn generated_passwords_differ() {
        assert_ne!(generate().unwrap(), generate().unwrap());
    }
}
