//! Golden exchanges: each call in each format, with its errors, as sent over the wire.

use reqwest::Method;

use crate::harness::{Client, Reply, Server, Session, read};

/// A request and its answer as text, without the parts that differ from run to run.
fn exchange(method: &Method, path: &str, form: &[(&str, &str)], reply: &Reply) -> String {
    let form: String = form.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let content_type = reply.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    let content = if reply.body.starts_with(b"\x89PNG") { "[a PNG]" } else { reply.text() };
    format!("{method} {path}\n{form}\n{}\ncontent-type: {content_type}\n\n{content}\n", reply.status)
}

/// Exchanges in both formats, under one name.
pub(super) struct Golden {
    text: String,
}

impl Golden {
    pub(super) fn new() -> Self {
        Self { text: String::new() }
    }

    pub(super) async fn call(&mut self, client: &Client, method: Method, path: &str, form: &[(&str, &str)]) -> Reply {
        self.call_in("json", client, method.clone(), path, form).await;
        self.call_in("xml", client, method, path, form).await
    }

    /// One exchange in one format, for calls that can be made only once.
    pub(super) async fn call_in(&mut self, format: &str, client: &Client, method: Method, path: &str, form: &[(&str, &str)]) -> Reply {
        let form = [&[("format", format)], form].concat();
        let request = client.request(method.clone(), path);
        let request = if method == Method::GET { request.query(&form) } else { request.form(&form) };
        let reply = read(request).await;
        self.text.push_str(&exchange(&method, path, &form, &reply));
        self.text.push_str("--------\n");
        reply
    }

    pub(super) fn check(self, name: &str) {
        let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        let time = "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}";
        insta::with_settings!({
            filters => vec![
                (uuid, "[uuid]"),
                ("127.0.0.1:[0-9]+", "[server]"),
                ("[0-9A-F]{32}", "[cookie]"),
                (time, "[time]"),
                ("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2} UTC", "[minute]"),
                // Newer releases of R do not name the call in which the error occurred.
                ("Error in [a-z]+[(][a-z]+[)] : object", "object"),
            ],
            omit_expression => true,
            prepend_module_to_snapshot => false,
        }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

async fn session() -> Session {
    Client::admin(Server::shared()).await.session().await
}

#[tokio::test]
async fn user_login() {
    let client = Client::new(Server::shared());
    let mut golden = Golden::new();
    golden
        .call(
            &client,
            Method::POST,
            "/r/user/login",
            &[("username", "admin"), ("password", crate::harness::PASSWORD), ("autosave", "false")],
        )
        .await;
    golden.call(&client, Method::POST, "/r/user/login", &[("username", "admin"), ("password", "wrong")]).await;
    golden.call(&client, Method::POST, "/r/user/login", &[("username", "admin")]).await;
    golden.call(&client, Method::POST, "/r/user/login", &[("username", "admin"), ("password", "x"), ("autosave", "sometimes")]).await;
    golden.call(&client, Method::GET, "/r/user/login", &[]).await;
    golden.check("user_login");
}

#[tokio::test]
async fn user_whoami_and_logout() {
    let mut golden = Golden::new();
    let client = Client::admin(Server::shared()).await;
    golden.call(&client, Method::GET, "/r/user/whoami", &[]).await;
    golden.call(&client, Method::POST, "/r/user/whoami", &[]).await;
    golden.call(&Client::new(Server::shared()), Method::GET, "/r/user/whoami", &[]).await;
    // For the second of the two logouts, nobody is logged in.
    golden.call(&client, Method::POST, "/r/user/logout", &[]).await;
    golden.call(&Client::admin(Server::shared()).await, Method::GET, "/r/user/logout", &[]).await;
    golden.check("user_whoami_and_logout");
}

#[tokio::test]
async fn session_create_ping_and_close() {
    let client = Client::admin(Server::shared()).await;
    let mut golden = Golden::new();
    golden.call(&client, Method::POST, "/r/session/create", &[]).await;
    let session = client.session().await;
    let named = [("session", session.id.as_str())];
    golden.call(&client, Method::GET, "/r/session/ping", &named).await;
    // For the second of the two calls, the session is closed.
    golden.call(&client, Method::POST, "/r/session/close", &named).await;
    for path in ["/r/session/ping", "/r/session/output", "/r/session/history"] {
        golden.call(&client, Method::GET, path, &named).await;
        golden.call(&client, Method::GET, path, &[]).await;
    }
    golden.call(&client, Method::GET, "/r/session/close", &named).await;
    golden.call(&Client::new(Server::shared()), Method::POST, "/r/session/create", &[]).await;
    golden.check("session_create_ping_and_close");
}

#[tokio::test]
async fn session_execute_code() {
    let session = session().await;
    let mut golden = Golden::new();
    for (code, robjects, files) in [
        ("x <- 1", "", ""),
        (
            "myVector <- c(0.3164758010404593, 1.1669658074158804); png(\"myplot.png\"); plot(myVector); dev.off();",
            "myVector",
            "myplot.png",
        ),
        (
            "df <- data.frame(a = 1:3, b = 4:6)\nmyformula <- formula(paste('df$b', '~', 'df$a'))\nprint(myformula)\nlm1 <- lm(myformula)\nplot(lm1)",
            "df",
            "",
        ),
        ("warning('NaNs produced'); message('on the console')", "absent", "absent.txt"),
        ("cat('before'); stop('it went wrong')", "x", ""),
        ("x <-- ", "x", ""),
        ("x y", "", ""),
    ] {
        golden
            .call(
                &session.client,
                Method::POST,
                "/r/session/execute/code",
                &[("session", &session.id), ("code", code), ("robjects", robjects), ("files", files)],
            )
            .await;
    }
    golden.call(&session.client, Method::POST, "/r/session/execute/code", &[("session", &session.id)]).await;
    golden.call(&session.client, Method::POST, "/r/session/execute/code", &[("code", "1")]).await;
    golden.call(&session.client, Method::GET, "/r/session/execute/code", &[("session", &session.id), ("code", "1")]).await;
    golden.call(&session.client, Method::POST, "/r/session/execute/code", &[("session", &session.id), ("code", "q(status = 7)")]).await;
    golden.check("session_execute_code");
}

#[tokio::test]
async fn session_output_and_history() {
    let session = session().await;
    let named = [("session", session.id.as_str())];
    let mut golden = Golden::new();
    golden.call(&session.client, Method::GET, "/r/session/output", &named).await;
    golden.call(&session.client, Method::GET, "/r/session/history", &named).await;
    session.run("x<-c(1:10);\ry<-c(11:20);\rprint(x - y) ").await;
    session.fails("stop('kept as well ]]> in CDATA')").await;
    session.run("cat('<&\"]]>\\n\\n')").await;
    golden.call(&session.client, Method::GET, "/r/session/output", &named).await;
    golden.call(&session.client, Method::GET, "/r/session/history", &named).await;
    golden.check("session_output_and_history");
}

#[tokio::test]
async fn session_object_list_get_and_delete() {
    let session = session().await;
    let id = session.id.as_str();
    session.run("x <- c(13, 14, 15); y <- 'text'; f <- function() 1; df <- data.frame(n = 1:2, l = c(TRUE, NA))").await;
    let mut golden = Golden::new();
    golden.call(&session.client, Method::GET, "/r/session/object/list", &[("session", id)]).await;
    golden.call(&session.client, Method::GET, "/r/session/object/list", &[("session", id), ("filter", "true")]).await;
    for name in ["x", "y", "f", "df"] {
        golden.call(&session.client, Method::GET, "/r/session/object/get", &[("session", id), ("name", name)]).await;
    }
    golden
        .call(&session.client, Method::GET, "/r/session/object/get", &[("session", id), ("name", "df"), ("start", "1"), ("length", "5")])
        .await;
    golden.call(&session.client, Method::GET, "/r/session/object/get", &[("session", id), ("name", "absent")]).await;
    golden.call(&session.client, Method::GET, "/r/session/object/get", &[("session", id)]).await;
    golden.call(&session.client, Method::GET, "/r/session/object/get", &[("session", id), ("name", "x"), ("start", "-1")]).await;
    // For the second of the two calls, the object is gone.
    golden.call(&session.client, Method::POST, "/r/session/object/delete", &[("session", id), ("name", "x"), ("descr", "stray")]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/delete", &[("session", id)]).await;
    golden.call(&session.client, Method::GET, "/r/session/object/delete", &[("session", id), ("name", "y")]).await;
    golden.check("session_object_list_get_and_delete");
}

/// Appendix B of the guide as inputs, and nested lists. R gets the same values from JSON and from XML.
#[tokio::test]
async fn session_object_push() {
    let mut golden = Golden::new();
    let mut held = Vec::new();
    for inputs in [include_str!("appendix_b/inputs.json"), include_str!("appendix_b/inputs.xml")] {
        let session = session().await;
        let id = session.id.as_str();
        golden.call(&session.client, Method::POST, "/r/session/object/push", &[("session", id), ("inputs", inputs)]).await;
        let mut got = Golden::new();
        for name in session.value("ls()").await["value"].as_array().unwrap() {
            let form = [("session", id), ("name", name.as_str().unwrap())];
            got.call(&session.client, Method::GET, "/r/session/object/get", &form).await;
        }
        held.push(got.text.replace(id, "LIVE-00000000-0000-4000-8000-000000000000"));
    }
    assert_eq!(held[0], held[1]);
    golden.text.push_str(&held[0]);
    let session = session().await;
    let id = session.id.as_str();
    session.run("locked <- 1; lockBinding('locked', globalenv())").await;
    for inputs in [
        r#"{"inputs":{"type":"list","value":{"x":{"type":"primitive","value":1}}}}"#,
        r#"{"df":{"type":"dataframe","value":{"a":{"type":"vector","value":[1,2]},"b":{"type":"vector","value":[1]}}}}"#,
        r#"{"d":{"type":"date","format":"%d.%m.%Y","value":"2010-04-20"}}"#,
        "{",
        "<inputs>",
        r#"{"locked":2}"#,
    ] {
        golden.call(&session.client, Method::POST, "/r/session/object/push", &[("session", id), ("inputs", inputs)]).await;
    }
    golden.call(&session.client, Method::POST, "/r/session/object/push", &[("session", id)]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/push", &[("inputs", "{}")]).await;
    golden.call(&session.client, Method::GET, "/r/session/object/push", &[("session", id), ("inputs", "{}")]).await;
    golden.check("session_object_push");
}

#[tokio::test]
async fn session_that_is_busy_and_then_dead() {
    let session = session().await;
    let folder = session.value("getwd()").await["value"].as_str().unwrap().to_owned();
    let code = "cat('waiting'); while (!file.exists('go')) Sys.sleep(0.01); tools::pskill(Sys.getpid(), 9); Sys.sleep(60)";
    let running = session.occupy(code).await;
    let named = [("session", session.id.as_str())];
    let mut golden = Golden::new();
    golden.call(&session.client, Method::GET, "/r/session/ping", &named).await;
    std::fs::write(std::path::Path::new(&folder).join("go"), "").unwrap();
    golden.text.push_str(&exchange(&Method::POST, "/r/session/execute/code", &named, &running.await.unwrap().unwrap()));
    golden.text.push_str("--------\n");
    golden.call(&session.client, Method::GET, "/r/session/ping", &named).await;
    golden.check("session_that_is_busy_and_then_dead");
}

#[tokio::test]
async fn file_get() {
    let client = Client::new(Server::shared());
    let mut golden = Golden::new();
    golden.call(&client, Method::GET, "/r/file/get/FILE-00000000-0000-4000-8000-000000000000/plot.png", &[]).await;
    golden.call(&client, Method::GET, "/r/file/get/nothing/plot.png", &[]).await;
    golden.call(&client, Method::POST, "/r/file/get/FILE-00000000-0000-4000-8000-000000000000/plot.png", &[]).await;
    golden.check("file_get");
}

#[tokio::test]
async fn unknown_call_and_format() {
    let client = Client::admin(Server::shared()).await;
    let mut golden = Golden::new();
    golden.call(&client, Method::GET, "/r/session/nothing", &[]).await;
    golden.text.push_str(&exchange(
        &Method::GET,
        "/r/user/whoami",
        &[("format", "text")],
        &client.get("/r/user/whoami", &[("format", "text")]).await,
    ));
    golden.check("unknown_call_and_format");
}

/// The calls of the 1.x clients that are not in the guide.
#[tokio::test]
async fn further_calls() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let named = ("session", session.id.as_str());
    session.run("cat('made', file = 'made.txt'); plot(1); x <- 1; save(x, file = 'x.rData')").await;
    let mut golden = Golden::new();
    for path in ["/r/session/file/list", "/r/session/artifact/list"] {
        golden.call(&client, Method::GET, path, &[named]).await;
    }
    golden.call(&client, Method::GET, "/r/session/file/download", &[named, ("name", "made.txt")]).await;
    golden.call(&client, Method::GET, "/r/session/file/download", &[named, ("name", "../made.txt")]).await;
    golden.call(&client, Method::GET, "/r/session/artifact/download", &[named, ("name", "absent.png")]).await;
    golden.call(&client, Method::POST, "/r/session/file/save", &[named, ("name", "made.txt"), ("descr", "what was made")]).await;
    golden.call(&client, Method::POST, "/r/repository/file/upload", &[("name", "sent.txt"), ("file", "sent")]).await;
    golden.call(&client, Method::POST, "/r/file/upload", &[("name", "guide.txt"), ("file", "sent")]).await;
    golden.call(&client, Method::POST, "/r/session/file/upload", &[named, ("name", "sent.txt"), ("file", "sent")]).await;
    golden.call(&client, Method::POST, "/r/session/object/upload", &[named, ("name", "junk.rData"), ("file", "junk")]).await;
    // The output of saveRDS(1, ascii = TRUE).
    let one = "A\n3\n262146\n197888\n5\nUTF-8\n14\n1\n1\n";
    golden.call(&client, Method::POST, "/r/session/object/upload", &[named, ("name", "one.rds"), ("file", one)]).await;
    golden.call(&client, Method::POST, "/r/repository/object/upload", &[("name", "junk"), ("file", "junk")]).await;
    // The beginning alone is checked.
    golden.call(&client, Method::POST, "/r/repository/object/upload", &[("name", "one"), ("file", "A\n3\n")]).await;
    golden.call(&client, Method::POST, "/r/repository/object/upload", &[("name", "junk")]).await;
    golden.call(&client, Method::GET, "/r/repository/file/list", &[]).await;
    let files = client.get("/r/repository/file/list", &[]).await.success();
    let id = files["files"]["made.txt"]["value"].as_str().unwrap().to_owned();
    golden.call(&client, Method::POST, "/r/session/file/load", &[named, ("id", &id)]).await;
    golden.call(&client, Method::GET, "/r/repository/file/download", &[("id", &id)]).await;
    golden.call(&client, Method::GET, "/r/repository/object/download", &[("id", "CBNRY-x")]).await;
    // For the second call of each pair, the object is gone.
    golden.call(&client, Method::POST, "/r/repository/file/delete", &[("id", &id)]).await;
    golden.call(&client, Method::POST, "/r/session/file/delete", &[named, ("name", "made.txt")]).await;
    golden.call(&client, Method::POST, "/r/session/artifact/delete", &[named, ("name", "unnamedplot001.png")]).await;
    let project = session.post("project/save", &[("descr", "p")]).await.success();
    let id = project["projects"]["p"]["value"].as_str().unwrap().to_owned();
    golden.call(&client, Method::POST, "/r/project/artifacts", &[("id", &id)]).await;
    golden.check("further_calls");
}
