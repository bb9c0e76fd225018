//! People of a directory, through a server's dialects.

use reqwest::Method;
use serde_json::json;

use super::{by_search, by_search_at};
use crate::{
    authentication::{Pair, login, statuses},
    cli::Administrator,
    harness::{Client, DIRECTORY_PASSWORD, PASSWORD, Rock, Server, Slapd, read, until},
};

const ROLES: &str = "[auth.source.roles]\n'r users' = ['POWER_USER']\ncore = ['ADMINISTRATOR']";

async fn revodeployr(server: &Server, name: &str, password: &str) -> (u16, String) {
    let reply = Client::new(server).post("/r/user/login", &[("username", name), ("password", password)]).await;
    (reply.status.as_u16(), reply.text().to_owned())
}

/// The status of a request with a name and a password.
async fn basic(server: &Server, name: &str, password: &str, path: &str) -> u16 {
    Rock::on(server, name).with_password(password).get(path).await.status.as_u16()
}

#[tokio::test]
async fn somebody_of_a_directory_uses_every_dialect_with_the_roles_of_their_groups() {
    let directory = Slapd::shared();
    let audit = tempfile::NamedTempFile::new().unwrap();
    let log = format!("\n[sessions]\npool = 0\n[log]\naudit = '{}'", audit.path().display());
    let server = Server::start(&format!("{}{log}", by_search(directory, ROLES)));
    let client = Client::login(&server, "ADA", DIRECTORY_PASSWORD).await;
    let who = client.get("/r/user/whoami", &[]).await.success();
    assert!(who.to_string().contains("ada@corp"), "{who}");
    let session = client.session().await;
    assert_eq!(session.value("6 * 7").await["value"], 42.0);
    session.close().await;
    assert_eq!(basic(&server, "ada", DIRECTORY_PASSWORD, "/r/sessions").await, 200);
    assert_eq!(basic(&server, "ada", "wrong", "/r/sessions").await, 401);
    let tokens = Pair::of(&login(&server, "ada", DIRECTORY_PASSWORD).await);
    assert_eq!(statuses(&server, &tokens.access).await, [200; 3]);
    assert_eq!(login(&server, "ada", "wrong").await.status, 401);
    // Measurements are for administrators.
    assert_eq!(basic(&server, "ada", DIRECTORY_PASSWORD, "/metrics").await, 200);
    assert_eq!(basic(&server, "bob", DIRECTORY_PASSWORD, "/metrics").await, 403);
    let (status, said) = revodeployr(&server, "ada", &offshoot::auth::password::digest(DIRECTORY_PASSWORD)).await;
    assert!(status != 200 && said.contains("accounts of corp log in with the password itself"), "{said}");
    assert_eq!(revodeployr(&server, "admin", &offshoot::auth::password::digest(PASSWORD)).await.0, 200);
    let written = std::fs::read_to_string(audit.path()).unwrap();
    let entry = written.lines().find(|line| line.contains("\"login\"") && line.contains("ada@corp")).expect("the login is written");
    assert!(entry.contains("\"source\":\"corp\"") && !written.contains(DIRECTORY_PASSWORD), "{entry}");
    assert!(written.contains("\"source\":\"local\""), "{written}");

    let administrator = Administrator::of(&server);
    assert!(administrator.does(&["user", "list"]).lines().any(|line| line.starts_with("ada@corp") && line.contains(" corp ")));
    let refused = |arguments: &[&str]| {
        assert!(
            administrator.fails(arguments).contains("the account ada@corp comes from corp: its password and its roles are changed there")
        );
    };
    refused(&["user", "change", "ada@corp", "--role", "BASIC_USER"]);
    refused(&["user", "expire", "ada@corp"]);
    administrator.does(&["boundary", "put", "small", "--cpu-seconds", "5"]);
    administrator.does(&["user", "change", "ada@corp", "--boundary", "small"]);
    // With the server running.
    let settings = server.data().parent().unwrap().join("offshoot.toml");
    let check = ["auth", "check", "ada", "--password-stdin", "--config", settings.to_str().unwrap()];
    assert!(administrator.reads(&check, &format!("{DIRECTORY_PASSWORD}\n")).contains("account:         ada@corp\n"));
    administrator.does(&["user", "disable", "ada@corp"]);
    until("its logins have ended", async || statuses(&server, &tokens.access).await.iter().all(|&status| status != 200)).await;
    assert_eq!(basic(&server, "ada", DIRECTORY_PASSWORD, "/r/sessions").await, 401);
    let (status, said) = revodeployr(&server, "ada", DIRECTORY_PASSWORD).await;
    assert!(status == 403 && said.contains("The account is disabled."), "{said}");
}

#[tokio::test]
async fn a_directory_that_is_down_is_said_to_be_so_in_each_dialect_and_local_accounts_go_on() {
    let mut directory = Slapd::start();
    let server = Server::start(&format!("{}\n[sessions]\npool = 0", by_search_at(&directory.url(), ROLES)));
    assert_eq!(basic(&server, "ada", DIRECTORY_PASSWORD, "/r/sessions").await, 200);
    directory.stop();
    let (status, said) = revodeployr(&server, "ada", DIRECTORY_PASSWORD).await;
    assert!(
        status == 503 && said.contains("Corp cannot be asked at the moment") || said.contains("corp cannot be asked at the moment"),
        "{said}"
    );
    let reply = login(&server, "ada", DIRECTORY_PASSWORD).await;
    assert_eq!((reply.status.as_u16(), reply.document()["link"].clone()), (503, json!("")));
    assert_eq!(basic(&server, "bob", DIRECTORY_PASSWORD, "/r/sessions").await, 503);
    assert_eq!(basic(&server, "bob", DIRECTORY_PASSWORD, "/metrics").await, 503);
    // What it has accepted a moment ago is remembered.
    assert_eq!(basic(&server, "ada", DIRECTORY_PASSWORD, "/r/sessions").await, 200);
    assert_eq!(revodeployr(&server, "admin", PASSWORD).await.0, 200);
    assert_eq!(read(Rock::on(&server, "admin").with_password(PASSWORD).request(Method::GET, "/metrics")).await.status, 200);
    directory.start_again();
    assert_eq!(basic(&server, "bob", DIRECTORY_PASSWORD, "/r/sessions").await, 200);
}
