//! Hashes of passwords that other programs made, as Spring Security's `DelegatingPasswordEncoder` writes them: the name of the scheme in
//! braces, followed by the data of that scheme.
//!
//! | scheme | what follows |
//! |---|---|
//! | `{bcrypt}` | `$2a$10$` and 53 characters |
//! | `{pbkdf2}` | in hexadecimal digits, 8 bytes of salt and 32 of HMAC-SHA-1, 185,000 rounds |
//! | `{pbkdf2@SpringSecurity_v5_8}` | in hexadecimal digits, 16 bytes of salt and 32 of HMAC-SHA-256, 310,000 rounds |
//! | `{scrypt}`, `{scrypt@SpringSecurity_v5_8}` | `$` parameters `$` salt `$` key: the first in hexadecimal digits, the others in base64 |
//! | `{argon2}`, `{argon2@SpringSecurity_v5_8}` | `$argon2id$v=19$m=16384,t=2,p=1$` salt `$` key |
//!
//! These are hashes of the password itself, not of its digest.

use argon2::{
    Argon2,
    password_hash::{PasswordVerifier, phc},
};
use base64_simd::STANDARD;
use subtle::ConstantTimeEq;

/// Schemes that Spring Security knows and we do not. Their hashes must not be taken for passwords. Any other text in braces is simply the
/// beginning of a password.
const OTHER_SCHEMES: [&str; 6] = ["ldap", "MD4", "MD5", "SHA-1", "SHA-256", "sha256"];
/// The length of a key that is derived from a password, in bytes.
const KEY: usize = 32;

/// A hash that cannot be checked; the text is its scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable<'a> {
    /// The hash does not have the form of its scheme.
    #[error("what follows {{{0}}} is no such hash")]
    Malformed(&'a str),
    /// The scheme is not known here.
    #[error(
        "a hash of {{{0}}} cannot be checked; a secret is plain, or begins with {{noop}}, {{bcrypt}}, {{pbkdf2}}, {{scrypt}} or {{argon2}}"
    )]
    Unknown(&'a str),
}

/// A hash that another program made.
#[derive(Debug)]
pub struct ForeignHash<'a>(Scheme<'a>);

#[derive(Debug)]
enum Scheme<'a> {
    Bcrypt(&'a str),
    Argon2(&'a str),
    Derived { salt: Vec<u8>, key: Vec<u8>, by: Function },
}

/// The function that derives a key from a password and a salt.
#[derive(Debug)]
enum Function {
    Pbkdf2Sha1 { rounds: u32 },
    Pbkdf2Sha256 { rounds: u32 },
    Scrypt(scrypt::Params),
}

impl<'a> ForeignHash<'a> {
    /// Reads a hash that begins with its scheme in braces; `None` if the text is a password instead.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn read(secret: &'a str) -> Result<Option<Self>, Unreadable<'a>> {
        let Some((scheme, hash)) = secret.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { return Ok(None) };
        let kind = match scheme {
            "bcrypt" => hash.parse::<bcrypt::HashParts>().is_ok().then_some(Scheme::Bcrypt(hash)),
            "pbkdf2" => pbkdf2(hash, 8, Function::Pbkdf2Sha1 { rounds: 185_000 }),
            "pbkdf2@SpringSecurity_v5_8" => pbkdf2(hash, 16, Function::Pbkdf2Sha256 { rounds: 310_000 }),
            "scrypt" | "scrypt@SpringSecurity_v5_8" => scrypt(hash),
            "argon2" | "argon2@SpringSecurity_v5_8" => phc::PasswordHash::new(hash).is_ok().then_some(Scheme::Argon2(hash)),
            _ if OTHER_SCHEMES.contains(&scheme) => return Err(Unreadable::Unknown(scheme)),
            _ => return Ok(None),
        };
        kind.map(|kind| Some(Self(kind))).ok_or(Unreadable::Malformed(scheme))
    }

    /// Whether this is the hash of the password. It is slow on purpose.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        let password_bytes = password.as_bytes();
        match &self.0 {
            Scheme::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Scheme::Argon2(hash) => {
                phc::PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password_bytes, &hash).is_ok())
            }
            Scheme::Derived { salt, key, by } => {
                let mut derived = [0; KEY];
                let made = match by {
                    Function::Pbkdf2Sha1 { rounds } => {
                        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password_bytes, salt, *rounds, &mut derived);
                        true
                    }
                    Function::Pbkdf2Sha256 { rounds } => {
                        pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password_bytes, salt, *rounds, &mut derived);
                        true
                    }
                    Function::Scrypt(params) => scrypt::scrypt(password_bytes, salt, params, &mut derived).is_ok(),
                };
                made && bool::from(derived.ct_eq(key))
            }
        }
    }
}

fn pbkdf2(hash: &str, salt: usize, by: Function) -> Option<Scheme<'static>> {
    let mut salt_and_key = hex::decode(hash).ok().filter(|bytes| bytes.len() == salt + KEY)?;
    let key = salt_and_key.split_off(salt);
    Some(Scheme::Derived { salt: salt_and_key, key, by })
}

fn scrypt(hash: &str) -> Option<Scheme<'static>> {
    let mut parts = hash.strip_prefix('$')?.split('$');
    let [0, log_cost, block, lanes] = u32::from_str_radix(parts.next()?, 16).ok()?.to_be_bytes() else { return None };
    let by = Function::Scrypt(scrypt::Params::new(log_cost, u32::from(block), u32::from(lanes)).ok()?);
    let mut decoded = || STANDARD.decode_to_vec(parts.next()?).ok();
    let (salt, key) = (decoded()?, decoded()?);
    (parts.next().is_none() && key.len() == KEY).then_some(Scheme::Derived { salt, key, by })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of `password`. The first two are from the reference documentation of Spring Security.
    const HASHES: [&str; 5] = [
        "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc",
        "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==\
         $OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=",
        "{pbkdf2@SpringSecurity_v5_8}000102030405060708090a0b0c0d0e0fe0f65a4bf6716253d2d10a7a4b18f35cd4baf31ff031a187cd0091674905482d",
        "{scrypt@SpringSecurity_v5_8}$100801$AAECAwQFBgcICQoLDA0ODw==$jWPkcxERY25E9gwism7ggXZkARLbUPyOZiOM5ZQx95s=",
        "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG",
    ];

    #[test]
    fn hashes_of_each_scheme_are_of_their_password_only() {
        let argon2 = Argon2::default();
        let argon2 = format!("{{argon2}}{}", argon2::password_hash::PasswordHasher::hash_password(&argon2, b"password").unwrap());
        for hash in HASHES.into_iter().chain([argon2.as_str()]) {
            let read = ForeignHash::read(hash).unwrap().unwrap();
            assert!(read.is_of("password") && !read.is_of("Password"), "{hash}");
        }
    }

    #[test]
    fn what_is_cut_short_is_no_hash() {
        for hash in HASHES {
            let scheme = &hash[1..hash.find('}').unwrap()];
            for length in scheme.len() + 2..hash.len() {
                assert_eq!(ForeignHash::read(&hash[..length]).unwrap_err(), Unreadable::Malformed(scheme), "{}", &hash[..length]);
            }
        }
        for other in ["{scrypt}$1100801$AA==$jWPkcxERY25E9gwism7ggXZkARLbUPyOZiOM5ZQx95s=", "{argon2}$2a$10$x"] {
            assert!(ForeignHash::read(other).is_err(), "{other}");
        }
        assert_eq!(ForeignHash::read("{MD5}x").unwrap_err(), Unreadable::Unknown("MD5"));
        for none in ["password", "{secret}", "{noop}x", "{bcrypt", ""] {
            assert!(ForeignHash::read(none).unwrap().is_none(), "{none}");
        }
    }
}
