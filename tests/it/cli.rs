//! The command line: settings, the demonstration, and the administrator's commands.

mod backup;
mod repository;
mod rules;
mod services;
mod sessions;
mod users;

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;

use crate::harness::{Client, Server, is_root_for, program};

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

/// The administrator, working on the store in a data folder.
pub(crate) struct Administrator(PathBuf);

impl Administrator {
    pub(crate) fn of(server: &Server) -> Self {
        Self(server.data())
    }

    fn run(&self, arguments: &[&str], input: &str) -> Output {
        offshoot(&[arguments, &["--data", self.0.to_str().unwrap()]].concat(), Some(input), &[])
    }

    /// The output of a command, which has to succeed.
    #[track_caller]
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        self.reads(arguments, "")
    }

    /// The output of a command that reads standard input, and has to succeed.
    #[track_caller]
    pub(crate) fn reads(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON document that a command prints.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.does(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The message of a command, which has to fail.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, "");
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{arguments:?}: {:?}", output.status);
        said(&output).strip_prefix("offshoot: ").unwrap().trim_end().to_owned()
    }

    /// The content of the store, as far as commands show it.
    fn all(&self) -> Vec<Value> {
        let subjects = ["user", "role", "script", "object", "boundary", "ipfilter", "policy", "project", "service", "snapshot"];
        subjects.iter().map(|subject| self.json(&[subject, "list"])).collect()
    }
}

/// Makes a call until it has this status, because the server notices changes of the store within a second.
async fn until(status: u16, client: &Client, path: &str, form: &[(&str, &str)]) {
    let what = format!("{path} is answered with {status}");
    crate::harness::until(&what, async || client.post(path, form).await.status == status).await;
}

/// The status of a login with this name and password.
async fn login(server: &Server, user: &str, password: &str) -> u16 {
    let form = [("username", user), ("password", password)];
    Client::new(server).post("/r/user/login", &form).await.status.as_u16()
}

/// A server that makes each session only when it is asked for.
fn server() -> Server {
    Server::start("[sessions]\npool = 0")
}

/// The names in a list.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
}

/// A file in a folder, with some content.
fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
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

#[test]
fn a_demonstration_on_a_port_in_use_says_so() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let temporary = tempfile::tempdir().unwrap();
    let output = offshoot(&["serve", "--demo", "--listen", &address], None, &[("TMPDIR", temporary.path().to_str().unwrap())]);
    assert!(!output.status.success());
    assert!(said(&output).contains("Address already in use") && !said(&output).contains("No such file"), "{}", said(&output));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
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
    let http = crate::harness::http().build().unwrap();
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

#[test]
fn a_demonstration_listens_where_clients_look_for_a_server_if_nobody_else_does() {
    if !is_root_for("a network of its own, whose ports are free") {
        return;
    }
    // The last one that holds a port becomes the demonstration, which does not know of the socket.
    let holding = "$^F = 99; socket(S, PF_INET, SOCK_STREAM, 6) && bind(S, pack_sockaddr_in(8085, INADDR_LOOPBACK)) && listen(S, 1) or die; exec @ARGV";
    for (before, expected) in
        [(["env", "--"].as_slice(), ["8050", "8085", "12800"].as_slice()), (&["perl", "-MSocket", "-e", holding, "--"], &["8050", "12800"])]
    {
        let temporary = tempfile::tempdir().unwrap();
        std::fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        let server = Server::command();
        let mut command = program("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]).args(before).arg(server.get_program());
        command.args(["serve", "--demo"]).env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ports: Vec<_> = lines.take(expected.len()).map(|line| line.unwrap().rsplit(':').next().unwrap().to_owned()).collect();
        assert_eq!(ports, expected);
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
        assert!(child.wait().unwrap().success());
    }
}
