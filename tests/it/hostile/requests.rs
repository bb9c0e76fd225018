//! Requests that mean harm, or no harm: each gets a clear answer, and the server lives.

use reqwest::Method;

use crate::harness::{Client, Server, read};

#[tokio::test]
async fn malformed_percent_escapes_are_taken_as_they_are() {
    let session = Client::admin(Server::shared()).await.session().await;
    let body = format!("format=json&session={}&code=x <- 7 %% 4; y <- '%zz%'&robjects=x,y", session.id);
    let reply = read(session.client.request(Method::POST, "/r/session/execute/code").body(body)).await;
    let response = reply.success();
    assert_eq!(response["robjects"]["x"]["value"], 3);
    assert_eq!(response["robjects"]["y"]["value"], "%zz%");
}

#[tokio::test]
async fn bodies_beyond_the_limit_are_refused() {
    let server = Server::start("[sessions]\npool = 0\n[http]\nform_mib = 2");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    // Announced, and not announced.
    let announced = read(client.request(Method::POST, "/r/session/execute/code").body(vec![b'a'; 3 << 20])).await;
    assert_eq!(announced.status, 413);
    assert_eq!(announced.json()["error"], "The request is larger than 2 MiB, which is the most this server takes.");
    let large = format!("session={}&code=x <- '{}'", session.id, "a".repeat(1 << 20));
    let accepted = read(client.request(Method::POST, "/r/session/execute/code").body(large)).await;
    accepted.success();
    assert_eq!(session.value("nchar(x)").await["value"], 1 << 20);
}

#[tokio::test]
async fn a_body_of_100_megabytes_is_refused_by_default() {
    let client = Client::admin(Server::shared()).await;
    assert_eq!(read(client.request(Method::POST, "/r/session/execute/code").body(vec![b'a'; 100_000_000])).await.status, 413);
    assert_eq!(client.session().await.value("1").await["value"], 1);
}

#[tokio::test]
async fn unknown_and_foreign_sessions_look_the_same() {
    let server = Server::shared();
    let admin = Client::admin(server).await;
    let own = admin.session().await;
    add_user(server, "stranger");
    let stranger = Client::login(server, "stranger", crate::harness::PASSWORD).await;
    let unknown = "LIVE-00000000-0000-4000-8000-000000000000";
    for call in ["ping", "output", "history", "object/list"] {
        for id in [own.id.as_str(), unknown, "LIVE-", "x'; DROP TABLE", "LIVE-\u{0}"] {
            let reply = stranger.get(&format!("/r/session/{call}"), &[("session", id)]).await;
            assert_eq!(reply.status, 400);
            assert_eq!(reply.json()["error"], format!("Invalid session identifier: {id}"));
        }
    }
    let reply = stranger.post("/r/session/close", &[("session", &own.id)]).await;
    assert_eq!(reply.status, 400);
    assert_eq!(own.value("1").await["value"], 1);
}

pub fn add_user(server: &Server, name: &str) {
    use std::{
        io::Write,
        os::unix::{fs::MetadataExt, process::CommandExt},
        process::Stdio,
    };
    let mut command = Server::command();
    command.args(["user", "--data"]).arg(server.data()).args(["add", name, "--role", "POWER_USER", "--password-stdin"]);
    // As whom the server runs: what is made anew in its store has to be its own.
    let owner = std::fs::metadata(server.data()).unwrap();
    if rustix::process::geteuid().is_root() {
        command.uid(owner.uid()).gid(owner.gid()).current_dir("/");
    }
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", crate::harness::PASSWORD).unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn names_are_data_and_not_code() {
    let session = Client::admin(Server::shared()).await.session().await;
    for name in ["a'b", "a\"b", "a`b", "a b", "`; q(); `", "größe", "日本", "a\\b", "%s%n", "]]>", "<&>"] {
        session.run(&format!("assign({}, 1:2)", r_string(name))).await;
        let reply = session.get("object/get", &[("name", name)]).await.success();
        assert_eq!(reply["robjects"][name]["value"], serde_json::json!([1, 2]), "{name}");
        let xml = session.get("object/get", &[("name", name), ("format", "xml")]).await;
        let document = roxmltree::Document::parse(xml.text()).unwrap();
        let object = document.descendants().find(|node| node.has_tag_name("robject")).unwrap();
        assert_eq!(object.attribute("name"), Some(name));
        session.post("object/delete", &[("name", name)]).await.success();
        assert_eq!(session.get("object/get", &[("name", name)]).await.status, 400);
    }
    for absent in ["q()", "mean", "x$y", "\u{0}"] {
        assert_eq!(session.get("object/get", &[("name", absent)]).await.status, 400, "{absent}");
        assert_eq!(session.post("object/delete", &[("name", absent)]).await.status, 400, "{absent}");
    }
}

fn r_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused_by_name() {
    let session = Client::admin(Server::shared()).await.session().await;
    let body = format!("session={}&code=x%ff", session.id);
    let reply = read(session.client.request(Method::POST, "/r/session/execute/code").body(body)).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.json()["error"], "Parameter code is not UTF-8 text.");
    let nul = session.execute("x <- 'a\u{0}b'", &[]).await;
    assert_eq!(nul.json()["success"], false);
    assert_eq!(session.value("1").await["value"], 1);
}

#[tokio::test]
async fn deep_nesting_is_cut_off_and_not_a_crash() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("x <- 1; for (i in 1:10000) x <- list(x)").await;
    for format in ["json", "xml"] {
        let reply = session.get("object/get", &[("name", "x"), ("format", format)]).await;
        assert_eq!(reply.status, 200);
        assert!(reply.body.len() < 10_000);
    }
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let reply = session.execute("1", &[("inputs", &deep), ("robjects", &deep)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    // Nesting that R's parser refuses is R's error.
    let code = "(".repeat(10_000) + "1" + &")".repeat(10_000);
    assert!(!session.fails(&code).await.is_empty());
    assert_eq!(session.value("1").await["value"], 1);
}

#[tokio::test]
async fn a_result_that_does_not_fit_is_an_error_and_not_a_crash() {
    let server = Server::start("[sessions]\npool = 0\nmemory_mib = 120");
    let session = Client::admin(&server).await.session().await;
    session.run("x <- runif(5e6)").await;
    let reply = session.get("object/get", &[("name", "x")]).await.json();
    assert_eq!(reply["success"], false);
    assert!(reply["error"].as_str().unwrap().contains("do not fit"), "{reply}");
    assert_eq!(session.value("length(x)").await["value"], 5_000_000);
}

#[tokio::test]
async fn odd_requests_are_answered() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    for (method, path, status) in [
        (Method::GET, "/r/nowhere", 404),
        (Method::POST, "/", 404),
        (Method::PUT, "/r/session/ping", 405),
        (Method::DELETE, "/r/user/whoami", 405),
        (Method::GET, "/r/session/create", 405),
        (Method::POST, "/r/file/get/FILE-00000000-0000-4000-8000-000000000000/x", 405),
        (Method::GET, "/r/file/get/FILE-00000000-0000-4000-8000-000000000000/x", 404),
        (Method::GET, "/r/file/get/..%2f..%2fetc/passwd", 404),
    ] {
        let reply = read(client.request(method.clone(), path)).await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(reply.json()["error"].is_string());
    }
    for (query, message) in [
        (vec![("format", "yaml")], "Parameter format is neither json nor xml."),
        (vec![("name", "x"), ("start", "-1")], "Parameter start is not a whole number of 0 or more: -1"),
        (vec![("name", "x"), ("length", "many")], "Parameter length is not a whole number of 0 or more: many"),
        (vec![("start", "1")], "Parameter name is missing."),
    ] {
        let reply = session.get("object/get", &query).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str().unwrap()), (400, message));
    }
}
