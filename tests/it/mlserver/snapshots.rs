//! Snapshots of sessions.

use std::io::Read;

use serde_json::{Value, json};

use super::client::{Ml, MlSession};
use crate::harness::Server;

async fn snapshot(session: &MlSession, name: &str) -> String {
    let reply = session.post("/snapshot", json!({ "name": name })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.document()["snapshotId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_snapshot_comes_back_in_a_new_session_and_merges_into_one_that_is_there() {
    let ada = Ml::new(Ml::server(), "snaps").await;
    let session = ada.open().await;
    session.prints("x <- 1; y <- 'kept'; writeLines('of the snapshot', 'a.txt'); dir.create('sub'); writeLines('b', 'sub/b.txt')").await;
    let id = snapshot(&session, "first").await;
    session.prints("x <- 2; z <- 3; writeLines('later', 'a.txt'); writeLines('c', 'c.txt')").await;
    let loaded = session.post(&format!("/loadsnapshot/{id}"), Value::Null).await;
    assert_eq!((loaded.status.as_u16(), loaded.text()), (200, ""));
    assert_eq!(
        session.prints("x; z; readLines('a.txt'); list.files(recursive = TRUE)").await,
        "[1] 1\n[1] 3\n[1] \"of the snapshot\"\n[1] \"a.txt\"     \"c.txt\"     \"sub/b.txt\"\n"
    );
    let reply = ada.call("POST", "/sessions", json!({ "snapshotId": id, "name": "again" })).await;
    let again = MlSession { client: ada.clone(), path: format!("/sessions/{}", reply.document()["sessionId"].as_str().unwrap()) };
    assert_eq!(
        again.prints("ls(); x; y; list.files(recursive = TRUE)").await,
        "[1] \"x\" \"y\"\n[1] 1\n[1] \"kept\"\n[1] \"a.txt\"     \"sub/b.txt\"\n"
    );
    let listed = ada.get("/snapshots").await.document();
    assert_eq!((&listed[0]["id"], &listed[0]["name"], &listed[0]["owner"]), (&json!(id), &json!("first"), &json!("snaps")));
    assert!(listed[0]["contentSize"].as_u64().unwrap() > 20);
    assert_eq!(listed[0]["creationTime"].as_str().unwrap().len(), "2016-11-20T18:15:09.917656".len());
    let zip = ada.get(&format!("/snapshots/{id}")).await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&zip.body)).unwrap();
    let mut names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort();
    assert_eq!(names, [".RData", "a.txt", "sub/b.txt"]);
    let mut text = String::new();
    archive.by_name("a.txt").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "of the snapshot\n");
    assert_eq!(ada.delete(&format!("/snapshots/{id}")).await.status, 200);
    for (method, path) in
        [("GET", format!("/snapshots/{id}")), ("DELETE", format!("/snapshots/{id}")), ("POST", session.at(&format!("/loadsnapshot/{id}")))]
    {
        assert_eq!(ada.call(method, &path, Value::Null).await.status, 404, "{method} {path}");
    }
    assert_eq!(ada.call("POST", "/sessions", json!({ "snapshotId": id })).await.status, 404);
}

#[tokio::test]
async fn a_snapshot_is_nobody_elses() {
    let server = Ml::server();
    let (ada, bob) = (Ml::new(server, "snapper").await, Ml::new(server, "other").await);
    let id = snapshot(&ada.open().await, "mine").await;
    let session = bob.open().await;
    assert_eq!(bob.get("/snapshots").await.document(), json!([]));
    for (method, path) in
        [("GET", format!("/snapshots/{id}")), ("DELETE", format!("/snapshots/{id}")), ("POST", session.at(&format!("/loadsnapshot/{id}")))]
    {
        assert_eq!(bob.call(method, &path, Value::Null).await.status, 404, "{method} {path}");
    }
    assert_eq!(bob.call("POST", "/sessions", json!({ "snapshotId": id })).await.status, 404);
    let stolen = bob.call("POST", "/services/stolen/1", json!({ "code": "1", "snapshotId": id })).await;
    assert_eq!(stolen.status, 404);
    assert_eq!(ada.get(&format!("/snapshots/{id}")).await.status, 200);
}

#[tokio::test]
async fn one_user_has_so_many_snapshots_and_no_more() {
    let server = Server::start("[sessions]\npool = 0\n[snapshots]\ncount = 2\nmib = 1");
    let ada = Ml::new(&server, "ada").await;
    let session = ada.open().await;
    session.prints("x <- as.raw(sample(0:255, 2^21, TRUE))").await;
    let large = session.post("/snapshot", Value::Null).await;
    assert_eq!(large.status, 400);
    assert!(large.document()["message"].as_str().unwrap().contains("MiB"), "{}", large.text());
    session.prints("x <- 1").await;
    snapshot(&session, "").await;
    session.prints("x <- 2").await;
    let second = snapshot(&session, "").await;
    session.prints("x <- 3").await;
    assert_eq!(session.post("/snapshot", Value::Null).await.status, 400);
    ada.delete(&format!("/snapshots/{second}")).await;
    snapshot(&session, "").await;
}
