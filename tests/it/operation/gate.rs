//! Requests for pages of other sites, and with names that are not this server's.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use reqwest::Method;

use crate::harness::{Client, PASSWORD, Reply, Rock, Server, read};

/// Sends a request byte by byte as given, and reads the answer completely.
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: &str, path: &str, headers: &str) -> String {
    raw(address, &format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
}

#[track_caller]
fn status(answer: &str, expected: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")) || answer.starts_with(&format!("HTTP/1.0 {expected} ")), "{answer}");
}

const BROWSER: [(&str, &str); 2] = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example.org")];

async fn from_page(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Reply {
    read(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

#[tokio::test]
async fn a_page_of_another_site_runs_no_code_in_the_users_name() {
    let server = Rock::server();
    let (user, session) = (Rock::by("user"), Rock::by("user").open().await);
    for headers in [&BROWSER[..], &BROWSER[..1], &BROWSER[1..], &[("origin", "null")], &[("sec-fetch-site", "same-site")]] {
        for (method, path) in [
            (Method::POST, "/r/_eval".to_owned()),
            (Method::POST, format!("{}/_eval", session.path)),
            (Method::DELETE, session.path.clone()),
            (Method::PUT, "/rserver".to_owned()),
            (Method::POST, "/r/session/x/y/z".to_owned()),
            (Method::POST, "/".to_owned()),
        ] {
            let reply = from_page(user.request(method, &path).body("stop('never')"), headers).await;
            assert_eq!((reply.status.as_u16(), reply.document()["key"].as_str()), (403, Some("AccessDeniedException")), "{path}");
            assert!(reply.document()["message"].as_str().unwrap().contains("http.cors_origins"), "{}", reply.text());
        }
        let admin = Client::admin(server).await;
        for (path, call) in [
            ("/r/session/create", "/r/session/create"),
            ("/r/user/whoami", "/r/user/whoami"),
            ("/r/file/get/FILE-1/a", "/r/file/get/FILE-1/a"),
            ("/r/nothing", "/r/nothing"),
        ] {
            let reply = from_page(admin.request(Method::POST, path), headers).await;
            assert_eq!((reply.status.as_u16(), reply.json()["call"].as_str()), (403, Some(call)));
            assert!(reply.json()["error"].as_str().unwrap().contains("http.cors_origins"), "{}", reply.text());
            let reply = from_page(admin.request(Method::POST, &format!("{path}?format=xml")), headers).await;
            assert!(reply.status == 403 && reply.text().starts_with("<?xml"), "{}", reply.text());
        }
        // A read changes nothing, and browsers do not show the answer to a page of another site.
        assert_eq!(from_page(admin.request(Method::GET, "/r/user/whoami"), headers).await.status, 200);
        let reply = from_page(admin.raw(Method::POST, &format!("{}/metrics", server.address)), headers).await;
        assert!(reply.status == 403 && reply.text().contains("http.cors_origins"), "{}", reply.text());
    }
    // Programs, and pages of the server itself, may change things.
    let own = server.address.as_str();
    for headers in [&[][..], &[("sec-fetch-site", "same-origin"), ("origin", own)], &[("origin", own)], &[("sec-fetch-site", "none")]] {
        let request = user.request(Method::POST, "/r/_eval").header("content-type", "application/x-rscript").body("1 + 1");
        assert_eq!(from_page(request, headers).await.text(), "2");
    }
}

#[tokio::test]
async fn pages_that_the_configuration_names_may_make_changes_and_any_page_only_without_credentials() {
    let named = Server::start("[sessions]\npool = 0\n[http]\ncors_origins = ['https://evil.example.org']");
    let any = Server::start("[sessions]\npool = 0\n[http]\ncors_origins = ['*']");
    for (server, allowed) in [(&named, true), (&any, false)] {
        let client = Client::admin(server).await;
        let reply = from_page(client.request(Method::POST, "/r/session/create"), &BROWSER).await;
        assert_eq!(reply.status, if allowed { 200 } else { 403 });
        // The page can read the reason.
        assert!(reply.headers.contains_key("access-control-allow-origin"));
        let form = [("username", "admin"), ("password", PASSWORD)];
        from_page(Client::new(server).request(Method::POST, "/r/user/login").form(&form), &BROWSER).await.success();
    }
}

#[tokio::test]
async fn cookies_stay_on_their_site() {
    let form = [("username", "admin"), ("password", PASSWORD)];
    for (settings, by_http, by_https) in [
        ("", "; HttpOnly; SameSite=Lax", "; HttpOnly; Secure; SameSite=Lax"),
        ("http.cors_origins = ['*']", "; HttpOnly; SameSite=Lax", "; HttpOnly; Secure; SameSite=Lax"),
        ("http.cors_origins = ['https://a.example.org']", "; HttpOnly; SameSite=Lax", "; HttpOnly; Secure; SameSite=None"),
        ("revodeployr.cookie_same_site = 'strict'", "; HttpOnly; SameSite=Strict", "; HttpOnly; Secure; SameSite=Strict"),
        ("revodeployr.cookie_same_site = 'none'", "; HttpOnly; SameSite=Lax", "; HttpOnly; Secure; SameSite=None"),
    ] {
        let server = Server::start(&format!("sessions.pool = 0\nhttp.trusted_proxies = ['127.0.0.1']\n{settings}"));
        for (scheme, expected) in [("http", by_http), ("https", by_https)] {
            let login = Client::new(&server).request(Method::POST, "/r/user/login").header("x-forwarded-proto", scheme).form(&form);
            let cookie = read(login).await.headers["set-cookie"].to_str().unwrap().to_owned();
            assert!(cookie.ends_with(&format!("; Path=/deployr{expected}")), "{settings} {scheme}: {cookie}");
        }
    }
}

#[tokio::test]
async fn a_request_without_a_host_or_with_two_is_refused() {
    let server = Rock::server();
    for (headers, expected) in
        [("", 400), ("Host: localhost\r\nHost: localhost\r\n", 400), ("Host: a/b\r\n", 400), ("Host: localhost\r\n", 200)]
    {
        let answer = get(&server.address, "/_info", headers);
        status(&answer, expected);
        assert!(expected == 200 || answer.contains("\"key\":\"IllegalArgumentException\""), "{answer}");
        let answer = get(&server.address, "/deployr/r/script/list?format=xml", headers);
        status(&answer, expected);
        assert!(answer.contains("<?xml"), "{answer}");
        status(&get(&server.address, "/_ready", headers), expected);
    }
    // HTTP/1.0 requires no host, and an address in the first line takes precedence.
    status(&raw(&server.address, "GET /_info HTTP/1.0\r\n\r\n"), 200);
    let absolute = "GET http://localhost/_info HTTP/1.1\r\nHost: evil.example.org\r\nConnection: close\r\n\r\n";
    status(&raw(&server.address, absolute), 200);
    let absolute = "GET http://evil.example.org/_info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    status(&raw(&server.address, absolute), 403);
}

#[tokio::test]
async fn a_site_that_takes_the_address_of_loopback_is_not_believed() {
    let server = Rock::server();
    for (host, expected) in [("localhost", 200), ("r.localhost:1", 200), ("127.0.0.7:8050", 200), ("[::1]", 200), ("evil.example.org", 403)]
    {
        let answer = get(&server.address, "/_info", &format!("Host: {host}\r\n"));
        status(&answer, expected);
        assert!(expected == 200 || (answer.contains("localhost and not evil.example.org") && answer.contains("http.hosts")), "{answer}");
        status(&get(&server.address, "/deployr/r/script/list", &format!("Host: {host}\r\n")), expected);
        status(&get(&server.address, "/_ready", &format!("Host: {host}\r\n")), expected);
    }
    // A page with that name can send any cookie and any password.
    status(&get(&server.address, "/r/sessions", "Host: r.example.org\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n"), 403);
    status(&get(&server.address, "/deployr/r/script/list", "Host: r.example.org\r\nCookie: JSESSIONID=x\r\n"), 403);
    status(&get(&server.address, "/_ready", "Host: 10.0.0.7:8050\r\n"), 200);
}

#[tokio::test]
async fn names_that_are_not_the_servers_are_refused_when_its_names_are_configured() {
    let settings = "[sessions]\npool = 0\n[http]\nhosts = ['r.example.org', 'a.example.org:81']\ntrusted_proxies = ['127.0.0.2']\n\
        [metrics]\nlisten = ['127.0.0.1:0']";
    let server = Server::start_listening(&Rock::settings(settings), &["127.0.0.1:0"], 1);
    let user = "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
    for (host, expected) in
        [("r.example.org", 200), ("r.example.org:8050", 200), ("a.example.org:81", 200), ("a.example.org", 403), ("localhost", 403)]
    {
        let answer = get(&server.address, "/r/sessions", &format!("Host: {host}\r\n{user}"));
        status(&answer, expected);
        assert!(expected == 200 || answer.contains(&format!("not called {host}: add that name to the setting http.hosts")), "{answer}");
    }
    for host in ["localhost", "127.0.0.1:8050", "10.0.0.7"] {
        status(&get(&server.address, "/_check", &format!("Host: {host}\r\n")), 204);
        let metrics = server.addresses[1].trim_end_matches("/metrics");
        for path in ["/_check", "/_ready", "/metrics"] {
            let answer = get(metrics, path, &format!("Host: {host}\r\n"));
            status(&answer, if path == "/_check" { 204 } else { 200 });
            status(&get(metrics, path, "Host: evil.example.org\r\n"), 403);
        }
    }
    // The headers of a trusted proxy count.
    let proxy = crate::harness::http().local_address(std::net::IpAddr::from([127, 0, 0, 2])).build().unwrap();
    for (host, expected) in [("r.example.org", 200), ("evil.example.org", 403)] {
        let reply = read(proxy.get(format!("{}/_info", server.address)).header("x-forwarded-host", host)).await;
        assert_eq!(reply.status, expected, "{host}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_trusted_may_stand_before_an_address_of_loopback() {
    let server = Server::start("[sessions]\npool = 0\n[http]\ntrusted_proxies = ['127.0.0.1']");
    let answer = get(&server.address, "/deployr/r/script/list", "Host: 127.0.0.1\r\nX-Forwarded-Host: r.example.org\r\n");
    status(&answer, 200);
}
