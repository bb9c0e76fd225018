//! The zygote, when it fails.

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};

use super::assert_works;
use crate::harness::{Client, Server, eventually, read};

#[tokio::test(flavor = "multi_thread")]
async fn a_zygote_that_does_not_answer_is_replaced_and_opening_does_not_hang() {
    let server = Server::start("[sessions]\npool = 0");
    let client = Client::admin(&server).await;
    let live = client.session().await;
    let stopped = server.zygote();
    kill_process(Pid::from_raw(stopped).unwrap(), Signal::STOP).unwrap();
    let reply = client.post("/r/session/create", &[]).await;
    assert_eq!(reply.status, 503);
    assert!(reply.json()["error"].as_str().unwrap().contains("did not answer"), "{}", reply.text());
    eventually("another zygote is there", || ![0, stopped].contains(&server.zygote()));
    eventually("it is ready", || server.log().contains("R is started again"));
    assert_works(&server).await;
    assert_eq!(live.value("1 + 1").await["value"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zygote_that_has_answered_is_left_in_peace() {
    let server = Server::start("[sessions]\npool = 0");
    let zygote = server.zygote();
    let session = Client::admin(&server).await.session().await;
    // Longer than the zygote may take for an answer.
    session.run("Sys.sleep(6)").await;
    assert_eq!(server.zygote(), zygote, "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_zygote_does_not_answer_is_not_ready() {
    let server = Server::start("[sessions]\npool = 0");
    let client = Client::new(&server);
    kill_process(Pid::from_raw(server.zygote()).unwrap(), Signal::STOP).unwrap();
    let ready = read(client.raw(Method::GET, &format!("{}/_ready", server.address))).await;
    assert_eq!(ready.status, 503, "{}", ready.text());
}
