//! Things that a session leaves outside of its folder.

use std::{collections::HashSet, os::unix::fs::MetadataExt, path::Path};

use super::assert_works;
use crate::harness::{Client, Server, eventually, is_root_for};

/// User ids that no other test uses, and no server by default: such a server would clean up the ids that it has marked.
const USERS: &str = "61200-61203";

#[tokio::test]
async fn what_a_session_leaves_under_its_user_id_is_not_there_for_the_next() {
    if !is_root_for("what a session leaves under its user id") {
        return;
    }
    let server = Server::start(&format!("[sessions]\npool = 0\nsandbox = 'off'\nusers = '{USERS}'"));
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let user = session.value("as.integer(system('id -u', intern = TRUE))").await["value"].as_u64().unwrap();
    let name = format!("offshoot-left-{}", std::process::id());
    let code = format!(
        "for (f in c('/tmp', '/var/tmp', '/dev/shm')) if (dir.exists(f)) {{ dir.create(file.path(f, '{name}', 'a/b'), recursive = TRUE); writeLines('secret', file.path(f, '{name}.txt')) }}
         invisible(system('ipcmk -M 4096 -Q -S 1', intern = TRUE))"
    );
    session.run(&code).await;
    let objects = || {
        let tables = ["shm", "msg", "sem"].map(|kind| std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default());
        tables.iter().flat_map(|table| table.lines()).filter(|line| line.split_whitespace().any(|field| field == user.to_string())).count()
    };
    assert!(Path::new("/tmp").join(&name).exists() && objects() >= 3);
    session.close().await;
    eventually("files are gone", || {
        ["/tmp", "/var/tmp", "/dev/shm"]
            .iter()
            .all(|folder| !Path::new(folder).join(&name).exists() && !Path::new(folder).join(format!("{name}.txt")).exists())
    });
    eventually("objects are gone", || objects() == 0);
    // Each id is leased again.
    for _ in 0..6 {
        assert_works(&server).await;
        eventually("the session is over", || server.session_folders() == 0);
    }
}

#[tokio::test]
async fn a_user_id_that_somebody_else_has_is_not_given_out() {
    if !is_root_for("a user id that somebody else has") {
        return;
    }
    use std::os::unix::process::CommandExt;
    let mut other = std::process::Command::new("sleep").arg("1000").uid(61_300).gid(61_300).spawn().unwrap();
    let server = Server::start("[sessions]\npool = 0\nusers = '61300-61302'");
    let client = Client::admin(&server).await;
    let (one, two) = (client.session().await, client.session().await);
    let mut users = HashSet::new();
    for session in [&one, &two] {
        let pid = session.value("Sys.getpid()").await["value"].as_u64().unwrap();
        users.insert(std::fs::metadata(format!("/proc/{pid}")).unwrap().uid());
    }
    assert_eq!(users, HashSet::from([61_301, 61_302]));
    assert_eq!(client.post("/r/session/create", &[]).await.status, 503);
    drop(server);
    // The process belongs to another program, so it is not killed.
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn what_sessions_of_a_server_that_was_killed_have_left_is_removed_by_the_next() {
    if !is_root_for("what sessions of a server that was killed have left") {
        return;
    }
    let settings = "[sessions]\npool = 0\nsandbox = 'off'\nusers = '61400-61410'";
    let mut server = Server::start(settings);
    let session = Client::admin(&server).await.session().await;
    let left = format!("/tmp/offshoot-left-behind-{}", std::process::id());
    session.run(&format!("writeLines('secret', '{left}')")).await;
    server.signal(rustix::process::Signal::KILL);
    server.wait();
    assert!(Path::new(&left).exists());
    let next = Server::start_in(server.into_folder(), settings);
    eventually("it is gone", || !Path::new(&left).exists());
    assert_works(&next).await;
}
