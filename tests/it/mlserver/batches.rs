//! Batches: calls of a service for each of many inputs.

use std::{os::unix::fs::PermissionsExt, path::Path};

use offshoot::store::{accounts::AccountChange, batches::BatchState};
use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, query};

use super::client::Ml;
use crate::harness::{Point, Server, points, until};

/// A service that runs any code, and gives its value.
async fn any_code(client: &Ml, name: &str) -> String {
    let definition = json!({
        "code": "answer <- eval(parse(text = code))",
        "inputParameterDefinitions": [{ "name": "code", "type": "character" }],
        "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }],
    });
    client.publish(name, "1", definition).await
}

/// Inputs of that service.
fn codes(codes: &[&str]) -> Value {
    codes.iter().map(|code| json!({ "code": code })).collect()
}

/// A folder that all sessions can write to.
fn common_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(points()).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    folder
}

/// Code that waits for a file.
fn until_there(file: &Path) -> String {
    format!("while (!file.exists('{}')) Sys.sleep(0.01); 0", file.display())
}

fn answers(told: &Value) -> Vec<Value> {
    told["batchExecutionResults"].as_array().unwrap().iter().map(|result| result["outputParameters"]["answer"].clone()).collect()
}

#[tokio::test]
async fn results_of_a_batch_come_in_the_order_of_its_inputs() {
    let ada = Ml::new(Ml::server(), "orders").await;
    let service = any_code(&ada, "orders").await;
    let inputs: Vec<String> = (0..25).map(|number| format!("Sys.sleep({}); {number}", f64::from(number % 3) / 20.0)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let batch = ada.batch(&service, codes(&inputs)).await;
    let told = ada.batch_ends(&batch).await;
    let counts = ["state", "completedItemCount", "totalItemCount"].map(|member| &told[member]);
    assert_eq!(counts, [&json!("complete"), &json!(25), &json!(25)]);
    assert_eq!(answers(&told), (0..25).map(Value::from).collect::<Vec<_>>());
    let hidden = ada.get(&format!("{batch}?showPartialResults=false")).await.document();
    assert_eq!(hidden, told, "a complete batch has no partial results");
    let single = ada.call("POST", &service, json!({ "code": "7" })).await.document();
    assert_eq!(told["batchExecutionResults"][7], single, "a result is as that of a single call");
    let empty = ada.batch(&service, json!([])).await;
    assert_eq!(
        ada.batch_ends(&empty).await,
        json!({ "state": "complete", "completedItemCount": 0, "totalItemCount": 0, "batchExecutionResults": [] })
    );
    let listed = ada.get(&format!("{service}/batch")).await.document();
    let ids = [&batch, &empty].map(|path| json!(path.rsplit('/').next().unwrap()));
    assert_eq!(listed, json!(ids));
}

#[tokio::test]
async fn results_that_are_there_are_shown_while_others_are_not() {
    let ada = Ml::new(Ml::server(), "partial").await;
    let service = any_code(&ada, "partial").await;
    let (folder, point) = (common_folder(), Point::new());
    let go = folder.path().join("go");
    let waiting = format!("{}; {}", point.code(), until_there(&go));
    let batch = ada.batch(&service, codes(&["1", &waiting, "3"])).await;
    point.reached().await;
    until("two calls have ended", async || ada.get(&batch).await.document()["completedItemCount"] == 2).await;
    let told = ada.get(&batch).await.document();
    assert_eq!((&told["state"], answers(&told)), (&json!("inProgress"), vec![json!(1), json!(3)]));
    for without in ["showPartialResults=false", "showPartialResult=False"] {
        let told = ada.get(&format!("{batch}?{without}")).await.document();
        assert_eq!((&told["completedItemCount"], &told["batchExecutionResults"]), (&json!(2), &json!([])), "{without}");
    }
    std::fs::write(go, "").unwrap();
    assert_eq!(answers(&ada.batch_ends(&batch).await), [1, 0, 3]);
}

#[tokio::test]
async fn a_call_that_fails_is_told_and_the_others_go_on() {
    let ada = Ml::new(Ml::server(), "stumbles").await;
    let service = any_code(&ada, "stumbles").await;
    let inputs = json!([{ "code": "1" }, { "code": "stop('no')" }, { "code": 3 }, {}, { "code": "tools::pskill(Sys.getpid(), 9)" },
        { "code": "'text'" }, { "code": "6" }]);
    let told = ada.batch_ends(&ada.batch(&service, inputs).await).await;
    assert_eq!(told["state"], "complete");
    let results = told["batchExecutionResults"].as_array().unwrap();
    let succeeded: Vec<_> = results.iter().map(|result| result["success"].as_bool().unwrap()).collect();
    assert_eq!(succeeded, [true, false, false, false, false, false, true]);
    for (number, said) in [(1, "no"), (2, "code"), (3, "code"), (4, "signal 9"), (5, "numeric")] {
        assert!(results[number]["errorMessage"].as_str().unwrap().contains(said), "{}", results[number]);
    }
    assert_eq!(results[3]["outputParameters"], json!({}));
    assert_eq!(answers(&told)[6], 6);
}

#[tokio::test]
async fn files_of_a_call_are_found_by_its_index() {
    let ada = Ml::new(Ml::server(), "leaves").await;
    let definition = json!({
        "initCode": "writeLines('from the beginning', 'declared.txt')",
        "code": "dir.create('sub'); writeLines(as.character(x), 'sub/x.txt'); if (x == 1) plot(1)",
        "inputParameterDefinitions": [{ "name": "x", "type": "numeric" }],
        "outputFileNames": ["declared.txt", "not.there"],
    });
    let service = ada.publish("leaves", "1", definition).await;
    let batch = ada.batch(&service, json!([{ "x": 0 }, { "x": 1 }])).await;
    let told = ada.batch_ends(&batch).await;
    assert_eq!(told["batchExecutionResults"][0]["outputFiles"], json!({ "declared.txt": "ZnJvbSB0aGUgYmVnaW5uaW5nCg==" }), "{told}");
    assert_eq!(ada.get(&format!("{batch}/0/files")).await.document(), json!(["declared.txt", "sub/x.txt"]));
    assert_eq!(ada.get(&format!("{batch}/1/files")).await.document(), json!(["declared.txt", "sub/x.txt", "unnamedplot001.png"]));
    for index in [0, 1] {
        let file = ada.get(&format!("{batch}/{index}/files/sub%2Fx.txt")).await;
        assert_eq!((file.status.as_u16(), file.text()), (200, &*format!("{index}\n")));
    }
    let plot = ada.get(&format!("{batch}/1/files/unnamedplot001.png")).await;
    assert!(plot.body.starts_with(b"\x89PNG"));
    for gone in ["0/files/unnamedplot001.png", "2/files", "-1/files", "x/files", "2/files/declared.txt", "0/files/..%2Fdeclared.txt"] {
        assert_eq!(ada.get(&format!("{batch}/{gone}")).await.status, 404, "{gone}");
    }
}

#[tokio::test]
async fn a_batch_that_is_removed_ends_its_sessions() {
    let server = Server::start("[sessions]\npool = 0");
    let ada = Ml::new(&server, "ada").await;
    let service = any_code(&ada, "endless").await;
    let (one, other) = (Point::new(), Point::new());
    let endless = [&one, &other].map(|point| format!("{}; repeat Sys.sleep(1)", point.code()));
    let batch = ada.batch(&service, codes(&[&endless[0], &endless[1], "3"])).await;
    one.reached().await;
    other.reached().await;
    assert_eq!(ada.delete(&batch).await.status, 200);
    for (method, below) in [("GET", ""), ("DELETE", ""), ("GET", "/0/files"), ("GET", "/0/files/x")] {
        assert_eq!(ada.call(method, &format!("{batch}{below}"), Value::Null).await.status, 404, "{method} {below}");
    }
    assert_eq!(ada.get(&format!("{service}/batch")).await.document(), json!([]));
    until("the sessions end", async || server.session_folders() == 0).await;
}

#[tokio::test]
async fn a_batch_is_its_callers_alone() {
    let server = Ml::server();
    let (ada, bob) = (Ml::new(server, "batches").await, Ml::new(server, "looks").await);
    let service = any_code(&ada, "shared").await;
    let batch = ada.batch(&service, codes(&["writeLines('x', 'x'); 1"])).await;
    ada.batch_ends(&batch).await;
    for (method, below) in [("GET", ""), ("DELETE", ""), ("GET", "/0/files"), ("GET", "/0/files/x")] {
        assert_eq!(bob.call(method, &format!("{batch}{below}"), Value::Null).await.status, 404, "{method} {below}");
    }
    assert_eq!(bob.get(&format!("{service}/batch")).await.document(), json!([]));
    // The same identity under another service is none.
    let other = any_code(&ada, "other").await;
    assert_eq!(ada.get(&batch.replace(&service, &other)).await.status, 404);
    assert_eq!(ada.get(&batch).await.status, 200);
}

#[tokio::test]
async fn a_batch_goes_on_with_the_service_that_it_began_with() {
    let ada = Ml::new(Ml::server(), "steady").await;
    let session = ada.open().await;
    session.prints("value <- 5").await;
    let id = session.post("/snapshot", json!({})).await.document()["snapshotId"].as_str().unwrap().to_owned();
    let service = ada
        .publish(
            "steady",
            "1",
            json!({
                "code": "eval(parse(text = code)); answer <- value",
                "snapshotId": id,
                "inputParameterDefinitions": [{ "name": "code", "type": "character" }],
                "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }],
            }),
        )
        .await;
    let (folder, point) = (common_folder(), Point::new());
    let go = folder.path().join("go");
    let waiting = format!("{}; {}", point.code(), until_there(&go));
    let reply = ada.call("POST", &format!("{service}/batch?parallelCount=1"), codes(&[&waiting, "1"])).await.document();
    assert_eq!(reply["BatchExecutionId"], reply["batchExecutionId"]);
    let batch = format!("{service}/batch/{}", reply["BatchExecutionId"].as_str().unwrap());
    point.reached().await;
    assert_eq!(ada.delete(&format!("/snapshots/{id}")).await.status, 200);
    assert_eq!(ada.delete("/services/steady/1").await.status, 200);
    std::fs::write(go, "").unwrap();
    assert_eq!(answers(&ada.batch_ends(&batch).await), [5, 5], "{batch}");
}

#[tokio::test]
async fn calls_wait_for_a_session_where_there_are_too_many() {
    let server = Server::start("[sessions]\npool = 0\nmax_per_user = 1");
    let ada = Ml::new(&server, "ada").await;
    let service = any_code(&ada, "waits").await;
    let session = ada.open().await;
    let batch = ada.batch(&service, codes(&["1", "2", "3"])).await;
    let told = ada.get(&batch).await.document();
    assert_eq!((&told["state"], &told["completedItemCount"]), (&json!("pending"), &json!(0)));
    assert_eq!(session.delete("").await.status, 200);
    let told = ada.batch_ends(&batch).await;
    assert_eq!(answers(&told), [1, 2, 3], "{told}");
}

#[tokio::test]
async fn a_server_that_was_killed_keeps_results_and_carries_out_the_rest() {
    const SETTINGS: &str = "[sessions]\npool = 0";
    let mut server = Server::start(SETTINGS);
    let ada = Ml::new(&server, "ada").await;
    let service = any_code(&ada, "resumed").await;
    let (folder, point) = (common_folder(), Point::new());
    let counted = |name: &str| format!("file.create(tempfile('{name}', '{}'))", folder.path().display());
    let go = folder.path().join("go");
    let first = format!("{}; writeLines('kept', 'kept.txt'); 1", counted("first"));
    // The point is there for the first run only.
    let waiting = format!("{}; if (!file.exists('{}')) {}; {}", counted("second"), go.display(), point.code(), until_there(&go));
    let reply = ada.call("POST", &format!("{service}/batch?parallelCount=1"), codes(&[&first, &waiting, "3"])).await.document();
    let batch = format!("{service}/batch/{}", reply["batchExecutionId"].as_str().unwrap());
    point.reached().await;
    assert_eq!(answers(&ada.get(&batch).await.document()), [1]);
    server.signal(Signal::KILL);
    server.wait();
    std::fs::write(&go, "").unwrap();
    let server = Server::start_in(server.into_folder(), SETTINGS);
    let ada = Ml::login(&server, "ada").await;
    let told = ada.batch_ends(&batch).await;
    assert_eq!((&told["state"], answers(&told)), (&json!("complete"), vec![json!(1), json!(0), json!(3)]));
    let runs = |name: &str| {
        std::fs::read_dir(folder.path()).unwrap().flatten().filter(|file| file.file_name().to_str().unwrap().starts_with(name)).count()
    };
    assert_eq!((runs("first"), runs("second")), (1, 2));
    assert_eq!(ada.get(&format!("{batch}/0/files/kept.txt")).await.text(), "kept\n");
}

#[tokio::test]
async fn results_are_kept_for_some_days() {
    const SETTINGS: &str = "[sessions]\npool = 0\n[services]\nbatch_days = 3";
    const DAY: i64 = 24 * 3600 * 1_000_000;
    let mut server = Server::start(SETTINGS);
    let ada = Ml::new(&server, "ada").await;
    let service = any_code(&ada, "expires").await;
    let [old, young] = [ada.batch(&service, codes(&["1"])).await, ada.batch(&service, codes(&["2"])).await];
    for batch in [&old, &young] {
        ada.batch_ends(batch).await;
    }
    server.signal(Signal::TERM);
    server.wait();
    let mut store = SqliteConnection::connect(&format!("sqlite://{}", server.data().join("offshoot.db").display())).await.unwrap();
    for (batch, age) in [(&old, 4 * DAY), (&young, 2 * DAY)] {
        let id = batch.rsplit('/').next().unwrap();
        query("UPDATE batch SET ended = ended - $1 WHERE id = $2").bind(age).bind(id).execute(&mut store).await.unwrap();
    }
    store.close().await.unwrap();
    let server = Server::start_in(server.into_folder(), SETTINGS);
    let ada = Ml::login(&server, "ada").await;
    assert_eq!(ada.get(&old).await.status, 404);
    assert_eq!(answers(&ada.get(&young).await.document()), [2]);
}

#[tokio::test]
async fn batches_have_bounds() {
    let server = Server::start("[sessions]\npool = 0\n[services]\nbatches = 2\nbatch_mib = 1\nbatch_items = 3\nbatch_parallel = 1");
    let ada = Ml::new(&server, "ada").await;
    let service = any_code(&ada, "bounds").await;
    let path = format!("{service}/batch");
    for wrong in [
        json!({ "code": "1" }),
        json!([1]),
        json!([[]]),
        json!([null]),
        codes(&["1"; 4]),
        json!("[]"),
        json!([{ "code": "x".repeat(2 << 20) }]),
    ] {
        let reply = ada.call("POST", &path, wrong.clone()).await;
        assert_eq!(reply.status, 400, "{}", reply.text());
    }
    assert_eq!(ada.get(&path).await.document(), json!([]));
    // No more calls at the same time than allowed, whatever is asked for: each sees whether another one runs.
    let folder = common_folder();
    let alone = format!(
        "local({{ mine <- tempfile(tmpdir = '{}'); file.create(mine); n <- length(dir(dirname(mine))); Sys.sleep(0.1); unlink(mine); n }})",
        folder.path().display()
    );
    let reply = ada.call("POST", &format!("{path}?parallelCount=3"), codes(&[alone.as_str(); 3])).await.document();
    let first = format!("{path}/{}", reply["batchExecutionId"].as_str().unwrap());
    assert_eq!(answers(&ada.batch_ends(&first).await), [1, 1, 1]);
    // Results and files that there is no room for are no results; the others are there.
    let large = ["writeLines(strrep('x', 2^21), 'large'); 1", "cat(strrep('x', 2^21)); 2", "3"];
    let second = ada.batch(&service, codes(&large)).await;
    let told = ada.batch_ends(&second).await;
    let succeeded: Vec<_> = told["batchExecutionResults"].as_array().unwrap().iter().map(|result| &result["success"]).collect();
    assert_eq!(succeeded, [false, false, true]);
    assert!(told["batchExecutionResults"][0]["errorMessage"].as_str().unwrap().contains("1 MiB"), "{told}");
    assert_eq!(ada.call("POST", &path, codes(&["1"])).await.status, 400, "there are two batches");
    assert_eq!(ada.delete(&first).await.status, 200);
    assert_eq!(ada.call("POST", &path, codes(&["1"])).await.status, 202);
}

#[tokio::test]
async fn a_batch_fails_whose_owner_may_not_call_services_any_more() {
    let server = Server::start("[sessions]\npool = 0");
    let ada = Ml::new(&server, "ada").await;
    let service = any_code(&ada, "demoted").await;
    let (folder, point) = (common_folder(), Point::new());
    let go = folder.path().join("go");
    let waiting = format!("{}; {}", point.code(), until_there(&go));
    let reply = ada.call("POST", &format!("{service}/batch?parallelCount=1"), codes(&[&waiting, "2"])).await.document();
    let id = uuid::Uuid::parse_str(reply["batchExecutionId"].as_str().unwrap()).unwrap();
    point.reached().await;
    let store = server.store().await;
    let enabled = |enabled| AccountChange { enabled: Some(enabled), ..AccountChange::default() };
    store.account_change("ada", &enabled(false)).await.unwrap();
    // Seen by the server when it is refused.
    until("the account is out", async || ada.get("/services").await.status == 401).await;
    std::fs::write(go, "").unwrap();
    let failed = async || store.batch(id, "ada").await.unwrap().is_some_and(|batch| batch.ended.is_some());
    until("the batch ends", failed).await;
    let batch = store.batch(id, "ada").await.unwrap().unwrap();
    assert_eq!((batch.completed, batch.total, batch.state), (1, 2, BatchState::Failed));
    assert!(batch.problem.contains("disabled"), "{}", batch.problem);
    store.account_change("ada", &enabled(true)).await.unwrap();
    until("the account is in", async || ada.get("/services").await.status == 200).await;
    let told = ada.get(&format!("{service}/batch/{id}")).await.document();
    assert_eq!((&told["state"], answers(&told)), (&json!("failed"), vec![json!(0)]));
    store.close().await;
}
