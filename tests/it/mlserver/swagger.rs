//! Descriptions of services, and clients that are made from them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    client::Ml,
    clients::{Exchange, check, run},
};
use crate::harness::{PASSWORD, Reply, read};

/// A path below which a service or its versions are.
fn path(below: &str, name: &str, version: &str) -> String {
    let mut url = reqwest::Url::parse("http://host").unwrap();
    url.path_segments_mut().unwrap().extend([below, name, version]);
    url.path().to_owned()
}

async fn publish(client: &Ml, name: &str, version: &str, definition: Value) -> Value {
    let reply = client.call("POST", &path("services", name, version), definition).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let reply = client.get(&format!("{}/swagger.json", path("api", name, version))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.document()
}

fn exchange(path: &str, request: Value, reply: &Reply) -> Exchange {
    Exchange {
        method: "POST".to_owned(),
        path: path.to_owned(),
        request: Some(request),
        status: reply.status.as_u16(),
        content_type: Some("application/json".to_owned()),
        answer: Some(reply.document()),
    }
}

/// Names of services and versions, with characters that clients have to take care of.
const ODD: [(&str, &str); 6] =
    [("plain", "1"), ("with blanks in it", "v 1"), ("Größe", "ü"), ("a+b@c:d~e", "1.0+2"), ("User", "User"), ("-_.", "9f0c")];

fn every_type() -> Value {
    let kinds = ["logical", "numeric", "integer", "character", "vector", "matrix", "data.frame"];
    let inputs: Vec<_> = kinds.iter().map(|kind| json!({ "name": kind, "type": kind })).collect();
    let outputs: Vec<_> = kinds.iter().map(|kind| json!({ "name": format!("of {kind}"), "type": kind })).collect();
    let code: String = kinds.iter().map(|kind| format!("`of {kind}` <- `{kind}`\n")).collect();
    json!({ "code": code, "inputParameterDefinitions": inputs, "outputParameterDefinitions": outputs })
}

fn every_input() -> Value {
    json!({
        "logical": true, "numeric": 1.5, "integer": 2, "character": "x", "vector": [1, 2], "matrix": [[1, 2], [3, 4]],
        "data.frame": { "a": [1, 2], "b": ["x", "y"] },
    })
}

#[tokio::test]
async fn descriptions_of_services_are_valid_and_their_calls_are_as_they_say() {
    let ada = Ml::new(Ml::server(), "describes").await;
    for (name, version) in ODD {
        let description = publish(&ada, name, version, every_type()).await;
        assert_eq!((&description["info"]["title"], &description["info"]["version"]), (&json!(name), &json!(version)));
        let path = path("api", name, version);
        let right = ada.call("POST", &path, every_input()).await;
        assert_eq!((right.status.as_u16(), &right.document()["success"]), (200, &json!(true)), "{}", right.text());
        let wrong = ada.call("POST", &path, json!({})).await;
        assert_eq!(wrong.status, 400);
        check(&description, &[exchange(&path, every_input(), &right), exchange(&path, Value::Null, &wrong)]);
    }
    let definition = json!({ "code": "writeLines('', 'a.txt')", "outputFileNames": ["a.txt"], "description": "a \"b\"\n<c>" });
    let description = publish(&ada, "nothing", "1", definition).await;
    let reply = ada.call("POST", "/api/nothing/1", json!({})).await;
    check(&description, &[exchange("/api/nothing/1", json!({}), &reply)]);
    let names: Vec<_> = ["$ref", "a/b", "~", "über", "a b", "__proto__", "type", "\u{1}"]
        .iter()
        .map(|name| json!({ "name": name, "type": "numeric" }))
        .collect();
    let definition = json!({ "code": "1", "inputParameterDefinitions": names, "outputParameterDefinitions": names });
    check(&publish(&ada, "parameters", "1", definition).await, &[]);
}

#[tokio::test]
async fn no_two_operations_have_one_name_whatever_the_author_calls_the_service() {
    let ada = Ml::new(Ml::server(), "aliases").await;
    for (version, alias) in ["login", "LOGIN", "startBatchExecution", "User", "consume", "with blanks"].into_iter().enumerate() {
        let version = version.to_string();
        let description = publish(&ada, "alias", &version, json!({ "code": "1", "operationId": alias })).await;
        assert_eq!(description["paths"][path("api", "alias", &version)]["post"]["operationId"], alias);
        let operations = description["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
        let mut names: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap().to_lowercase()).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "{alias}: {names:?}");
        check(&description, &[]);
    }
}

#[tokio::test]
async fn a_client_that_is_made_from_a_description_logs_in_and_calls_the_service_by_its_name() {
    let server = Ml::server();
    let ada = Ml::new(server, "generates").await;
    for (name, version) in ODD {
        let (name, version) = (format!("{name} generated"), version);
        let mut definition = every_type();
        definition["operationId"] = json!("everything");
        let description = publish(&ada, &name, version, definition).await;
        let input = json!({
            "address": format!("{}{}/swagger.json", server.address, path("api", &name, version)),
            "description": description, "tag": name, "operation": "everything", "inputs": every_input(),
            "username": "generates", "password": PASSWORD,
        });
        let Some(told) = run("call.mjs", &input) else { return };
        assert_eq!((&told["status"], &told["body"]["success"]), (&json!(200), &json!(true)), "{told}");
        let inputs = every_input();
        for (kind, value) in inputs.as_object().unwrap() {
            assert_eq!(&told["body"]["outputParameters"][format!("of {kind}")], value, "{kind}");
        }
        assert_eq!(told["refused"]["status"], 401, "{told}");
        assert!(told["refused"]["body"]["message"].is_string(), "{told}");
    }
    // The client has not ended the tokens of others.
    assert_eq!(read(ada.request(Method::GET, "/services")).await.status, 200);
}
