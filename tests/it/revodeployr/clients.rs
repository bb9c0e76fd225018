//! The clients of 2010 and their habits, from login to logout.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use super::guide::{SAMPLE, SAMPLE_INPUTS};
use crate::harness::{Client, PASSWORD, Server};

/// phpDeployR makes every call by POST on a connection of its own. Its own headers end with a bare line feed, it reads the cookie from the
/// body, names scripts by identifiers, and writes lists with spaces.
struct Php<'s> {
    server: &'s Server,
    cookie: String,
}

impl Php<'_> {
    fn call(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let body: Vec<_> = [&[("format", "json")], form].concat().iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let body = body.join("&");
        let address = self.server.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let request = format!(
            "POST /deployr{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\nCookie: JSESSIONID={}\r\nContent-Length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{path}: {answer}");
        let mut value: Value = serde_json::from_str(body).unwrap();
        assert_eq!(value["deployr"]["response"]["success"], true, "{body}");
        value["deployr"]["response"].take()
    }
}

#[tokio::test]
async fn a_php_client() {
    let server = Server::shared();
    let script = format!("SCRPT-{}", server.script("Sample Script", SAMPLE, "authenticated").await);
    let mut php = Php { server, cookie: String::new() };
    let digest = offshoot::auth::password::digest(PASSWORD);
    php.cookie = php.call("/r/user/login", &[("username", "admin"), ("password", &digest)])["cookie"].as_str().unwrap().to_owned();
    assert_eq!(php.call("/r/user/whoami", &[])["identity"]["username"], "admin");
    php.call("/r/user/autosave", &[]);
    php.call("/r/user/autosave", &[("save", "false")]);
    let session = php.call("/r/session/create", &[])["session"].as_str().unwrap().to_owned();
    let named = ("session", session.as_str());
    php.call("/r/session/ping", &[named]);
    let code = "x <- rnorm(10)\r\ny <- mean(x)\r\nprint('done')\r\npng('myplot.png'); plot(x); dev.off()";
    let run = php.call("/r/session/execute/code", &[named, ("code", code), ("robjects", "x, y"), ("files", "myplot.png")]);
    assert!(run["robjects"]["y"]["value"].is_number() && run["robjects"]["x"]["value"].as_array().unwrap().len() == 10);
    assert!(run["files"]["myplot.png"]["value"].is_string(), "{run}");
    let run = php.call("/r/session/execute/script", &[named, ("rscript", &script), ("inputs", SAMPLE_INPUTS)]);
    assert_eq!(run["files"].as_object().unwrap().len(), 4);
    assert_eq!(php.call("/r/session/history", &[named])["history"], json!([code, "# script: Sample Script"]));
    assert_eq!(php.call("/r/session/output", &[named])["console"]["value"], "df$b ~ df$a\n");
    assert_eq!(php.call("/r/session/object/list", &[named])["robjects"]["y"]["type"], "primitive");
    // The client finds a saved object because its description is the object's name.
    let saved = php.call("/r/session/object/save", &[named, ("name", "y"), ("descr", "y")]);
    let id = saved["repository"]["y"]["value"].as_str().unwrap();
    assert_eq!(php.call("/r/repository/object/list", &[])["objects"]["y"]["value"], id);
    php.call("/r/session/object/load", &[named, ("id", id)]);
    php.call("/r/repository/object/delete", &[("id", id)]);
    let project = php.call("/r/session/project/save", &[named, ("descr", "php")]);
    let id = project["projects"]["php"]["value"].as_str().unwrap();
    assert_eq!(php.call("/r/project/list", &[])["projects"]["php"]["value"], id);
    php.call("/r/session/close", &[named]);
    php.call("/r/project/load", &[("id", id)]);
    php.call("/r/project/delete", &[("id", id)]);
    php.call("/r/user/logout", &[]);
}

/// jsDeployR encodes only code and inputs in its bodies, sends every optional parameter empty, wraps inputs in a list, and adds a random
/// number against caches.
#[tokio::test]
async fn a_javascript_client() {
    let server = Server::shared();
    server.script("add up", "total <- sum(inputs$a, b)", "authenticated").await;
    let client = Client::admin(server).await;
    let post = async |path: &str, body: String| {
        let request = client.request(reqwest::Method::POST, path).header("X-Requested-With", "XMLHttpRequest");
        let request = request.header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
        crate::harness::read(request.body(body)).await.success()
    };
    let session = post("/r/session/create", "format=json".into()).await["session"].as_str().unwrap().to_owned();
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let code = encode("x <- c(a = 1, b = 2); print('größe + 50% & more')");
    let run = post("/r/session/execute/code", format!("format=json&session={session}&code={code}&robjects=x, y&files=")).await;
    assert_eq!(run["console"]["value"], "[1] \"größe + 50% & more\"");
    assert_eq!(run["robjects"]["x"]["value"], json!([1, 2]));
    let inputs = r#"{"inputs":{"type":"list","value":{"a":{"type":"vector","value":[1,2]},"b":{"type":"primitive","value":4}}}}"#;
    let optional = "preload=&robjects=total&files=&saveworkspace=";
    let run =
        post("/r/session/execute/script", format!("format=json&session={session}&rscript=add up&inputs={}&{optional}", encode(inputs)))
            .await;
    assert_eq!(run["robjects"]["total"]["value"], 7);
    let run = post("/r/script/execute", format!("format=json&rscript=add up&inputs={}&{optional}", encode(inputs))).await;
    assert_eq!(run["robjects"]["total"]["value"], 7);
    post("/r/session/object/push", format!("format=json&session={session}&inputs={{}}")).await;
    let saved = post("/r/session/workspace/save", format!("format=json&session={session}&descr=Größe, 100% % zz My Workspace 1")).await;
    assert!(saved["objects"]["Größe, 100% % zz My Workspace 1"]["value"].is_string(), "{saved}");
    let query = [("session", session.as_str()), ("name", "x"), ("start", ""), ("length", ""), ("rnd", "1290000000000")];
    assert_eq!(client.get("/r/session/object/get", &query).await.success()["robjects"]["x"]["value"], json!([1, 2]));
    post(
        "/r/project/artifacts",
        format!("format=json&id={}", {
            let saved = post("/r/session/project/save", format!("format=json&session={session}&descr=My Project")).await;
            saved["projects"]["My Project"]["value"].as_str().unwrap().to_owned()
        }),
    )
    .await;
    post("/r/session/close", format!("format=json&session={session}")).await;
}
