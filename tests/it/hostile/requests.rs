//! Requests that do harm, on purpose or not. Each gets a clear answer, and the server goes on.

use reqwest::Method;

use crate::harness::{Client, Server, program, read, server_for_all};

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
    // With its length announced, and without.
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
    let mut command = program(server_for_all());
    command.args(["user", "--data"]).arg(server.data()).args(["add", name, "--role", "POWER_USER", "--password-stdin"]);
    // The user that the server runs as, who has to own new files in its store.
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
        (Method::POST, "/r/", 404),
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

/// A server that has handled some data, who has sent it, and the server's peak of memory until then. A further login would take as much as
/// the check of a password does.
async fn warm(settings: &str) -> (Server, Client, usize) {
    let server = Server::start(settings);
    let admin = Client::admin(&server).await;
    admin.get("/r/user/whoami", &[]).await.success();
    let peak = server.peak();
    (server, admin, peak)
}

fn parts(count: usize) -> String {
    "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n".repeat(count) + "--b--\r\n"
}

async fn send(client: &Client, path: &str, kind: &'static str, body: impl Into<reqwest::Body>) -> crate::harness::Reply {
    read(client.request(Method::POST, path).header("content-type", kind).body(body)).await
}

const PARTS: &str = "multipart/form-data; boundary=b";
const ENCODED: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_form_of_160000_parts_occupies_nobody() {
    let (server, admin, before) = warm("[sessions]\npool = 0").await;
    let nobody = Client::new(&server);
    for path in ["/r/user/login", "/r/script/execute", "/r/session/execute/script"] {
        let reply = send(&nobody, path, PARTS, parts(160_000)).await;
        assert_eq!(reply.status, 413, "{path}");
        assert_eq!(
            reply.json()["error"],
            "The request is larger than 64 KiB, which is the most this server takes without a login (http.anonymous_form_kib): log in first."
        );
        // A form within the limit is read, and no more of it than is taken.
        let reply = send(&nobody, path, PARTS, parts(1100)).await;
        assert_eq!(reply.status, 400, "{path}");
    }
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 10_000, "{grown} KiB");
    for path in ["/r/user/whoami", "/r/session/execute/code", "/r/file/upload", "/r/session/file/upload"] {
        let reply = send(&admin, path, PARTS, parts(160_000)).await;
        assert_eq!(reply.status, 400, "{path}");
        let expected = "The request has more than 1000 parameters, which is the most this server takes (http.form_fields).";
        assert_eq!(reply.json()["error"], expected, "{path}");
    }
}

#[tokio::test]
async fn thirty_million_parameters_take_no_memory() {
    let (server, admin, before) = warm("[sessions]\npool = 0").await;
    let nobody = Client::new(&server);
    for path in ["/r/user/login", "/r/user/whoami", "/r/file/upload"] {
        let reply = send(&nobody, path, ENCODED, b"a&".repeat(30_000_000)).await;
        assert_eq!(reply.status, if path == "/r/user/login" { 413 } else { 401 }, "{path}");
    }
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 20_000, "{grown} KiB");
    // Uploads of users who have logged in are read piece by piece; their other forms take no more memory than their size.
    for path in ["/r/file/upload", "/r/user/whoami"] {
        let reply = send(&admin, path, ENCODED, b"a&".repeat(30_000_000)).await;
        assert_eq!(reply.status, 400, "{path}");
        assert!(reply.json()["error"].as_str().unwrap().contains("more than 1000 parameters"), "{path}");
    }
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 200_000, "{grown} KiB");
}

#[tokio::test]
async fn a_query_of_too_many_parameters_is_refused_in_each_dialect() {
    let server = Server::start(&crate::harness::Rock::settings("[sessions]\npool = 0\n[http]\nform_fields = 20"));
    let query = "a=1&".repeat(21);
    let expected = "The request has more than 20 parameters, which is the most this server takes (http.form_fields).";
    let reply = read(Client::new(&server).request(Method::GET, &format!("/r/script/list?format=xml&{query}"))).await;
    assert!(reply.status == 400 && reply.text().starts_with("<?xml") && reply.text().contains(expected), "{}", reply.text());
    let reply = crate::harness::Rock::on(&server, "user").get(&format!("/r/sessions?{query}")).await;
    assert_eq!((reply.status.as_u16(), reply.document()["message"].as_str()), (400, Some(expected)));
}

/// Sends the head of a request without its body; returns the beginning of the answer.
fn answer_to_head(server: &Server, path: &str, head: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn who_asks_is_settled_before_a_body_is_read() {
    let server = Server::start(&crate::harness::Rock::settings("[sessions]\npool = 0"));
    server.account("basic", &["BASIC_USER"]).await;
    let basic = Client::login(&server, "basic", crate::harness::PASSWORD).await;
    let waits = "Content-Length: 60000000\r\nExpect: 100-continue\r\n";
    for (path, head, expected) in [
        ("/r/session/execute/code", String::new(), "401"),
        ("/r/session/execute/code", format!("Cookie: JSESSIONID={}\r\n", basic.cookie()), "403"),
        ("/r/user/whoami", "Cookie: JSESSIONID=stale\r\n".to_owned(), "401"),
        ("/r/sessions", String::new(), "401"),
        ("/r/_eval", "Authorization: Basic dXNlcjp3cm9uZw==\r\n".to_owned(), "401"),
        // The credentials of the manager, who may not run code.
        ("/r/_eval", "Authorization: Basic bWFuYWdlcjpwYXNzd29yZA==\r\n".to_owned(), "403"),
        // The server tells users who may make the call that it waits for the body.
        ("/r/user/whoami", format!("Cookie: JSESSIONID={}\r\n", basic.cookie()), "100"),
        ("/r/_eval", "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n".to_owned(), "100"),
    ] {
        let answer = answer_to_head(&server, path, &format!("{head}{waits}"));
        assert_eq!(answer, format!("HTTP/1.1 {expected}"), "{path} {head}");
    }
}

#[tokio::test]
async fn a_body_that_is_refused_unread_does_not_cut_off_the_answer() {
    let server = Server::start("[sessions]\npool = 0");
    let nobody = Client::new(&server);
    for _ in 0..20 {
        let reply = send(&nobody, "/r/session/execute/code?format=xml", ENCODED, vec![b'a'; 5 << 20]).await;
        assert!(reply.status == 401 && reply.text().starts_with("<?xml"), "{}", reply.text());
    }
}

#[tokio::test]
async fn forms_of_those_who_have_logged_in_are_as_large_as_before() {
    let server = Server::start("[sessions]\npool = 0\n[http]\nanonymous_form_kib = 1");
    let nobody = Client::new(&server);
    server.script("open", "x <- nchar(text)", "anonymous").await;
    let run = |client: Client, size: usize| async move {
        let inputs = format!("{{\"text\":\"{}\"}}", "a".repeat(size));
        client.post("/r/script/execute", &[("rscript", "open"), ("inputs", &inputs), ("robjects", "x")]).await
    };
    assert_eq!(run(nobody.clone(), 100).await.success()["robjects"]["x"]["value"], 100);
    assert_eq!(run(nobody.with_cookie("stale"), 2000).await.status, 413);
    assert_eq!(run(Client::admin(&server).await, 2_000_000).await.success()["robjects"]["x"]["value"], 2_000_000);
}
