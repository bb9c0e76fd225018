//! `offshoot auth check` and `offshoot doctor`.

use std::{io::Write, process::Stdio};

use offshoot::store::Store;
use serde_json::json;

use super::{Logins, by_search, by_search_at};
use crate::harness::{DIRECTORY_PASSWORD, PASSWORD, Server, Slapd};

/// A data folder with a store and settings, and no server.
struct Place(tempfile::TempDir);

impl Place {
    async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("offshoot.toml"), settings).unwrap();
        Store::open(&folder.path().join("data")).await.unwrap().close().await;
        Self(folder)
    }

    /// Whether a command succeeds, and what it says.
    fn run(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let mut command = Server::command();
        command.args(arguments).arg("--config").arg(self.0.path().join("offshoot.toml")).arg("--data").arg(self.0.path().join("data"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may have ended without reading it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    fn check(&self, name: &str, password: &str, further: &[&str]) -> (bool, String) {
        self.run(&[&["auth", "check", name, "--password-stdin"], further].concat(), &format!("{password}\n"))
    }
}

#[tokio::test]
async fn the_check_of_a_login_says_which_source_answers_and_what_that_gives() {
    let directory = Slapd::shared();
    let roles = "default_roles = ['BASIC_USER']\n[auth.source.roles]\n'r users' = ['POWER_USER']";
    let settings = by_search(directory, roles);
    let place = Place::with(&settings).await;
    let (good, said) = place.check("ADA", DIRECTORY_PASSWORD, &[]);
    let expected = "source:          corp\nknown there as:  ada\naccount:         ada@corp, which the first login makes\n\
                    display name:    Ada Lovelace\ngroups:          cn=R Users,ou=groups,dc=example,dc=org\n                 \
                    cn=core,ou=groups,dc=example,dc=org\nroles:           BASIC_USER, POWER_USER\n";
    assert_eq!((good, said.as_str()), (true, expected));
    let (_, said) = place.check("ada", DIRECTORY_PASSWORD, &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&answer["account"], &answer["exists"]), (&json!("ada@corp"), &json!(false)));
    let (good, said) = place.check("ada", "wrong", &[]);
    let expected = "offshoot: the user name or the password is wrong\n  local: it does not know the name\n  corp: the password is wrong\n";
    assert_eq!((good, said.as_str()), (false, expected));
    let (_, said) = place.check("locked", DIRECTORY_PASSWORD, &[]);
    assert!(said.starts_with("offshoot: the account is locked\n") && said.ends_with("corp: the account is locked\n"), "{said}");
    let (_, said) = place.run(&["auth", "check", "ada"], "");
    assert!(said.contains("give it with --password-stdin"), "{said}");
    let place = Place::with(&settings.replace(DIRECTORY_PASSWORD, "wrong")).await;
    let (good, said) = place.check("ada", DIRECTORY_PASSWORD, &[]);
    assert!(!good && said.contains("corp: ") && said.contains("the bind account cn=reader,dc=example,dc=org is refused"), "{said}");
}

#[tokio::test]
async fn the_doctor_says_how_far_one_gets_with_a_directory() {
    let directory = Slapd::shared();
    let ca = directory.ca();
    let encrypted = |further: &str| by_search_at(&directory.encrypted_url(), &format!("ca = '{}'\n{further}", ca.display()));
    let doctor = async |settings: String| Place::with(&settings).await.run(&["doctor", "--listen", "127.0.0.1:0"], "").1;
    let said = doctor(encrypted("group_base = 'ou=groups,dc=example,dc=org'\ndefault_roles = ['POWER_USER']")).await;
    for good in [
        format!("ok       accounts: corp: {} can be reached\n", directory.encrypted_url()),
        "ok       accounts: corp: the bind account can bind\n".to_owned(),
        "ok       accounts: corp: search_base is there\n".to_owned(),
        "ok       accounts: corp: group_base is there\n".to_owned(),
        "ok       accounts: the certificate of corp is for 127.0.0.1, and good for ".to_owned(),
        "ok       accounts: corp: its roles exist\n".to_owned(),
    ] {
        assert!(said.contains(&good), "{good}: {said}");
    }
    let said = doctor(encrypted("default_roles = ['KING']").replace(DIRECTORY_PASSWORD, "wrong")).await;
    assert!(said.contains("ERROR    accounts: corp: there is no role KING\n"), "{said}");
    assert!(said.contains("the bind account cn=reader,dc=example,dc=org is refused"), "{said}");
    let said = doctor(by_search_at(&directory.encrypted_url(), "group_base = 'ou=nowhere,dc=example,dc=org'")).await;
    assert!(said.contains("ERROR    accounts: corp: ldaps://") && said.contains("invalid peer certificate"), "{said}");
    let said = doctor(by_search(directory, "group_base = 'ou=nowhere,dc=example,dc=org'")).await;
    assert!(said.contains("ERROR    accounts: corp: ldap://") && said.contains("ou=nowhere"), "{said}");
}

#[tokio::test]
async fn an_account_of_a_directory_that_was_disabled_here_is_told_so_by_the_check() {
    let logins = Logins::with(&by_search(Slapd::shared(), "")).await;
    let account = logins.account("bob").await;
    let (whose, heard) = logins.accounts.inquire("BOB", DIRECTORY_PASSWORD, [127, 0, 0, 1].into()).await;
    let whose = whose.unwrap();
    assert!(whose.exists && whose.account == account.name && heard.len() == 1, "{whose:?} {heard:?}");
    let disabled = offshoot::store::accounts::AccountChange { enabled: Some(false), ..Default::default() };
    logins.accounts.change(&account.name, &disabled).await.unwrap();
    let (refused, _) = logins.accounts.inquire("bob", DIRECTORY_PASSWORD, [127, 0, 0, 1].into()).await;
    assert_eq!(refused.unwrap_err().to_string(), "the account is disabled");
    let (whose, _) = logins.accounts.inquire("local", PASSWORD, [127, 0, 0, 1].into()).await;
    assert_eq!(whose.unwrap().source, "local");
}
