//! The calls of the broker.

use std::fmt::Write;

use offshoot::api::rtvs::routes::ROUTES;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::client::{Broker, Client, server_with, shared, until_dead};
use crate::harness::{PASSWORD, Rock, read, until};

#[tokio::test]
async fn every_route_has_been_tried_without_credentials() {
    let nobody = Broker::nobody(shared());
    let mut tried = String::new();
    for route in &ROUTES {
        let reply = nobody.call(route.method.clone(), &route.path.replace("{id}", "x")).await;
        writeln!(tried, "{} {} {}", route.method, route.path, reply.status.as_u16()).unwrap();
        if route.method == Method::GET && !ROUTES.iter().any(|other| other.path == route.path && other.method == Method::HEAD) {
            let head = nobody.call(Method::HEAD, &route.path.replace("{id}", "x")).await;
            writeln!(tried, "HEAD {} {}", route.path, head.status.as_u16()).unwrap();
        }
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("rtvs_without_credentials", tried);
    });
}

#[tokio::test]
async fn wrong_credentials_are_answered_barely_and_the_same() {
    let admin = Broker::admin(shared());
    let bearer = Broker::nobody(shared());
    let with = |value: &'static str| bearer.request(Method::GET, "/interpreters").header(header::AUTHORIZATION, value);
    for request in [
        bearer.request(Method::GET, "/interpreters"),
        admin.clone().with_password("wrong").request(Method::GET, "/interpreters"),
        Broker::named(shared(), "nobody-of-that-name").request(Method::GET, "/interpreters"),
        with("Bearer abc"),
        with("Basic !!!"),
        // "nocolon"
        with("Basic bm9jb2xvbg=="),
        bearer.request(Method::PUT, "/sessions/x").json(&json!({})),
        bearer.request(Method::POST, "/ping"),
    ] {
        let reply = read(request).await;
        assert_eq!(reply.status, 401);
        assert_eq!(
            (&reply.headers["content-length"], &reply.headers["www-authenticate"]),
            (&"0".parse().unwrap(), &"Basic realm=\"Protected Area\"".parse().unwrap())
        );
    }
    for name in ["admin", "#unix\\admin", "<<unix>>\\admin", "#LOCAL\\admin"] {
        let reply = Broker::named(shared(), name).call(Method::GET, "/interpreters").await;
        assert_eq!(reply.status, 200, "{name}");
        assert_eq!(reply.document()[0]["id"], "0");
    }
}

#[tokio::test]
async fn the_machine_and_its_r_are_told() {
    let nobody = Broker::nobody(shared());
    let about = nobody.call(Method::GET, "/info/about").await;
    assert_eq!(about.headers["content-type"], "application/json; charset=utf-8");
    let about = about.document();
    assert_eq!(about["version"], "1.3.31103.1002");
    assert_eq!(about["is64BitOperatingSystem"], cfg!(target_pointer_width = "64"));
    assert_eq!(about["videoCards"], json!([]));
    assert!(about["osDescription"].as_str().unwrap().starts_with("Linux"));
    for number in ["processorCount", "totalPhysicalMemory", "freePhysicalMemory", "workingSet"] {
        assert!(about[number].as_u64().unwrap() > 0, "{number}");
    }
    for number in ["totalVirtualMemory", "freeVirtualMemory", "connectedUserCount"] {
        assert!(about[number].is_u64(), "{number}");
    }
    let load = nobody.call(Method::GET, "/info/load").await.document();
    for part in ["cpuLoad", "memoryLoad", "networkLoad"] {
        assert!((0.0..=1.0).contains(&load[part].as_f64().unwrap()), "{load}");
    }
    let interpreters = Broker::admin(shared()).call(Method::GET, "/interpreters").await.document();
    let [r] = interpreters.as_array().unwrap().as_slice() else { panic!("{interpreters}") };
    assert_eq!(about["interpreters"], json!([format!("[0] {} (Default)", r["name"].as_str().unwrap())]));
    assert!(r["version"].as_str().unwrap().starts_with(|first: char| first.is_ascii_digit()));
    assert_eq!(r["libPath"], Value::Null);
    assert_eq!(r["binPath"], format!("{}/lib", r["path"].as_str().unwrap()));
}

#[tokio::test]
async fn what_is_no_call_is_not_found_and_nothing_else() {
    let admin = Broker::admin(shared());
    for (method, path) in [
        (Method::DELETE, "/profile"),
        (Method::GET, "/nonesuch"),
        (Method::GET, "/"),
        (Method::POST, "/sessions"),
        (Method::POST, "/sessions/x"),
        (Method::GET, "/sessions/x"),
        (Method::GET, "/ping"),
        (Method::HEAD, "/info/about"),
        (Method::OPTIONS, "/sessions"),
        // What the other listeners have.
        (Method::GET, "/r/sessions"),
        (Method::GET, "/_ready"),
        (Method::GET, "/metrics"),
        (Method::POST, "/login"),
    ] {
        let reply = admin.call(method.clone(), path).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (404, ""), "{method} {path}");
    }
    assert_eq!(admin.call(Method::GET, "/INFO/About/").await.status, 200);
    // And the other listeners do not have these.
    let other = Rock::nobody(shared());
    assert_eq!(read(other.request(Method::GET, "/info/about")).await.status, 404);
    assert_eq!(read(other.request(Method::PUT, "/sessions/x")).await.status, 401);
}

fn is_api_error(reply: &crate::harness::Reply, name: &str, number: u8) {
    assert_eq!((reply.status.as_u16(), reply.text()), (400, number.to_string().as_str()));
    assert_eq!(reply.headers["rtvs-broker-api-error"], name);
}

#[tokio::test]
async fn sessions_are_begun_listed_and_ended() {
    let server = server_with("");
    let admin = Broker::admin(&server);
    assert_eq!(admin.call(Method::GET, "/sessions").await.document(), json!([]));
    let unknown = json!({ "InterpreterId": "zz", "CommandLineArguments": null, "IsInteractive": true });
    is_api_error(&admin.begin("abc", unknown).await, "InterpreterNotFound", 2);
    let wish = json!({ "InterpreterId": "", "CommandLineArguments": "--vanilla", "IsInteractive": true });
    let begun = admin.begin("abc", wish).await;
    let expected = json!({ "id": "abc", "interpreterId": "0", "commandLineArguments": "--vanilla", "state": 0 });
    assert_eq!((begun.status.as_u16(), begun.document()), (200, expected.clone()));
    assert_eq!(admin.call(Method::GET, "/Sessions").await.document(), json!([expected]));
    // Defaults, and bodies that are none.
    let empty = |id: &str| admin.request(Method::PUT, &format!("/sessions/{id}"));
    let reply = read(empty("b%20c").header(header::CONTENT_TYPE, "application/json; charset=utf-8")).await;
    assert_eq!(reply.document(), json!({ "id": "b c", "interpreterId": "0", "commandLineArguments": null, "state": 0 }));
    assert_eq!(read(empty("d").header(header::CONTENT_TYPE, "text/plain").body("{}")).await.status, 415);
    for wrong in ["{", "[]", "1", r#"{"interpreterId":1}"#, r#"{"isInteractive":"yes"}"#, r#"{"commandlinearguments":[]}"#] {
        let reply = read(empty("d").header(header::CONTENT_TYPE, "application/json").body(wrong)).await;
        assert_eq!((reply.status.as_u16(), reply.headers.contains_key("rtvs-broker-api-error")), (400, false), "{wrong}");
    }
    is_api_error(&admin.begin("d", json!({ "CommandLineArguments": "\"" })).await, "UnableToStartRHost", 3);
    // Another name of the same account has another list.
    let prefixed = Broker::named(&server, "<<unix>>\\admin");
    assert_eq!(prefixed.sessions().await, Vec::<String>::new());
    assert_eq!(prefixed.begin("abc", json!({})).await.status, 200);
    assert_eq!(admin.sessions().await, ["abc", "b c"]);
    for id in ["abc", "abc", "b%20c", "never"] {
        let reply = admin.call(Method::DELETE, &format!("/sessions/{id}")).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (200, ""));
    }
    assert_eq!(admin.sessions().await, Vec::<String>::new());
    assert_eq!(prefixed.sessions().await, ["abc"]);
    assert_eq!(Broker::nobody(&server).call(Method::GET, "/info/about").await.document()["connectedUserCount"], 1);
    assert_eq!(admin.call(Method::POST, "/ping").await.status, 200);
}

#[tokio::test]
async fn a_session_that_is_begun_again_is_another_one() {
    let (mut first, _) = Client::at_prompt(shared(), "again").await;
    let pid = first.pid().await;
    let (mut second, _) = Client::at_prompt(shared(), "again").await;
    assert_ne!(second.pid().await, pid);
    assert!(first.closed().await.is_some());
    until_dead(pid).await;
    assert!(Broker::admin(shared()).sessions().await.contains(&"again".to_owned()));
}

#[tokio::test]
async fn who_may_not_run_code_is_told_that_r_cannot_be_started() {
    let server = server_with("");
    server.account("basic", &["BASIC_USER"]).await;
    let basic = Broker::named(&server, "basic");
    until("the account is known", async || basic.call(Method::GET, "/sessions").await.status == 200).await;
    let reply = basic.begin("x", json!({})).await;
    is_api_error(&reply, "UnableToStartRHost", 3);
    assert!(reply.headers["rtvs-broker-exception"].to_str().unwrap().contains("POWER_USER"));
}

#[tokio::test]
async fn whoever_knows_the_secret_is_let_in_by_any_name() {
    let server = server_with("secret = 'of all'\nversion = '1.5.0.1'");
    let ada = Broker::named(&server, "ada").with_password("of all");
    let bob = Broker::named(&server, "bob").with_password("of all");
    assert_eq!(ada.begin("x", json!({})).await.status, 200);
    assert_eq!((ada.sessions().await.len(), bob.sessions().await.len()), (1, 0));
    for password in ["", "of al", "of all ", PASSWORD] {
        assert_eq!(Broker::named(&server, "admin").with_password(password).call(Method::GET, "/sessions").await.status, 401, "{password}");
    }
    // Whoever guesses has to wait, by whatever names; nobody is asked for another password for that.
    until("guesses are delayed", async || {
        Broker::named(&server, &uuid::Uuid::new_v4().to_string()).with_password("guess").call(Method::GET, "/sessions").await.status == 429
    })
    .await;
    assert_eq!(Broker::nobody(&server).call(Method::GET, "/info/about").await.document()["version"], "1.5.0.1");
}

#[tokio::test]
async fn a_session_whose_client_does_not_come_ends() {
    let server = server_with("connect_seconds = 1");
    let admin = Broker::admin(&server);
    assert_eq!(admin.begin("x", json!({})).await.status, 200);
    until("the session has ended", async || admin.sessions().await.is_empty()).await;
    // One whose client has come goes on.
    let (mut client, _) = Client::at_prompt(&server, "y").await;
    assert_eq!(admin.begin("z", json!({})).await.status, 200);
    until("the other has ended", async || admin.sessions().await == ["y"]).await;
    assert_eq!(client.value("1 + 1").await, 2);
}

#[tokio::test]
async fn only_members_of_the_group_are_let_in_and_accounts_of_the_store_are_none() {
    let server = server_with("allowed_group = 'root'");
    assert_eq!(Broker::admin(&server).call(Method::GET, "/sessions").await.status, 401);
}
