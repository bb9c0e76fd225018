//! What Python's client, the package azureml-model-management-sdk, sends, and how it reads the answers.

use serde_json::{Value, json};

use super::client::Ml;
use crate::harness::Reply;

fn succeeded(status: u16, reply: &Reply) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    if reply.body.is_empty() { Value::Null } else { reply.document() }
}

/// The snapshot of an empty session, which it makes for each service, and a way to remove both.
async fn environment(client: &Ml) -> (Value, [String; 2]) {
    let session = succeeded(201, &client.call("POST", "/sessions", json!({ "runtimeType": "Python" })).await);
    let session = format!("/sessions/{}", session["sessionId"].as_str().unwrap());
    let snapshot =
        succeeded(201, &client.call("POST", &format!("{session}/snapshot"), json!({ "name": null })).await)["snapshotId"].clone();
    let path = format!("/snapshots/{}", snapshot.as_str().unwrap());
    (snapshot, [session, path])
}

async fn remove(client: &Ml, environment: [String; 2]) {
    for path in environment {
        succeeded(200, &client.delete(&path).await);
    }
}

#[tokio::test]
async fn pythons_client_publishes_r_code_calls_it_changes_it_and_removes_it() {
    let ada = Ml::new(Ml::server(), "snake").await;
    let (snapshot, used) = environment(&ada).await;
    let definition = json!({
        "snapshotId": snapshot,
        "code": "total <- a + n; text <- paste0(c, '!'); flag <- !l; doubled <- v * 2; turned <- t(m); cars <- transform(d, z = x + 1)
            writeLines(text, 'out.txt')",
        "description": "An R service",
        "operationId": "everything",
        "inputParameterDefinitions": [
            { "name": "a", "type": "numeric" }, { "name": "n", "type": "integer" }, { "name": "c", "type": "character" },
            { "name": "l", "type": "logical" }, { "name": "v", "type": "vector" }, { "name": "m", "type": "matrix" },
            { "name": "d", "type": "data.frame" },
        ],
        "outputParameterDefinitions": [
            { "name": "total", "type": "numeric" }, { "name": "text", "type": "character" }, { "name": "flag", "type": "logical" },
            { "name": "doubled", "type": "vector" }, { "name": "turned", "type": "matrix" }, { "name": "cars", "type": "data.frame" },
        ],
        "runtimeType": "Python",
        "outputFileNames": ["out.txt"],
    });
    succeeded(201, &ada.call("POST", "/services/snake/v1", definition).await);
    remove(&ada, used).await;
    // It makes a function of this, with the name and the arguments that are told.
    let service = succeeded(200, &ada.get("/services/snake/v1").await)[0].clone();
    assert_eq!((&service["operationId"], &service["versionPublishedBy"]), (&json!("everything"), &json!("snake")));
    let arguments: Vec<_> = service["inputParameterDefinitions"].as_array().unwrap().iter().map(|input| &input["name"]).collect();
    assert_eq!(arguments, ["a", "n", "c", "l", "v", "m", "d"], "in their order");
    let inputs = json!({
        "a": 1.5, "n": 2, "c": "é", "l": false, "v": [1.0, 2.5], "m": [[1, 2], [3, 4]], "d": { "x": [1, 2], "y": ["a", "b"] },
    });
    let result = succeeded(200, &ada.call("POST", "/api/snake/v1", inputs).await);
    // float(), int() and bool() of Python take no list.
    let outputs = json!({
        "total": 3.5, "text": "é!", "flag": true, "doubled": [2, 5], "turned": [[1, 3], [2, 4]],
        "cars": { "x": [1, 2], "y": ["a", "b"], "z": [2, 3] },
    });
    assert_eq!((&result["outputParameters"], &result["errorMessage"]), (&outputs, &json!("")));
    assert_eq!(result["outputFiles"], json!({ "out.txt": "w6khCg==" }));
    assert_eq!(succeeded(200, &ada.get("/api/snake/v1/swagger.json").await)["info"]["title"], "snake");

    let (snapshot, used) = environment(&ada).await;
    let change = json!({
        "snapshotId": snapshot, "code": "total <- a", "description": "Changed", "operationId": "less",
        "inputParameterDefinitions": [{ "name": "a", "type": "numeric" }],
        "outputParameterDefinitions": [{ "name": "total", "type": "numeric" }], "runtimeType": "Python",
    });
    // It reads this as JSON, as it does what is told of a version that it lets the server name.
    assert!(succeeded(200, &ada.call("PATCH", "/services/snake/v1", change).await).is_string());
    remove(&ada, used).await;
    assert_eq!(ada.call("POST", "/api/snake/v1", json!({ "a": 4.0 })).await.document()["outputParameters"], json!({ "total": 4 }));
    let (snapshot, used) = environment(&ada).await;
    let bare = json!({
        "snapshotId": snapshot, "code": "x <- 1", "inputParameterDefinitions": [], "outputParameterDefinitions": [],
        "runtimeType": "Python", "outputFileNames": [],
    });
    assert!(succeeded(201, &ada.call("POST", "/services/snake", bare).await).is_string());
    remove(&ada, used).await;
    let versions = succeeded(200, &ada.get("/services/snake").await);
    // The newest is the last, which is taken where no version is asked for; a service without a description has an empty one.
    let newest = versions.as_array().unwrap().last().unwrap();
    assert_eq!((&newest["code"], &newest["description"]), (&json!("x <- 1"), &json!("")));
    for version in [&json!("v1"), &newest["version"]] {
        succeeded(200, &ada.delete(&format!("/services/snake/{}", version.as_str().unwrap())).await);
    }
    for left in ["/services/snake", "/sessions", "/snapshots"] {
        assert_eq!(succeeded(200, &ada.get(left).await), json!([]), "{left}");
    }
}
