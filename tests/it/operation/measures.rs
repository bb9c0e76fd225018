//! `/_ready`, `/metrics`, and `/_check` on a listener of its own.

use std::collections::BTreeMap;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Client, PASSWORD, Reply, Server, eventually, read};

async fn fetch(server: &Server, url: &str) -> Reply {
    Client::new(server).fetch(url).await
}

/// The samples in Prometheus' text format: names with their labels, and values.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut types = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (keyword, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            if keyword == "TYPE" {
                assert!(["counter", "gauge", "histogram", "summary"].contains(&rest), "{line}");
                types.insert(name.to_owned(), rest.to_owned());
            } else {
                assert_eq!(keyword, "HELP", "{line}");
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let bare = name.split('{').next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| bare.strip_suffix(end).filter(|name| types.contains_key(*name)));
        assert!(types.contains_key(family.unwrap_or(bare)), "{line} has no type");
        samples.insert(name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")));
    }
    samples
}

#[tokio::test]
async fn measurements_are_scraped_from_a_listener_of_their_own() {
    let server = Server::start_listening("[sessions]\npool = 1\n[metrics]\nlisten = ['127.0.0.1:0']", &["127.0.0.1:0"], 1);
    let client = Client::admin(&server).await;
    let session = client.session().await;
    session.run("x <- 1").await;
    assert!(session.execute("q(status = 3)", &[]).await.text().contains("status 3"));
    let _live = client.session().await;
    let reply = fetch(&server, &server.addresses[1]).await;
    assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let samples = samples(reply.text());
    let sample = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("{name} is not in\n{}", reply.text()));
    assert_eq!(sample("offshoot_sessions{state=\"idle\"}"), 1.0);
    assert_eq!(sample("offshoot_sessions{state=\"busy\"}"), 0.0);
    assert_eq!(sample("offshoot_worker_deaths_total{cause=\"quit\"}"), 1.0);
    assert_eq!(sample("offshoot_sessions_opened_total"), 2.0);
    assert_eq!(sample("offshoot_zygote_up"), 1.0);
    assert_eq!(sample("offshoot_zygote_starts_total"), 1.0);
    assert_eq!(sample("offshoot_pool_size"), 1.0);
    assert_eq!(sample("offshoot_logins"), 1.0);
    assert!(sample("offshoot_evaluation_seconds_count") >= 1.0);
    assert!(sample("offshoot_fork_seconds_count") >= 2.0);
    assert!(sample("offshoot_connections") >= 1.0);
    let calls = "dialect=\"revodeployr\",call=\"/r/session/execute/code\"";
    assert_eq!(sample(&format!("offshoot_request_seconds_count{{{calls},status=\"200\"}}")), 1.0);
    assert_eq!(sample(&format!("offshoot_request_seconds_count{{{calls},status=\"502\"}}")), 1.0);
    assert!(sample(&format!("offshoot_request_seconds_bucket{{{calls},status=\"200\",le=\"+Inf\"}}")) >= 1.0);
    assert!(sample("offshoot_response_bytes_total{dialect=\"revodeployr\"}") > 500.0);
    assert!(sample("offshoot_request_bytes_total{dialect=\"revodeployr\"}") > 100.0);
    assert!(sample("offshoot_store_statement_seconds_count{statement=\"SELECT\"}") > 1.0);
    assert!(!reply.text().contains("admin"));
}

#[tokio::test]
async fn at_the_other_listeners_measurements_are_for_administrators() {
    let server = Server::start("[sessions]\npool = 0");
    crate::hostile::add_user(&server, "somebody");
    let url = format!("{}/metrics", server.address);
    let reply = fetch(&server, &url).await;
    assert_eq!(reply.status, 401);
    assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    let get = |name: &str, password: &str| read(Client::new(&server).raw(Method::GET, &url).basic_auth(name, Some(password)));
    assert_eq!(get("admin", "wrong").await.status, 401);
    assert_eq!(get("somebody", PASSWORD).await.status, 403);
    let reply = get("admin", PASSWORD).await;
    assert_eq!(reply.status, 200);
    assert!(samples(reply.text()).contains_key("offshoot_zygote_up"));
}

#[tokio::test]
async fn a_server_is_ready_while_it_can_open_sessions() {
    let server = Server::start("[sessions]\npool = 0\nmax = 1");
    let ready = || async {
        let reply = fetch(&server, &format!("{}/_ready", server.address)).await;
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status == 200, body["ready"] == true, "{}", reply.text());
        body
    };
    let client = Client::admin(&server).await;
    assert_eq!(ready().await, serde_json::json!({"ready": true, "r": true, "store": true, "free": 1, "serving": true}));
    let session = client.session().await;
    assert_eq!(ready().await, serde_json::json!({"ready": false, "r": true, "store": true, "free": 0, "serving": true}));
    session.close().await;
    assert_eq!(ready().await["ready"], true);
}

#[tokio::test]
async fn a_server_without_r_is_alive_and_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let worker = folder.path().join("offshoot-worker");
    std::fs::copy(env!("CARGO_BIN_EXE_offshoot-worker"), &worker).unwrap();
    let settings = format!("[sessions]\npool = 0\n[r]\nworker = '{}'\n[metrics]\nlisten = ['127.0.0.1:0']", worker.display());
    let server = Server::start_listening(&settings, &["127.0.0.1:0"], 1);
    let zygote = server.zygote();
    std::fs::remove_file(&worker).unwrap();
    kill_process(Pid::from_raw(zygote).unwrap(), Signal::KILL).unwrap();
    eventually("R cannot be started again", || server.log().contains("R could not be started again"));
    let reply = fetch(&server, &format!("{}/_ready", server.address)).await;
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("\"r\":false"), "{}", reply.text());
    let alive = server.addresses[1].replace("/metrics", "/_check");
    assert_eq!(fetch(&server, &alive).await.status, 204);
    // Rock's call with the same name asks R as well.
    assert_eq!(fetch(&server, &format!("{}/_check", server.address)).await.status, 503);
}
