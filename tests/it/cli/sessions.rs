//! Sessions of the running server, as its administrator sees them.

use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    process::Command,
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Administrator, is_time, said};
use crate::{
    harness::{Client, Server, eventually, is_root_for, program, server_for_all},
    hostile::Way,
    mlserver::Ml,
};

/// Neither a user of the machine nor one of a server or a session.
const SOMEBODY: u32 = 64_399;

#[tokio::test]
async fn an_administrator_lists_shows_interrupts_and_closes_sessions() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0\nmemory_mib = 2000");
        let administrator = Administrator::of(&server);
        assert_eq!(administrator.json(&["session", "list"]), json!([]));
        let session = Client::admin(&server).await.session().await;
        session.run("x <- 1; cat('a \u{1b}[31mred word\\n')").await;
        // The API puts a word before the identity.
        let id = session.id.strip_prefix("LIVE-").unwrap();
        let list = administrator.json(&["session", "list"]);
        let listed = &list[0];
        assert_eq!((list.as_array().unwrap().len(), &listed["id"], &listed["owner"]), (1, &json!(id), &json!("admin")));
        assert!(is_time(&listed["created"]) && is_time(&listed["used"]), "{listed}");
        assert_eq!((&listed["busy"], &listed["run"], &listed["waiting"]), (&json!(false), &json!(false), &json!(0)));
        assert!(
            listed["pid"].as_i64().unwrap() > 1 && listed["cpu_seconds"].as_f64().is_some() && listed["memory_bytes"].as_u64().is_some()
        );
        assert_eq!(administrator.json(&["session", "list", "--owner", "ada"]), json!([]));
        assert!(administrator.does(&["session", "list"]).starts_with("ID                                    OWNER  STATE"));
        let start = &id[..8];
        let shown = administrator.json(&["session", "show", start]);
        assert_eq!((&shown["id"], &shown["history"], &shown["limits"]["network"]), (&json!(id), &json!(1), &json!("full")));
        assert_eq!((&shown["output"], &shown["limits"]["memory_bytes"]), (&json!("a \u{1b}[31mred word\n"), &json!(2000_u64 << 20)));
        let text = administrator.does(&["session", "show", &session.id[..13]]);
        assert!(text.contains("a \u{fffd}[31mred word") && text.contains(" of 2000 MiB\n"), "{text}");

        assert_eq!(administrator.fails(&["session", "interrupt", start]), format!("the session {id} is running nothing"));
        let running = session.occupy("Sys.sleep(1000)").await;
        assert_eq!(administrator.json(&["session", "list"])[0]["busy"], true);
        administrator.does(&["session", "interrupt", start]);
        let told = running.await.unwrap().unwrap();
        assert!(told.text().contains("interrupted"), "{}", told.text());
        assert_eq!(session.value("x").await["value"], 1);

        administrator.does(&["session", "close", start]);
        let told = session.execute("x", &[]).await;
        assert!(told.status != 200 && told.text().contains("an administrator has closed the session"), "{}", told.text());
        let other = Client::admin(&server).await.session().await;
        let running = other.occupy("Sys.sleep(1000)").await;
        administrator.does(&["session", "close", "--force", &other.id]);
        assert_ne!(running.await.unwrap().unwrap().status, 200);
        assert_eq!(administrator.json(&["session", "list"]), json!([]));
        let gone = format!("there is no session {:?}; offshoot session list has the identities", other.id.strip_prefix("LIVE-").unwrap());
        for command in ["show", "interrupt", "close"] {
            assert_eq!(administrator.fails(&["session", command, &other.id]), gone);
        }
        assert!(administrator.fails(&["session", "show", "../x"]).contains("is no identity of a session"));
        assert!(administrator.fails(&["session", "close", "12"]).contains("is too short"));
        for event in ["session-interrupted", "session-closed", "session-killed"] {
            assert_eq!(server.log().matches(event).count(), 1, "{}", server.log());
        }
    }
}

#[tokio::test]
async fn a_call_of_a_service_is_among_the_sessions_while_it_runs() {
    let server = super::server();
    let administrator = Administrator::of(&server);
    let ada = Ml::new(&server, "ada").await;
    let point = crate::harness::Point::new();
    ada.publish("waits", "1", json!({ "code": format!("{}; Sys.sleep(1000)", point.code()) })).await;
    let call = tokio::spawn(async move { ada.call("POST", "/api/waits/1", json!({})).await });
    point.reached().await;
    let list = administrator.json(&["session", "list", "--owner", "ada"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["run"], &list[0]["busy"]), (1, &json!(true), &json!(true)));
    administrator.does(&["session", "close", list[0]["id"].as_str().unwrap()]);
    let reply = call.await.unwrap();
    assert!(!reply.status.is_success() && reply.text().contains("an administrator has closed the session"), "{}", reply.text());
}

#[test]
fn without_a_server_there_are_no_sessions_and_the_next_server_takes_the_socket_of_a_dead_one() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = Administrator(folder.path().join("data"));
    assert!(nowhere.fails(&["session", "list"]).starts_with("there is no store in "));
    let mut server = super::server();
    let administrator = Administrator::of(&server);
    server.signal(Signal::KILL);
    server.wait();
    let none = |administrator: &Administrator| administrator.fails(&["session", "list"]).starts_with("no server is running in ");
    assert!(server.data().join("control").exists() && none(&administrator));
    let mut next = Server::start_in(server.into_folder(), "[sessions]\npool = 0");
    assert_eq!(administrator.json(&["session", "list"]), json!([]));
    next.signal(Signal::TERM);
    next.wait();
    assert!(!next.data().join("control").exists() && none(&administrator));
}

/// What a request without the key is answered.
fn asked_plainly(server: &Server) -> String {
    let mut stream = UnixStream::connect(server.data().join("control")).unwrap();
    stream.write_all(b"GET /sessions HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn only_the_servers_own_user_and_root_reach_the_control_socket() {
    let server = super::server();
    for file in ["control", "control.key"] {
        let mode = std::fs::metadata(server.data().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(asked_plainly(&server).starts_with("HTTP/1.1 403 "));
    if !is_root_for("the control socket by another user") {
        return;
    }
    let list = || {
        let mut command: Command = program(server_for_all());
        command.args(["session", "list", "--data"]).arg(server.data()).uid(SOMEBODY).gid(SOMEBODY).current_dir("/");
        let output = command.output().unwrap();
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
        said(&output)
    };
    assert!(list().contains("is another user's: only its own user and root see its sessions"), "{}", list());
    // Whatever the modes of the files are.
    for (file, mode) in [("control", 0o666), ("control.key", 0o644)] {
        std::fs::set_permissions(server.data().join(file), PermissionsExt::from_mode(mode)).unwrap();
    }
    list();
    eventually("the refusal is told", || server.log().contains("the caller is another user"));
    assert_eq!(Administrator::of(&server).json(&["session", "list"]), Value::Array(Vec::new()));
}

#[test]
fn a_data_folder_with_a_long_path_has_a_control_socket() {
    let folder = tempfile::Builder::new().prefix(&"long".repeat(40)).tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let server = Server::start_in(folder, "[sessions]\npool = 0");
    assert_eq!(Administrator::of(&server).json(&["session", "list"]), json!([]));
}
