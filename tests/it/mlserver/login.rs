//! What the login takes, from whom.

use std::fmt::Write;

use offshoot::api::mlserver::routes::{Caller, ROUTES};
use reqwest::Method;
use serde_json::json;

use crate::harness::{Client, Rock, Server, read};

#[tokio::test]
async fn every_route_has_been_tried_without_credentials() {
    let nobody = Rock::nobody(Server::shared());
    let mut tried = String::new();
    for route in &ROUTES {
        let reply = read(nobody.request(route.method.clone(), route.path).json(&json!({}))).await;
        let expected = if route.caller == Caller::Anybody { 400 } else { 401 };
        assert_eq!(reply.status, expected, "{route:?}");
        if route.method == Method::GET {
            let head = read(nobody.request(Method::HEAD, route.path)).await;
            assert_eq!(head.status, 401, "{route:?}");
            writeln!(tried, "HEAD {} {}", route.path, head.status.as_u16()).unwrap();
        }
        writeln!(tried, "{} {} {}", route.method, route.path, reply.status.as_u16()).unwrap();
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("mlserver_without_credentials", tried);
    });
}

#[tokio::test]
async fn a_login_takes_what_is_sent_by_who_has_not_logged_in_only_up_to_a_bound() {
    let nobody = Rock::nobody(Server::shared());
    let long = json!({ "username": "x".repeat(100_000), "password": "x" });
    let reply = read(nobody.request(Method::POST, "/login").json(&long)).await;
    assert_eq!(reply.status, 413);
    assert!(reply.document()["message"].as_str().unwrap().contains("http.anonymous_form_kib"));
    for body in ["", "{", "[]", "null", "{\"username\":1,\"password\":2}", "\u{0}"] {
        let reply = read(nobody.request(Method::POST, "/login").body(body)).await;
        assert_eq!((reply.status.as_u16(), &reply.document()["link"]), (400, &json!("")), "{body}");
    }
}

#[tokio::test]
async fn guesses_have_to_wait_and_a_right_password_from_elsewhere_has_not() {
    let server = Server::start("[sessions]\npool = 0\n[http]\ntrusted_proxies = ['127.0.0.1']");
    server.account("ada", &["POWER_USER"]).await;
    let try_from = |address: &'static str, password: &'static str| {
        let request = Rock::nobody(&server).request(Method::POST, "/login").header("x-forwarded-for", address);
        async move { read(request.json(&json!({ "username": "ada", "password": password }))).await }
    };
    for _ in 0..5 {
        assert_eq!(try_from("192.0.2.1", "guess").await.status, 401);
    }
    let reply = try_from("192.0.2.1", crate::harness::PASSWORD).await;
    assert_eq!((reply.status.as_u16(), reply.headers["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(reply.document()["message"], "Too many logins have failed; try again in 1 s.");
    assert_eq!(try_from("192.0.2.2", crate::harness::PASSWORD).await.status, 200);
    // The other dialects count the same.
    let form = [("username", "ada"), ("password", crate::harness::PASSWORD)];
    let request = Client::new(&server).request(Method::POST, "/r/user/login").header("x-forwarded-for", "192.0.2.1");
    assert_ne!(read(request.form(&form)).await.status, 401);
}
