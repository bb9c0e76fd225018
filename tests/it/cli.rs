//! The command line: settings, accounts, the demonstration.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Output, Stdio},
};

use crate::harness::{Client, PASSWORD, Server};

fn offshoot(arguments: &[&str], input: Option<&str>, variables: &[(&str, &str)]) -> Output {
    let mut command = Server::command();
    command.args(arguments).envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.unwrap_or_default().as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_settings_stop_the_start_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offshoot.toml");
    std::fs::write(&file, "[sessions]\npol = 1").unwrap();
    let output = offshoot(&["serve", "--config", file.to_str().unwrap()], None, &[]);
    assert!(!output.status.success());
    assert_eq!(said(&output), format!("offshoot: {}: sessions.pol: there is no such setting\n", file.display()));
    let output = offshoot(&["serve"], None, &[("OFFSHOOT_SESSIONS_POOL", "many")]);
    assert_eq!(said(&output), "offshoot: OFFSHOOT_SESSIONS_POOL: \"many\" is not a whole number\n");
    let output = offshoot(&["serve", "--listen", "nowhere"], None, &[]);
    assert!(said(&output).contains("--listen") && said(&output).contains("nowhere"));
    let output = offshoot(&["serve", "--config", "/nowhere.toml"], None, &[]);
    assert_eq!(said(&output), "offshoot: /nowhere.toml: No such file or directory (os error 2)\n");
    let data = folder.path().join("data");
    let output =
        offshoot(&["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()], None, &[("OFFSHOOT_R_HOME", "/nowhere")]);
    assert!(said(&output).contains("r.home: /nowhere/bin/R: No such file"), "{}", said(&output));
}

#[test]
fn a_missing_worker_program_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let output = offshoot(
        &["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()],
        None,
        &[("OFFSHOOT_R_WORKER", "/nowhere/worker")],
    );
    assert_eq!(
        said(&output).lines().last().unwrap(),
        "offshoot: r.worker: /nowhere/worker is not there; cargo build makes it, beside offshoot"
    );
}

#[test]
fn the_settings_in_force_can_be_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offshoot.toml");
    std::fs::write(&file, "[sessions]\npool = 1\nmax = 7").unwrap();
    let arguments = ["serve", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:1234", "--print-config"];
    let output = offshoot(&arguments, None, &[("OFFSHOOT_SESSIONS_POOL", "9"), ("OFFSHOOT_ADMIN_PASSWORD", "hidden")]);
    assert!(output.status.success(), "{}", said(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in ["pool = 9", "max = 7", "listen = [\"127.0.0.1:1234\"]", "[revodeployr]"] {
        assert!(printed.contains(line), "{printed}");
    }
    assert!(!printed.contains("hidden"));
}

#[tokio::test]
async fn accounts_are_managed_while_the_server_runs() {
    let server = Server::start("[sessions]\npool = 0");
    let data = server.data();
    let user =
        |arguments: &[&str], input: Option<&str>| offshoot(&[&["user", "--data", data.to_str().unwrap()], arguments].concat(), input, &[]);
    let listed = || String::from_utf8(user(&["list"], None).stdout).unwrap();
    assert!(listed().contains("admin                    yes       System Administrator"), "{}", listed());
    assert!(listed().contains("testuser                 no        Test User"));

    assert!(user(&["add", "ada", "--display-name", "Ada L.", "--password-stdin"], Some("first\n")).status.success());
    let ada = Client::login(&server, "ada", "first").await;
    assert_eq!(ada.get("/r/user/whoami", &[]).await.success()["identity"]["displayname"], "Ada L.");
    assert!(user(&["passwd", "ada", "--password-stdin"], Some("second-password")).status.success());
    let refused = |password: &'static str| {
        let client = Client::new(&server);
        async move { client.post("/r/user/login", &[("username", "ada"), ("password", password)]).await.status.as_u16() }
    };
    assert_eq!(refused("first").await, 401);
    Client::login(&server, "ada", "second-password").await;
    assert!(user(&["disable", "ada"], None).status.success());
    assert_eq!(refused("second-password").await, 403);
    assert!(user(&["enable", "ada"], None).status.success());
    Client::login(&server, "ada", "second-password").await;

    for (arguments, input, message) in [
        (vec!["add", "ada", "--password-stdin"], Some("x"), "the account \"ada\" is there already"),
        (vec!["add", "a b", "--password-stdin"], Some("x"), "\"a b\" cannot be an account's name"),
        (vec!["add", "eve", "--password-stdin"], Some("\n"), "an account needs a password that is not empty"),
        (vec!["add", "eve"], None, "there is no terminal to ask for a password; give it with --password-stdin"),
        (vec!["passwd", "nobody", "--password-stdin"], Some("x"), "there is no account \"nobody\""),
        (vec!["disable", "nobody"], None, "there is no account \"nobody\""),
    ] {
        let output = user(&arguments, input);
        assert!(!output.status.success() && said(&output).contains(message), "{arguments:?}: {}", said(&output));
    }
    // At rest there is neither the password nor what clients send of it.
    let store: Vec<u8> =
        ["offshoot.db", "offshoot.db-wal"].iter().flat_map(|name| std::fs::read(data.join(name)).unwrap_or_default()).collect();
    let digest = offshoot::auth::password::digest(PASSWORD);
    for secret in [PASSWORD, "second-password", &digest] {
        assert!(!store.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    assert!(!server.log().contains(PASSWORD));
}

#[test]
fn the_first_start_shows_a_generated_password_once() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Server::command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path()).env("OFFSHOOT_SESSIONS_POOL", "0");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        said(&output)
    };
    assert!(start().contains("The password of the account admin is: "));
    assert!(!start().contains("password of the account"));
}

#[tokio::test]
async fn the_demonstration_has_known_passwords_and_leaves_nothing() {
    for (arguments, message) in [
        (["--listen", "0.0.0.0:0"], "a demonstration has known passwords: it listens on loopback addresses only"),
        (["--data", "somewhere"], "a demonstration has a data folder of its own"),
    ] {
        let output = offshoot(&[&["serve", "--demo"], arguments.as_slice()].concat(), None, &[]);
        assert!(!output.status.success() && said(&output).contains(message), "{}", said(&output));
    }
    let temporary = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let mut command = Server::command();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]).env("TMPDIR", temporary.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let addresses: Vec<_> = (0..2).map(|_| lines.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned()).collect();
    drop(lines);
    assert_ne!(addresses[0], addresses[1]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (address, user) in [(&addresses[0], "admin"), (&addresses[1], "testmanager"), (&addresses[0], "testuser")] {
        let login = http.post(format!("{address}/deployr/r/user/login")).form(&[("username", user), ("password", "secret")]);
        assert_eq!(login.send().await.unwrap().status(), 200, "{user}");
    }
    assert_eq!(
        std::fs::read_dir(temporary.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("offshoot-demo"))
            .count(),
        1
    );
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(said(&output).contains("DEMONSTRATION"));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
