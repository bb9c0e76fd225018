//! Who somebody is, by the claims of a token.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    auth::sources::{Person, roles_of},
    config::issuer::IssuerSettings,
};

/// What a token says.
pub(super) type Claims = Map<String, Value>;

/// The text of a claim, if it has one.
pub(super) fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    find(claims, name)?.as_str().filter(|text| !text.is_empty())
}

/// A claim of a time, in seconds since 1970. They may have fractions (RFC 7519, section 2).
pub(super) fn seconds(claims: &Claims, name: &str) -> Option<i64> {
    let value = claims.get(name)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

/// The texts of a claim: of a list, or the one that it is.
pub(super) fn list<'c>(claims: &'c Claims, name: &str) -> impl Iterator<Item = &'c str> {
    let value = find(claims, name);
    let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().chain(value).filter_map(Value::as_str)
}

/// A claim by its name or, if there is none, by a path to a member of it. Names may have dots of their own.
fn find<'c>(claims: &'c Claims, name: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.').try_fold(claims.get(first)?, |value, member| value.get(member))
}

/// The somebody of a token, and the name of their account if they have none yet. `None` if the token does not say who it is.
pub(super) fn person(settings: &IssuerSettings, claims: &Claims) -> Option<(Person, String)> {
    let subject = text(claims, "sub")?;
    let name = text(claims, &settings.name_claim).unwrap_or(subject);
    let groups: Vec<_> = match settings.roles_claim.as_str() {
        "" => Vec::new(),
        claim => list(claims, claim).map(str::to_owned).collect(),
    };
    let person = Person {
        subject: subject.to_owned(),
        // What cannot be shown is left out, and not a reason to refuse somebody.
        display_name: Some(text(claims, &settings.display_name_claim).unwrap_or(name))
            .map(|shown| shown.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned())
            .map(|shown| if shown.is_empty() { name.to_owned() } else { shown }),
        roles: roles_of(&groups, &settings.roles, &settings.default_roles),
        groups,
    };
    Some((person, name.to_owned()))
}

/// Names somebody's login at an issuer, or somebody if the token does not tell the login: all tokens of it have the same.
pub(super) fn login(issuer: &str, claims: &Claims) -> Uuid {
    let mut hash = Sha256::new();
    for part in [issuer, text(claims, "sub").unwrap_or_default(), text(claims, "sid").unwrap_or_default()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let hash: [u8; 32] = hash.finalize().into();
    Uuid::new_v8(std::array::from_fn(|at| hash[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let claims = r#"{"sub": "8f-1", "preferred_username": "ada", "name": "Ada L.", "groups": ["a", 7, "b"], "role": "a",
            "realm_access": {"roles": ["b"]}, "https://x.example/roles": ["a"]}"#;
        serde_json::from_str(claims).unwrap()
    }

    #[test]
    fn roles_come_from_lists_texts_and_members() {
        for (claim, expected) in [
            ("", vec!["D"]),
            ("groups", vec!["D", "A", "B", "C"]),
            ("role", vec!["D", "A"]),
            ("realm_access.roles", vec!["D", "B", "C"]),
            ("https://x.example/roles", vec!["D", "A"]),
            ("realm_access", vec!["D"]),
            ("nothing.at.all", vec!["D"]),
        ] {
            let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
            let settings = IssuerSettings {
                roles_claim: claim.to_owned(),
                roles: [("a".to_owned(), texts(&["A"])), ("b".to_owned(), texts(&["B", "C"]))].into(),
                default_roles: texts(&["D"]),
                ..IssuerSettings::default()
            };
            let (person, name) = person(&settings, &claims()).unwrap();
            assert_eq!((person.roles, name.as_str(), person.subject.as_str()), (texts(&expected), "ada", "8f-1"), "{claim}");
        }
    }

    #[test]
    fn somebody_without_a_name_is_called_by_their_subject_and_without_a_subject_is_nobody() {
        let settings = IssuerSettings { name_claim: "upn".to_owned(), ..IssuerSettings::default() };
        assert_eq!(person(&settings, &claims()).unwrap().1, "8f-1");
        assert_eq!(person(&settings, &Claims::new()), None);
    }

    #[test]
    fn the_tokens_of_a_login_belong_together() {
        let with = |name: &str, value: &str| {
            let mut claims = claims();
            claims.insert(name.to_owned(), value.into());
            claims
        };
        assert_eq!(login("x", &claims()), login("x", &with("iat", "later")));
        for (issuer, other) in [("y", claims()), ("x", with("sid", "1")), ("x", with("sub", "8f-2"))] {
            assert_ne!(login("x", &claims()), login(issuer, &other));
        }
    }
}
