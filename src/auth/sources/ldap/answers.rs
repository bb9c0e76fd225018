//! What the answer to a bind means.

use ldap3::{
    LdapResult,
    asn1::{PL, TagClass, parse_tag},
};

use crate::auth::sources::Bar;

/// The control by which a directory says more of a password (draft-behera-ldap-password-policy, section 6).
pub(super) const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// Result codes (RFC 4511, appendix A).
mod code {
    pub(super) const SUCCESS: u32 = 0;
    pub(super) const CONSTRAINT_VIOLATION: u32 = 19;
    pub(super) const NO_SUCH_OBJECT: u32 = 32;
    pub(super) const INVALID_DN_SYNTAX: u32 = 34;
    pub(super) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(super) const INVALID_CREDENTIALS: u32 = 49;
    pub(super) const UNWILLING_TO_PERFORM: u32 = 53;
}

/// What a directory says of a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// The name and the password are right.
    Yes,
    /// They are not, or it does not say.
    No,
    /// The account may not be used.
    Barred(Bar),
    /// Nothing about the name and the password.
    Failed,
}

impl Bound {
    pub(super) fn of(result: &LdapResult) -> Self {
        let policy = result.ctrls.iter().find(|control| control.1.ctype == PASSWORD_POLICY);
        if let Some(bar) = policy.and_then(|control| bar_of_policy(control.1.val.as_deref()?)) {
            return Self::Barred(bar);
        }
        match result.rc {
            code::SUCCESS => Self::Yes,
            code::INVALID_CREDENTIALS => bar_of_active_directory(&result.text).map_or(Self::No, Self::Barred),
            code::NO_SUCH_OBJECT | code::INVALID_DN_SYNTAX | code::INAPPROPRIATE_AUTHENTICATION => Self::No,
            // 389 Directory Server, after too many wrong passwords and for an account that is not active.
            code::CONSTRAINT_VIOLATION => Self::Barred(Bar::Locked),
            code::UNWILLING_TO_PERFORM if result.text.to_ascii_lowercase().contains("inactivated") => Self::Barred(Bar::Disabled),
            _ => Self::Failed,
        }
    }
}

/// The error in the value of the control: `SEQUENCE { warning [0] ... OPTIONAL, error [1] ENUMERATED OPTIONAL }`.
fn bar_of_policy(value: &[u8]) -> Option<Bar> {
    let (_, sequence) = parse_tag(value).ok()?;
    let PL::C(parts) = sequence.payload else { return None };
    let error = parts.into_iter().find(|part| part.class == TagClass::Context && part.id == 1)?;
    match error.payload {
        // passwordExpired, accountLocked, changeAfterReset. The others are about changes of a password.
        PL::P(number) => match number[..] {
            [0 | 2] => Some(Bar::Expired),
            [1] => Some(Bar::Locked),
            _ => None,
        },
        PL::C(_) => None,
    }
}

/// Active Directory says it in the text: `... AcceptSecurityContext error, data 775, v4563`. The numbers are those of errors of Windows.
fn bar_of_active_directory(text: &str) -> Option<Bar> {
    let (_, rest) = text.split_once(", data ")?;
    match rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next()? {
        "775" => Some(Bar::Locked),
        "533" | "701" => Some(Bar::Disabled),
        "532" | "773" => Some(Bar::Expired),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ldap3::controls::{Control, RawControl};

    use super::*;

    fn bound(rc: u32, text: &str, policy: Option<&[u8]>) -> Bound {
        let raw = policy.map(|value| RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: Some(value.to_vec()) });
        let ctrls = raw.into_iter().map(|raw| Control(None, raw)).collect();
        Bound::of(&LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls })
    }

    #[test]
    fn active_directory_says_why_in_its_text() {
        let says = |data: &str| {
            let text = format!("80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563\0");
            bound(49, &text, None)
        };
        assert_eq!((says("52e"), says("525")), (Bound::No, Bound::No));
        assert_eq!(says("775"), Bound::Barred(Bar::Locked));
        assert_eq!((says("533"), says("701")), (Bound::Barred(Bar::Disabled), Bound::Barred(Bar::Disabled)));
        assert_eq!((says("532"), says("773")), (Bound::Barred(Bar::Expired), Bound::Barred(Bar::Expired)));
    }

    #[test]
    fn a_password_policy_says_why_in_its_control() {
        assert_eq!(bound(49, "", Some(&[0x30, 3, 0x81, 1, 1])), Bound::Barred(Bar::Locked));
        assert_eq!(bound(49, "", Some(&[0x30, 3, 0x81, 1, 0])), Bound::Barred(Bar::Expired));
        // With a warning before it: seconds until the password expires. The password is right, and has to be changed first.
        assert_eq!(bound(0, "", Some(&[0x30, 8, 0xa0, 3, 0x80, 1, 9, 0x81, 1, 2])), Bound::Barred(Bar::Expired));
        assert_eq!(bound(0, "", Some(&[0x30, 5, 0xa0, 3, 0x80, 1, 9])), Bound::Yes);
        for broken in [&[][..], &[0x30], &[0x30, 0], &[0x30, 3, 0x81, 1], &[0x30, 3, 0x81, 1, 77], &[4, 1, 1]] {
            assert_eq!((bound(0, "", Some(broken)), bound(49, "", Some(broken))), (Bound::Yes, Bound::No), "{broken:?}");
        }
    }

    #[test]
    fn what_says_nothing_of_the_password_is_a_failure() {
        for rc in [1, 2, 7, 8, 10, 11, 13, 51, 52, 53, 80] {
            assert_eq!(bound(rc, "", None), Bound::Failed, "{rc}");
        }
        assert_eq!(bound(53, "Account inactivated. Contact system administrator.", None), Bound::Barred(Bar::Disabled));
        assert_eq!(bound(19, "Exceed password retry limit. Please try later.", None), Bound::Barred(Bar::Locked));
    }
}
