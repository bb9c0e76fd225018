//! Sessions that are prepared for calls of services before these come.

use std::{collections::HashSet, time::SystemTime};

use offshoot::store::{accounts::AccountChange, boundaries::Boundary};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::client::Ml;
use crate::harness::{Server, eventually, points, until};

/// A service that tells of the session of each call when its code before the call was run, and what it finds there.
fn telling(init: &str, code: &str) -> Value {
    json!({
        "initCode": format!("made <- as.numeric(Sys.time()); {init}"),
        "code": format!("session <- basename(dirname(getwd())); {code}"),
        "outputParameterDefinitions": [
            { "name": "made", "type": "numeric" }, { "name": "session", "type": "character" }, { "name": "told", "type": "vector" },
        ],
    })
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Calls the service. Returns its outputs, and whether its session was prepared before the call.
async fn call(client: &Ml, path: &str) -> (Value, bool) {
    let begun = seconds();
    let reply = client.call("POST", path, json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let result = reply.document();
    assert_eq!(result["success"], true, "{result}");
    let was_prepared = result["outputParameters"]["made"].as_f64().unwrap() < begun;
    (result["outputParameters"].clone(), was_prepared)
}

/// Calls the service until a call finds a prepared session. Returns what that one tells.
async fn prepared(client: &Ml, path: &str) -> Value {
    let mut told = Value::Null;
    until("a session is prepared", async || {
        let (outputs, was_prepared) = call(client, path).await;
        told = outputs;
        was_prepared
    })
    .await;
    told
}

/// A server whose only processes of R are the zygote and sessions.
fn server_without_pool(more: &str) -> Server {
    Server::start(&format!("[sessions]\npool = 0\n{more}"))
}

/// Waits until there are sessions that were prepared; `client` calls the service. Returns their processes.
async fn waiting(server: &Server, client: &Ml, path: &str) -> Vec<i32> {
    prepared(client, path).await;
    let mut processes = Vec::new();
    // The session of the last call ends, and one more may be on its way.
    until("the prepared sessions wait", async || {
        let before = std::mem::take(&mut processes);
        processes = server.processes_of_r();
        processes.retain(|&pid| pid != server.zygote());
        !processes.is_empty() && processes == before
    })
    .await;
    processes
}

#[tokio::test]
async fn each_prepared_session_is_used_for_one_call_which_sees_nothing_of_others() {
    let ada = Ml::new(Ml::server(), "prepares").await;
    let traces = "exists('left') || file.exists('left') || file.exists(file.path(tempdir(), 'left')) || identical(getOption('left'), 1) ||
        nzchar(Sys.getenv('LEFT'))";
    let leave =
        "left <- 1; writeLines('', 'left'); writeLines('', file.path(tempdir(), 'left')); options(left = 1); Sys.setenv(LEFT = 'x');
        reg.finalizer(globalenv(), function(e) writeLines('', 'left'), onexit = TRUE)";
    let code = format!("told <- c({traces}, runif(1), drawn); {leave}");
    let path = ada.publish("prepared", "1", telling("drawn <- runif(1)", &code)).await;
    prepared(&ada, &path).await;
    let (mut sessions, mut numbers, mut of_prepared) = (HashSet::new(), HashSet::new(), 0);
    for _ in 0..30 {
        let (told, was_prepared) = call(&ada, &path).await;
        assert_eq!(told["told"][0], 0, "it sees what another call has left: {told}");
        assert!(sessions.insert(told["session"].to_string()), "a session was used twice: {told}");
        assert!(numbers.insert(told["told"][1].to_string()) && numbers.insert(told["told"][2].to_string()), "numbers came again: {told}");
        of_prepared += usize::from(was_prepared);
    }
    assert!(of_prepared > 0);
}

#[tokio::test]
async fn many_at_once_get_prepared_sessions_and_none_gets_that_of_another() {
    let server = Server::start("[sessions]\nmax_per_user = 0");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("prepared", "1", telling("", "told <- Sys.getpid()")).await;
    let callers = (0..8).map(|_| {
        let (ada, path) = (ada.clone(), path.clone());
        tokio::spawn(async move {
            let mut told = Vec::new();
            for _ in 0..15 {
                told.push(call(&ada, &path).await);
            }
            told
        })
    });
    let mut sessions = HashSet::new();
    let mut were_prepared = false;
    for caller in callers.collect::<Vec<_>>() {
        for (told, was_prepared) in caller.await.unwrap() {
            assert!(sessions.insert(told["session"].to_string()), "{told}");
            were_prepared |= was_prepared;
        }
    }
    assert!(were_prepared);
}

#[tokio::test]
async fn a_change_counts_for_the_next_call_also_if_a_session_was_prepared_before() {
    let ada = Ml::new(Ml::server(), "changes").await;
    let path = ada.publish("changed", "1", telling("n <- 0", "told <- n")).await;
    for n in 1..=3 {
        prepared(&ada, &path).await;
        let init = format!("made <- as.numeric(Sys.time()); n <- {n}");
        assert_eq!(ada.call("PATCH", "/services/changed/1", json!({ "initCode": init })).await.status, 200);
        assert_eq!(call(&ada, &path).await.0["told"], json!([n]));
    }
}

#[tokio::test]
async fn prepared_sessions_end_with_their_service() {
    let server = server_without_pool("");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("removed", "1", telling("", "told <- 1")).await;
    waiting(&server, &ada, &path).await;
    assert_eq!(ada.delete("/services/removed/1").await.status, 200);
    eventually("they have ended", || server.processes_of_r() == [server.zygote()] && server.session_folders() == 0);
    assert_eq!(ada.call("POST", &path, json!({})).await.status, 404);
    // The next of this name has nothing of theirs.
    ada.publish("removed", "1", telling("", "told <- 2")).await;
    assert_eq!(call(&ada, &path).await.0["told"], json!([2]));
}

#[tokio::test]
async fn prepared_sessions_end_with_a_service_that_another_program_removes() {
    let server = server_without_pool("");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("removed", "1", telling("", "told <- 1")).await;
    waiting(&server, &ada, &path).await;
    let store = server.store().await;
    store.service_remove("removed", Some("1")).await.unwrap();
    store.close().await;
    eventually("they have ended", || server.processes_of_r() == [server.zygote()] && server.session_folders() == 0);
}

#[tokio::test]
async fn a_prepared_session_that_has_died_is_not_used() {
    let server = server_without_pool("");
    let ada = Ml::new(&server, "ada").await;
    for version in ["1", "2", "3"] {
        let path = ada.publish("dies", version, telling("", "told <- Sys.getpid()")).await;
        let processes = waiting(&server, &ada, &path).await;
        for &pid in &processes {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        }
        eventually("they have ended", || processes.iter().all(|pid| !server.processes_of_r().contains(pid)));
        call(&ada, &path).await;
    }
}

#[tokio::test]
async fn code_before_the_call_that_has_failed_for_a_prepared_session_is_told_only_if_it_fails_again() {
    let ada = Ml::new(Ml::server(), "recovers").await;
    let flag = tempfile::NamedTempFile::new_in(points()).unwrap();
    let init = format!("if (file.exists('{}')) stop('not yet')", flag.path().display());
    let path = ada.publish("recovers", "1", telling(&init, "told <- 1")).await;
    for _ in 0..4 {
        let result = ada.call("POST", &path, json!({})).await.document();
        assert_eq!((&result["success"], &result["errorMessage"]), (&json!(false), &json!("not yet")));
        assert_eq!(result["consoleOutput"], "Error: not yet\n");
    }
    drop(flag);
    assert_eq!(call(&ada, &path).await.0["told"], json!([1]));
}

#[tokio::test]
async fn prepared_sessions_give_way_where_there_are_no_more_places() {
    let server = Server::start("[sessions]\npool = 0\nmax = 2\nmax_per_user = 2");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("yields", "1", telling("", "told <- 1")).await;
    assert!(!waiting(&server, &ada, &path).await.is_empty());
    let sessions = [ada.open().await, ada.open().await];
    assert_eq!(ada.call("POST", "/sessions", Value::Null).await.status, 503);
    eventually("there are no more sessions than there may be", || server.processes_of_r().len() == 1 + 2);
    assert_eq!(ada.call("POST", &path, json!({})).await.status, 503);
    assert_eq!(sessions[0].delete("").await.status, 200);
    // With one place, calls have a session each, and there is none for others.
    for _ in 0..3 {
        until("the place is free", async || ada.call("POST", &path, json!({})).await.status == 200).await;
    }
    assert_eq!(sessions[1].prints("1").await, "[1] 1\n");
}

#[tokio::test]
async fn each_caller_has_the_limits_of_its_own_also_where_sessions_are_prepared_for_others() {
    let server = Server::start("");
    let [ada, bob] = [Ml::new(&server, "ada").await, Ml::new(&server, "bob").await];
    let path =
        ada.publish("limits", "1", telling("", "told <- as.numeric(as.numeric(system('ulimit -v', intern = TRUE)) / 1024 < 2000)")).await;
    let store = server.store().await;
    let bound = async |memory_mib| {
        let boundary = Boundary { name: "small".to_owned(), cpu_seconds: 0, memory_mib, network: None };
        store.boundary_put(&boundary).await.unwrap();
    };
    bound(512).await;
    let change = AccountChange { boundary: Some(Some("small".to_owned())), ..AccountChange::default() };
    store.account_change("bob", &change).await.unwrap();
    until("the boundary counts", async || call(&bob, &path).await.0["told"] == json!([1])).await;
    for _ in 0..5 {
        assert_eq!(prepared(&ada, &path).await["told"], json!([0]));
        assert_eq!(prepared(&bob, &path).await["told"], json!([1]));
    }
    // The limits change, and what was prepared before is of no use.
    bound(3000).await;
    until("the boundary counts", async || call(&bob, &path).await.0["told"] == json!([0])).await;
    assert_eq!(prepared(&bob, &path).await["told"], json!([0]));
    store.close().await;
}

#[tokio::test]
async fn prepared_sessions_that_nobody_uses_end() {
    let server = server_without_pool("[services]\nprepared_seconds = 1");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("unused", "1", telling("", "told <- 1")).await;
    prepared(&ada, &path).await;
    eventually("they have ended", || server.processes_of_r() == [server.zygote()] && server.session_folders() == 0);
    assert_eq!(call(&ada, &path).await.0["told"], json!([1]));
}

#[tokio::test]
async fn no_session_is_prepared_where_the_settings_say_so() {
    let server = server_without_pool("[services]\nprepared = 0");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("plain", "1", telling("", "told <- 1")).await;
    for _ in 0..10 {
        assert!(!call(&ada, &path).await.1);
    }
}

#[tokio::test]
async fn a_server_that_stops_leaves_no_prepared_session() {
    let mut server = server_without_pool("");
    let ada = Ml::new(&server, "ada").await;
    let path = ada.publish("stops", "1", telling("", "told <- 1")).await;
    let processes = waiting(&server, &ada, &path).await;
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    assert_eq!(server.session_folders(), 0);
    for pid in processes {
        eventually("it has ended", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
    let again = Server::start_in(server.into_folder(), "[sessions]\npool = 0");
    assert_eq!(call(&Ml::login(&again, "ada").await, &path).await.0["told"], json!([1]));
}
