//! Who is let in, under which name and with which roles.

use offshoot::{
    auth::{AuthError, Offered},
    store::accounts::AccountChange,
};

use super::{Logins, by_search, by_search_at, by_template};
use crate::harness::{DIRECTORY_PASSWORD, PASSWORD, Slapd, eventually};

#[tokio::test]
async fn both_ways_to_bind_and_every_encryption_find_the_same_account_however_its_name_is_written() {
    let directory = Slapd::shared();
    let ca = directory.ca();
    let ca = ca.display();
    let roles = "[auth.source.roles]\n'r users' = ['POWER_USER']\n'CN=Core, ou=groups,dc=example,dc=org' = ['SCRIPT_MANAGER']\nadmins = ['ADMINISTRATOR']";
    for settings in [
        by_search(directory, roles),
        by_search_at(&directory.encrypted_url(), &format!("ca = '{ca}'\n{roles}")),
        by_search(directory, &format!("starttls = true\nca = '{ca}'\n{roles}")),
        by_template(directory, roles),
        by_template(directory, &format!("starttls = true\nca = '{ca}'\n{roles}")),
    ] {
        let logins = Logins::with(&settings).await;
        let account = logins.account("ada").await;
        let name = if settings.contains("local") { "ada@corp" } else { "ada" };
        assert_eq!((account.name.as_str(), account.source.as_str(), account.subject.as_deref()), (name, "corp", Some("ada")), "{settings}");
        assert_eq!((account.display_name.as_str(), account.roles.join(" ")), ("Ada Lovelace", "POWER_USER SCRIPT_MANAGER".to_owned()));
        for other in ["ADA", "Ada"] {
            assert_eq!(logins.account(other).await, account);
        }
        assert_eq!(logins.account("bob").await.roles, ["POWER_USER"]);
        assert!(matches!(logins.refusal("ada", "wrong").await, AuthError::Credentials));
        assert!(matches!(logins.refusal("ada", "").await, AuthError::Credentials));
        assert!(matches!(logins.refusal("nobody", DIRECTORY_PASSWORD).await, AuthError::Credentials));
        assert!(matches!(logins.refusal("", DIRECTORY_PASSWORD).await, AuthError::Credentials));
    }
}

#[tokio::test]
async fn nobody_gets_in_by_a_name_that_is_more_than_a_name() {
    let directory = Slapd::shared();
    for settings in [by_search(directory, ""), by_template(directory, "")] {
        let logins = Logins::with(&settings).await;
        for name in [
            "*",
            "a*",
            "ada)(uid=*",
            "*)(|(uid=*",
            ")(uid=*",
            "ada,ou=people,dc=example,dc=org",
            "ada,ou=people,dc=example,dc=org,x",
            "ada\0",
            "\0",
            "ada\\2a",
            "ada+cn=Ada Lovelace",
            "{name}",
            "\\",
            "#ada",
            &"a".repeat(10_000),
        ] {
            let refusal = logins.refusal(name, DIRECTORY_PASSWORD).await;
            assert!(matches!(refusal, AuthError::Credentials | AuthError::Delayed(_)), "{name:?}: {refusal}");
            logins.account("ada").await;
        }
    }
}

#[tokio::test]
async fn names_with_letters_that_an_account_cannot_have_are_told_so_and_not_that_the_password_is_wrong() {
    let directory = Slapd::shared();
    for settings in [by_search(directory, ""), by_template(directory, "")] {
        let logins = Logins::with(&settings).await;
        for name in ["jürgen", "JÜRGEN", "comma,name"] {
            let refusal = logins.refusal(name, DIRECTORY_PASSWORD).await.to_string();
            assert!(refusal.contains("corp knows you, but you cannot have an account here"), "{name}: {refusal}");
        }
        assert!(matches!(logins.refusal("jürgen", "falsch").await, AuthError::Credentials));
    }
    // Another attribute can name the account.
    let further = "user_filter = '(cn={name})'\nname_attribute = 'sn'\ndisplay_name_attribute = 'cn'";
    let logins = Logins::with(&by_search(directory, further)).await;
    assert_eq!(logins.account("bob").await.name, "Bob@corp");
    assert!(matches!(logins.refusal("Jürgen Müller", "falsch").await, AuthError::Credentials));
    assert!(
        logins.refusal("Jürgen Müller", DIRECTORY_PASSWORD).await.to_string().contains("\"Jürgen Müller@corp\" cannot be an account's")
    );
}

#[tokio::test]
async fn a_name_of_two_entries_and_accounts_that_the_directory_locks_are_refused() {
    let directory = Slapd::shared();
    let logins = Logins::with(&by_search(directory, "")).await;
    assert!(matches!(logins.refusal("twin", DIRECTORY_PASSWORD).await, AuthError::Credentials));
    for password in [DIRECTORY_PASSWORD, "wrong"] {
        assert!(matches!(logins.refusal("locked", password).await, AuthError::Locked));
    }
    assert!(matches!(logins.refusal("reset", DIRECTORY_PASSWORD).await, AuthError::PasswordExpired));
    assert!(matches!(logins.refusal("reset", "wrong").await, AuthError::Credentials));
    let logins = Logins::with(&by_template(directory, "")).await;
    assert!(matches!(logins.refusal("locked", DIRECTORY_PASSWORD).await, AuthError::Locked));
    // Who is right but cannot read their own entry has no wrong password.
    assert!(matches!(logins.refusal("shy", DIRECTORY_PASSWORD).await, AuthError::Unavailable(_)));
    assert!(matches!(logins.refusal("shy", "wrong").await, AuthError::Credentials));
}

#[tokio::test]
async fn whom_a_directory_names_as_locked_for_ever_stays_out_also_where_it_takes_the_password() {
    let logins = Logins::with(&by_search(Slapd::shared(), "").replace("search_base = 'dc=example", "search_base = 'dc=lax")).await;
    assert!(matches!(logins.refusal("locked", DIRECTORY_PASSWORD).await, AuthError::Locked));
    assert!(matches!(logins.refusal("locked", "wrong").await, AuthError::Credentials));
    // A time after which a lock may be over says nothing: the directory decides, and it has taken the password.
    for name in ["ada", "waiting"] {
        assert_eq!(logins.account(name).await.subject.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn references_to_other_directories_are_not_followed_and_say_nothing_of_a_password() {
    let directory = Slapd::shared();
    // Everything below the base, which names another directory for a part of it.
    let groups = "group_attribute = ''\ngroup_base = 'dc=example,dc=org'\n[auth.source.roles]\n'R Users' = ['POWER_USER']";
    for settings in [by_search(directory, groups), by_template(directory, groups)] {
        assert_eq!(Logins::with(&settings).await.account("ada").await.roles, ["POWER_USER"], "{settings}");
    }
    // Only the other directory knows who is there.
    let there = "ou=people,ou=elsewhere,dc=example,dc=org";
    for settings in [
        by_search(directory, "").replace("search_base = 'dc=example,dc=org'", &format!("search_base = '{there}'")),
        by_search(directory, &format!("group_base = '{there}'")),
        by_template(directory, &format!("group_base = '{there}'")),
    ] {
        let logins = Logins::with(&settings).await;
        let refusal = logins.refusal("ada", DIRECTORY_PASSWORD).await;
        assert!(matches!(&refusal, AuthError::Unavailable(source) if source == "corp"), "{settings}: {refusal}");
    }
    // OpenLDAP refuses a bind there as it does a wrong password.
    let logins = Logins::with(&by_template(directory, "").replace("ou=people", "ou=people,ou=elsewhere")).await;
    assert!(matches!(logins.refusal("ada", DIRECTORY_PASSWORD).await, AuthError::Credentials));
}

#[tokio::test]
async fn groups_are_found_by_a_search_and_groups_of_groups_if_they_count() {
    let directory = Slapd::shared();
    let base = "group_attribute = ''\ngroup_base = 'ou=groups,dc=example,dc=org'";
    let roles = "[auth.source.roles]\n'R Users' = ['POWER_USER']\nadmins = ['ADMINISTRATOR']";
    let roles_of =
        async |further: &str| Logins::with(&by_search(directory, &format!("{further}\n{roles}"))).await.account("ada").await.roles;
    assert_eq!(roles_of(base).await, ["POWER_USER"]);
    // Some groups are in each other.
    let nested = format!("{base}\nnested_groups = 'search'");
    assert_eq!(roles_of(&nested).await, ["ADMINISTRATOR", "POWER_USER"]);
    assert_eq!(roles_of(&nested.replace("group_attribute = ''", "")).await, ["ADMINISTRATOR", "POWER_USER"]);
    assert_eq!(
        roles_of(&format!("{base}\ngroup_filter = '(&(member={{dn}})(cn=core))'\ndefault_roles = ['BASIC_USER']")).await,
        ["BASIC_USER"]
    );
    // This directory does not have the rule, and says of it in its log that it is not defined.
    assert!(roles_of(&format!("{base}\nnested_groups = 'rule'")).await.is_empty());
    eventually("it has written its log", || directory.log().contains("undefined)"));
    let logins = Logins::with(&by_template(directory, &format!("{nested}\n{roles}"))).await;
    assert_eq!(logins.account("ada").await.roles, ["ADMINISTRATOR", "POWER_USER"]);
}

#[tokio::test]
async fn who_has_gone_from_a_group_loses_its_roles_at_the_next_login_and_what_is_set_here_stays() {
    let directory = Slapd::shared();
    let logins = Logins::with(&by_search(directory, "default_roles = ['SCRIPT_MANAGER']")).await;
    let account = logins.account("ada").await;
    // As if the directory had given it another role at the login before.
    let other = AccountChange { roles: Some(vec!["ADMINISTRATOR".to_owned()]), ..AccountChange::default() };
    logins.store.account_change(&account.name, &other).await.unwrap();
    logins
        .store
        .boundary_put(&offshoot::store::boundaries::Boundary {
            name: "small".to_owned(),
            cpu_seconds: Default::default(),
            memory_mib: Default::default(),
            network: None,
        })
        .await
        .unwrap();
    let here = AccountChange { boundary: Some(Some("small".to_owned())), ..AccountChange::default() };
    logins.accounts.change(&account.name, &here).await.unwrap();
    let account = logins.account("ada").await;
    assert_eq!((account.roles.join(" "), account.boundary.as_deref()), ("SCRIPT_MANAGER".to_owned(), Some("small")));
    for change in [other, AccountChange { password_expired: Some(true), ..AccountChange::default() }] {
        let refused = logins.accounts.change(&account.name, &change).await.unwrap_err().to_string();
        assert_eq!(refused, "the account ada@corp comes from corp: its password and its roles are changed there");
    }
    let refused = logins.accounts.set_password(&account.name, PASSWORD.to_owned()).await.unwrap_err().to_string();
    assert!(refused.contains("comes from corp"), "{refused}");
    let disabled = AccountChange { enabled: Some(false), ..AccountChange::default() };
    logins.accounts.change(&account.name, &disabled).await.unwrap();
    assert!(matches!(logins.refusal("ada", DIRECTORY_PASSWORD).await, AuthError::Disabled));
    assert!(matches!(logins.refusal("ada", "wrong").await, AuthError::Credentials));
    // A role that this server does not have is nobody's.
    let logins = Logins::with(&by_search(directory, "default_roles = ['KING']")).await;
    assert!(logins.refusal("ada", DIRECTORY_PASSWORD).await.to_string().contains("there is no role \"KING\""));
}

#[tokio::test]
async fn a_digest_means_nothing_to_a_directory_and_its_sender_is_told_what_to_do() {
    let logins = Logins::with(&by_search(Slapd::shared(), "")).await;
    let digest = offshoot::auth::password::digest(DIRECTORY_PASSWORD);
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    let refusal = logins.accounts.check("ada", Offered::digest_or_password(&digest, true), address).await.unwrap_err();
    assert!(matches!(&refusal, AuthError::Digest(source) if source == "corp"), "{refusal}");
    let digest = offshoot::auth::password::digest(PASSWORD);
    assert!(logins.accounts.check("local", Offered::digest_or_password(&digest, true), address).await.is_ok());
}
