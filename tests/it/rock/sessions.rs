//! Sessions are opened, listed and closed, and how they end.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Client, PASSWORD, Rock, Server, UNTIL_GO, eventually, read, until};

#[tokio::test]
async fn a_new_session_is_empty_and_knows_where_it_is() {
    let session = Rock::by("user").open().await;
    assert_eq!(session.value("ls()").await, json!([]));
    assert_eq!(session.value("list.files(all.files = TRUE, no.. = TRUE)").await, json!([]));
    assert_eq!(session.value("list.files(tempdir(), all.files = TRUE, no.. = TRUE)").await, json!([]));
    assert_eq!(session.value(".info").await, json!({"id": "test", "type": "rock", "cluster": "default", "tags": ["a", "b"]}));
    assert_eq!(session.value("environmentName(environment())").await, "R_GlobalEnv");
}

#[tokio::test]
async fn sessions_are_listed_to_who_may_see_them() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let [administrator, manager, user, other] = ["administrator", "manager", "user", "other"].map(|name| Rock::on(&server, name));
    let (one, two) = (user.open().await, other.open().await);
    let ids = async |client: &Rock, query: &str| {
        let list = client.get(&format!("/r/sessions{query}")).await.document();
        list.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for overseer in [&administrator, &manager] {
        assert_eq!(ids(overseer, "").await, [one.id(), two.id()]);
        assert_eq!(ids(overseer, "?subject=other").await, [two.id()]);
        assert_eq!(ids(overseer, "?subject=").await, [one.id(), two.id()]);
        assert!(ids(overseer, "?subject=nobody").await.is_empty());
    }
    assert_eq!(ids(&user, "").await, [one.id()]);
    assert_eq!(ids(&user, "?subject=other").await, [one.id()]);
    assert_eq!(manager.delete("/r/sessions").await.status, 204);
    assert!(ids(&administrator, "").await.is_empty());
    assert_eq!(one.get("").await.status, 404);
}

#[tokio::test]
async fn a_session_tells_what_it_does_and_uses() {
    let session = Rock::by("user").open().await;
    let ready = session.get("").await.document();
    assert_eq!((&ready["busy"], &ready["state"], &ready["subject"]), (&json!(false), &json!("ready"), &json!("user")));
    session.value("x <- runif(5e6); t <- proc.time()[[1]]; while (proc.time()[[1]] < t + 0.2) 1").await;
    let used = session.get("").await.document();
    assert!(used["memory"].as_u64().unwrap() > ready["memory"].as_u64().unwrap() + 39_000_000, "{used}");
    assert!(used["cpu"].as_f64().unwrap() >= 0.2, "{used}");
    session.occupy(UNTIL_GO).await;
    let busy = session.get("").await.document();
    assert_eq!((&busy["busy"], &busy["state"]), (&json!(true), &json!("busy")));
    session.delete("").await;
}

#[tokio::test]
async fn a_busy_session_is_closed_at_once() {
    let session = Rock::by("user").open().await;
    let pid = session.value("Sys.getpid()").await.to_string();
    let command = session.occupy("repeat {}").await;
    let waiting = {
        let session = session.clone();
        tokio::spawn(async move { session.get(&format!("/command/{command}/result?wait=true")).await })
    };
    assert_eq!(session.delete("").await.status, 204);
    assert_eq!(session.get("").await.status, 404);
    assert_eq!(session.delete("").await.status, 404);
    // A client that waits for the session's command gets an answer.
    assert!(waiting.await.unwrap().status.is_client_error());
    eventually("R has ended", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_session_that_has_ended_by_itself_says_how() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0").replace("[rock]\n", "[rock]\nidle_seconds = 1\n"));
    let (user, other, manager) = (Rock::on(&server, "user"), Rock::on(&server, "other"), Rock::on(&server, "manager"));
    let message = async |session: &crate::harness::RockSession| session.get("").await.document()["message"].as_str().unwrap().to_owned();
    let quit = user.open().await;
    let reply = quit.eval("cat('last words'); q(status = 3)").await;
    assert_eq!((reply.status.as_u16(), &reply.document()["key"]), (500, &json!("RRuntimeException")));
    assert!(reply.text().contains("R quit with status 3"), "{}", reply.text());
    let expected = format!("No such R session: {} (R quit with status 3; its last output: last words)", quit.id());
    assert_eq!(message(&quit).await, expected);
    assert_eq!(message(&quit.by(&manager)).await, expected);
    // A client that may not see the session does not learn how it ended.
    assert_eq!(message(&quit.by(&other)).await, format!("No such R session: {}", quit.id()));

    let killed = user.open().await;
    killed.eval("tools::pskill(Sys.getpid(), tools::SIGKILL); Sys.sleep(60)").await;
    assert!(message(&killed).await.contains("R was ended by signal 9"));

    let idle = user.open().await;
    eventually("the session is closed unused", || server.log().matches("session opened").count() == 3 && !is_listed(&server, &idle.path));
    let expected = format!("No such R session: {} (the session was closed after 1 seconds without use)", idle.id());
    assert_eq!(message(&idle).await, expected);
}

/// Whether the folder of any session exists.
fn is_listed(server: &Server, _path: &str) -> bool {
    std::fs::read_dir(server.data().join("run")).unwrap().next().is_some()
}

#[tokio::test]
async fn a_session_is_used_through_another_api_by_its_owner() {
    let server = Rock::server();
    let session = Rock::by("user").open().await;
    session.value("x <- 6 * 7").await;
    let login = Client::login(server, "user", "password").await;
    let other = crate::harness::Session { client: login, id: format!("LIVE-{}", session.id()) };
    assert_eq!(other.value("x").await["value"], 42);
    let run = other.run("plot(1); y <- 'from there'").await;
    let plot = run["files"]["unnamedplot001.png"]["value"].as_str().unwrap();
    assert_eq!(other.client.fetch(plot).await.status, 200);
    assert_eq!(session.value("y").await, "from there");
    // The same in the other direction.
    let opened = Client::login(server, "user", "password").await.session().await;
    opened.run("z <- 1").await;
    let here = Rock::by("user").get(&format!("/r/session/{}", opened.id.trim_start_matches("LIVE-"))).await.document();
    assert_eq!(here["subject"], "user");
    let admin = Client::login(server, "admin", PASSWORD).await;
    assert_eq!(admin.get("/r/session/ping", &[("session", &other.id)]).await.status, 400);
}

#[tokio::test]
async fn ids_are_written_in_one_way_only() {
    let session = Rock::by("user").open().await;
    let client = &session.client;
    for id in [
        session.id().replace('-', ""),
        format!("{{{}}}", session.id()),
        format!("urn:uuid:{}", session.id()),
        "..".to_owned(),
        "%00".to_owned(),
    ] {
        assert_eq!(client.get(&format!("/r/session/{id}/commands")).await.status, 404, "{id}");
    }
    assert_eq!(client.get("/r/session/%ff/commands").await.status, 400);
}

#[tokio::test]
async fn limits_on_sessions_are_told() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nmax_per_user = 1"));
    let user = Rock::on(&server, "user");
    user.open().await;
    let reply = read(user.request(Method::POST, "/r/sessions")).await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.document()["message"], "user has 1 R sessions open already; close one first");
    assert_eq!(read(user.request(Method::POST, "/r/_eval").body("1")).await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_have_the_time_out_of_this_api() {
    let server = Server::start(
        &format!("{}\n", Rock::settings("[sessions]\npool = 0\nidle_seconds = 1")).replace("[rock]", "[rock]\nidle_seconds = 0"),
    );
    let session = Rock::on(&server, "user").open().await;
    let other = crate::harness::Client::admin(&server).await.session().await;
    crate::harness::eventually("a session of the other API ends", || crate::harness::descendants(server.zygote()).len() == 1);
    assert_eq!(other.get("ping", &[]).await.status, 400);
    assert_eq!(session.value("1 + 1").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_else_has_closed_says_so() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.eval("Sys.sleep(600)").await }
    });
    let by_administrator = session.by(&Rock::on(&server, "administrator"));
    until("it is busy", async || by_administrator.get("").await.document()["busy"] == true).await;
    by_administrator.delete("").await;
    assert_eq!(waiting.await.unwrap().status, 404);
    let reply = session.eval("1").await;
    let message = reply.document()["message"].as_str().unwrap().to_owned();
    assert!(reply.status == 404 && message.contains("administrator has closed the session"), "{message}");
    // The owner of a session learns how it ended.
    let own = Rock::on(&server, "user").open().await;
    own.delete("").await;
    assert!(!own.eval("1").await.text().contains("closed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_the_server_for_r_are_no_sessions() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nmax = 1"));
    let (user, administrator) = (Rock::on(&server, "user"), Rock::on(&server, "administrator"));
    let session = user.open().await;
    assert_eq!(administrator.get("/rserver/_version").await.status, 200);
    assert_eq!(administrator.get("/rserver/package/stats").await.status, 200);
    // The session of a run counts, but nobody sees it.
    assert_eq!(read(user.request(Method::POST, "/r/_eval").body("1")).await.status, 503);
    session.delete("").await;
    let running = tokio::spawn(user.request(Method::POST, "/r/_eval").body("Sys.sleep(600)").send());
    crate::harness::eventually("it runs", || crate::harness::descendants(server.zygote()).len() == 1);
    assert_eq!(administrator.get("/r/sessions").await.document(), serde_json::json!([]));
    administrator.delete("/r/sessions").await;
    assert_eq!(administrator.get("/rserver").await.document()["sessions"]["total"], 0);
    assert!(!running.is_finished());
    running.abort();
}
