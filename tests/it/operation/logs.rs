//! What the logs contain, and what they never contain.

use offshoot::store::{Store, accounts::AccountChange, policies::Policy};
use reqwest::Method;
use serde_json::Value;

use crate::harness::{Client, PASSWORD, Server, eventually, read};

/// The entries of a log in JSON that have this target.
fn entries(text: &str, target: &str) -> Vec<Value> {
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter(|entry| entry["target"] == target).collect()
}

#[tokio::test]
async fn each_request_is_one_line_without_secrets() {
    let server = Server::start("[sessions]\npool = 0");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let reply = session
        .execute("very_secret_code <- 'very secret value'; plot(1); print(very_secret_code)", &[("robjects", "very_secret_code")])
        .await;
    let plot = reply.success()["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    assert_eq!(client.fetch(&plot).await.status, 200);
    let secret_path = format!("{}/r/user/whoami;jsessionid={}", server.address, client.cookie());
    assert_eq!(read(Client::new(&server).raw(Method::GET, &secret_path)).await.status, 200);
    client.get("/r/session/object/list", &[("session", &session.id), ("filter", "secret_query")]).await;
    eventually("the last line is written", || entries(&server.log(), "offshoot::requests").len() >= 6);

    let log = server.log();
    let lines = entries(&log, "offshoot::requests");
    let line = lines.iter().find(|line| line["fields"]["http.path"] == "/deployr/r/session/execute/code").unwrap();
    let fields = &line["fields"];
    assert_eq!((fields["http.method"].as_str(), fields["http.status"].as_u64()), (Some("POST"), Some(200)));
    assert_eq!(fields["user.name"], "admin");
    assert_eq!(fields["session.id"].as_str(), session.id.strip_prefix("LIVE-"));
    assert!(fields["duration_ms"].as_f64().unwrap() > 0.0 && fields.get("aborted").is_none(), "{fields}");
    assert_eq!(line["span"]["request.id"].as_str().unwrap(), reply.headers["x-request-id"].to_str().unwrap());
    assert_eq!(line["span"]["client.address"], "127.0.0.1");
    // An address that is a secret is not logged.
    assert!(lines.iter().any(|line| line["fields"]["http.path"] == "/r/file/get/{id}/{name}"));
    let file = plot.split("FILE-").nth(1).unwrap().split('/').next().unwrap();
    for secret in ["very_secret", "very secret", "secret_query", PASSWORD, client.cookie(), file] {
        assert!(!log.contains(secret), "{secret} is in {log}");
    }
}

#[tokio::test]
async fn the_audit_log_is_written_at_any_level() {
    let server = Server::start("[sessions]\npool = 0\n[log]\nlevel = 'error'");
    Client::admin(&server).await;
    let is_login = |line: &Value| line["fields"]["event"] == "login" && line["span"]["client.address"] == "127.0.0.1";
    eventually("the login is told", || entries(&server.log(), "offshoot::audit").iter().any(is_login));
    assert_eq!(entries(&server.log(), "offshoot::requests").len(), 0);
}

#[tokio::test]
async fn the_audit_log_tells_of_logins_refusals_and_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let server = Server::start(&format!("[sessions]\npool = 0\n[log]\naudit = '{}'", file.display()));
    crate::hostile::add_user(&server, "ada");
    let audit = || entries(&std::fs::read_to_string(&file).unwrap(), "offshoot::audit");
    let has = |expected: &[(&str, &str)]| audit().iter().any(|entry| expected.iter().all(|(name, value)| entry["fields"][name] == *value));
    eventually("the new account is told", || has(&[("event", "added"), ("kind", "account"), ("name", "ada")]));
    Client::admin(&server).await;
    assert!(has(&[("event", "login"), ("user.name", "admin")]));
    let wrong = [("username", "ada"), ("password", "wrong-password")];
    assert_eq!(Client::new(&server).post("/r/user/login", &wrong).await.status, 401);
    assert!(has(&[("event", "login-refused"), ("user.name", "ada")]));
    eventually("the refusal is told", || has(&[("event", "refused"), ("http.path", "/deployr/r/user/login")]));

    let store = Store::open(&server.data()).await.unwrap();
    store.account_change("ada", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    store.policy_put(Policy::UploadMib, "7").await.unwrap();
    eventually("the changes are told", || {
        has(&[("event", "changed"), ("name", "ada"), ("changed", "enabled=false")])
            && has(&[("event", "added"), ("kind", "policy"), ("name", "upload-mib"), ("changed", "7")])
    });
    // Every entry about a request has the client's address.
    let login = audit().into_iter().find(|entry| entry["fields"]["event"] == "login").unwrap();
    assert_eq!(login["span"]["client.address"], "127.0.0.1");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains(PASSWORD) && !text.contains("wrong-password") && !text.contains("argon2"));

    // After SIGHUP, nothing more is written to a file that was moved away.
    std::fs::rename(&file, folder.path().join("audit.log.1")).unwrap();
    server.signal(rustix::process::Signal::HUP);
    eventually("the file is opened again", || file.exists());
    Client::admin(&server).await;
    assert!(has(&[("event", "login"), ("user.name", "admin")]));
}

#[tokio::test]
async fn the_level_is_changed_while_the_server_runs() {
    let server = Server::start("[sessions]\npool = 0");
    let store = Store::open(&server.data()).await.unwrap();
    assert!(store.policy_put(Policy::LogLevel, "offshoot=loud").await.is_err());
    store.policy_put(Policy::LogLevel, "info,offshoot::requests=off").await.unwrap();
    eventually("the level changes", || server.log().contains("the log has another level from now on"));
    let before = entries(&server.log(), "offshoot::requests").len();
    let client = Client::admin(&server).await;
    client.get("/r/user/whoami", &[]).await.success();
    store.policy_remove(Policy::LogLevel).await.unwrap();
    eventually("it changes back", || server.log().matches("the log has another level from now on").count() == 2);
    assert_eq!(entries(&server.log(), "offshoot::requests").len(), before);
    client.get("/r/user/whoami", &[]).await.success();
    eventually("requests are logged again", || entries(&server.log(), "offshoot::requests").len() > before);
}
