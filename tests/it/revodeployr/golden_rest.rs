//! The remaining golden exchanges: reads sent by POST, as clients of 2010 send them, calls that can be made only once in each format, and
//! files by their addresses.

use reqwest::Method;

use super::golden::Golden;
use crate::harness::{Client, Server, Session};

const FORMATS: [&str; 2] = ["json", "xml"];

/// The path, below the context, of an address in an answer.
fn below_context(address: &serde_json::Value) -> String {
    address.as_str().unwrap().split_once("/deployr").unwrap().1.to_owned()
}

/// The identifier with this name in a member of an answer.
fn id(answer: &serde_json::Value, member: &str, name: &str) -> String {
    answer[member][name]["value"].as_str().unwrap().to_owned()
}

async fn save_file(session: &Session, name: &str) -> String {
    id(&session.post("file/save", &[("name", name)]).await.success(), "files", name)
}

async fn save_object(session: &Session, name: &str) -> String {
    id(&session.post("object/save", &[("name", "x"), ("descr", name)]).await.success(), "repository", name)
}

async fn save_project(client: &Client, name: &str) -> String {
    let session = client.session().await;
    session.run("plot(1)").await;
    let project = session.post("project/save", &[("descr", name)]).await.success();
    session.close().await;
    id(&project, "projects", name)
}

#[tokio::test]
async fn reads_sent_by_post() {
    let server = Server::start("[sessions]\npool = 1");
    server.script("one", "1", "anonymous").await;
    let client = Client::admin(&server).await;
    let project = save_project(&client, "p").await;
    let session = client.session().await;
    let named = ("session", session.id.as_str());
    session.run("cat('made', file = 'made.txt'); plot(1); x <- 1").await;
    let file = save_file(&session, "made.txt").await;
    // The output of saveRDS(1, ascii = TRUE) begins like this.
    let object = client.post("/r/repository/object/upload", &[("name", "one"), ("file", "A\n3\n")]).await.success();
    let object = id(&object, "repository", "one");
    let mut golden = Golden::new();
    for call in ["ping", "output", "history", "object/list", "file/list", "artifact/list"] {
        golden.call(&client, Method::POST, &format!("/r/session/{call}"), &[named]).await;
    }
    golden.call(&client, Method::POST, "/r/session/object/get", &[named, ("name", "x")]).await;
    golden.call(&client, Method::POST, "/r/session/file/download", &[named, ("name", "made.txt")]).await;
    for method in [Method::POST, Method::GET] {
        golden.call(&client, method.clone(), "/r/session/artifact/download", &[named, ("name", "unnamedplot001.png")]).await;
        golden.call(&client, method.clone(), "/r/repository/object/download", &[("id", &object)]).await;
        golden.call(&client, method, "/r/project/artifacts", &[("id", &project)]).await;
    }
    golden.call(&client, Method::POST, "/r/repository/file/download", &[("id", &file)]).await;
    for path in ["/r/repository/object/list", "/r/repository/file/list", "/r/project/list", "/r/user/live", "/r/script/list"] {
        golden.call(&client, Method::POST, path, &[]).await;
    }
    golden.check("reads_sent_by_post");
}

#[tokio::test]
async fn what_can_be_done_once() {
    let server = Server::start("[sessions]\npool = 1");
    let mut golden = Golden::new();
    for format in FORMATS {
        let client = Client::admin(&server).await;
        let session = client.session().await;
        let named = ("session", session.id.as_str());
        session.run("cat('made', file = 'made.txt'); plot(1); x <- 1").await;
        let (file, object) = (save_file(&session, "made.txt").await, save_object(&session, "kept").await);
        let project = save_project(&client, "kept").await;
        for (path, form) in [
            ("/r/session/object/delete", [named, ("name", "x")].as_slice()),
            ("/r/session/file/delete", &[named, ("name", "made.txt")]),
            ("/r/session/artifact/delete", &[named, ("name", "unnamedplot001.png")]),
            ("/r/repository/file/delete", &[("id", &file)]),
            ("/r/repository/object/delete", &[("id", &object)]),
            ("/r/project/delete", &[("id", &project)]),
            ("/r/session/close", &[named]),
            ("/r/user/logout", &[]),
        ] {
            golden.call_in(format, &client, Method::POST, path, form).await;
        }
    }
    golden.check("what_can_be_done_once");
}

#[tokio::test]
async fn files_and_pages_by_their_addresses() {
    let server = Server::start("[sessions]\npool = 1");
    let script = server.script("one", "1", "anonymous").await;
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let files = session.run("cat('made', file = 'made.txt'); plot(1)").await["files"].take();
    let uploaded = client.post("/r/file/upload", &[("name", "guide.txt"), ("file", "sent")]).await.success();
    let uploaded = below_context(&uploaded["files"]["guide.txt"]["value"]);
    let listed = session.get("file/list", &[]).await.success();
    let anybody = Client::new(&server);
    let mut golden = Golden::new();
    golden.call(&anybody, Method::GET, &below_context(&files["unnamedplot001.png"]["value"]), &[]).await;
    golden.call(&anybody, Method::GET, &below_context(&listed["files"]["made.txt"]["value"]), &[]).await;
    golden.call(&anybody, Method::GET, &uploaded, &[]).await;
    golden.call(&anybody, Method::GET, &uploaded.replace("repository/get", "repositoryget"), &[]).await;
    golden.call(&anybody, Method::GET, &format!("/script/summary/SCRPT-{script}"), &[]).await;
    golden.check("files_and_pages_by_their_addresses");
}
