//! The limits of a session, and what happens when it exceeds them.

use crate::harness::{Client, Server, UNTIL_GO, eventually, is_root_for};

#[tokio::test]
async fn limits_are_errors_of_r_and_the_session_lives_on() {
    let server =
        Server::start("[sessions]\npool = 1\nmemory_mib = 200\ncpu_seconds = 1\nprocesses = 20\nfile_size_mib = 1\noperation_seconds = 30");
    let session = Client::admin(&server).await.session().await;
    session.run("kept <- 42").await;

    assert!(session.fails("x <- numeric(5e7)").await.starts_with("cannot allocate vector of size 381.5 Mb"));
    assert!(session.fails("x <- list(); repeat x[[length(x) + 1]] <- numeric(1e6)").await.contains("cannot allocate"));
    session.run("rm(x); invisible(gc())").await;

    let reply = session.execute("repeat {}", &[]).await.json();
    assert_eq!((reply["errorCode"].as_i64(), reply["success"].as_bool()), (Some(914), Some(false)));
    assert_eq!(reply["error"], "The operation was stopped at its limit of 1 seconds of processor time.");
    // The next operation has the full time again.
    session.run("for (i in 1:1e6) i").await;

    let error = session.execute("con <- file('big', 'wb'); for (i in 1:100) writeBin(raw(1e5), con); close(con)", &[]).await.json();
    let size = session.value("file.size('big')").await["value"].as_f64().unwrap();
    assert!(size <= 1_048_576.0, "{size} {error}");

    if is_root_for("the limit on processes") {
        let many = "p <- list(); r <- try(for (i in 1:40) p[[i]] <- parallel::mcparallel(Sys.sleep(1e6)), silent = TRUE); cat(class(r))";
        assert_eq!(session.prints(many).await, "try-error");
        session.run("tools::pskill(unlist(lapply(p, `[[`, 'pid'))); invisible(suppressWarnings(parallel::mccollect(p)))").await;
    }
    assert_eq!(session.value("kept").await["value"], 42);
}

#[tokio::test]
async fn an_operation_has_a_time_limit() {
    let server = Server::start("[sessions]\npool = 1\noperation_seconds = 1\ngrace_seconds = 1");
    let session = Client::admin(&server).await.session().await;
    session.run("kept <- 42").await;
    for endless in [
        "Sys.sleep(60)",
        "repeat {}",
        "for (i in 1:1e12) sqrt(i)",
        "system('sleep 60')",
        "tryCatch(repeat {}, interrupt = function(i) repeat {})",
    ] {
        let reply = session.execute(endless, &[]).await.json();
        assert_eq!(reply["error"], "The operation was stopped at its time limit of 1 seconds.", "{endless}");
        assert_eq!(reply["errorCode"], 914);
        assert_eq!(session.value("kept").await["value"], 42, "{endless}");
    }
}

#[tokio::test]
async fn reading_an_object_has_a_time_limit_too() {
    let server = Server::start("[sessions]\npool = 0\noperation_seconds = 1\ncpu_seconds = 1");
    let session = Client::admin(&server).await.session().await;
    session.fails("stop('an earlier error')").await;
    session.run("delayedAssign('slow', Sys.sleep(60)); delayedAssign('busy', repeat {}); x <- 1").await;
    let slow = session.get("object/get", &[("name", "slow")]).await.json();
    assert_eq!((&slow["success"], &slow["error"]), (&serde_json::json!(false), &serde_json::json!("interrupted")));
    let busy = session.get("object/get", &[("name", "busy")]).await.json();
    assert_eq!(busy["success"], false);
    assert!(["interrupted", "stopped at the limit on processor time"].contains(&busy["error"].as_str().unwrap()), "{busy}");
    assert_eq!(session.value("x").await["value"], 1);
}

#[tokio::test]
async fn the_number_of_sessions_is_limited() {
    let server = Server::start("[sessions]\npool = 1\nmax = 3\nmax_per_user = 2");
    let client = Client::admin(&server).await;
    let (one, _two) = (client.session().await, client.session().await);
    let refused = client.post("/r/session/create", &[]).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"], "Admin has 2 R sessions open already; close one first.");
    one.close().await;
    client.session().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_login_are_told_that_they_are_too_many() {
    let server = Server::start("[sessions]\npool = 0\nmax_per_user = 1");
    server.script("wait", "Sys.sleep(600)", "anonymous").await;
    let form = [("rscript", "wait")];
    let running = tokio::spawn(Client::new(&server).request(reqwest::Method::POST, "/r/script/execute").form(&form).send());
    eventually("it runs", || crate::harness::descendants(server.zygote()).len() == 1);
    let reply = Client::new(&server).post("/r/script/execute", &form).await;
    assert_eq!(reply.status, 503);
    let error = reply.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(error, "Callers without a login have 1 R sessions open already; log in, or try again later.");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_end_and_busy_ones_do_not() {
    let server = Server::start("[sessions]\npool = 0\nidle_seconds = 3");
    let client = Client::admin(&server).await;
    let busy = client.session().await;
    let go = format!("{}/go", busy.value("getwd()").await["value"].as_str().unwrap());
    // This session is busy for longer than the other, which is opened later, is idle.
    let running = busy.occupy(&format!("{UNTIL_GO}; cat('done')")).await;
    let idle = client.session().await;
    idle.run("cat('last words')").await;
    eventually("the idle session ends", || server.session_folders() == 1);
    let reply = idle.get("output", &[]).await;
    assert_eq!(reply.status, 400);
    assert_eq!(
        reply.json()["error"],
        "Invalid session identifier: the R session has ended: the session was closed after 3 seconds without use; its last output: last words."
    );
    std::fs::write(go, "").unwrap();
    assert_eq!(running.await.unwrap().unwrap().success()["console"]["value"], "done");
}

#[tokio::test]
async fn what_does_not_fit_in_a_sessions_memory_is_refused_and_the_session_lives() {
    let server = Server::start("[sessions]\npool = 1\nmemory_mib = 40");
    let session = Client::admin(&server).await.session().await;
    let inputs = format!("{{\"x\":{{\"value\":\"{}\"}}}}", "x".repeat(50 << 20));
    let reply = session.post("object/push", &[("inputs", &inputs)]).await;
    assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (200, Some("what was sent does not fit in the session's memory")));
    assert_eq!(session.value("1").await["value"], 1);
}
