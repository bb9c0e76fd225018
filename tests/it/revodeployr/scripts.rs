//! Scripts: objects loaded before and kept after a run, and its results.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Client, PASSWORD, Server, eventually, read, until};

fn execute<'a>(script: &'a str, further: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&[("rscript", script)], further].concat()
}

#[tokio::test]
async fn a_hundred_runs_at_once_are_not_mixed_up_and_leave_nothing() {
    let server = Server::start("[sessions]\npool = 4\nmax = 200");
    server
        .script("draw", "stopifnot(length(ls()) == 1, length(list.files()) == 0); plot(n); cat('run', n); twice <- 2 * n", "anonymous")
        .await;
    let runs = (0..100).map(|number| {
        let client = Client::new(&server);
        tokio::spawn(async move {
            let inputs = json!({"n": {"type": "primitive", "value": number}}).to_string();
            let form = [("rscript", "draw"), ("inputs", inputs.as_str()), ("robjects", "twice")];
            let reply = client.post("/r/script/execute", &form).await.success();
            assert_eq!(reply["robjects"]["twice"]["value"], 2 * number);
            assert_eq!(reply["console"]["value"], format!("run {number}"));
            assert_eq!(reply["files"].as_object().unwrap().len(), 1);
            let plot = client.fetch(reply["files"]["unnamedplot001.png"]["value"].as_str().unwrap()).await;
            assert!(plot.body.starts_with(b"\x89PNG"));
            plot.body
        })
    });
    let mut plots = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        plots.push(run.await.unwrap());
    }
    plots.sort();
    plots.dedup();
    assert_eq!(plots.len(), 100, "each run has its own plot");
    eventually("only the ready workers are left", || {
        std::fs::read_dir(server.data().join("run")).unwrap().count() == 4 && crate::harness::descendants(server.zygote()).len() == 4
    });
}

#[tokio::test]
async fn a_run_that_fails_gives_what_there_is() {
    let server = Server::shared();
    let id = server
        .script("half", "cat('before'); plot(1); warning('careful'); done <- TRUE; stop('half-way'); cat('never')", "anonymous")
        .await;
    let client = Client::new(server);
    // The script by its name, and by its identifier.
    for name in ["half".to_owned(), format!("SCRPT-{id}")] {
        let reply = client.post("/r/script/execute", &execute(&name, &[("robjects", "done")])).await;
        let response = reply.json();
        assert_eq!((reply.status.as_u16(), &response["success"], &response["errorCode"]), (200, &json!(false), &json!(900)));
        assert_eq!((&response["error"], &response["console"]["value"]), (&json!("half-way"), &json!("before")));
        assert_eq!(response["warnings"]["warning001"]["value"], "careful");
        assert_eq!((&response["robjects"]["done"]["value"], &response["call"]), (&json!(true), &json!("/r/script/execute")));
        assert!(response["files"]["unnamedplot001.png"].is_object() && response.get("session").is_none());
    }
    let broken = server.script("broken", "x <- (", "anonymous").await;
    let response = client.post("/r/script/execute", &execute(&format!("SCRPT-{broken}"), &[])).await.json();
    assert_eq!(response["success"], false);
    // When a script kills its session, this is not the server's fault, and nothing else is lost.
    server.script("deadly", "tools::pskill(Sys.getpid(), 9); Sys.sleep(60)", "anonymous").await;
    assert_eq!(client.post("/r/script/execute", &execute("deadly", &[])).await.status, 502);
}

#[tokio::test]
async fn objects_are_loaded_before_inputs_and_inputs_before_the_code() {
    let server = Server::shared();
    server.script("order", "seen <- c(a, b, c)", "authenticated").await;
    let session = Client::admin(server).await.session().await;
    session.run("a <- 'loaded'; b <- 'loaded'; c <- 'loaded'; saveRDS(1:3, 'a.rds')").await;
    let saved = session.post("workspace/save", &[("descr", "before")]).await.success();
    let id = saved["repository"]["before"]["value"].as_str().unwrap().to_owned();
    let inputs = r#"{"b": {"value": "input"}}"#;
    let form = execute("order", &[("preload", &id), ("inputs", inputs), ("objects", "seen")]);
    let reply = session.client.post("/r/script/execute", &form).await.success();
    assert_eq!(reply["robjects"]["seen"]["value"], json!(["loaded", "input", "loaded"]));
    // Nobody else can load it, and nobody can load a missing object.
    let other = Client::admin(server).await;
    for client in [&other, &Client::new(server)] {
        assert_ne!(client.post("/r/script/execute", &form).await.status, 200);
    }
    let unknown = execute("order", &[("preload", "CBNRY-00000000-0000-4000-8000-000000000000")]);
    assert_eq!(session.client.post("/r/script/execute", &unknown).await.status, 400);
}

#[tokio::test]
async fn workspaces_of_runs_are_saved_also_without_a_login() {
    let server = Server::shared();
    server.script("count", "if (!exists('n')) n <- 0; n <- n + 1", "anonymous").await;
    let client = Client::new(server);
    let reply = client.post("/r/script/execute", &execute("count", &[("saveworkspace", "true"), ("robjects", "n")])).await;
    let cookie = reply.headers["set-cookie"].to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let response = reply.success();
    let (name, entry) = response["repository"].as_object().unwrap().iter().next().unwrap();
    assert!(name.starts_with("count 2") && response["objects"][name] == *entry, "{response}");
    let id = entry["value"].as_str().unwrap();
    // The next run continues from there, for any client with the cookie.
    let again = execute("count", &[("preload", id), ("robjects", "n")]);
    let client = client.with_cookie(&cookie);
    assert_eq!(client.post("/r/script/execute", &again).await.success()["robjects"]["n"]["value"], 2);
    assert_eq!(Client::new(server).post("/r/script/execute", &again).await.status, 400);
    // The cookie belongs to no account, and allows no other call.
    for (path, status) in [("/r/user/whoami", 401), ("/r/session/create", 401), ("/r/repository/object/list", 401), ("/r/script/list", 200)]
    {
        assert_eq!(client.post(path, &[]).await.status, status, "{path}");
    }
    // A user can log in with this cookie.
    client.post("/r/user/login", &[("username", "admin"), ("password", PASSWORD)]).await.success();
    // If the caller has a login, the objects belong to it.
    let admin = Client::admin(server).await;
    let reply = admin.post("/r/script/execute", &execute("count", &[("saveworkspace", "true")])).await;
    assert!(!reply.headers.contains_key("set-cookie") && reply.success()["repository"].as_object().unwrap().len() == 1);
    let listed = admin.get("/r/repository/object/list", &[]).await.success();
    assert_eq!(listed["repository"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn access_levels() {
    let server = Server::start("[sessions]\npool = 1");
    let store = server.store().await;
    store.role_put("analysts", Some("Those who may"), None).await.unwrap();
    store.filter_put(&offshoot::store::filters::IpFilter { name: "home".into(), address: "127.0.0.0/8".into() }).await.unwrap();
    for (name, access) in [("a", "anonymous"), ("t", "trusted"), ("u", "authenticated"), ("r", "role:analysts"), ("p", "private")] {
        server.script(name, "1", access).await;
    }
    server.account("insider", &["BASIC_USER", "analysts"]).await;
    server.account("outsider", &["BASIC_USER"]).await;
    server.account("manager", &["SCRIPT_MANAGER"]).await;
    let anonymous = Client::new(&server);
    let check = async |client: &Client, allowed: &str| {
        for name in ["a", "t", "u", "r", "p"] {
            let status = client.post("/r/script/execute", &execute(name, &[])).await.status;
            assert_eq!(status, if allowed.contains(name) { 200 } else { 403 }, "{allowed} {name}");
        }
        let listed = client.get("/r/script/list", &[]).await.success();
        let mut listed: Vec<_> = listed["scripts"].as_object().unwrap().keys().cloned().collect();
        let mut allowed: Vec<_> = allowed.chars().map(String::from).collect();
        listed.sort();
        allowed.sort();
        assert_eq!(listed, allowed);
    };
    check(&anonymous, "a").await;
    check(&Client::login(&server, "insider", PASSWORD).await, "atur").await;
    check(&Client::login(&server, "outsider", PASSWORD).await, "atu").await;
    check(&Client::login(&server, "manager", PASSWORD).await, "aturp").await;
    // The address becomes a trusted one.
    store.policy_put(offshoot::store::policies::Policy::TrustedIpFilter, "home").await.unwrap();
    until("it does", async || anonymous.post("/r/script/execute", &execute("t", &[])).await.status == 200).await;
    check(&anonymous, "at").await;
}

#[tokio::test]
async fn boundaries_are_those_of_the_script_or_of_the_account() {
    let server = Server::start("[sessions]\npool = 1\nmemory_mib = 300\ncpu_seconds = 30");
    let store = server.store().await;
    let boundary = |name: &str, cpu_seconds, memory_mib| offshoot::store::boundaries::Boundary {
        name: name.into(),
        cpu_seconds,
        memory_mib,
        network: None,
    };
    store.boundary_put(&boundary("small", 1, 100)).await.unwrap();
    store.boundary_put(&boundary("large", 0, 1000)).await.unwrap();
    for (name, boundary) in [("small", Some("small")), ("large", Some("large")), ("plain", None)] {
        server.script(name, "x <- numeric(6e7); size <- length(x)", "anonymous").await;
        let change = offshoot::store::scripts::ScriptChange {
            boundary: Some(boundary.map(str::to_owned)),
            author: "admin".into(),
            ..Default::default()
        };
        store.script_put(name, &change).await.unwrap();
    }
    server.script("burn", "repeat {}", "anonymous").await;
    let change = offshoot::store::scripts::ScriptChange { boundary: Some(Some("small".into())), ..Default::default() };
    store.script_put("burn", &change).await.unwrap();
    // When the server knows this account, it also knows the boundaries, which were made before.
    server.account("bound", &["POWER_USER"]).await;
    let change = offshoot::store::accounts::AccountChange { boundary: Some(Some("small".into())), ..Default::default() };
    store.account_change("bound", &change).await.unwrap();
    let bound = Client::login(&server, "bound", PASSWORD).await;
    let admin = Client::admin(&server).await;

    let limited = |reply: &crate::harness::Reply, mib: u64| {
        let response = reply.json();
        assert_eq!(response["errorCode"], 914, "{response}");
        let error = response["error"].as_str().unwrap();
        assert!(error.contains("cannot allocate") && error.ends_with(&format!("limited to {mib} MiB.")), "{error}");
    };
    limited(&admin.post("/r/script/execute", &execute("small", &[])).await, 100);
    limited(&admin.post("/r/script/execute", &execute("plain", &[])).await, 300);
    admin.post("/r/script/execute", &execute("large", &[])).await.success();
    let burnt = admin.post("/r/script/execute", &execute("burn", &[])).await.json();
    assert_eq!(
        (&burnt["errorCode"], &burnt["error"]),
        (&json!(914), &json!("The operation was stopped at its limit of 1 seconds of processor time."))
    );
    // The account's boundary applies to its sessions.
    let session = bound.session().await;
    limited(&session.execute("numeric(3e7)", &[]).await, 100);
    // In a session, the script's boundary applies while the script runs, and the session's applies afterwards.
    let session = admin.session().await;
    limited(&session.post("execute/script", &execute("small", &[])).await, 100);
    session.run("x <- numeric(3e7)").await;
    limited(&session.execute("numeric(6e7)", &[]).await, 300);
}

#[tokio::test]
async fn what_runs_for_nobody_has_a_time_limit_of_its_own() {
    let server = Server::start("[sessions]\npool = 1");
    server.script("wait", "Sys.sleep(600)", "anonymous").await;
    let store = server.store().await;
    store.policy_put(offshoot::store::policies::Policy::AnonymousSeconds, "1").await.unwrap();
    // When the server knows this account, it also knows the policy.
    server.account("later", &["BASIC_USER"]).await;
    Client::login(&server, "later", PASSWORD).await;
    let reply = Client::new(&server).post("/r/script/execute", &execute("wait", &[])).await.json();
    assert_eq!(reply["error"], "The operation was stopped at its time limit of 1 seconds.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_run_with_it() {
    let server = Server::start("[sessions]\npool = 0");
    server.script("wait", "Sys.sleep(600)", "anonymous").await;
    let client = Client::new(&server);
    let running = tokio::spawn(read(client.request(Method::POST, "/r/script/execute").form(&execute("wait", &[]))));
    eventually("it runs", || crate::harness::descendants(server.zygote()).len() == 1);
    running.abort();
    eventually("it ends", || crate::harness::descendants(server.zygote()).is_empty());
}

#[tokio::test]
async fn the_summary_page_says_how_to_call_a_script_and_hides_its_source() {
    let server = Server::shared();
    let parameter = |name: &str, kind: &str, description: &str| offshoot::store::scripts::Parameter {
        name: name.into(),
        kind: kind.into(),
        description: description.into(),
        example: None,
    };
    let store = server.store().await;
    let change = offshoot::store::scripts::ScriptChange {
        code: Some("secret_sauce <- mean(numbers)".into()),
        description: Some("The mean of <numbers>.".into()),
        inputs: Some(vec![parameter("numbers", "vector", "Any & all numbers")]),
        outputs: Some(vec![parameter("average", "numeric", "")]),
        access: Some("anonymous".parse().unwrap()),
        ..Default::default()
    };
    let id = store.script_put("described", &change).await.unwrap();
    let private = server.script("undescribed", "1", "authenticated").await;
    let anonymous = Client::new(server);
    let page = anonymous.get(&format!("/script/summary/SCRPT-{id}"), &[]).await;
    assert_eq!((page.status.as_u16(), page.headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    let text = page.text();
    for expected in
        ["described", "The mean of &#60;numbers&#62;.", "Any &#38; all numbers", "average", "/deployr/r/script/execute", "Everybody"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("secret_sauce"));
    let page = format!("/script/summary/SCRPT-{private}");
    assert_eq!(anonymous.get(&page, &[]).await.status, 404);
    assert_eq!(Client::admin(server).await.get(&page, &[]).await.status, 200);
}
