//! What clients send and forms contain beside what the guide describes.

use reqwest::{Method, multipart};
use serde_json::json;

use super::repository::upload;
use crate::harness::{Client, Reply, Server, read};

#[tokio::test]
async fn names_and_descriptions_with_blanks_around_them_are_those_without() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    // The guide's own examples have such values.
    let raw = async |call: &str, body: &str| -> Reply {
        let request = client.request(Method::POST, call).header("content-type", "application/x-www-form-urlencoded");
        read(request.body(format!("session = {} \r\n&{body}", session.id))).await
    };
    raw("/r/session/execute/code", "code= x <- ' a '; cat(nchar(x)) ").await.success();
    assert_eq!(session.get("history", &[]).await.success()["history"], json!([" x <- ' a '; cat(nchar(x)) "]));
    assert_eq!(session.value("x").await["value"], " a ");
    let saved = raw("/r/session/object/save", "name = x &descr = test_x ").await.success();
    let id = saved["repository"]["test_x"]["value"].as_str().unwrap();
    raw("/r/session/object/load", &format!("id = {id} ")).await.success();
    assert_eq!(raw("/r/session/object/get", "name = x ").await.success()["robjects"]["x"]["value"], " a ");
    assert!(raw("/r/session/project/save", "descr =  my project ").await.success()["projects"]["my project"].is_object());
    let blank = raw("/r/session/workspace/save", "descr = ").await;
    assert_eq!((blank.status, &blank.json()["error"]), (reqwest::StatusCode::BAD_REQUEST, &json!("Parameter descr is missing.")));
    // Inputs are data.
    raw("/r/session/object/push", r#"inputs= {"y":{"value":" b "}} "#).await.success();
    assert_eq!(session.value("y").await["value"], " b ");
}

#[tokio::test]
async fn code_that_begins_with_a_byte_order_mark_runs() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    let session = client.session().await;
    assert_eq!(session.prints("\u{feff}cat('runs')").await, "runs");
    assert_eq!(session.prints("cat(nchar('\u{feff}'))").await, "1", "elsewhere, it is what was sent");
    server.script("marked", "\u{feff}cat('runs')", "authenticated").await;
    for (call, form) in [("/r/script/execute", vec![]), ("/r/session/execute/script", vec![("session", session.id.as_str())])] {
        let reply = client.post(call, &[&[("rscript", "marked")][..], &form].concat()).await.success();
        assert_eq!(reply["console"]["value"], "runs");
    }
}

/// The calls that take a file, and the form that each needs beside it.
const UPLOADS: [&str; 5] =
    ["/r/session/object/upload", "/r/session/file/upload", "/r/repository/object/upload", "/r/repository/file/upload", "/r/file/upload"];

#[tokio::test]
async fn a_form_without_a_chosen_file_lacks_the_file() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    for call in UPLOADS {
        // What browsers send when no file was chosen.
        let part = || multipart::Part::bytes(Vec::new()).file_name("").mime_str("application/octet-stream").unwrap();
        let form = || multipart::Form::new().text("session", session.id.clone()).text("name", "x");
        let parts = client.request(Method::POST, call).multipart(form().part("file", part()));
        let encoded = client.request(Method::POST, call).form(&[("session", session.id.as_str()), ("name", "x"), ("file", "")]);
        for request in [client.request(Method::POST, call).multipart(form()), parts, encoded] {
            let reply = read(request).await;
            assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("Parameter file is missing.")), "{call}");
        }
    }
    // A file that was chosen may be empty.
    let chosen = upload(&client, "/r/file/upload", "empty.txt", Vec::new(), &[]).await.success();
    assert!(chosen["files"]["empty.txt"].is_object());
}

#[tokio::test]
async fn what_is_no_r_data_is_refused_by_each_upload_in_the_same_way() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    for call in ["/r/session/object/upload", "/r/repository/object/upload"] {
        let reply = upload(&client, call, "junk.rData", b"no R data".to_vec(), &[("session", &session.id)]).await;
        let error = "\"junk.rData\" is no R data, as save() and saveRDS() write it.";
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!(error)), "{call}");
    }
}
