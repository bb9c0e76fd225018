//! Projects, and sessions that come back.

use offshoot::store::projects::Project;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, Point, Server, Session, UNTIL_GO, eventually, points, until};

const SETTINGS: &str = "[sessions]\npool = 1";

pub(super) async fn login(server: &Server, autosave: bool) -> Client {
    let client = Client::new(server);
    let form = [("username", "admin"), ("password", PASSWORD), ("autosave", if autosave { "true" } else { "false" })];
    let cookie = client.post("/r/user/login", &form).await.success()["cookie"].as_str().unwrap().to_owned();
    client.with_cookie(&cookie)
}

pub(super) async fn projects(server: &Server) -> Vec<Project> {
    server.store().await.project_list(None).await.unwrap()
}

pub fn only(reply: &Value) -> (String, String) {
    let (name, entry) = reply["projects"].as_object().unwrap().iter().next().unwrap();
    (name.clone(), entry["value"].as_str().unwrap().to_owned())
}

pub async fn load(client: &Client, project: &str) -> Session {
    let reply = client.post("/r/project/load", &[("id", project)]).await.success();
    Session { client: client.clone(), id: reply["session"].as_str().unwrap().to_owned() }
}

#[tokio::test]
async fn a_project_is_the_whole_session() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    session.run("library(lattice); x <- 1:3; .hidden <- 'h'; m <- lm(dist ~ speed, cars)").await;
    session.run("dir.create('sub'); cat('text', file = 'sub/notes.txt'); setwd('sub'); set.seed(7); runif(1)").await;
    session.run("plot(1); cat('last words')").await;
    let (name, id) = only(&session.post("project/save", &[("descr", "whole")]).await.success());
    assert_eq!(name, "whole");
    let expected = session.value("runif(1)").await;
    let history = session.get("history", &[]).await.success()["history"].clone();
    session.close().await;

    let session = load(&client, &id).await;
    let loaded = session.get("output", &[]).await.success();
    assert_eq!(loaded["console"]["value"], "last words");
    let shown = session.get("history", &[]).await.success()["history"].clone();
    assert_eq!(shown.as_array().unwrap()[..], history.as_array().unwrap()[..3]);
    assert_eq!(session.value("runif(1)").await, expected);
    let state = session
        .value("c(sum(x), .hidden, class(m), 'package:lattice' %in% search(), basename(getwd()), readLines('notes.txt', warn = FALSE))")
        .await;
    assert_eq!(state["value"], json!(["6", "h", "lm", "TRUE", "sub", "text"]));
    let artifacts = session.get("artifact/list", &[]).await.success();
    let plots: Vec<_> = artifacts["files"].as_object().unwrap().values().collect();
    assert_eq!(plots.len(), 1);
    assert!(client.fetch(plots[0]["value"].as_str().unwrap()).await.body.starts_with(b"\x89PNG"));
    let stored = client.post("/r/project/artifacts", &[("id", &id)]).await.success();
    let url = stored["files"].as_object().unwrap().values().next().unwrap()["value"].as_str().unwrap().to_owned();
    assert!(client.fetch(&url).await.body.starts_with(b"\x89PNG"));
    // Asking again gives the same address.
    assert_eq!(client.post("/r/project/artifacts", &[("id", &id)]).await.success(), stored);
    // Loading a project twice makes two sessions with one project, and the last save wins.
    let other = load(&client, &id).await;
    other.run("x <- 'other'").await;
    session.run("x <- 'first'").await;
    assert_eq!(only(&other.post("project/save", &[]).await.success()).1, id);
    assert_eq!(only(&session.post("project/save", &[("descr", "renamed")]).await.success()), ("renamed".to_owned(), id.clone()));
    assert_eq!(load(&client, &id).await.value("x").await["value"], "first");
    // A session goes on when its project is deleted.
    client.post("/r/project/delete", &[("id", &id)]).await.success();
    assert_eq!(session.value("x").await["value"], "first");
    assert_eq!(session.post("project/save", &[]).await.status, 400);
    assert_ne!(only(&session.post("project/save", &[("descr", "anew")]).await.success()).1, id);
}

#[tokio::test]
async fn without_autosave_nothing_is_kept() {
    let server = Server::start(SETTINGS);
    let client = login(&server, false).await;
    let (one, _two) = (client.session().await, client.session().await);
    one.close().await;
    client.post("/r/user/logout", &[]).await.success();
    assert_eq!(projects(&server).await, []);
    let client = login(&server, true).await;
    assert_eq!(client.get("/r/user/live", &[]).await.success()["live"], json!([]));
}

#[tokio::test]
async fn with_autosave_a_closed_session_is_saved() {
    let server = Server::start(SETTINGS);
    let client = login(&server, false).await;
    client.post("/r/user/autosave", &[]).await.success();
    let session = client.session().await;
    session.run("x <- 1").await;
    session.close().await;
    let saved = projects(&server).await;
    assert!(saved.len() == 1 && saved[0].name.starts_with("Autosaved2"), "{saved:?}");
    // A session that was loaded from a project is saved in it.
    let session = load(&client, &format!("PROJ-{}", saved[0].id)).await;
    session.run("x <- 2").await;
    session.close().await;
    let again = projects(&server).await;
    assert_eq!((again.len(), &again[0].name), (1, &saved[0].name));
    assert_eq!(load(&client, &format!("PROJ-{}", saved[0].id)).await.value("x").await["value"], 2);
}

#[tokio::test]
async fn sessions_come_back_with_the_next_login_under_their_own_ids() {
    let server = Server::start(SETTINGS);
    let client = login(&server, true).await;
    let (one, two) = (client.session().await, client.session().await);
    one.run("x <- 'one'").await;
    two.run("x <- 'two'").await;
    // Running code is interrupted, and the session is saved as it is then.
    let begun = Point::new();
    let running = two.begin(&format!("y <- 'begun'; {}; Sys.sleep(1e6)", begun.code()));
    begun.reached().await;
    client.post("/r/user/logout", &[]).await.success();
    running.await.unwrap();
    // Without autosave, saved sessions do not come back.
    let plain = login(&server, false).await;
    assert_eq!(plain.get("/r/session/ping", &[("session", &one.id)]).await.status, 400);
    plain.post("/r/user/logout", &[]).await.success();
    let client = login(&server, true).await;
    let back = |session: &Session| Session { client: client.clone(), id: session.id.clone() };
    assert_eq!(back(&one).value("x").await["value"], "one");
    assert_eq!(back(&two).value("c(x, y)").await["value"], json!(["two", "begun"]));
    let mut ids = vec![one.id.clone(), two.id.clone()];
    ids.sort();
    assert_eq!(client.get("/r/user/live", &[]).await.success()["live"], json!(ids));
    // Saved sessions come back only once.
    let other = login(&server, true).await;
    assert_eq!(other.get("/r/user/live", &[]).await.success()["live"], json!(ids), "they are the user's, and live");
    assert_eq!(projects(&server).await.len(), 2);
}

#[tokio::test]
async fn sessions_come_back_after_a_timeout_and_after_a_restart() {
    let server = Server::start("[sessions]\npool = 1\n[revodeployr]\nlogin_seconds = 3");
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 'kept'").await;
    eventually("the login ends", || server.log().contains("login ended unused"));
    let mut server = server;
    server.signal(Signal::TERM);
    server.wait();
    let server = Server::start_in(server.into_folder(), SETTINGS);
    let client = login(&server, true).await;
    let session = Session { client: client.clone(), id: session.id };
    assert_eq!(session.value("x").await["value"], "kept");
    // When the server stops, every login ends.
    session.run("x <- 'kept again'").await;
    let mut server = server;
    server.signal(Signal::TERM);
    server.wait();
    let server = Server::start_in(server.into_folder(), SETTINGS);
    let client = login(&server, true).await;
    assert_eq!(Session { client, id: session.id }.value("x").await["value"], "kept again");
}

#[tokio::test]
async fn a_logout_under_way_is_503_and_then_401() {
    let server = Server::start(SETTINGS);
    let client = login(&server, true).await;
    let session = client.session().await;
    let go = format!("{}/go", session.value("getwd()").await["value"].as_str().unwrap());
    // R computes this value when it is saved, which takes a while.
    let saving = Point::new();
    session.run(&format!("delayedAssign('x', {{ {}; {UNTIL_GO} }})", saving.code())).await;
    let leaving = tokio::spawn({
        let client = client.clone();
        async move { client.post("/r/user/logout", &[]).await.status }
    });
    saving.reached().await;
    assert_eq!(client.get("/r/user/whoami", &[]).await.status, 503);
    std::fs::write(go, "").unwrap();
    assert_eq!(leaving.await.unwrap(), 200);
    assert_eq!(client.get("/r/user/whoami", &[]).await.status, 401);
}

/// Kills the server at many moments of a save. The project is complete each time, either the old one or the new one.
#[tokio::test]
async fn a_save_that_is_killed_leaves_the_old_project_or_the_new_one() {
    let mut server = Server::start(SETTINGS);
    let client = login(&server, false).await;
    let session = client.session().await;
    let fill = |number: u32| {
        format!(
            "x <- {number}; y <- rep({number}, 2e5)
             for (file in c(paste0('f', 1:20), file.path(.libPaths()[1], paste0('l', 1:10)))) cat({number}, basename(file), file = file)"
        )
    };
    let check = "files <- c(paste0('f', 1:20), file.path(.libPaths()[1], paste0('l', 1:10)))
        stopifnot(all(y == x), length(y) == 2e5, sapply(files, readLines, warn = FALSE) == paste(x, basename(files)))
        x";
    session.run(&fill(0)).await;
    let (_, id) = only(&session.post("project/save", &[("descr", "p")]).await.success());
    let (mut old, mut new) = (0, 0);
    for round in 1..=50 {
        let client = login(&server, false).await;
        let session = load(&client, &id).await;
        let was = session.value(check).await;
        let was = u32::try_from(was["value"].as_u64().unwrap()).unwrap();
        if round > 1 && was == round - 1 {
            new += 1;
        } else {
            old += 1;
        }
        session.run(&fill(round)).await;
        let saving = tokio::spawn(async move {
            session.client.request(reqwest::Method::POST, "/r/session/project/save").form(&[("session", &session.id)]).send().await.is_ok()
        });
        // A different moment each time: when this many contents have been written.
        let contents = || walk(&server.data().join("blobs")).len();
        let (begun, step) = (contents(), usize::try_from((round - 1) % 35).unwrap());
        while contents() < begun + step && !saving.is_finished() {
            tokio::task::yield_now().await;
        }
        server.signal(Signal::KILL);
        server.wait();
        let _ = saving.await;
        server = Server::start_in(server.into_folder(), SETTINGS);
    }
    assert!(old > 1 && new > 0, "{old} rounds left the old project, {new} the new one");
    // Contents that the killed saves had written are removed.
    let store = server.store().await;
    store.collect_blobs().await.unwrap();
    let kept = walk(&server.data().join("blobs/sha256")).len();
    assert_eq!(kept, store.blobs_in_use().await.unwrap().len());
    // So are images that no project has come to name.
    let image = store.image(&store.project_list(None).await.unwrap()[0].image).await.unwrap().unwrap();
    assert_eq!(kept, 1 + image.files.len());
}

/// All files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let below = |path: std::path::PathBuf| if path.is_dir() { walk(&path) } else { vec![path] };
    entries.flatten().flat_map(|entry| below(entry.path())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_script_is_no_session_that_is_saved_or_seen() {
    let server = Server::start("[sessions]\npool = 0");
    server.script("wait", "secret <- 42; Sys.sleep(600)", "authenticated").await;
    let client = login(&server, true).await;
    let run = client.request(reqwest::Method::POST, "/r/script/execute").form(&[("rscript", "wait")]);
    let running = tokio::spawn(run.send());
    eventually("it runs", || crate::harness::descendants(server.zygote()).len() == 1);
    assert_eq!(client.get("/r/user/live", &[]).await.success()["live"], json!([]));
    client.post("/r/user/logout", &[]).await.success();
    assert!(!running.await.unwrap().unwrap().status().is_success());
    eventually("it ends with the login", || crate::harness::descendants(server.zygote()).is_empty());
    assert_eq!(projects(&server).await, []);
}

#[tokio::test]
async fn a_session_that_came_back_outlives_the_one_that_it_was() {
    let server = Server::start("[sessions]\npool = 0\ngrace_seconds = 60");
    let client = login(&server, true).await;
    let session = client.session().await;
    let end = points().join(format!("end-{}", server.pid()));
    let wait = format!("function(e) while (!file.exists('{}')) Sys.sleep(0.01)", end.display());
    session.run(&format!("x <- 1; reg.finalizer(environment(), {wait}, onexit = TRUE)")).await;
    client.post("/r/user/logout", &[]).await.success();
    // The process of the first session is still there.
    let session = Session { client: login(&server, true).await, ..session };
    session.run("x <- x + 1").await;
    assert_eq!(crate::harness::descendants(server.zygote()).len(), 2);
    std::fs::write(&end, "").unwrap();
    eventually("the first ends", || crate::harness::descendants(server.zygote()).len() == 1);
    assert_eq!(session.value("x").await["value"], 2);
    assert_eq!(session.client.get("/r/user/live", &[]).await.success()["live"], json!([session.id]));
}

#[tokio::test]
async fn projects_that_are_saved_at_the_same_moment_have_names_of_their_own() {
    let server = Server::start("[sessions]\npool = 4");
    let client = login(&server, true).await;
    for _ in 0..4 {
        client.session().await;
    }
    client.post("/r/user/logout", &[]).await.success();
    let names: std::collections::HashSet<_> = projects(&server).await.into_iter().map(|project| project.name).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[tokio::test]
async fn an_account_that_is_disabled_is_out_while_an_idle_session_is_being_saved() {
    use offshoot::store::accounts::AccountChange;
    let server = Server::start("[sessions]\npool = 0\nidle_seconds = 1");
    server.account("ada", &["POWER_USER"]).await;
    let ada = Client::login(&server, "ada", PASSWORD).await;
    // To save it is to read a value that is never there.
    let (session, point) = (login(&server, true).await.session().await, Point::new());
    let slow = format!("makeActiveBinding('slow', function() {{ {}; Sys.sleep(1e6) }}, globalenv()); invisible()", point.code());
    session.run(&slow).await;
    point.reached().await;
    let store = server.store().await;
    store.account_change("ada", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    store.close().await;
    until("the account is locked out", async || ada.get("/r/user/whoami", &[]).await.status == 401).await;
}
