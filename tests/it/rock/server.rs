//! `/rserver`: the state of R, and stopping and starting it, also under load.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use reqwest::{Method, header};
use serde_json::json;

use crate::harness::{Rock, Server, UNTIL_GO, eventually, read};

#[tokio::test]
async fn the_server_tells_what_it_has() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let (manager, user) = (Rock::on(&server, "manager"), Rock::on(&server, "user"));
    let session = user.open().await;
    user.open().await;
    session.occupy(UNTIL_GO).await;
    let state = manager.get("/rserver").await.document();
    assert_eq!(state["sessions"], json!({"total": 2, "busy": 1}));
    assert_eq!((&state["id"], &state["cluster"], &state["encoding"]), (&json!("test"), &json!("default"), &json!("utf8")));
    let version = session.client.script("/r/_eval", "paste(R.version$major, R.version$minor, sep = '.')").await.document();
    assert_eq!(state["version"], version);
    assert!(state["system"]["cores"].as_i64().unwrap() > 0 && state["system"]["freeMemory"].as_i64().unwrap() > 10_000);
}

#[tokio::test]
async fn a_stop_ends_r_and_all_sessions_and_a_start_makes_new_ones_possible() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 2"));
    let (manager, user) = (Rock::on(&server, "manager"), Rock::on(&server, "user"));
    let session = user.open().await;
    session.occupy("repeat {}").await;
    let zygote = server.zygote();
    let stopped = manager.delete("/rserver").await;
    assert_eq!(stopped.status, 200);
    let state = stopped.document();
    assert_eq!((&state["running"], &state["sessions"]["total"], &state["system"]["cores"]), (&json!(false), &json!(0), &json!(-1)));
    eventually("nothing of R runs", || server.processes_of_r().is_empty());
    // A session's folder is removed after its process has ended.
    eventually("no folder of a session is left", || std::fs::read_dir(server.data().join("run")).unwrap().count() == 0);
    assert_eq!(session.get("").await.status, 404);
    // While R is stopped.
    assert_eq!(manager.get("/rserver").await.document()["running"], false);
    assert_eq!(Rock::nobody(&server).get("/_check").await.status, 503);
    assert_eq!(manager.delete("/rserver").await.status, 200);
    for (client, method, path) in [
        (&user, Method::POST, "/r/sessions"),
        (&manager, Method::GET, "/rserver/_version"),
        (&manager, Method::GET, "/rserver/packages"),
        (&manager, Method::GET, "/rserver/package/stats"),
        (&manager, Method::POST, "/rserver/packages?name=absent"),
    ] {
        let reply = read(client.request(method, path)).await;
        assert_eq!((reply.status.as_u16(), &reply.document()["message"]), (500, &json!("the R server is stopped")), "{path}");
    }
    // And again.
    for _ in 0..2 {
        let started = read(manager.request(Method::PUT, "/rserver")).await;
        assert_eq!((started.status.as_u16(), &started.document()["running"]), (200, &json!(true)));
    }
    assert_ne!(server.zygote(), zygote);
    assert_eq!(Rock::nobody(&server).get("/_check").await.status, 204);
    assert_eq!(user.open().await.value("6 * 7").await, 42);
}

#[tokio::test]
async fn a_restart_under_load_ends_no_request_without_an_answer() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 2"));
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (user, over, answered) = (Rock::on(&server, "user"), Arc::clone(&over), Arc::clone(&answered));
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let opened = read(user.request(Method::POST, "/r/sessions")).await;
                    assert!([201, 500].contains(&opened.status.as_u16()), "{} {}", opened.status, opened.text());
                    let Some(id) = opened.document()["id"].as_str().map(str::to_owned) else { continue };
                    for _ in 0..5 {
                        let reply = user.script(&format!("/r/session/{id}/_eval"), "sum(1:10)").await;
                        match reply.status.as_u16() {
                            200 => assert_eq!(reply.text(), "55"),
                            status => assert!([400, 404, 500].contains(&status), "{status} {}", reply.text()),
                        }
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    user.delete(&format!("/r/session/{id}")).await;
                }
            })
        })
        .collect();
    let manager = Rock::on(&server, "manager");
    for round in 1..=3 {
        while answered.load(Ordering::Relaxed) < round * 100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(manager.delete("/rserver").await.document()["running"], false);
        assert_eq!(read(manager.request(Method::PUT, "/rserver")).await.document()["running"], true);
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(Rock::on(&server, "user").open().await.value("1").await, 1);
}

#[tokio::test]
async fn the_log_is_text_and_has_no_code_in_it() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let (manager, user) = (Rock::on(&server, "manager"), Rock::on(&server, "user"));
    let session = user.open().await;
    session.value("x <- 'confidential'").await;
    session.fails("stop('confidential')").await;
    session.eval("q(status = 7)").await;
    eventually("the end is logged", || server.log().contains("session ended"));
    let reply = read(manager.request(Method::GET, "/rserver/_log?limit=1000").header(header::ACCEPT, "text/plain")).await;
    assert_eq!(reply.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert!(reply.text().contains("R quit with status 7") && reply.text().ends_with('\n'));
    assert!(!reply.text().contains("confidential") && !reply.text().contains("password"));
    assert_eq!(manager.get("/rserver/_log?limit=1").await.text().lines().count(), 1);
    assert_eq!(manager.get("/rserver/_log?limit=0").await.text(), "");
    assert_eq!(manager.get("/rserver/_log?limit=many").await.status, 400);
    let json = read(manager.request(Method::GET, "/rserver/_log").header(header::ACCEPT, "application/json")).await;
    assert_eq!(json.status, 406);
}

#[tokio::test]
async fn the_version_is_r_version_serialized() {
    let (manager, user) = (Rock::by("manager"), Rock::by("user"));
    let version = manager.get("/rserver/_version").await;
    assert_eq!(version.headers[header::CONTENT_TYPE], "application/octet-stream");
    let session = user.open().await;
    let hexadecimal: String = version.body.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(session.value("paste(serialize(R.version, NULL), collapse = '')").await, hexadecimal);
    let json = read(manager.request(Method::GET, "/rserver/_version").header(header::ACCEPT, "application/json")).await;
    assert_eq!(json.status, 406);
}

#[tokio::test]
async fn a_stop_is_no_failure_of_the_pool() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 8"));
    let manager = Rock::on(&server, "manager");
    for _ in 0..5 {
        assert_eq!(manager.delete("/rserver").await.status, 200);
        assert_eq!(read(manager.request(Method::PUT, "/rserver")).await.status, 200);
    }
    assert!(!server.log().contains("the pool has no worker more"), "{}", server.log());
}
