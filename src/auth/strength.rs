//! Passwords that an administrator may not have.

use zxcvbn::Score;

/// The fewest characters (contract of the management console, Security policies).
const LENGTH: usize = 8;
/// The longest part of a password that is looked at: the time for it grows faster than its length.
const LOOKED_AT: usize = 100;

/// Why a password is too weak for an administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It is too short.
    #[error("it has fewer than {LENGTH} characters")]
    Short,
    /// It has characters of too few kinds.
    #[error("it needs capital letters, small letters and digits")]
    Uniform,
    /// It is a well-known one, or made of well-known parts.
    #[error("it is well known, or made of words, names, dates or rows of keys: who guesses has it soon")]
    Guessed,
}

/// Checks a password of the account `name`.
///
/// # Errors
/// [`Weakness`]
pub fn check(name: &str, password: &str) -> Result<(), Weakness> {
    if password.chars().count() < LENGTH {
        return Err(Weakness::Short);
    }
    let has = |is: fn(char) -> bool| password.contains(is);
    if !has(char::is_uppercase) || !has(char::is_lowercase) || !has(char::is_numeric) {
        return Err(Weakness::Uniform);
    }
    let beginning: String = password.chars().take(LOOKED_AT).collect();
    let estimate = zxcvbn::zxcvbn(&beginning, &[name, "offshoot", "administrator"]);
    if estimate.score() < Score::Two { Err(Weakness::Guessed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administrators_have_no_weak_passwords() {
        for (password, expected) in [
            ("", Err(Weakness::Short)),
            ("Ab1défg", Err(Weakness::Short)),
            ("correct horse battery staple", Err(Weakness::Uniform)),
            ("ALLCAPITALS123", Err(Weakness::Uniform)),
            ("Password1", Err(Weakness::Guessed)),
            ("Offshoot1", Err(Weakness::Guessed)),
            ("Qwertyuiop1", Err(Weakness::Guessed)),
            ("Administrator1", Err(Weakness::Guessed)),
            ("Choose-1-of-your-own", Ok(())),
            ("Zwölf Boxkämpfer jagen 3", Ok(())),
        ] {
            assert_eq!(check("admin", password), expected, "{password}");
        }
        assert_eq!(check("Ada.Lovelace", "Ada.Lovelace1"), Err(Weakness::Guessed));
        assert_eq!(check("admin", &"Xy7".repeat(100_000)), check("admin", &"Xy7".repeat(33)));
        for _ in 0..20 {
            let generated = crate::auth::password::generate().unwrap();
            assert_eq!(check("admin", &generated), Ok(()));
        }
    }
}
