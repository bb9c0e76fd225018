//! What becomes of sessions that cannot be saved, or not completely.

use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::projects::{login, only, projects};
use crate::harness::{Client, Rock, Server, Session, eventually, read, until};

const SETTINGS: &str = "[sessions]\npool = 1";
/// A promise and an active binding whose values cannot be computed.
const FAILING: &str = "delayedAssign('p', stop('boom')); makeActiveBinding('a', function() stop('bang'), globalenv()); invisible()";

fn warnings(reply: &Value) -> Vec<String> {
    let warnings = reply["warnings"].as_object().into_iter().flat_map(|warnings| warnings.values());
    warnings.map(|warning| warning["value"].as_str().unwrap().to_owned()).collect()
}

/// The session as the next login with autosave has it.
async fn come_back(server: &Server, session: &Session) -> Session {
    Session { client: login(server, true).await, id: session.id.clone() }
}

#[tokio::test]
async fn an_object_that_cannot_be_saved_does_not_take_the_session_with_it() {
    let server = Server::start(SETTINGS);
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run(&format!("x <- 1:5; `an odd\nname` <- 'ü'; .hidden <- TRUE; gone <- quote(expr =); {FAILING}")).await;
    session.run("runs <- 0; makeActiveBinding('fine', function() { runs <<- runs + 1; 7 }, globalenv()); invisible()").await;
    let lost = [
        "object 'a' was not saved, as it cannot be computed: bang",
        "object 'p' was saved without its value, as it cannot be computed: boom",
    ];
    // All ways to save a session tell the same.
    assert_eq!(warnings(&session.post("project/save", &[("descr", "one")]).await.success()), lost);
    assert_eq!(warnings(&session.post("workspace/save", &[("descr", "two")]).await.success()), lost);
    let xml = client.request(Method::POST, "/r/session/project/save").form(&[("session", session.id.as_str()), ("format", "xml")]);
    let xml = read(xml).await;
    assert!(xml.text().contains(r#"<warning name="warning001" value="object 'a' was not saved"#), "{}", xml.text());
    // As R does it, an active binding is saved as a value, and a promise is computed. Each is computed a few times at most.
    session.run("delayedAssign('later', 6 * 7)").await;
    assert!(session.value("runs").await["value"].as_u64().unwrap() < 20);
    let left = client.post("/r/user/logout", &[]).await.success();
    assert_eq!(warnings(&left), lost.map(|lost| format!("{}: {lost}", session.id)));
    eventually("the log names the session and the objects", || {
        server.log().contains(session.id.trim_start_matches("LIVE-")) && server.log().contains("object 'a' was not saved")
    });

    let session = come_back(&server, &session).await;
    let state =
        session.value("c(sum(x), get('an odd\nname'), .hidden, fine, bindingIsActive('fine', globalenv()), later, exists('a'))").await;
    assert_eq!(state["value"], json!(["15", "ü", "TRUE", "7", "FALSE", "42", "FALSE"]));
    assert_eq!(session.value("identical(globalenv()$gone, quote(expr =))").await["value"], true);
    assert_eq!(session.fails("p").await, "boom");
    // A project that is loaded and closed with autosave says so as well.
    session.run(FAILING).await;
    assert_eq!(warnings(&session.post("close", &[]).await.success()), lost);
}

#[tokio::test]
async fn a_script_whose_workspace_is_kept_names_what_is_not_in_it() {
    let server = Server::start(SETTINGS);
    server.script("made", &format!("x <- 1; {FAILING}"), "authenticated").await;
    let client = login(&server, false).await;
    let reply = client.post("/r/script/execute", &[("rscript", "made"), ("saveworkspace", "true")]).await.success();
    assert_eq!(reply["repository"].as_object().unwrap().len(), 1);
    assert_eq!(warnings(&reply)[0], "object 'a' was not saved, as it cannot be computed: bang");
}

#[tokio::test]
async fn an_object_larger_than_a_file_may_be_is_left_out_and_the_others_are_saved() {
    let server = Server::start("[sessions]\npool = 1\nfile_size_mib = 4");
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("large <- runif(1e6); x <- runif(2e5); y <- runif(2e5); z <- runif(2e5); small <- 'kept'").await;
    let left = client.post("/r/user/logout", &[]).await.success();
    let lost = warnings(&left);
    assert!(lost.iter().any(|lost| lost.contains("object 'large' was not saved")), "{lost:?}");
    let session = come_back(&server, &session).await;
    // Of those that fit by themselves, as many are saved as fit together, and the others are named.
    let kept = session.value("sort(setdiff(ls(), '.value'))").await["value"].clone();
    assert_eq!(kept.as_array().unwrap().len() + lost.len(), 5, "{kept} {lost:?}");
    assert!(kept.as_array().unwrap().contains(&json!("small")) && kept.as_array().unwrap().len() > 2, "{kept}");
}

#[tokio::test]
async fn a_save_that_does_not_fit_beside_the_files_of_the_session_does_not_end_it() {
    let server = Server::start("[sessions]\npool = 1\ndisk_mib = 8");
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 'kept'; large <- runif(1e6); writeBin(raw(4e6), 'file')").await;
    let lost = warnings(&client.post("/r/user/logout", &[]).await.success());
    assert!(lost.len() == 1 && lost[0].contains("object 'large' was not saved"), "{lost:?}");
    assert_eq!(come_back(&server, &session).await.value("c(x, file.size('file'))").await["value"], json!(["kept", "4e+06"]));
}

#[tokio::test]
async fn a_value_that_takes_for_ever_is_given_up_at_the_time_limit() {
    let server = Server::start("[sessions]\npool = 1\noperation_seconds = 1");
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 42; delayedAssign('p', repeat {}); makeActiveBinding('a', function() repeat {}, globalenv()); invisible()").await;
    let lost = warnings(&client.post("/r/user/logout", &[]).await.success());
    assert_eq!(
        lost,
        [
            "object 'a' was not saved, as computing it takes too long",
            "object 'p' was saved without its value, as computing it takes too long"
        ]
        .map(|lost| format!("{}: {lost}", session.id))
    );
    assert_eq!(come_back(&server, &session).await.value("x").await["value"], 42);
}

#[tokio::test]
async fn a_server_that_stops_saves_what_needs_no_computing() {
    let server = Server::start(SETTINGS);
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 42; makeActiveBinding('a', function() repeat {}, globalenv()); invisible()").await;
    let mut server = server;
    server.signal(Signal::TERM);
    server.wait();
    assert!(server.log().contains("object 'a' was not saved"), "{}", server.log());
    let server = Server::start_in(server.into_folder(), SETTINGS);
    assert_eq!(come_back(&server, &session).await.value("x").await["value"], 42);
}

/// Makes the store unable to keep contents.
fn break_store(server: &Server) {
    let contents = server.data().join("blobs/incoming");
    let _ = std::fs::remove_dir_all(&contents);
    std::fs::write(contents, "no folder").unwrap();
}

fn mend_store(server: &Server) {
    std::fs::remove_file(server.data().join("blobs/incoming")).unwrap();
}

#[tokio::test]
async fn a_session_that_cannot_be_saved_outlives_the_logout() {
    let server = Server::start(SETTINGS);
    let client = login(&server, true).await;
    let (session, other) = (client.session().await, client.session().await);
    session.run("x <- 'precious'").await;
    let (_, project) = only(&other.post("project/save", &[("descr", "old")]).await.success());
    other.run("x <- 'new'").await;
    break_store(&server);
    let left = client.post("/r/user/logout", &[]).await.json();
    assert_eq!((&left["success"], &left["errorCode"]), (&json!(false), &json!(500)), "{left}");
    let error = left["error"].as_str().unwrap();
    assert!(
        error.starts_with("You are logged out. The R session LIVE-") && error.contains("stays open until it is unused for 1800 s"),
        "{error}"
    );
    assert!(error.contains(&session.id) && error.contains(&other.id), "{error}");
    assert_eq!(client.get("/r/user/whoami", &[]).await.status, 401);
    // The user logs in again, finds the sessions as they were, and saves them when this is possible again.
    let session = come_back(&server, &session).await;
    assert_eq!(session.value("x").await["value"], "precious");
    assert_eq!(session.post("project/save", &[("descr", "again")]).await.status, 500);
    let saved = projects(&server).await;
    assert_eq!(saved.iter().map(|project| &*project.name).collect::<Vec<_>>(), ["old"], "what was saved is still there");
    mend_store(&server);
    session.post("project/save", &[("descr", "again")]).await.success();
    let old = session.client.post("/r/project/load", &[("id", &project)]).await.success();
    assert_eq!(Session { id: old["session"].as_str().unwrap().to_owned(), ..session }.value("exists('x')").await["value"], false);
}

#[tokio::test]
async fn a_session_that_cannot_be_saved_at_its_idle_time_gets_another_one() {
    let server = Server::start("[sessions]\npool = 1\nidle_seconds = 1");
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 'precious'").await;
    break_store(&server);
    eventually("saving it fails", || server.log().contains("could not be saved at its idle time"));
    mend_store(&server);
    until("it is saved", async || !projects(&server).await.is_empty()).await;
    let project = format!("PROJ-{}", projects(&server).await[0].id);
    assert_eq!(super::projects::load(&client, &project).await.value("x").await["value"], "precious");
}

#[tokio::test]
async fn a_session_that_outlives_its_login_is_saved_at_its_idle_time() {
    let server = Server::start("[sessions]\npool = 1\nidle_seconds = 2");
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 'precious'").await;
    break_store(&server);
    assert_eq!(client.post("/r/user/logout", &[]).await.json()["success"], false);
    mend_store(&server);
    until("it is saved", async || !projects(&server).await.is_empty()).await;
    until("it is closed", async || server.session_folders() == 1).await;
    assert_eq!(come_back(&server, &session).await.value("x").await["value"], "precious");
}

#[tokio::test]
async fn an_image_whose_end_does_not_fit_on_the_disk_is_no_image() {
    // The last bytes of a file are written when it is closed, where R itself does not look for errors.
    let server = Server::start("[sessions]\npool = 1\nfile_size_mib = 1");
    let client = login(&server, true).await;
    let session = client.session().await;
    // The image is a few bytes larger than a file may be.
    session.run("x <- raw(2^20 - 40)").await;
    let saved = session.post("project/save", &[("descr", "p")]).await.json();
    assert_eq!((&saved["success"], &saved["errorCode"]), (&json!(false), &json!(900)), "{saved}");
    assert_eq!(projects(&server).await, []);
}

#[tokio::test]
async fn only_sessions_that_were_live_at_the_last_logout_come_back() {
    let server = Server::start(SETTINGS);
    let live = async |client: &Client| client.get("/r/user/live", &[]).await.success()["live"].clone();
    // Autosave is turned on after the login, so that nothing comes back with it.
    let round = async |name: &str| {
        let client = login(&server, false).await;
        client.post("/r/user/autosave", &[("save", "true")]).await.success();
        let session = client.session().await;
        session.run(&format!("x <- '{name}'")).await;
        client.post("/r/user/logout", &[]).await.success();
        session
    };
    round("first").await;
    let second = round("second").await;
    let client = login(&server, true).await;
    assert_eq!(live(&client).await, json!([second.id]));
    assert_eq!(projects(&server).await.len(), 2, "the other is still a project");
    // A session that is closed before the logout does not come back.
    Session { client: client.clone(), id: second.id }.close().await;
    client.post("/r/user/logout", &[]).await.success();
    let client = login(&server, true).await;
    assert_eq!(live(&client).await, json!([]));
    // Two logins at the same time are one visit: what was live in either comes back.
    let other = login(&server, true).await;
    let mut ids = [client.session().await.id, other.session().await.id];
    ids.sort();
    client.post("/r/user/logout", &[]).await.success();
    other.post("/r/user/logout", &[]).await.success();
    assert_eq!(live(&login(&server, true).await).await, json!(ids));
}

#[tokio::test]
async fn two_sessions_of_one_project_come_back_each_with_its_own_objects() {
    let server = Server::start(SETTINGS);
    let client = login(&server, true).await;
    let one = client.session().await;
    let (_, project) = only(&one.post("project/save", &[("descr", "shared")]).await.success());
    let two = super::projects::load(&client, &project).await;
    one.run("x <- 'one'").await;
    two.run("x <- 'two'").await;
    let lost = warnings(&client.post("/r/user/logout", &[]).await.success());
    let told = "it was saved as a new project, because another session was saved in its project";
    assert_eq!(lost, [format!("{}: {told}", one.id)]);
    let (one, two) = (come_back(&server, &one).await, two);
    assert_eq!(one.value("x").await["value"], "one");
    assert_eq!(Session { client: one.client.clone(), id: two.id }.value("x").await["value"], "two");
}

#[tokio::test]
async fn sessions_with_autosave_are_saved_when_an_administrator_stops_r() {
    let server = Server::start(&Rock::settings(SETTINGS));
    let client = login(&server, true).await;
    let session = client.session().await;
    session.run("x <- 'kept'").await;
    let rock = Rock::on(&server, "administrator");
    assert_eq!(rock.delete("/rserver").await.status, 200);
    assert_eq!(read(rock.request(Method::PUT, "/rserver")).await.status, 200);
    client.post("/r/user/logout", &[]).await.success();
    assert_eq!(come_back(&server, &session).await.value("x").await["value"], "kept");
}
