//! Files of sessions: listed, uploaded, downloaded, read by R through their address.

use reqwest::{Method, multipart};
use serde_json::json;

use crate::harness::{Client, Server, Session, read};

async fn session() -> Session {
    Client::admin(Server::shared()).await.session().await
}

async fn upload(session: &Session, name: &str, content: Vec<u8>) -> crate::harness::Reply {
    let form = multipart::Form::new().text("session", session.id.clone()).text("name", name.to_owned()).text("format", "text");
    let form = form.part("file", multipart::Part::bytes(content).file_name("x"));
    read(session.client.request(Method::POST, "/r/session/file/upload").multipart(form)).await
}

#[tokio::test]
async fn the_working_folder_is_listed_filled_and_emptied() {
    let session = session().await;
    assert_eq!(session.get("file/list", &[]).await.success()["files"], json!({}));
    upload(&session, "größe 1.csv", b"a,b\n1,2\n".to_vec()).await.success();
    session.run("dir.create('sub'); cat('made', file = 'sub/made.txt')").await;
    let listed = session.get("file/list", &[]).await.success();
    let files = listed["files"].as_object().unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["größe 1.csv", "sub/made.txt"]);
    // An address stays, and shows the file as it is.
    let url = files["sub/made.txt"]["value"].as_str().unwrap();
    assert_eq!(session.client.fetch(url).await.text(), "made");
    session.run("cat('changed', file = 'sub/made.txt')").await;
    assert_eq!(session.client.fetch(url).await.text(), "changed");
    assert_eq!(session.get("file/list", &[]).await.success()["files"]["sub/made.txt"]["value"], url);
    // R owns what was uploaded.
    assert_eq!(session.value("d <- read.csv('größe 1.csv'); cat('3,4\\n', file = 'größe 1.csv', append = TRUE); d$b").await["value"], 2);
    let got = session.get("file/download", &[("name", "größe 1.csv"), ("format", "text")]).await;
    assert_eq!(
        (got.text(), got.headers["content-disposition"].to_str().unwrap()),
        ("a,b\n1,2\n3,4\n", "attachment; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.csv")
    );
    session.post("file/delete", &[("name", "sub/made.txt")]).await.success();
    assert_eq!(session.client.fetch(url).await.status, 404);
    for call in ["file/delete", "file/save"] {
        assert_eq!(session.post(call, &[("name", "sub/made.txt")]).await.status, 400);
    }
    for name in ["../secret", "/etc/passwd", "absent", "sub", ""] {
        assert_eq!(session.get("file/download", &[("name", name)]).await.status, 400, "{name}");
        assert_eq!(session.post("file/delete", &[("name", name)]).await.status, 400, "{name}");
    }
    session.run("file.symlink('/etc/passwd', 'link')").await;
    assert_eq!(session.get("file/download", &[("name", "link")]).await.status, 400);
    assert_eq!(upload(&session, "link", b"x".to_vec()).await.status, 400);
}

#[tokio::test]
async fn files_go_to_the_repository_and_come_back() {
    let client = Client::admin(Server::shared()).await;
    let (one, two) = (client.session().await, client.session().await);
    one.run("cat('kept', file = 'a.txt')").await;
    let saved = one.post("file/save", &[("name", "a.txt"), ("descr", "b.txt")]).await.success();
    let entry = &saved["files"]["b.txt"];
    let id = entry["value"].as_str().unwrap();
    assert_eq!(client.fetch(entry["url"].as_str().unwrap()).await.text(), "kept");
    two.post("file/load", &[("id", id)]).await.success();
    assert_eq!(two.prints("cat(readLines('b.txt', warn = FALSE))").await, "kept");
    assert_eq!(two.post("object/load", &[("id", id)]).await.status, 400);
    // Under a name that it can be loaded by.
    for name in ["..", ".", "sub/..", "sub/", "a\nb"] {
        assert_eq!(one.post("file/save", &[("name", "a.txt"), ("descr", name)]).await.status, 400, "{name}");
    }
    assert_eq!(client.get("/r/repository/file/list", &[]).await.success()["files"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn published_files_of_a_session_are_its_artifacts() {
    let session = session().await;
    let first = session.run("plot(1)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    let second = session.run("plot(2)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(session.get("artifact/list", &[]).await.success()["files"]["unnamedplot001.png"]["value"], second);
    let got = session.get("artifact/download", &[("name", "unnamedplot001.png")]).await;
    assert_eq!(got.body, session.client.fetch(&second).await.body);
    session.post("artifact/delete", &[("name", "unnamedplot001.png")]).await.success();
    assert_eq!(session.client.fetch(&second).await.status, 404);
    assert_eq!(session.get("artifact/list", &[]).await.success()["files"], json!({}));
    assert_eq!(session.post("artifact/delete", &[("name", "unnamedplot001.png")]).await.status, 400);
}

/// R has no cookie, and its session is busy while it reads.
#[tokio::test]
async fn r_reads_the_addresses_of_its_own_files_while_it_is_busy() {
    let session = session().await;
    upload(&session, "d.csv", b"a\n7\n".to_vec()).await.success();
    let listed = session.get("file/list", &[]).await.success();
    let url = listed["files"]["d.csv"]["value"].as_str().unwrap();
    assert_eq!(session.value(&format!("read.csv('{url}')$a")).await["value"], 7);
}

#[tokio::test]
async fn large_files_go_up_and_down_as_they_are() {
    let session = session().await;
    let content: Vec<u8> = (0..20_000_000_u32).map(|at| at.to_le_bytes()[usize::try_from(at % 3).unwrap()]).collect();
    upload(&session, "large.bin", content.clone()).await.success();
    assert_eq!(session.value("file.size('large.bin')").await["value"], content.len());
    assert!(session.get("file/download", &[("name", "large.bin")]).await.body == content);
}

#[tokio::test]
async fn a_large_file_is_streamed_both_ways() {
    let server = Server::start("[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    let (content, before) = ("a".repeat(128 << 20), server.peak());
    upload(&session, "large", content.clone().into()).await.success();
    // The other form that a body can have.
    let body = format!("name=large&file={content}");
    let saved = read(session.client.request(Method::POST, "/r/repository/file/upload").body(body)).await.success();
    let kept = &saved["files"]["large"];
    let listed = session.get("file/list", &[]).await.success();
    for got in [
        session.get("file/download", &[("name", "large")]).await,
        session.client.fetch(listed["files"]["large"]["value"].as_str().unwrap()).await,
        session.client.get("/r/repository/file/download", &[("id", kept["value"].as_str().unwrap())]).await,
        session.client.fetch(kept["url"].as_str().unwrap()).await,
    ] {
        assert!(got.body == content.as_bytes(), "{} {}", got.status, got.body.len());
    }
    // It was never whole in memory: what is on its way at one moment is less, however fast it comes.
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 60_000, "{grown} KiB");
}

#[tokio::test]
async fn a_hard_link_to_what_is_not_the_sessions_is_no_way_in() {
    let server = Server::start("[sessions]\npool = 0");
    if !rustix::process::geteuid().is_root() {
        return; // Sessions have users of their own only then.
    }
    let session = Client::admin(&server).await.session().await;
    let secret = server.data().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let work = session.value("getwd()").await["value"].as_str().unwrap().to_owned();
    std::fs::hard_link(&secret, format!("{work}/hard")).unwrap();
    let listed = session.get("file/list", &[]).await.success();
    assert_eq!(session.client.fetch(listed["files"]["hard"]["value"].as_str().unwrap()).await.status, 404);
    assert_eq!(session.get("file/download", &[("name", "hard")]).await.status, 400);
    assert_eq!(session.post("file/save", &[("name", "hard")]).await.status, 400);
    // What is published is a copy, and made by the session's user.
    assert_eq!(session.execute("1", &[("files", "hard")]).await.json()["files"], json!({}));
}

#[tokio::test]
async fn a_pipe_that_is_asked_for_as_a_file_holds_nobody() {
    let server = Server::shared();
    let session = Client::admin(server).await.session().await;
    let made = session.execute("invisible(system('mkfifo pipe'))", &[("files", "pipe")]).await;
    assert_eq!(made.success()["files"], json!({}));
    server.script("pipes", "invisible(system('mkfifo pipe'))", "anonymous").await;
    let ran = Client::new(server).post("/r/script/execute", &[("rscript", "pipes"), ("files", "pipe")]).await;
    assert_eq!(ran.success()["files"], json!({}));
}
