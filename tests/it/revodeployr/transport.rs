//! Requests as clients of 2010 send them.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use offshoot::store::policies::Policy;
use reqwest::{Method, header, multipart};

use crate::harness::{Client, Reply, Server, read, until};

#[tokio::test]
async fn headers_may_end_with_a_bare_line_feed() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    let body = "format=json";
    let request = format!(
        "POST /deployr/r/user/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\nCookie: JSESSIONID={}\r\nContent-Length: {}\r\n\r\n{body}",
        client.cookie(),
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("System Administrator"), "{answer}");
}

#[tokio::test]
async fn calls_are_below_the_context_and_at_the_root() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    for prefix in ["/deployr", ""] {
        let reply = read(client.raw(Method::GET, &format!("{}{prefix}/r/user/whoami", server.address))).await;
        // Answers name the call without the context.
        assert_eq!(reply.success()["call"], "/r/user/whoami");
    }
    let other = Server::start("[sessions]\npool = 0\n[revodeployr]\ncontext = '/old/name'\nweb_context = 'https://r.example.org'");
    let client = Client::new(&other);
    let login = read(
        client
            .raw(Method::POST, &format!("{}/old/name/r/user/login", other.address))
            .form(&[("username", "admin"), ("password", crate::harness::PASSWORD)]),
    )
    .await;
    assert!(login.headers["set-cookie"].to_str().unwrap().contains("Path=/old/name;"));
    let cookie = login.success()["cookie"].as_str().unwrap().to_owned();
    assert_eq!(read(client.raw(Method::GET, &format!("{}/deployr/r/user/whoami", other.address))).await.status, 404);
    let root = |path: &str| format!("{}{path}", other.address);
    let client = client.with_cookie(&cookie);
    let session = read(client.raw(Method::POST, &root("/r/session/create"))).await.success()["session"].as_str().unwrap().to_owned();
    let form = [("session", session.as_str()), ("code", "plot(1)")];
    let reply = read(client.raw(Method::POST, &root("/r/session/execute/code")).form(&form)).await.success();
    let url = reply["files"]["unnamedplot001.png"]["value"].as_str().unwrap();
    assert!(url.starts_with("https://r.example.org/old/name/r/file/get/FILE-"), "{url}");
}

#[tokio::test]
async fn the_context_is_in_an_address_once() {
    let server = Server::start("[sessions]\npool = 0");
    let client = Client::admin(&server).await;
    let store = server.store().await;
    for (host, end) in [("https://one.example.org", "/deployr/"), ("https://two.example.org", "")] {
        store.policy_put(Policy::WebContext, &format!("{host}{end}")).await.unwrap();
        let mut url = String::new();
        until("addresses begin with it", async || {
            let sent = client.post("/r/file/upload", &[("name", "a"), ("file", "x")]).await.success();
            url = sent["files"]["a"]["value"].as_str().unwrap().to_owned();
            url.starts_with(host)
        })
        .await;
        assert!(url.starts_with(&format!("{host}/deployr/r/repository/get/binary/CFILE-")), "{url}");
    }
}

#[tokio::test]
async fn parameters_come_from_the_query_and_from_the_body() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("x <- 1; y <- 2").await;
    let path = format!("/r/session/object/get?session={}&name=x&format=xml&rnd=123", session.id);
    let reply = read(session.client.request(Method::POST, &path).body("name=y&format=json")).await.success();
    assert_eq!(reply["robjects"]["y"]["value"], 2);
    // Empty parameters count as absent, names and lists have spaces, and booleans are various words.
    let reply = session.execute("z <- 3", &[("robjects", " x , , z,"), ("files", ""), ("format", "JSON"), ("inputs", "")]).await.success();
    assert_eq!(reply["robjects"].as_object().unwrap().len(), 2);
    for word in ["true", "T", "1", "on", "TRUE"] {
        session.get("object/list", &[("filter", word)]).await.success();
    }
    assert_eq!(session.get("object/list", &[("filter", "perhaps")]).await.status, 400);
}

#[tokio::test]
async fn cookies_are_found_wherever_they_are() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    let anonymous = Client::new(server);
    let cookie = client.cookie();
    for value in [
        format!("JSESSIONID={cookie}"),
        format!("a=b; JSESSIONID={cookie}; Path=/deployr/; HttpOnly"),
        format!("JSESSIONID=stale; JSESSIONID={cookie}"),
        format!("{}JSESSIONID={cookie}", "other=1; ".repeat(5000)),
    ] {
        let reply = read(anonymous.request(Method::GET, "/r/user/whoami").header(header::COOKIE, &value)).await;
        assert_eq!(reply.status, 200, "{value}");
    }
}

#[tokio::test]
async fn a_cookie_in_the_path_is_no_part_of_any_address() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    let (anonymous, cookie) = (Client::new(server), client.cookie());
    let session = client.session().await;
    let plot = session.run("plot(1)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    let form = multipart::Form::new().text("name", "a.csv").text("file", "a");
    let sent = read(client.request(Method::POST, "/r/file/upload").multipart(form)).await.success();
    let script = server.script("has a cookie", "1", "authenticated").await;
    let addresses = [
        plot,
        sent["files"]["a.csv"]["value"].as_str().unwrap().to_owned(),
        format!("{}/deployr/script/summary/SCRPT-{script}", server.address),
        format!("{}/deployr/r/user/whoami", server.address),
        // The other dialect has paths of this form, too.
        format!("{}/r/session/ping", server.address),
    ];
    for address in addresses {
        let url = format!("{address};jsessionid={cookie}?session={}&format=json", session.id);
        let reply = read(anonymous.raw(Method::GET, &url)).await;
        assert_eq!(reply.status, 200, "{url}: {}", reply.text());
    }
    let folder = format!("/r/user;jsessionid={cookie}/whoami");
    assert_eq!(read(anonymous.request(Method::GET, &folder)).await.status, 200);
}

#[tokio::test]
async fn head_answers_as_get_without_the_body() {
    let session = Client::admin(Server::shared()).await.session().await;
    let plot = session.run("plot(1)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    let got = session.client.fetch(&plot).await;
    let head = read(session.client.raw(Method::HEAD, &plot)).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    for name in ["content-type", "content-length"] {
        assert_eq!(head.headers[name], got.headers[name]);
    }
    assert_eq!(got.headers["content-type"], "image/png");
    assert_eq!(got.headers["content-security-policy"], "sandbox");
    assert_eq!(read(session.client.request(Method::HEAD, &format!("/r/session/ping?session={}", session.id))).await.status, 200);
}

#[tokio::test]
async fn an_error_has_the_format_that_the_body_names() {
    let server = Server::shared();
    let nobody = Client::new(server);
    let kind = |reply: &Reply| reply.headers["content-type"].to_str().unwrap().split(';').next().unwrap().to_owned();
    for (format, expected) in [("xml", "application/xml"), ("text", "text/html"), ("json", "application/json")] {
        let form = multipart::Form::new().text("format", format).text("file", "x");
        let reply = read(nobody.request(Method::POST, "/r/file/upload").multipart(form)).await;
        assert_eq!((reply.status.as_u16(), kind(&reply).as_str()), (401, expected), "{format}");
        let reply = nobody.post("/r/repository/file/upload", &[("format", format), ("file", "x")]).await;
        assert_eq!((reply.status.as_u16(), kind(&reply).as_str()), (401, expected), "{format}");
    }
    for (method, path) in [(Method::PUT, "/r/user/whoami"), (Method::DELETE, "/r/session/create"), (Method::POST, "/r/file/get/FILE-1/a")] {
        let reply = read(nobody.request(method, path).form(&[("format", "xml")])).await;
        assert_eq!((reply.status.as_u16(), kind(&reply).as_str()), (405, "application/xml"), "{path}");
    }
    // Of a large upload, only the beginning is read, and nothing if the client waits for permission to send it.
    let answer = |head: &str, body: &str| {
        let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
        let head = format!("POST /r/file/upload HTTP/1.1\r\nHost: localhost\r\n{head}\r\nContent-Length: 100000000\r\n\r\n{body}");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = [0; 60];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let mut parts = "--b\r\nContent-Disposition: form-data; name=\"format\"\r\n\r\nxml\r\n\
        --b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n"
        .to_owned();
    parts.extend(std::iter::repeat_n('x', (64 << 10) - parts.len()));
    let told = answer("Content-Type: multipart/form-data; boundary=b", &parts);
    assert!(told.starts_with("HTTP/1.1 401 Unauthorized\r\ncontent-type: application/xml"), "{told}");
    let told = answer("Expect: 100-continue", "");
    assert!(told.starts_with("HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json"), "{told}");
}

#[tokio::test]
async fn an_error_names_the_path_without_the_context() {
    let server = Server::shared();
    let client = Client::new(server);
    let paths = ["/r/nothing", "/r/file/get/FILE-1/a%20b", "/r/repository/get/binary/CFILE-1", "/script/summary/SCRPT-1", "/r/user/whoami"];
    for path in paths {
        for prefix in ["/deployr", ""] {
            let reply = read(client.raw(Method::GET, &format!("{}{prefix}{path}", server.address))).await;
            assert_eq!(reply.json()["call"], path, "{prefix}");
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_the_format_of_its_body() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    for path in ["/deployr/r/nothing", "/deployr/nothing", "/r/user/nothing", "/deployr"] {
        let url = format!("{}{path}", server.address);
        let form = client.raw(Method::POST, &url).form(&[("format", "xml")]);
        let parts = client.raw(Method::POST, &url).multipart(multipart::Form::new().text("format", "xml"));
        for request in [form, parts, client.raw(Method::GET, &format!("{url}?format=xml"))] {
            let reply = read(request).await;
            assert_eq!(reply.headers[header::CONTENT_TYPE], "application/xml; charset=utf-8", "{path}: {}", reply.text());
        }
        let foreign = client.raw(Method::POST, &url).form(&[("format", "xml")]).header("sec-fetch-site", "cross-site");
        let refused = read(foreign).await;
        assert!(refused.status == 403 && refused.text().starts_with("<?xml"), "{path}: {}", refused.text());
    }
}

#[tokio::test]
async fn an_unknown_path_is_answered_in_the_form_of_the_api_that_it_looks_like() {
    let server = Server::shared();
    let client = Client::new(server);
    for path in ["/nothing", "/nothing/at/all", "/deployr2", "/R/session"] {
        let reply = read(client.raw(Method::POST, &format!("{}{path}", server.address)).form(&[("format", "xml")])).await;
        let document = reply.document();
        assert_eq!((reply.status.as_u16(), &document), (404, &serde_json::json!({"error": format!("There is nothing at {path}")})));
    }
    for path in ["/rserver/nothing", "/r/sessions/nothing", "/r/session/x/nothing"] {
        let reply = read(client.raw(Method::GET, &format!("{}{path}", server.address))).await;
        assert_eq!((reply.status.as_u16(), reply.document()["key"].as_str()), (404, Some("NoResourceFoundException")), "{path}");
    }
}

#[tokio::test]
async fn a_form_in_parts_is_a_form_for_all_calls() {
    let session = Client::admin(Server::shared()).await.session().await;
    let form = multipart::Form::new().text("session", session.id.clone()).text("code", "x <- 'größe'").text("robjects", "x");
    let reply = read(session.client.request(Method::POST, "/r/session/execute/code").multipart(form)).await;
    assert_eq!(reply.success()["robjects"]["x"]["value"], "größe");
    let cut =
        session.client.request(Method::POST, "/r/session/execute/code").header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    let reply = read(cut.body("--b\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\n1")).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("The request could not be read"), "{}", reply.text());
}
