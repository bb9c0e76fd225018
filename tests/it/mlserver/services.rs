//! Web services: published, called, changed, removed.

use serde_json::{Value, json};

use super::client::Ml;
use crate::harness::Server;

fn transmission() -> Value {
    json!({
        "code": "answer <- predict(model, data.frame(hp = hp, wt = wt), type = 'response')[[1]]",
        "initCode": "model <- glm(formula = am ~ hp + wt, data = mtcars, family = binomial)",
        "description": "Whether a car has a manual transmission",
        "operationId": "manualTransmission",
        "inputParameterDefinitions": [{ "name": "hp", "type": "numeric" }, { "name": "wt", "type": "numeric" }],
        "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }],
    })
}

#[tokio::test]
async fn a_service_is_published_called_changed_and_removed() {
    let ada = Ml::new(Ml::server(), "publisher").await;
    assert_eq!(ada.publish("transmission", "v1.0.0", transmission()).await, "/api/transmission/v1.0.0");
    let reply = ada.call("POST", "/api/transmission/v1.0.0", json!({ "hp": 120, "wt": 2.8 })).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let result = reply.document();
    assert_eq!((&result["success"], &result["errorMessage"], &result["changedFiles"]), (&json!(true), &json!(""), &json!([])));
    let answer = result["outputParameters"]["answer"].as_f64().unwrap();
    assert!((answer - 0.641_812_53).abs() < 1e-6, "{answer}");
    let change = json!({ "code": "answer <- hp + wt", "initCode": "" });
    let changed = ada.call("PATCH", "/services/transmission/v1.0.0", change).await;
    assert_eq!((changed.status.as_u16(), changed.document()), (200, json!("/api/transmission/v1.0.0")));
    let result = ada.call("POST", "/api/transmission/v1.0.0", json!({ "hp": 1, "wt": 2 })).await.document();
    assert_eq!(result["outputParameters"], json!({ "answer": 3 }));
    let shown = ada.get("/services/transmission/v1.0.0").await.document();
    assert_eq!((&shown[0]["code"], &shown[0]["operationId"]), (&json!("answer <- hp + wt"), &json!("manualTransmission")));
    assert_eq!(ada.delete("/services/transmission/v1.0.0").await.status, 200);
    for (method, path) in [
        ("POST", "/api/transmission/v1.0.0"),
        ("GET", "/api/transmission/v1.0.0/swagger.json"),
        ("GET", "/services/transmission/v1.0.0"),
        ("PATCH", "/services/transmission/v1.0.0"),
        ("DELETE", "/services/transmission/v1.0.0"),
    ] {
        assert_eq!(ada.call(method, path, json!({})).await.status, 404, "{method} {path}");
    }
}

#[tokio::test]
async fn a_service_outlives_the_session_and_the_snapshot_that_it_came_from() {
    let ada = Ml::new(Ml::server(), "pins").await;
    let session = ada.open().await;
    session.prints("model <- lm(mpg ~ wt, mtcars); writeLines('of the snapshot', 'note.txt')").await;
    let id = session.post("/snapshot", json!({ "name": null })).await.document()["snapshotId"].as_str().unwrap().to_owned();
    let definition = json!({
        "code": "answer <- unname(round(predict(model, data.frame(wt = wt)), 3)); note <- readLines('note.txt')",
        "snapshotId": id,
        "inputParameterDefinitions": [{ "name": "wt", "type": "numeric" }],
        "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }, { "name": "note", "type": "character" }],
    });
    ada.publish("pinned", "1", definition).await;
    assert_eq!(ada.delete(&format!("/snapshots/{id}")).await.status, 200);
    assert_eq!(session.delete("").await.status, 200);
    let result = ada.call("POST", "/api/pinned/1", json!({ "wt": [3, 2] })).await.document();
    assert_eq!(result["outputParameters"], json!({ "answer": [21.252, 26.596], "note": "of the snapshot" }), "{result}");
}

#[tokio::test]
async fn nothing_of_one_call_is_seen_by_the_next() {
    let ada = Ml::new(Ml::server(), "isolates").await;
    let code = "seen <- exists('left') || file.exists('left') || identical(getOption('left'), 1) || nzchar(Sys.getenv('LEFT'))
        left <- 1; writeLines('', 'left'); options(left = 1); Sys.setenv(LEFT = 'x'); n <- runif(1)";
    let outputs = json!([{ "name": "seen", "type": "logical" }, { "name": "n", "type": "numeric" }]);
    ada.publish("isolated", "1", json!({ "code": code, "outputParameterDefinitions": outputs })).await;
    let mut numbers = Vec::new();
    for _ in 0..4 {
        let result = ada.call("POST", "/api/isolated/1", json!({})).await.document();
        assert_eq!(result["outputParameters"]["seen"], false, "{result}");
        numbers.push(result["outputParameters"]["n"].to_string());
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "each call has random numbers of its own");
}

#[tokio::test]
async fn inputs_that_are_not_as_declared_are_400_and_say_which() {
    let ada = Ml::new(Ml::server(), "checks").await;
    let kinds = ["logical", "numeric", "integer", "character", "vector", "matrix", "data.frame"];
    let definitions: Vec<_> = kinds.iter().map(|kind| json!({ "name": kind.replace('.', "_"), "type": kind })).collect();
    let code =
        "told <- paste(class(logical), class(numeric), class(integer), class(character), length(vector), nrow(matrix), class(data_frame))";
    let outputs = json!([{ "name": "told", "type": "character" }]);
    let definition = json!({ "code": code, "inputParameterDefinitions": definitions, "outputParameterDefinitions": outputs });
    ada.publish("checked", "1", definition).await;
    let good = json!({
        "logical": true, "numeric": 1, "integer": 2, "character": "x", "vector": [1], "matrix": [[1, 2], [3, 4]], "data_frame": { "a": [1], "b": ["x"] },
    });
    let result = ada.call("POST", "/api/checked/1", good.clone()).await.document();
    assert_eq!(result["outputParameters"]["told"], "logical numeric integer character 1 2 data.frame", "{result}");
    for (member, value, named) in [
        ("logical", json!(1), "logical"),
        ("numeric", json!("x"), "numeric"),
        ("integer", json!(1.5), "integer"),
        ("integer", json!(3_000_000_000_u64), "integer"),
        ("character", json!(1), "character"),
        ("vector", json!({ "a": 1 }), "vector"),
        ("matrix", json!([[1], [2, 3]]), "matrix"),
        ("data_frame", json!({ "a": [1], "b": [1, 2] }), "data_frame"),
        ("vector", json!([1, 9_007_199_254_740_993_u64]), "\"vector\""),
        ("unknown", json!(1), "unknown"),
    ] {
        let mut wrong = good.clone();
        wrong[member] = value.clone();
        let reply = ada.call("POST", "/api/checked/1", wrong).await;
        assert_eq!(reply.status, 400, "{member} {value}: {}", reply.text());
        assert!(reply.document()["message"].as_str().unwrap().contains(named), "{}", reply.text());
    }
    let mut missing = good;
    missing.as_object_mut().unwrap().remove("numeric");
    let reply = ada.call("POST", "/api/checked/1", missing).await;
    assert_eq!(reply.status, 400);
    assert!(reply.document()["message"].as_str().unwrap().contains("numeric"), "{}", reply.text());
}

#[tokio::test]
async fn a_service_without_inputs_takes_none_that_could_replace_its_objects() {
    let ada = Ml::new(Ml::server(), "closed").await;
    let outputs = json!([{ "name": "y", "type": "numeric" }]);
    ada.publish("closed", "1", json!({ "code": "y <- rate", "initCode": "rate <- 2", "outputParameterDefinitions": outputs })).await;
    let refused = ada.call("POST", "/api/closed/1", json!({ "rate": 1000 })).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.document()["message"], "There is no parameter \"rate\": there is none.");
    for body in [json!({}), Value::Null] {
        assert_eq!(ada.call("POST", "/api/closed/1", body).await.document()["outputParameters"], json!({ "y": 2 }));
    }
}

#[tokio::test]
async fn code_that_fails_is_told_and_is_no_error_of_the_call() {
    let ada = Ml::new(Ml::server(), "fails").await;
    ada.publish("fails", "code", json!({ "code": "cat('so far\\n'); stop('no')" })).await;
    let result = ada.call("POST", "/api/fails/code", json!({})).await;
    assert_eq!(result.status, 200);
    let result = result.document();
    assert_eq!((&result["success"], &result["errorMessage"]), (&json!(false), &json!("no")));
    assert_eq!(result["consoleOutput"], "so far\nError: no\n");
    ada.publish("fails", "init", json!({ "code": "cat('never')", "initCode": "stop('at first')" })).await;
    let result = ada.call("POST", "/api/fails/init", json!({})).await.document();
    assert_eq!((&result["success"], &result["errorMessage"], &result["outputParameters"]), (&json!(false), &json!("at first"), &json!({})));
    let outputs = json!([{ "name": "x", "type": "numeric" }]);
    ada.publish("fails", "output", json!({ "code": "x <- 'text'", "outputParameterDefinitions": outputs })).await;
    let result = ada.call("POST", "/api/fails/output", json!({})).await.document();
    assert_eq!(result["success"], false);
    assert!(result["errorMessage"].as_str().unwrap().contains("numeric"), "{result}");
}

#[tokio::test]
async fn files_of_a_service_come_with_its_result() {
    let ada = Ml::new(Ml::server(), "artifacts").await;
    let definition = json!({ "code": "writeLines('hello', 'a.txt'); plot(1)", "outputFileNames": ["a.txt", "not.there"] });
    ada.publish("artifacts", "1", definition).await;
    let result = ada.call("POST", "/api/artifacts/1", json!({})).await.document();
    assert_eq!(result["outputFiles"], json!({ "a.txt": "aGVsbG8K" }), "{result}");
    assert_eq!(result["changedFiles"], json!(["a.txt", "unnamedplot001.png"]));
}

#[tokio::test]
async fn a_name_belongs_to_who_has_published_it_first() {
    let server = Ml::server();
    let (ada, bob) = (Ml::new(server, "first").await, Ml::new(server, "second").await);
    ada.publish("owned", "1", json!({ "code": "x <- 1", "outputParameterDefinitions": [{ "name": "x", "type": "numeric" }] })).await;
    let conflict = ada.call("POST", "/services/owned/1", json!({ "code": "2" })).await;
    assert_eq!(conflict.status, 409, "{}", conflict.text());
    for (method, path) in
        [("POST", "/services/owned/2"), ("POST", "/services/owned"), ("PATCH", "/services/owned/1"), ("DELETE", "/services/owned/1")]
    {
        assert_eq!(bob.call(method, path, json!({ "code": "x <- 2" })).await.status, 403, "{method} {path}");
    }
    assert_eq!(bob.call("POST", "/api/owned/1", json!({})).await.document()["outputParameters"], json!({ "x": 1 }));
    let seen = bob.get("/services/owned/1").await.document();
    let shown = ["code", "owner", "versionPublishedBy", "myPermissionOnService"].map(|member| &seen[0][member]);
    assert_eq!(shown, [&json!(""), &json!("first"), &json!("first"), &json!("read only")]);
    assert_eq!(ada.get("/services/owned/1").await.document()[0]["myPermissionOnService"], "read/write");
}

#[tokio::test]
async fn a_version_that_was_given_no_name_is_its_authors_alone() {
    let server = Ml::server();
    let (ada, bob) = (Ml::new(server, "drafts").await, Ml::new(server, "curious").await);
    let reply = ada.call("POST", "/services/draft", json!({ "code": "1" })).await;
    assert_eq!(reply.status, 201);
    let path = reply.document().as_str().unwrap().to_owned();
    ada.publish("draft", "v2", json!({ "code": "2" })).await;
    let versions = |list: Value| list.as_array().unwrap().iter().map(|service| service["version"].clone()).collect::<Vec<_>>();
    let mine = versions(ada.get("/services/draft").await.document());
    assert_eq!((mine.len(), mine.last()), (2, Some(&json!("v2"))), "the newest is the last");
    assert_eq!(versions(bob.get("/services/draft").await.document()), ["v2"]);
    assert_eq!(ada.call("POST", &path, json!({})).await.status, 200);
    assert_eq!(bob.call("POST", &path, json!({})).await.status, 404);
}

#[tokio::test]
async fn definitions_that_make_no_sense_are_refused() {
    let ada = Ml::new(Ml::server(), "senses").await;
    for wrong in [
        json!({}),
        json!({ "code": null }),
        json!({ "code": "1", "inputParameterDefinitions": [{ "name": "x", "type": "numbers" }] }),
        json!({ "code": "1", "inputParameterDefinitions": [{ "name": "x", "type": "numeric" }, { "name": "x", "type": "vector" }] }),
        json!({ "code": "1", "outputParameterDefinitions": [{ "name": "", "type": "numeric" }] }),
        json!({ "code": "1", "outputParameterDefinitions": [{ "type": "numeric" }] }),
        json!({ "code": "1", "operationId": "a/b" }),
        json!([]),
    ] {
        assert_eq!(ada.call("POST", "/services/wrong/1", wrong.clone()).await.status, 400, "{wrong}");
    }
    for name in ["%2F", "..%2Fx", "a%0Ab", "%20", "a%3Fb"] {
        assert_eq!(ada.call("POST", &format!("/services/{name}/1"), json!({ "code": "1" })).await.status, 400, "{name}");
    }
    assert_eq!(ada.get("/services/wrong").await.document(), json!([]));
}

#[tokio::test]
async fn roles_for_services_count_where_the_settings_say_so() {
    let server = Server::start("[sessions]\npool = 0\n[services]\nroles = true");
    for (name, roles) in [
        ("owner", ["POWER_USER", "SERVICE_OWNER"].as_slice()),
        ("contributor", &["POWER_USER", "SERVICE_CONTRIBUTOR"]),
        ("coder", &["POWER_USER"]),
        ("caller", &["BASIC_USER", "SERVICE_CONTRIBUTOR"]),
    ] {
        server.account(name, roles).await;
    }
    let [owner, contributor, coder, caller] = [
        Ml::login(&server, "owner").await,
        Ml::login(&server, "contributor").await,
        Ml::login(&server, "coder").await,
        Ml::login(&server, "caller").await,
    ];
    contributor.publish("s", "1", json!({ "code": "x <- 1" })).await;
    // As there are contributors, who is none may only call; and who may not run code may not publish any.
    for client in [&coder, &caller] {
        assert_eq!(client.call("POST", "/services/t/1", json!({ "code": "1" })).await.status, 403);
        assert_eq!(client.call("POST", "/api/s/1", json!({})).await.status, 200);
        assert_eq!(client.delete("/services/s/1").await.status, 403);
    }
    assert_eq!(owner.get("/services/s/1").await.document()[0]["code"], "x <- 1");
    assert_eq!(owner.call("PATCH", "/services/s/1", json!({ "code": "x <- 2" })).await.status, 200);
    assert_eq!(contributor.delete("/services/s/1").await.status, 200);
    server.account("reader", &["SERVICE_READER"]).await;
    // As there are readers now, who has no role may do nothing.
    crate::harness::until("the new role counts", async || coder.get("/services").await.status == 403).await;
    assert_eq!(coder.call("POST", "/api/s/1", json!({})).await.status, 403);
}

#[tokio::test]
async fn many_clients_publish_call_and_remove_at_once() {
    let server = Server::start("[sessions]\nmax_per_user = 0");
    let ada = Ml::new(&server, "ada").await;
    let tasks: Vec<_> = (0..100)
        .map(|number| {
            let ada = ada.clone();
            tokio::spawn(async move {
                let name = format!("service{}", number % 20);
                let version = number.to_string();
                let outputs = json!([{ "name": "y", "type": "numeric" }]);
                let code = format!("y <- x + {number}");
                let inputs = json!([{ "name": "x", "type": "numeric" }]);
                let definition = json!({ "code": code, "inputParameterDefinitions": inputs, "outputParameterDefinitions": outputs });
                let path = ada.publish(&name, &version, definition).await;
                let result = ada.call("POST", &path, json!({ "x": 1000 })).await;
                assert_eq!(result.status, 200, "{}", result.text());
                assert_eq!(result.document()["outputParameters"]["y"], 1000 + number, "{}", result.text());
                assert_eq!(ada.delete(&format!("/services/{name}/{version}")).await.status, 200);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ada.get("/services").await.document(), json!([]));
}
