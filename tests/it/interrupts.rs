//! Interrupts, of clients and of the limit on time: R does what it does when somebody presses Ctrl-C.

use reqwest::Method;

use crate::harness::{Client, Point, Reply, Rock, RockSession, Server, read};

/// Interrupts code when it is at `POINT`; returns its command when it has ended.
async fn interrupted(session: &RockSession, code: &str) -> Reply {
    let point = Point::new();
    let command = session.submit(&code.replace("POINT", &point.code())).await;
    point.reached().await;
    read(session.client.request(Method::POST, &format!("{}/_interrupt", session.path))).await;
    session.get(&format!("/command/{}?wait=true", command["id"].as_str().unwrap())).await
}

#[tokio::test]
async fn what_r_does_at_an_interrupt_is_not_cut_short() {
    let session = Rock::by("user").open().await;
    for (code, written) in [
        ("tryCatch({ POINT; Sys.sleep(600) }, finally = { Sys.sleep(0.3); cat('finally', file = 'state.txt') })", "finally"),
        ("f <- function() { on.exit({ Sys.sleep(0.3); cat('on.exit', file = 'state.txt') }); POINT; repeat {} }; f()", "on.exit"),
        (
            "f <- function() { on.exit({ t <- proc.time()[[3]]; while (proc.time()[[3]] - t < 0.3) {}; cat('loop', file = 'state.txt') }); POINT; Sys.sleep(600) }; f()",
            "loop",
        ),
    ] {
        let command = interrupted(&session, code).await.document();
        assert_eq!(command["status"], "FAILED", "{command}");
        assert_eq!(session.value("readLines('state.txt', warn = FALSE)").await, written);
    }
    let command = interrupted(&session, "tryCatch({ POINT; Sys.sleep(600) }, interrupt = function(i) { Sys.sleep(0.3); 'handled' })")
        .await
        .document();
    assert_eq!(command["status"], "COMPLETED", "{command}");
}

#[tokio::test]
async fn what_r_does_at_the_limit_on_time_is_not_cut_short() {
    let server = Server::start("[sessions]\npool = 1\noperation_seconds = 1");
    let session = Client::admin(&server).await.session().await;
    let error = session.fails("tryCatch(Sys.sleep(600), finally = { Sys.sleep(0.3); cat('written', file = 'state.txt') })").await;
    assert_eq!(error, "The operation was stopped at its time limit of 1 seconds.");
    assert_eq!(session.prints("cat(readLines('state.txt', warn = FALSE))").await, "written");
}

#[tokio::test]
async fn a_session_that_waits_for_another_process_outlives_an_interrupt() {
    let session = Rock::by("user").open().await;
    session.value("kept <- 42").await;
    for code in [
        "callr::r(function() Sys.sleep(600))",
        "processx::run('sleep', '600')",
        "system('sleep 600'); Sys.sleep(600)",
        "system2('sleep', '600', stdout = TRUE); Sys.sleep(600)",
        "parallel::mclapply(1:2, function(i) Sys.sleep(600), mc.cores = 2); Sys.sleep(600)",
        "readLines(pipe('sleep 600')); Sys.sleep(600)",
        // As R itself does with each pipe, from version 4.3 or so: the program is in a process group of its own.
        "readLines(pipe(\"exec perl -e 'setpgrp(0, 0); sleep 600'\")); Sys.sleep(600)",
    ] {
        let command = interrupted(&session, &format!("POINT\n{code}")).await.document();
        assert_eq!(command["status"], "FAILED", "{code}: {command}");
        assert_eq!(session.value("kept").await, 42, "{code}");
    }
}

#[tokio::test]
async fn an_interrupt_just_before_a_program_starts_is_not_lost() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 1\ngrace_seconds = 3600"));
    let session = Rock::on(&server, "user").open().await;
    // R looks for interrupts between evaluations: not within a sum, and not at once after it.
    let code = "{ POINT; x <- sum(1 / sqrt(as.numeric(1:1e7))); system('sleep 3600'); Sys.sleep(3600) }";
    for _ in 0..3 {
        let command = interrupted(&session, code).await.document();
        assert_eq!(command["status"], "FAILED", "{command}");
    }
}

#[tokio::test]
async fn a_child_that_swallows_interrupts_does_not_keep_a_session_for_ever() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\ngrace_seconds = 1"));
    let session = Rock::on(&server, "user").open().await;
    // The shell tells R of its trap by a line, and R then waits for the end of the program.
    let code = "shell <- pipe(\"trap '' INT; echo set; sleep 600\"); open(shell); invisible(readLines(shell, 1)); POINT; close(shell)";
    let ended = interrupted(&session, code).await;
    assert!(ended.status == 404 || ended.document()["status"] == "FAILED", "{}", ended.text());
}

#[tokio::test]
async fn a_second_interrupt_stops_what_the_first_has_begun() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\ngrace_seconds = 600"));
    let session = Rock::on(&server, "user").open().await;
    let interrupt = async || read(session.client.request(Method::POST, &format!("{}/_interrupt", session.path))).await;
    let (first, second) = (Point::new(), Point::new());
    let code = format!("tryCatch({{ {}; Sys.sleep(600) }}, interrupt = function(i) {{ {}; Sys.sleep(600) }})", first.code(), second.code());
    let command = session.submit(&code).await;
    first.reached().await;
    interrupt().await;
    second.reached().await;
    interrupt().await;
    let command = session.get(&format!("/command/{}?wait=true", command["id"].as_str().unwrap())).await.document();
    assert_eq!(command["error"].as_str().map(str::trim_end), Some("The operation was interrupted"), "{command}");
}
