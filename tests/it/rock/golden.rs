//! Golden exchanges: each call with its results, as sent over the wire.

use reqwest::{Method, header};

use super::packages::repository;
use crate::harness::{Reply, Rock, RockSession, Server, read, until};

/// Exchanges under one name.
#[derive(Default)]
struct Golden(String);

impl Golden {
    /// Sends a request, and records the exchange.
    async fn call(&mut self, client: &Rock, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = client.request(method.parse().unwrap(), path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = read(request.body(body.to_owned())).await;
        self.0.push_str(&format!("{method} {path}\n"));
        for (name, value) in headers {
            self.0.push_str(&format!("{name}: {value}\n"));
        }
        if !body.is_empty() {
            self.0.push_str(&format!("\n{body}\n"));
        }
        self.0.push_str(&format!("\n{}\n", reply.status));
        for name in [header::CONTENT_TYPE, header::LOCATION, header::WWW_AUTHENTICATE, header::ALLOW, header::CONTENT_DISPOSITION] {
            if let Some(value) = reply.headers.get(&name) {
                self.0.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
            }
        }
        let text = match reply.body.as_slice() {
            [] => String::new(),
            [b'X', b'\n', ..] => format!("\n[{} bytes of R's serialization]\n", reply.body.len()),
            [0x89, b'P', b'N', b'G', ..] => format!("\n[{} bytes of a PNG]\n", reply.body.len()),
            _ => format!("\n{}\n", reply.text()),
        };
        self.0.push_str(&format!("{text}--------\n"));
        reply
    }

    async fn get(&mut self, client: &Rock, path: &str) -> Reply {
        self.call(client, "GET", path, &[], "").await
    }

    async fn script(&mut self, session: &RockSession, path: &str, code: &str) -> Reply {
        let path = format!("{}{path}", session.path);
        self.call(&session.client, "POST", &path, &[("content-type", "application/x-rscript")], code).await
    }

    fn check(self, name: &str) {
        let filters = vec![
            ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "[uuid]"),
            ("127.0.0.1:[0-9]+", "[server]"),
            (r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}\+00:00", "[moment]"),
            ("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", "[date]"),
            (r#""memory":[0-9]+,"cpu":[0-9.]+"#, r#""memory":[bytes],"cpu":[seconds]"#),
            (r#""cores":[0-9]+,"freeMemory":[0-9]+"#, r#""cores":[cores],"freeMemory":[KiB]"#),
            (r#""version":"[0-9.]+""#, r#""version":"[version]""#),
            (r"\[[0-9]+ bytes of", "[bytes of"),
            (r#""(Packaged|Built)":"[^"]*""#, r#""$1":"[told by R]""#),
            (r"Its last lines:\\n.*\\nError: not", r"Its last lines:\n[R's words]\nError: not"),
        ];
        insta::with_settings!({ filters => filters, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, self.0);
        });
    }
}

#[tokio::test]
async fn service() {
    let nobody = Rock::nobody(Rock::server());
    let mut golden = Golden::default();
    for path in ["/", "/_info", "/_check", "/rserver", "/rserver/nothing", "/r/session/x/nothing"] {
        golden.get(&nobody, path).await;
    }
    golden.call(&nobody, "HEAD", "/", &[], "").await;
    golden.get(&Rock::by("user").with_password("wrong"), "/").await;
    golden.call(&Rock::by("user"), "PUT", "/r/sessions", &[], "").await;
    golden.check("rock_service");
}

#[tokio::test]
async fn sessions() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let [administrator, manager, user, other] = ["administrator", "manager", "user", "other"].map(|name| Rock::on(&server, name));
    let mut golden = Golden::default();
    golden.get(&user, "/r/sessions").await;
    let opened = golden.call(&user, "POST", "/r/sessions", &[("content-type", "application/json")], "{}").await;
    let path = format!("/r/session/{}", opened.document()["id"].as_str().unwrap());
    golden.call(&manager, "POST", "/r/sessions", &[], "").await;
    golden.get(&user, &path).await;
    golden.get(&other, &path).await;
    golden.get(&user, "/r/session/00000000-0000-4000-8000-000000000000").await;
    golden.get(&manager, "/r/sessions?subject=user").await;
    golden.call(&user, "DELETE", "/r/sessions", &[], "").await;
    golden.call(&administrator, "DELETE", &path, &[], "").await;
    golden.call(&user, "DELETE", &path, &[], "").await;
    golden.call(&manager, "DELETE", "/r/sessions", &[], "").await;
    golden.check("rock_sessions");
}

#[tokio::test]
async fn evaluation() {
    let session = Rock::by("user").open().await;
    let mut golden = Golden::default();
    for code in ["list(a = 1, b = 'x')", "x <- 1:3", "NULL", "stop('no')", "log('x')", "1 +", ""] {
        golden.script(&session, "/_eval", code).await;
    }
    let path = format!("{}/_eval", session.path);
    let raw = [("content-type", "application/x-rscript"), ("accept", "application/octet-stream, application/json")];
    golden.call(&session.client, "POST", &path, &raw, "NULL").await;
    golden.call(&session.client, "POST", &path, &[("content-type", "text/plain")], "1").await;
    golden.call(&session.client, "POST", &path, &[("content-type", "application/x-rscript"), ("accept", "text/html")], "1").await;
    golden.script(&session, "/_assign?s=y", "1:3").await;
    golden.script(&session, "/_assign?s=y", "stop('boom')").await;
    golden.script(&session, "/_assign", "1").await;
    golden.script(&session, "/_assign?s=y&async=perhaps", "1").await;
    let data = [("content-type", "application/x-rdata")];
    let path = format!("{}/_assign?s=z", session.path);
    golden.call(&session.client, "POST", &path, &data, "WAoAAAADAAQCAgADBQAAAAAFVVRGLTgAAAAOAAAAAUBFAAAAAAAA").await;
    golden.call(&session.client, "POST", &path, &data, "no base64!").await;
    golden.call(&session.client, "POST", &path, &data, "AAAA").await;
    golden.check("rock_evaluation");
}

#[tokio::test]
async fn commands() {
    let session = Rock::by("user").open().await;
    let mut golden = Golden::default();
    session.submit("while (!file.exists('go')) Sys.sleep(0.01); 'gone'").await;
    until("it runs", async || session.get("/command/1").await.document()["status"] != "PENDING").await;
    golden.script(&session, "/_assign?s=x&async=TRUE", "getwd()").await;
    golden.script(&session, "/_eval?async=TRUE", "stop('later')").await;
    golden.get(&session.client, &format!("{}/commands", session.path)).await;
    golden.get(&session.client, &format!("{}/command/2", session.path)).await;
    golden.get(&session.client, &format!("{}/command/1/result", session.path)).await;
    session.upload("?path=go", "x", b"", &[]).await;
    session.get("/command/3?wait=true").await;
    golden.get(&session.client, &format!("{}/commands", session.path)).await;
    for path in ["/command/1/result?wait=true", "/command/2/result", "/command/3/result", "/command/3/result?wait=true", "/command/3"] {
        golden.get(&session.client, &format!("{}{path}", session.path)).await;
    }
    golden.call(&session.client, "DELETE", &format!("{}/command/3", session.path), &[], "").await;
    golden.get(&session.client, &format!("{}/command/3", session.path)).await;
    golden.get(&session.client, &format!("{}/commands", session.path)).await;
    golden.check("rock_commands");
}

#[tokio::test]
async fn files() {
    let session = Rock::by("user").open().await;
    let mut golden = Golden::default();
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"own.txt\"\r\n\r\nhello\n\r\n--b--\r\n";
    for query in ["", "", "?overwrite=TRUE", "?path=sub/other.csv", "?path=sub", "?path=../x", "?path=own.txt/x"] {
        let path = format!("{}/_upload{query}", session.path);
        golden.call(&session.client, "POST", &path, &[("content-type", "multipart/form-data; boundary=b")], form).await;
    }
    let path = format!("{}/_upload", session.path);
    golden.call(&session.client, "POST", &path, &[("content-type", "text/plain")], "hello").await;
    // As rockr sends it, with the parameters as parts of the form.
    let part = |name: &str, value: &str| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let further = [part("path", "sub/part.txt"), part("overwrite", "TRUE"), part("temp", "FALSE")].concat();
    let form = form.replace("--b--", &format!("{further}--b--"));
    golden.call(&session.client, "POST", &path, &[("content-type", "multipart/form-data; boundary=b")], &form).await;
    for query in [
        "?path=own.txt",
        "?path=sub/other.csv",
        "?path=sub/part.txt",
        "?path=absent",
        "?path=sub",
        "?path=../x",
        "",
        "?path=own.txt&temp=TRUE",
    ] {
        golden.get(&session.client, &format!("{}/_download{query}", session.path)).await;
    }
    golden.check("rock_files");
}

#[tokio::test]
async fn server() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let (manager, user) = (Rock::on(&server, "manager"), Rock::on(&server, "user"));
    let mut golden = Golden::default();
    golden.get(&user, "/rserver").await;
    golden.get(&manager, "/rserver").await;
    golden.call(&manager, "GET", "/rserver/_version", &[("accept", "application/octet-stream")], "").await;
    golden.call(&manager, "GET", "/rserver/_version", &[("accept", "application/json")], "").await;
    golden.get(&manager, "/rserver/_log?limit=0").await;
    golden.get(&manager, "/rserver/_log?limit=x").await;
    golden.get(&manager, "/rserver/package/absent").await;
    golden.get(&manager, "/rserver/package/a%20b").await;
    golden.get(&manager, "/rserver/packages/_datashield").await;
    golden.call(&manager, "POST", "/rserver/packages", &[], "").await;
    golden.call(&manager, "DELETE", "/rserver/package/absent", &[], "").await;
    golden.call(&manager, "DELETE", "/rserver", &[], "").await;
    golden.get(&manager, "/_check").await;
    golden.call(&user, "POST", "/r/sessions", &[], "").await;
    golden.get(&manager, "/rserver/packages").await;
    golden.call(&manager, "PUT", "/rserver", &[], "").await;
    golden.check("rock_server");
}

#[tokio::test]
async fn beyond() {
    let session = Rock::by("user").open().await;
    let client = session.client.clone();
    let mut golden = Golden::default();
    golden.script(&session, "/_eval", "cat('printed\\n'); plot(1); 'value'").await;
    golden.get(&client, &format!("{}/_console", session.path)).await;
    golden.call(&client, "GET", &format!("{}/_console", session.path), &[("accept", "text/event-stream")], "").await;
    golden.get(&client, &format!("{}/_plots", session.path)).await;
    golden.get(&client, &format!("{}/_plots/1", session.path)).await;
    golden.get(&client, &format!("{}/_plots/2", session.path)).await;
    golden.get(&client, &format!("{}/_plots/1?width=1", session.path)).await;
    golden.call(&client, Method::POST.as_str(), &format!("{}/_interrupt", session.path), &[], "").await;
    golden.call(&client, "POST", "/r/_eval", &[("content-type", "application/x-rscript")], "R.version$language").await;
    golden.call(&client, "POST", "/r/_eval", &[("content-type", "application/x-rscript")], "stop('no')").await;
    golden.call(&client, "POST", "/r/_eval", &[("content-type", "application/x-rscript"), ("accept", "text/html")], "1").await;
    golden.call(&client, "POST", "/r/_eval", &[("content-type", "text/plain")], "1").await;
    golden.check("rock_beyond");
}

#[tokio::test]
async fn packages() {
    let folder = tempfile::tempdir().unwrap();
    let further = "AggregateMethods: meanDS, varDS\n";
    let repository = repository(folder.path(), &[("wanted", "1.0", further, "one <- 1\n")]);
    let server = Server::start(&Rock::settings(&format!("[sessions]\npool = 0\n[r]\nrepositories = ['{repository}']")));
    let manager = Rock::on(&server, "manager");
    let octets = [("accept", "application/octet-stream, application/json")];
    let mut golden = Golden::default();
    golden.call(&manager, "POST", "/rserver/packages?name=wanted&manager=cran", &[("content-type", "application/x-rscript")], "").await;
    golden.call(&manager, "POST", "/rserver/packages?name=absent", &[], "").await;
    golden.call(&manager, "POST", "/rserver/packages?name=wanted&manager=npm", &[], "").await;
    golden.call(&manager, "PUT", "/rserver/packages", &[], "").await;
    golden.call(&manager, "GET", "/rserver/packages", &octets, "").await;
    golden.get(&manager, "/rserver/package/wanted").await;
    golden.call(&manager, "GET", "/rserver/package/wanted", &octets, "").await;
    golden.get(&manager, "/rserver/packages/_datashield").await;
    golden.call(&manager, "DELETE", "/rserver/packages?name=wanted,absent", &[], "").await;
    golden.call(&manager, "DELETE", "/rserver/packages?name=a%20b", &[], "").await;
    golden.call(&manager, "DELETE", "/rserver/packages", &[], "").await;
    golden.check("rock_packages");
}

#[tokio::test]
async fn limits_and_ends() {
    let settings = Rock::settings("[sessions]\npool = 0\nqueue = 0").replace("[rock]\n", "[rock]\nupload_mib = 0\n");
    let server = Server::start(&settings);
    let session = Rock::on(&server, "user").open().await;
    let mut golden = Golden::default();
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"own.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let path = format!("{}/_upload", session.path);
    golden.call(&session.client, "POST", &path, &[("content-type", "multipart/form-data; boundary=b")], form).await;
    session.occupy("repeat {}").await;
    golden.script(&session, "/_eval", "1").await;
    golden.script(&session, "/_eval?async=TRUE", "1").await;
    golden.call(&session.client, "POST", &format!("{}/_interrupt", session.path), &[], "").await;
    session.get("/command/1?wait=true").await;
    golden.script(&session, "/_eval", "cat('last words\\n'); tools::pskill(Sys.getpid(), 9)").await;
    golden.script(&session, "/_eval", "1").await;
    golden.check("rock_limits_and_ends");
}
