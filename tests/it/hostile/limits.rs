//! Limits on the sum of a session's resources.

use reqwest::Method;
use serde_json::json;

use super::{Way, assert_works, native};
use crate::harness::{Client, Rock, Server, Session, eventually, read};

/// Checks that a session is ended while this code runs, for this reason.
async fn assert_ended(server: &Server, session: &Session, code: &str, reason: &str) {
    let reply = session.execute(code, &[]).await;
    assert_ne!(reply.status, 200, "{}", reply.text());
    let ping = session.get("ping", &[]).await;
    assert!(ping.status == 400 && ping.text().contains(reason), "{}", ping.text());
    eventually("nothing of it is left", || server.session_folders() == 0 && server.processes_of_r() == [server.zygote()]);
    assert_works(server).await;
}

#[tokio::test]
async fn memory_that_nobody_has_mapped_counts() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0\nmemory_mib = 200");
        let session = native::session(&server).await;
        session.run(".C('fill_memory', 50e6)").await;
        assert_ended(&server, &session, ".C('fill_memory', 400e6); Sys.sleep(60)", "its shared memory took more than 200 MiB").await;
    }
}

#[tokio::test]
async fn memory_of_all_processes_of_a_session_counts_and_what_they_share_counts_once() {
    let server = Server::start("[sessions]\npool = 0\nmemory_mib = 300");
    let session = Client::admin(&server).await.session().await;
    // Four children that share 100 MB with their parent.
    session
        .run("x <- raw(100e6); x[1] <- as.raw(1); r <- parallel::mclapply(1:4, function(i) { Sys.sleep(3); length(x) }, mc.cores = 4)")
        .await;
    let code = "parallel::mclapply(1:4, function(i) { y <- rep(as.raw(1), 150e6); Sys.sleep(60) }, mc.cores = 4)";
    assert_ended(&server, &session, code, "took more than 300 MiB of memory together").await;
}

#[tokio::test]
async fn a_process_whose_name_is_no_text_counts_and_ends_with_its_session() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0\nmemory_mib = 200");
        let session = Client::admin(&server).await.session().await;
        let program = r#"f=$(printf '\377'); cp "$(command -v perl)" "$f"; for i in 1 2 3 4 5 6 7 8; do ./"$f" -e '$x = "x" x 60e6; sleep 1000' & done"#;
        let code = format!("writeLines({program:?}, 'run'); system('sh run > /dev/null 2>&1'); Sys.sleep(60)");
        assert_ended(&server, &session, &code, "took more than 200 MiB of memory together").await;
    }
}

#[tokio::test]
async fn files_count_together_by_their_size_and_by_their_number() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0\nfile_size_mib = 20\ndisk_mib = 60");
        let session = || async { Client::admin(&server).await.session().await };
        session().await.run("for (i in 1:3) writeBin(raw(10e6), paste0('f', i))").await;
        let large = "for (i in 1:10) { writeBin(raw(15e6), tempfile()) }; Sys.sleep(60)";
        let reason = "its files took more than 60 MiB together";
        let many = "for (i in 1:50000) file.create(paste0('f', i)); Sys.sleep(60)";
        let hidden = "dir.create('d'); for (i in 1:10) { writeBin(raw(15e6), file.path('d', i)) }; Sys.chmod('d', '0000'); Sys.sleep(60)";
        let deleted = "c <- lapply(1:10, function(i) { f <- file(tempfile(), 'wb'); writeBin(raw(15e6), f); flush(f); f }); unlink(list.files(tempdir(), full.names = TRUE)); Sys.sleep(60)";
        eventually("the first is over", || true);
        for code in [large, many, hidden, deleted] {
            let session = session().await;
            let reply = session.execute(code, &[]).await;
            assert_ne!(reply.status, 200, "{code}: {}", reply.text());
            let ping = session.get("ping", &[]).await;
            assert!(ping.text().contains(reason), "{code}: {}", ping.text());
        }
        assert_works(&server).await;
    }
}

#[tokio::test]
async fn results_that_nobody_fetches_are_bounded() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nresults_mib = 30\nresults_per_user_mib = 50"));
    let user = Rock::on(&server, "user");
    let (one, two) = (user.open().await, user.open().await);
    let run = |session: &crate::harness::RockSession, bytes: usize| {
        let request = session.client.request(Method::POST, &format!("{}/_eval?async=true", session.path));
        read(
            request
                .header("content-type", "application/x-rscript")
                .header("accept", "application/octet-stream")
                .body(format!("as.raw(rep(1, {bytes}))")),
        )
    };
    let wait = |session: &crate::harness::RockSession, number: usize| {
        let (client, path) = (session.client.clone(), format!("{}/command/{number}?wait=true", session.path));
        async move { client.get(&path).await.document() }
    };
    for number in 1..=2 {
        assert_eq!(run(&one, 12 << 20).await.status, 201);
        assert_eq!(wait(&one, number).await["status"], "COMPLETED");
    }
    // There is no room for the third result.
    assert_eq!(run(&one, 12 << 20).await.status, 201);
    let third = wait(&one, 3).await;
    assert_eq!((&third["status"], &third["withResult"]), (&json!("FAILED"), &json!(false)));
    assert!(third["error"].as_str().unwrap().contains("there is no room to keep"), "{third}");
    // There is no room in another session of the same user either.
    for number in 1..=2 {
        assert_eq!(run(&two, 12 << 20).await.status, 201);
        wait(&two, number).await;
    }
    let of_two: Vec<_> =
        two.get("/commands").await.document().as_array().unwrap().iter().map(|command| command["status"].clone()).collect();
    assert_eq!(of_two, [json!("COMPLETED"), json!("COMPLETED")]);
    assert_eq!(run(&two, 12 << 20).await.status, 201);
    assert_eq!(wait(&two, 3).await["status"], "FAILED");
    // A fetched result makes room, and a value that is sent counts, too.
    assert_eq!(one.get("/command/1/result?rm=false").await.body.len() >> 20, 12);
    assert_eq!(run(&one, 12 << 20).await.status, 201);
    assert_eq!(wait(&one, 4).await["status"], "COMPLETED");
    assert_eq!(one.get("/command/1").await.status, 404);
    let script = format!("x <- '{}'", "x".repeat(20 << 20));
    let refused = one.client.script(&format!("{}/_eval?async=true", one.path), script).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.document()["message"].as_str().unwrap().contains("there is no room to keep"));
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nmemory_mib = 100\nresults_mib = 1"));
    let session = Rock::on(&server, "user").open().await;
    let ask = || {
        let request = session.client.request(Method::POST, &format!("{}/_eval", session.path));
        request.header("content-type", "application/x-rscript").header("accept", "application/octet-stream").body("rep(as.raw(1), 30e6)")
    };
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(ask().send().await.unwrap());
        assert_eq!(unread.last().unwrap().status(), 200);
    }
    let refused = read(ask()).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.document()["message"].as_str().unwrap().contains("leave no room for its own of 300000"), "{}", refused.text());
    assert_eq!(session.value("6 * 7").await, 42);
    // Reading one answer makes room for another, however much of it is on its way.
    assert!(unread.remove(0).bytes().await.unwrap().len() > 30_000_000);
    assert_eq!(read(ask()).await.status, 200);
}

#[tokio::test]
async fn a_long_script_is_not_kept_as_a_label() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let script = format!("nchar('{}')", "é".repeat(100_000));
    let submitted = session.client.script(&format!("{}/_eval?async=true", session.path), script).await;
    let label = submitted.document()["script"].as_str().unwrap().to_owned();
    assert!(label.len() < 3_000 && label.starts_with("nchar('é") && label.ends_with("[...]"), "{}", label.len());
    assert_eq!(session.get("/command/1/result?wait=true").await.text(), "100000");
}
