//! How sessions and servers end, and that they leave nothing.

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Client, Point, Server, Session, UNTIL_GO, descendants, eventually, is_root_for, points, until};

async fn pid(session: &Session) -> i32 {
    session.value("Sys.getpid()").await["value"].as_i64().unwrap().try_into().unwrap()
}

fn kill(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

fn exists(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn session_folders(server: &Server) -> usize {
    std::fs::read_dir(server.data().join("run")).unwrap().count()
}

/// Sends code that ends the session; returns the answer to it, and that to the next call.
async fn last_words(session: &Session, code: &str) -> (String, String) {
    let reply = session.execute(code, &[]).await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    let next = session.execute("1", &[]).await;
    assert_eq!(next.status, 400, "{}", next.text());
    let text = |reply: crate::harness::Reply| reply.json()["error"].as_str().unwrap().to_owned();
    (text(reply), text(next))
}

#[tokio::test]
async fn quitting_ends_only_that_session() {
    let client = Client::admin(Server::shared()).await;
    let (one, two, three, witness) = (client.session().await, client.session().await, client.session().await, client.session().await);
    let folder = witness.value("tempdir()").await["value"].as_str().unwrap().to_owned();
    let (now, next) = last_words(&one, "cat('bye'); q()").await;
    assert_eq!(now, "The R session has ended: R quit with status 0; its last output: bye");
    assert_eq!(next, "Invalid session identifier: the R session has ended: R quit with status 0; its last output: bye.");
    assert!(last_words(&two, "q(status = 3)").await.0.contains("R quit with status 3"));
    let last = ".Last <- function() cat('the last word'); reg.finalizer(environment(), function(e) cat(', finally'), onexit = TRUE); q()";
    assert!(last_words(&three, last).await.0.contains("its last output: the last word, finally"));
    assert!(std::path::Path::new(&folder).exists());
    assert_eq!(witness.value("dir.exists(tempdir())").await["value"], true);
    assert!(client.session().await.prints("cat(dir.exists(tempdir()))").await == "TRUE");
}

#[tokio::test]
async fn a_session_that_dies_says_how_and_nobody_else_notices() {
    let client = Client::admin(Server::shared()).await;
    let witness = client.session().await;
    let crash = client.session().await;
    let (now, next) = last_words(&crash, "cat('dying'); tools::pskill(Sys.getpid(), 11); Sys.sleep(5)").await;
    assert!(now.contains("R was ended by signal 11 (invalid memory access); its last output: dying"), "{now}");
    assert!(next.contains("R was ended by signal 11"), "{next}");
    // Killed while it runs something, and while it does not.
    for busy in [true, false] {
        let session = client.session().await;
        let victim = pid(&session).await;
        let text = if busy {
            let at_work = Point::new();
            let waiting = session.begin(&format!("cat('at work'); {}; {UNTIL_GO}", at_work.code()));
            at_work.reached().await;
            kill(victim, Signal::KILL);
            let reply = waiting.await.unwrap().unwrap();
            assert_eq!(reply.status, 502);
            reply.json()["error"].as_str().unwrap().to_owned()
        } else {
            session.run("cat('at rest')").await;
            kill(victim, Signal::KILL);
            until("the death is noticed", async || session.get("ping", &[]).await.status != 200).await;
            let reply = session.get("ping", &[]).await;
            reply.json()["error"].as_str().unwrap().to_owned()
        };
        assert!(text.contains("R was ended by signal 9"), "{text}");
        assert!(text.contains(if busy { "its last output: at work" } else { "its last output: at rest" }), "{text}");
    }
    assert_eq!(witness.value("1 + 1").await["value"], 2);
}

#[tokio::test]
async fn closing_runs_finalizers_and_leaves_nothing() {
    let server = Server::start("[sessions]\npool = 0");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let marker = points().join(format!("closed-{}", server.pid()));
    std::fs::write(&marker, "").unwrap();
    std::fs::set_permissions(&marker, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let worker = pid(&session).await;
    // If sessions have their own users, processes that leave the group and the terminal are found as well.
    let daemon = if is_root_for("what leaves the group of a session") { "setsid sleep 1000 &" } else { "sleep 1000 &" };
    session.run(&format!("system('{daemon}'); .Last <- function() cat('closed', file = '{}')", marker.display())).await;
    assert!(descendants(server.zygote()).len() >= 2);
    session.close().await;
    assert_eq!(session.get("ping", &[]).await.status, 400);
    eventually("the worker and what it started end", || !exists(worker) && descendants(server.zygote()).is_empty());
    eventually("its folder is removed", || session_folders(&server) == 0);
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), "closed");
    std::fs::remove_file(marker).unwrap();
}

#[tokio::test]
async fn what_has_left_a_sessions_group_ends_with_it_also_where_sessions_have_no_users() {
    let server = Server::start("[sessions]\npool = 0\nusers = ''");
    let client = Client::admin(&server).await;
    let (one, other) = (client.session().await, client.session().await);
    for session in [&one, &other] {
        session.run("system('setsid sh -c \"sleep 1000 & sleep 1000\" > /dev/null 2>&1 &')").await;
    }
    // Two workers, each with a shell and two programs.
    eventually("both have started", || descendants(server.zygote()).len() == 8);
    one.close().await;
    eventually("what the first has started ends", || descendants(server.zygote()).len() == 4);
    assert_eq!(other.value("1 + 1").await["value"], 2);
    let strays = descendants(server.zygote());
    server.signal(rustix::process::Signal::TERM);
    eventually("nothing outlives the server", || strays.iter().all(|&pid| !exists(pid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_client_has_gone_is_busy_until_r_has_ended() {
    let server = Server::start("[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    let work = session.value("getwd()").await["value"].as_str().unwrap().to_owned();
    let code = format!("{UNTIL_GO}; plot(1); done <- TRUE");
    session.occupy(&code).await.abort();
    eventually("the server has noticed", || server.log().contains("499"));
    for _ in 0..10 {
        assert_eq!(session.get("ping", &[]).await.status, 409);
    }
    std::fs::write(format!("{work}/go"), "").unwrap();
    until("R has ended", async || session.get("ping", &[]).await.status != 409).await;
    assert_eq!(session.value("done").await["value"], true);
    let history = session.get("history", &[]).await.success()["history"].clone();
    assert!(history.as_array().unwrap().iter().any(|block| block.as_str().unwrap().ends_with(&code)), "{history}");
    let artifacts = session.get("artifact/list", &[]).await.success();
    assert!(artifacts["files"].get("unnamedplot001.png").is_some(), "{artifacts}");
}

#[tokio::test]
async fn a_session_that_exits_behind_our_back_leaves_nothing() {
    // If the session has no user of its own, processes that have left its group cannot be found.
    if !is_root_for("what has left the group of a session that exits") {
        return;
    }
    let server = Server::start("[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    session.run("system('setsid sleep 1000 &')").await;
    // Loaded by name, because it depends on the machine whether R finds symbols in libraries that it was linked with.
    let libc = "dyn.load(sub('.* ', '', grep('libc[.]so', readLines('/proc/self/maps'), value = TRUE)[1]))";
    let (now, _) = last_words(&session, &format!("cat('gone'); .C(getNativeSymbolInfo('_exit', {libc}), 0L)")).await;
    assert!(now.contains("R's process ended with status") && now.contains("its last output: gone"), "{now}");
    eventually("what it started ends", || descendants(server.zygote()).is_empty());
}

#[tokio::test]
async fn a_dead_zygote_is_started_again_and_live_sessions_go_on() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    session.run("kept <- 42").await;
    let first = server.zygote();
    kill(first, Signal::KILL);
    eventually("another zygote is started", || ![0, first].contains(&server.zygote()));
    assert_eq!(session.value("kept").await["value"], 42);
    // Until the new zygote is ready, sessions are refused, and nothing else happens.
    let mut another = None;
    until("it forks", async || {
        let reply = client.post("/r/session/create", &[]).await;
        assert!(reply.status == 200 || reply.status == 503, "{}", reply.text());
        another = (reply.status == 200).then(|| reply.success()["session"].as_str().unwrap().to_owned());
        another.is_some()
    })
    .await;
    let another = Session { client: client.clone(), id: another.unwrap() };
    assert_eq!(another.value("1 + 1").await["value"], 2);
    // The end of a worker without its zygote is noticed as well.
    assert!(last_words(&session, "q(status = 5)").await.0.contains("R quit with status 5"));
    let orphan = client.session().await;
    kill(server.zygote(), Signal::KILL);
    assert!(last_words(&orphan, "tools::pskill(Sys.getpid(), tools::SIGKILL); Sys.sleep(5)").await.0.contains("signal 9"));
}

#[tokio::test]
async fn sigterm_ends_everything_in_order() {
    // A server that waited for the end of the grace period would wait for hours.
    let mut server = Server::start("[sessions]\npool = 2\ngrace_seconds = 10000");
    let client = Client::admin(&server).await;
    let (busy, _idle) = (client.session().await, client.session().await);
    let running = busy.occupy("repeat {}").await;
    let processes = descendants(server.pid());
    assert!(processes.len() >= 3);
    server.signal(Signal::TERM);
    let status = server.wait();
    assert!(status.success(), "{status} {}", server.log());
    // The janitor finishes its tasks before it ends.
    eventually("all its processes end", || processes.iter().all(|&pid| !exists(pid)));
    assert_eq!(session_folders(&server), 0);
    // The waiting client got an answer, not a broken connection.
    let answered = running.await.unwrap().expect("an answer");
    assert!(answered.text().contains("interrupted") || answered.text().contains("ended"), "{}", answered.text());
}

#[tokio::test]
async fn nothing_outlives_a_server_that_is_killed_and_the_next_one_clears_up() {
    let mut server = Server::start("[sessions]\npool = 2");
    let client = Client::admin(&server).await;
    let (busy, idle) = (client.session().await, client.session().await);
    idle.run("x <- 1; system('sleep 1000 &')").await;
    let _running = busy.occupy("repeat {}").await;
    let processes = descendants(server.pid());
    server.signal(Signal::KILL);
    server.wait();
    eventually("all processes end", || processes.iter().all(|&pid| !exists(pid)));
    assert!(session_folders(&server) > 0);
    let next = Server::start_in(server.into_folder(), "[sessions]\npool = 0");
    assert_eq!(session_folders(&next), 0);
    Client::admin(&next).await.session().await;
}

#[tokio::test]
async fn a_busy_session_whose_zygote_is_dead_ends_with_the_server() {
    let mut server = Server::start("[sessions]\npool = 0");
    let client = Client::admin(&server).await;
    let busy = client.session().await;
    let worker = pid(&busy).await;
    let _running = busy.occupy("repeat {}").await;
    let zygote = server.zygote();
    kill(zygote, Signal::KILL);
    eventually("another zygote is started", || ![0, zygote].contains(&server.zygote()));
    assert!(exists(worker));
    server.signal(Signal::KILL);
    server.wait();
    eventually("the orphan ends", || !exists(worker));
}

#[tokio::test]
async fn a_session_is_not_killed_as_a_left_over_of_another_server_that_was_killed() {
    if !is_root_for("what becomes of the users of a server that was killed") {
        return;
    }
    let mut server = Server::start("[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    let user = session.value("file.info('.')$uid").await["value"].as_f64().unwrap().to_string().parse().unwrap();
    let zygote = server.zygote();
    kill(zygote, Signal::STOP);
    server.signal(Signal::KILL);
    server.wait();
    // The user id is not leased again as long as the zygote may still end its processes.
    let reservations = || std::fs::File::options().read(true).write(true).open("/run/offshoot.users").unwrap();
    assert!(!offshoot::system::locks::reserve(&reservations(), user));
    kill(zygote, Signal::CONT);
    eventually("the user is free again", || offshoot::system::locks::reserve(&reservations(), user));
}

#[test]
fn two_servers_cannot_share_a_data_folder() {
    let server = Server::start("[sessions]\npool = 0");
    let output = Server::command().args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(server.data()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("another offshoot server works in"), "{said}");
}
