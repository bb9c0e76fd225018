//! Many logins at once.

use std::{net::IpAddr, sync::Arc};

use reqwest::Method;
use tokio::sync::mpsc;

use crate::harness::{Client, PASSWORD, Reply, Rock, Server, eventually, read};

/// A client at an address of this machine.
fn at(last: u8) -> reqwest::Client {
    crate::harness::http().local_address(IpAddr::from([127, 0, 0, last])).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_wrong_logins_from_one_address_do_not_delay_a_right_one_from_another() {
    const WRONG: usize = 400;
    let server = Arc::new(Server::start(&Rock::settings("[sessions]\npool = 0")));
    let login = format!("{}/deployr/r/user/login", server.address);
    let (attacker, order) = (at(1), mpsc::unbounded_channel());
    for number in 0..WRONG {
        let form = [("username", format!("nobody-{number}")), ("password", "wrong".to_owned())];
        let (request, ended) = (attacker.post(&login).form(&form), order.0.clone());
        tokio::spawn(async move { ended.send(read(request).await.status.as_u16()) });
    }
    let mut ended = order.1;
    // As many wait as may, and the others are refused.
    let mut answered = Vec::new();
    while !answered.contains(&429) {
        answered.push(ended.recv().await.unwrap());
    }
    for (path, request) in [
        ("login", at(2).post(&login).form(&[("username", "admin"), ("password", PASSWORD)])),
        ("Rock", at(3).get(format!("{}/r/sessions", server.address)).basic_auth("user", Some("password"))),
    ] {
        let reply = read(request).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }
    while let Ok(status) = ended.try_recv() {
        answered.push(status);
    }
    let checked = answered.iter().filter(|&&status| status == 401).count();
    assert!(checked < 40, "{checked} of those that waited were checked before");
    while answered.len() < WRONG {
        answered.push(ended.recv().await.unwrap());
    }
    let count = |status: u16| answered.iter().filter(|&&answered| answered == status).count();
    assert!(count(401) >= 64 && count(401) + count(429) == WRONG, "{} checked, {} refused", count(401), count(429));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_logs_in_too_often_at_once_is_told_to_try_again_in_each_dialect() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let (told, mut replies) = mpsc::unbounded_channel::<(&str, Reply)>();
    for number in 0..150 {
        let user = format!("nobody-{number}");
        let form = [("username", user.as_str()), ("password", "wrong"), ("format", "json")];
        let requests = [
            ("deployr", Client::new(&server).request(Method::POST, "/r/user/login").form(&form)),
            ("rock", Rock::on(&server, &user).request(Method::GET, "/r/sessions")),
            ("operation", Rock::on(&server, &user).request(Method::GET, "/metrics")),
        ];
        for (dialect, request) in requests {
            let told = told.clone();
            tokio::spawn(async move { told.send((dialect, read(request).await)) });
        }
    }
    let mut refused = std::collections::HashMap::new();
    while refused.len() < 3 {
        let (dialect, reply) = replies.recv().await.unwrap();
        if reply.status == 429 {
            assert_eq!(reply.headers["retry-after"], "2", "{dialect}");
            assert!(reply.text().to_lowercase().contains("too many logins at once come from your address"), "{}", reply.text());
            refused.insert(dialect, reply);
        }
    }
    assert_eq!(refused["deployr"].json()["call"], "/r/user/login");
    assert_eq!(refused["rock"].document()["key"], "RejectedExecutionException");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_of_clients_that_have_gone_are_not_checked() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let ask = |number| tokio::spawn(read(Rock::on(&server, &format!("nobody-{number}")).request(Method::GET, "/r/sessions")));
    let flood: Vec<_> = (0..60).map(ask).collect();
    // Some are checked, and the others wait.
    let (first, _, others) = futures_util::future::select_all(flood).await;
    first.unwrap();
    others.iter().for_each(tokio::task::JoinHandle::abort);
    eventually("they are given up", || server.log().contains("\"http.status\":499"));
    assert_eq!(Rock::on(&server, "user").get("/r/sessions").await.status, 200);
    let checked = server.log().matches("the user name or the password is wrong").count();
    assert!(checked < 50, "{checked}");
}
