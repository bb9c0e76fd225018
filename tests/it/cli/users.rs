//! Accounts, as the command line and a running server see them.

use super::{Administrator, is_time, login, names, server, until};
use crate::harness::{Client, PASSWORD, Server, eventually, is_root_for};

/// Adds an account.
fn add(administrator: &Administrator, name: &str, password: &str, further: &[&str]) {
    administrator.reads(&[&["user", "add", name, "--password-stdin"], further].concat(), &format!("{password}\n"));
}

#[tokio::test]
async fn accounts_are_listed_shown_changed_and_removed() {
    let server = server();
    let administrator = Administrator::of(&server);
    administrator.does(&["boundary", "put", "small", "--cpu-seconds", "5"]);
    add(&administrator, "ada", "first", &["--display-name", "Ada L.", "--role", "POWER_USER", "--boundary", "small"]);
    add(&administrator, "bob", "first", &[]);
    let table = administrator.does(&["user", "list"]);
    let lines: Vec<_> = table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    let lines: Vec<&[&str]> = lines.iter().map(Vec::as_slice).collect();
    assert_eq!(lines[0], ["NAME", "DISPLAY NAME", "SOURCE", "STATUS", "ROLES", "BOUNDARY", "CHANGED"]);
    assert_eq!(lines[1][..6], ["ada", "Ada L.", "local", "enabled", "POWER_USER", "small"]);
    assert_eq!(lines[2][..6], ["admin", "System Administrator", "local", "enabled", "ADMINISTRATOR, POWER_USER", "-"]);
    assert_eq!(lines[3][..6], ["bob", "bob", "local", "enabled", "BASIC_USER", "-"]);
    assert_eq!(lines[5][..4], ["testuser", "Test User", "local", "disabled"]);
    let list = administrator.json(&["user", "list"]);
    assert_eq!(names(&list), ["ada", "admin", "bob", "testmanager", "testuser"]);
    let shown = administrator.json(&["user", "show", "ada"]);
    assert_eq!(list[0], shown);
    assert!(is_time(&shown["created"]) && is_time(&shown["changed"]));
    assert!(!shown.to_string().contains("argon2"));
    let fields: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        [
            "boundary",
            "changed",
            "created",
            "display_name",
            "enabled",
            "failed_logins",
            "locked",
            "locked_out",
            "name",
            "password_expired",
            "roles",
            "source"
        ]
    );
    assert!(
        administrator
            .does(&["user", "show", "ada"])
            .starts_with("name:           ada\ndisplay name:   Ada L.\nsource:         local\nstatus:         enabled\n")
    );

    let change = ["user", "change", "ada", "--display-name", "Ada", "--role", "SCRIPT_MANAGER", "--role", "BASIC_USER", "--no-boundary"];
    administrator.does(&change);
    administrator.does(&["user", "expire", "ada"]);
    administrator.does(&["user", "lock", "ada"]);
    administrator.does(&["user", "disable", "ada"]);
    let changed = administrator.json(&["user", "show", "ada"]);
    assert_eq!((&changed["display_name"], &changed["boundary"]), (&"Ada".into(), &serde_json::Value::Null));
    assert_eq!(changed["roles"], serde_json::json!(["BASIC_USER", "SCRIPT_MANAGER"]));
    assert_eq!([&changed["enabled"], &changed["locked"], &changed["locked_out"], &changed["password_expired"]], [false, true, false, true]);
    assert!(administrator.does(&["user", "show", "ada"]).contains("disabled, locked, password expired"));
    administrator.does(&["user", "remove", "ada"]);
    assert_eq!(names(&administrator.json(&["user", "list"])), ["admin", "bob", "testmanager", "testuser"]);
}

#[tokio::test]
async fn what_cannot_be_done_with_accounts_is_said() {
    let server = server();
    let administrator = Administrator::of(&server);
    let before = administrator.all();
    let long = "a".repeat(51);
    for (arguments, input, message) in [
        (vec!["add", "admin", "--password-stdin"], "x", "the account \"admin\" is there already"),
        (vec!["add", "a b", "--password-stdin"], "x", "\"a b\" cannot be an account's name: 1 to 64 letters, digits"),
        (vec!["add", "eve", "--display-name", &long, "--password-stdin"], "x", "cannot be a display name: 1 to 50 characters"),
        (vec!["add", "eve", "--password-stdin"], "\n", "an account needs a password that is not empty"),
        (vec!["add", "eve"], "", "there is no terminal to ask for a password; give it with --password-stdin"),
        (vec!["add", "eve", "--role", "KING", "--password-stdin"], "x", "there is no role \"KING\""),
        (vec!["add", "eve", "--boundary", "none", "--password-stdin"], "x", "there is no boundary \"none\""),
        (vec!["passwd", "nobody", "--password-stdin"], "x", "there is no account \"nobody\""),
        (vec!["change", "testuser"], "", "nothing to change"),
        (vec!["change", "testuser", "--display-name", "T", "--role", "KING"], "", "there is no role \"KING\""),
        (vec!["show", "nobody"], "", "there is no account \"nobody\""),
        (vec!["disable", "nobody"], "", "there is no account \"nobody\""),
        (vec!["remove", "nobody"], "", "there is no account \"nobody\""),
        (vec!["remove", "admin"], "", "the account admin manages the server: it can be neither removed, disabled nor locked"),
        (vec!["disable", "admin"], "", "the account admin manages the server"),
        (vec!["lock", "admin"], "", "the account admin manages the server"),
        (vec!["change", "admin", "--role", "POWER_USER"], "", "and stays ADMINISTRATOR"),
    ] {
        let output = administrator.run(&[&["user"], arguments.as_slice()].concat(), input);
        let said = super::said(&output);
        assert!(output.status.code() == Some(1) && said.contains(message), "{arguments:?}: {said}");
    }
    assert_eq!(administrator.all(), before);
}

#[tokio::test]
async fn passwords_are_set_and_kept_secret() {
    let server = server();
    let administrator = Administrator::of(&server);
    add(&administrator, "ada", "first", &["--display-name", "Ada L."]);
    let ada = Client::login(&server, "ada", "first").await;
    assert_eq!(ada.get("/r/user/whoami", &[]).await.success()["identity"]["displayname"], "Ada L.");
    administrator.reads(&["user", "passwd", "ada", "--password-stdin"], "second-password");
    assert_eq!((login(&server, "ada", "first").await, login(&server, "ada", "second-password").await), (401, 200));
    administrator.does(&["user", "expire", "ada"]);
    assert_eq!(login(&server, "ada", "second-password").await, 403);
    administrator.reads(&["user", "passwd", "ada", "--password-stdin"], "second-password");
    assert_eq!(login(&server, "ada", "second-password").await, 200);
    // The store has neither the password nor the digest that clients send.
    let files = ["offshoot.db", "offshoot.db-wal"].map(|name| std::fs::read(server.data().join(name)).unwrap_or_default());
    let store = files.concat();
    let digest = offshoot::auth::password::digest(PASSWORD);
    for secret in [PASSWORD, "second-password", &digest] {
        assert!(!store.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    assert!(!server.log().contains(PASSWORD));
}

#[tokio::test]
async fn logins_end_with_what_their_account_may() {
    let server = server();
    let administrator = Administrator::of(&server);
    for (name, command, refused) in [("ann", "disable", 403), ("ben", "lock", 403), ("cleo", "remove", 401)] {
        add(&administrator, name, "secret", &[]);
        let client = Client::login(&server, name, "secret").await;
        let session = client.session().await;
        administrator.does(&["user", command, name]);
        eventually("the login ends", || server.log().contains(&format!("\"user.name\":\"{name}\"")) && ended(&server, name));
        until(401, &client, "/r/user/whoami", &[]).await;
        assert_eq!(client.get("/r/session/ping", &[("session", &session.id)]).await.status, 401);
        assert_eq!(login(&server, name, "secret").await, refused, "{command}");
    }
    administrator.does(&["user", "enable", "ann"]);
    administrator.does(&["user", "unlock", "ben"]);
    assert_eq!((login(&server, "ann", "secret").await, login(&server, "ben", "secret").await), (200, 200));
}

fn ended(server: &Server, name: &str) -> bool {
    let log = server.log();
    log.lines().any(|line| line.contains("may not be logged in any more") && line.contains(&format!("\"user.name\":\"{name}\"")))
}

#[tokio::test]
async fn failed_logins_lock_an_account_for_a_while_if_a_policy_says_so() {
    let mut stopped = server();
    stopped.signal(rustix::process::Signal::TERM);
    stopped.wait();
    let administrator = Administrator::of(&stopped);
    add(&administrator, "ada", "secret", &[]);
    administrator.does(&["policy", "set", "lock-after", "3"]);
    let server = Server::start_in(stopped.into_folder(), "[sessions]\npool = 0");
    let administrator = Administrator::of(&server);
    let fail = async |times: usize| {
        for _ in 0..times {
            assert_eq!(login(&server, "ada", "wrong").await, 401);
        }
    };
    // A successful login resets the number of failed ones.
    fail(2).await;
    assert_eq!(login(&server, "ada", "secret").await, 200);
    fail(3).await;
    for password in ["secret", "wrong"] {
        let reply = Client::new(&server).post("/r/user/login", &[("username", "ada"), ("password", password)]).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str().unwrap()), (403, "The account is locked."));
    }
    let ada = administrator.json(&["user", "show", "ada"]);
    assert_eq!((&ada["locked"], &ada["locked_out"], &ada["failed_logins"]), (&false.into(), &true.into(), &3.into()));
    assert!(administrator.does(&["user", "list"]).contains("locked by failed logins"));
    // Other accounts are not affected, and an administrator can unlock this one.
    assert_eq!(login(&server, "admin", PASSWORD).await, 200);
    administrator.does(&["user", "unlock", "ada"]);
    assert_eq!(login(&server, "ada", "secret").await, 200);

    fail(3).await;
    administrator.does(&["policy", "set", "unlock-seconds", "1"]);
    until(401, &Client::new(&server), "/r/user/login", &[("username", "ada"), ("password", "wrong")]).await;
    // Failures before the lock do not count any more.
    assert_eq!(login(&server, "ada", "secret").await, 200);
}

#[tokio::test]
async fn policies_say_when_an_account_is_locked() {
    let mut stopped = server();
    stopped.signal(rustix::process::Signal::TERM);
    stopped.wait();
    let administrator = Administrator::of(&stopped);
    add(&administrator, "ada", "secret", &[]);
    administrator.does(&["policy", "set", "lock-after", "2"]);
    administrator.does(&["policy", "set", "unlock-seconds", "0"]);
    let server = Server::start_in(stopped.into_folder(), "[sessions]\npool = 0");
    let administrator = Administrator::of(&server);
    assert_eq!((login(&server, "ada", "wrong").await, login(&server, "ada", "wrong").await), (401, 401));
    assert_eq!(login(&server, "ada", "secret").await, 403);
    administrator.does(&["policy", "set", "lock-after", "0"]);
    until(200, &Client::new(&server), "/r/user/login", &[("username", "ada"), ("password", "secret")]).await;
}

#[tokio::test]
async fn a_policy_locks_nobody_for_logins_that_have_failed_before_it() {
    let server = server();
    let administrator = Administrator::of(&server);
    add(&administrator, "ada", "secret", &[]);
    for _ in 0..3 {
        assert_eq!(login(&server, "ada", "wrong").await, 401);
    }
    let counted = || administrator.json(&["user", "show", "ada"])["failed_logins"].as_u64().unwrap();
    assert_eq!(counted(), 0);
    administrator.does(&["policy", "set", "lock-after", "2"]);
    crate::harness::until("the server knows the policy", async || {
        assert_eq!(login(&server, "ada", "wrong").await, 401);
        let counted = counted();
        assert_eq!(login(&server, "ada", "secret").await, 200);
        counted == 1
    })
    .await;
}

#[tokio::test]
async fn the_store_of_another_user_is_left_alone() {
    if !is_root_for("a store that is another user's") {
        return;
    }
    let server = server();
    let administrator = Administrator::of(&server);
    std::os::unix::fs::chown(server.data().join("offshoot.db"), Some(12345), None).unwrap();
    for arguments in [["user", "list"].as_slice(), &["restore", "/dev/null", "--yes"], &["backup", "/nowhere"]] {
        assert!(administrator.fails(arguments).contains("belongs to the user id 12345: work on it as that user"), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_administrator_gets_no_weak_password_and_others_may_have_any() {
    let server = server();
    let administrator = Administrator::of(&server);
    for (weak, message) in [
        ("Ab1defg", "it has fewer than 8 characters"),
        ("long enough, and uniform", "it needs capital letters, small letters and digits"),
        ("Password1", "it is well known, or made of words"),
    ] {
        for arguments in [&["user", "passwd", "admin"][..], &["user", "add", "eve", "--role", "ADMINISTRATOR"]] {
            let output = administrator.run(&[arguments, &["--password-stdin"]].concat(), weak);
            let said = super::said(&output);
            assert!(output.status.code() == Some(1) && said.contains("is too weak") && said.contains(message), "{arguments:?}: {said}");
        }
    }
    assert_eq!(login(&server, "admin", PASSWORD).await, 200);
    administrator.reads(&["user", "passwd", "admin", "--password-stdin"], "Zwei Kraehen, 7 Linden");
    assert_eq!(login(&server, "admin", "Zwei Kraehen, 7 Linden").await, 200);
    add(&administrator, "bob", "x", &[]);
    assert_eq!(login(&server, "bob", "x").await, 200);
    // The first start makes no accounts with one from the environment, and says which variable it is.
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let start = ["serve", "--listen", "127.0.0.1:0", "--data", data];
    let output = super::offshoot(&start, None, &[("OFFSHOOT_ADMIN_PASSWORD", "secret"), ("OFFSHOOT_SESSIONS_POOL", "0")]);
    let said = super::said(&output);
    assert!(!output.status.success() && said.contains("OFFSHOOT_ADMIN_PASSWORD: the password of admin"), "{said}");
    assert!(administrator_of(folder.path()).json(&["user", "list"]).as_array().unwrap().is_empty());
}

fn administrator_of(data: &std::path::Path) -> Administrator {
    Administrator(data.to_owned())
}
