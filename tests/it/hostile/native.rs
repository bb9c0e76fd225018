//! Native code in a session, which can use the worker's descriptors.

use offshoot::link::{
    command::{ChangedFile, Ending, Executed, PublishedFile, Reply},
    frame::{INLINE, MAX_HEADER, Place, Prefix},
    messages,
};

use super::{Way, assert_works};
use crate::harness::{Client, Server, Session, UNTIL_GO, eventually, until};

const CODE: &str = include_str!("native.c");
/// The descriptors to which a worker writes replies, and from which it reads commands.
const REPLIES: i32 = 4;
const COMMANDS: i32 = 3;
/// The memory for a large reply.
const MEMORY: i32 = 5;

/// A session that has compiled and loaded the native code.
pub async fn session(server: &Server) -> Session {
    let session = Client::admin(server).await.session().await;
    load(&session).await;
    session
}

/// Has a session compile and load the native code.
pub async fn load(session: &Session) {
    let code = format!(
        "writeLines({CODE:?}, 'native.c'); stopifnot(system2(file.path(R.home('bin'), 'R'), 'CMD SHLIB native.c', stdout = FALSE, stderr = FALSE) == 0); dyn.load('native.so')"
    );
    session.run(&code).await;
}

/// Checks that a session was ended for attacking the supervisor, and that the supervisor is unharmed.
async fn assert_refused(server: &Server, before: usize, session: &Session, what: &str) {
    let reply = session.get("ping", &[]).await;
    assert_eq!(reply.status, 400, "{what}: {}", reply.text());
    assert!(reply.text().contains("what is no reply"), "{what}: {}", reply.text());
    let peak = server.peak();
    assert!(peak < before + 40_000, "{what}: {before} {peak} KiB");
    assert_works(server).await;
}

#[tokio::test]
async fn frames_that_announce_or_carry_too_much_end_their_own_session_only() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0");
        assert_works(&server).await;
        let before = server.peak();
        let (most, inline) = (MAX_HEADER as f64, INLINE as f64);
        for (what, header, flags, payload, follow) in [
            ("3 GB inline", 1.0, 0, 3e9, 3e9),
            ("a payload that is a little too long", 1.0, 0, inline + 1.0, inline + 2.0),
            ("a header of 60 MB", 60e6, 0, 0.0, 60e6),
            ("the longest header, of nonsense", most, 0, 0.0, most),
            ("a header that does not come", most + 1.0, 0, 0.0, 0.0),
            ("shared memory of any length", 1.0, 1, 1e18, 1.0),
            ("memory for the supervisor", 1.0, 2, 0.0, 1.0),
            ("unknown flags", 1.0, 64, 0.0, 1.0),
        ] {
            let session = session(&server).await;
            let code = format!(".C('write_frame', {REPLIES}L, {header}, {flags}L, {payload}, {follow}); Sys.sleep(60)");
            assert_eq!(session.execute(&code, &[]).await.status, 502, "{what}");
            assert_refused(&server, before, &session, what).await;
        }
    }
}

#[tokio::test]
async fn a_reply_to_no_question_ends_its_session() {
    let server = Server::start("[sessions]\npool = 0");
    let before = server.peak();
    let session = session(&server).await;
    let reply = raw_bytes(&frame(&messages::encode(&Reply::Remove(true)), b""));
    // A child of the session, which acts after the answer was given.
    let go = format!("{}/go", session.value("getwd()").await["value"].as_str().unwrap());
    session.run(&format!("parallel::mcparallel({{ {UNTIL_GO}; .C('write_bytes', {REPLIES}L, {reply}, length({reply})) }})")).await;
    std::fs::write(go, "").unwrap();
    eventually("the session ends", || server.log().contains("what is no reply"));
    assert_refused(&server, before, &session, "a reply").await;
}

#[tokio::test]
async fn lists_of_millions_in_a_small_header_cost_nothing() {
    let server = Server::start("[sessions]\npool = 0");
    assert_works(&server).await;
    let before = server.peak();
    let session = session(&server).await;
    let files = vec![ChangedFile { path: String::new(), created: false, size: 0 }; 300_000];
    let header = messages::encode(&Reply::Execute(Executed { changed: files, ..nothing() }));
    assert!(header.len() < MAX_HEADER);
    // The same bytes, made in the session instead of sent to it.
    let (start, end) = (header.len() - 900_000 - 3, header.len());
    let bytes = format!("c({}, raw({}), {})", raw_bytes(&header[..start]), 900_000, raw_bytes(&header[end - 3..]));
    let code = format!(
        "b <- {bytes}; .C('write_frame', {REPLIES}L, length(b) + 0, 0L, 0, 0); for (i in seq(1, length(b), 65536)) {{ p <- b[i:min(i + 65535, length(b))]; .C('write_bytes', {REPLIES}L, p, length(p)) }}; Sys.sleep(60)"
    );
    session.execute(&code, &[]).await;
    assert!(server.peak() < before + 60_000, "{before} {}", server.peak());
    assert_works(&server).await;
}

#[tokio::test]
async fn no_descriptor_gets_from_a_worker_to_the_supervisor() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0");
        let session = session(&server).await;
        let before = server.descriptors().len();
        assert_eq!(session.value(&format!(".C('send_descriptors', {COMMANDS}L, 20000L)[[2]]")).await["value"], 0, "{way:?}");
        let after = server.descriptors().len();
        assert!(after <= before + 2, "{before} {after}");
        assert_eq!(session.value("1 + 1").await["value"], 2);
    }
}

#[tokio::test]
async fn memory_with_holes_or_that_stays_writable_is_no_reply() {
    let server = Server::start("[sessions]\npool = 0");
    assert_works(&server).await;
    let before = server.peak();
    for (what, map) in [("holes", 0), ("mapped", 1)] {
        let session = session(&server).await;
        let code = format!(
            "fd <- {MEMORY}L; .C('spoil_memory', fd, 2^30, {map}L); .C('write_frame', {REPLIES}L, 2, 1L, 2^30, 0); b <- {}; .C('write_bytes', {REPLIES}L, b, length(b)); Sys.sleep(60)",
            raw_bytes(&messages::encode(&Reply::Pages(1)))
        );
        assert_eq!(session.execute(&code, &[]).await.status, 502, "{what}");
        assert_refused(&server, before, &session, what).await;
    }
}

#[tokio::test]
async fn a_reply_that_names_another_users_file_replaces_nothing() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0");
        super::add_user(&server, "mallory");
        let victim = Client::admin(&server).await.session().await;
        let drawn = victim.execute("png('plot.png'); plot(1); dev.off()", &[("files", "plot.png")]).await.success();
        let url = drawn["files"]["plot.png"]["value"].as_str().unwrap().to_owned();
        let before = victim.client.fetch(&url).await;
        assert_eq!(before.status, 200);
        let id = url.rsplit('/').nth(1).unwrap().trim_start_matches("FILE-").parse().unwrap();

        let other = Client::login(&server, "mallory", crate::harness::PASSWORD).await.session().await;
        load(&other).await;
        let published = vec![PublishedFile { name: "page.html".to_owned(), id, size: 5 }];
        let reply = messages::encode(&Reply::Execute(Executed { published, ..nothing() }));
        let code = format!(
            "writeLines('<script>', file.path(dirname(getwd()), 'files', '{id}')); b <- {}; .C('write_bytes', {REPLIES}L, b, length(b)); Sys.sleep(60)",
            raw_bytes(&frame(&reply, b"{}"))
        );
        other.execute(&code, &[]).await;
        let after = victim.client.fetch(&url).await;
        assert_eq!((after.status, after.body == before.body), (before.status, true), "{way:?}");
    }
}

#[tokio::test]
async fn a_process_that_traces_the_worker_and_kills_it_does_not_outlive_the_session() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0\nsandbox = 'off'");
        let session = session(&server).await;
        let reply = session.execute(".C('trace', 1L)", &[]).await;
        assert_eq!(reply.status, 502, "{}", reply.text());
        eventually("nothing of it runs", || server.processes_of_r() == [server.zygote()]);
        eventually("its folder is gone", || server.session_folders() == 0);
        assert_works(&server).await;
    }
}

#[tokio::test]
async fn a_process_that_traces_the_worker_does_not_outlive_the_server() {
    for way in Way::all() {
        let mut server = way.start("[sessions]\npool = 0\nsandbox = 'off'");
        let session = session(&server).await;
        session.run(".C('trace', 0L)").await;
        eventually("they run", || server.processes_of_r().len() == 3);
        let processes = server.processes_of_r();
        server.signal(rustix::process::Signal::TERM);
        assert!(server.wait().success());
        eventually("nothing outlives the server", || processes.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_takes_no_command_is_ended_with_its_session() {
    let server = Server::start("[sessions]\npool = 0");
    let session = session(&server).await;
    // A reply that the worker did not send, while R goes on.
    let answer = raw_bytes(&frame(&messages::encode(&Reply::Execute(nothing())), b"{}"));
    session.run(&format!("b <- {answer}; .C('write_bytes', {REPLIES}L, b, length(b)); repeat {{}}")).await;
    let long = format!("x <- '{}'", "x".repeat(INLINE - 20));
    let waiting = session.begin(&long);
    until("it has been taken", async || session.get("ping", &[]).await.status == 409).await;
    session.post("close", &[]).await;
    eventually("nothing of it runs", || server.processes_of_r() == [server.zygote()]);
    assert_ne!(waiting.await.unwrap().unwrap().status, 200);
    assert_works(&server).await;
}

#[tokio::test]
async fn a_file_that_its_session_can_still_write_to_is_not_published() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0\nsandbox = 'off'");
        let session = session(&server).await;
        let (open, linked, whole) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
        let published = [open, linked, whole].map(|id| PublishedFile { name: format!("{id}.txt"), id, size: 5 }).to_vec();
        let reply = raw_bytes(&frame(&messages::encode(&Reply::Execute(Executed { published, ..nothing() })), b"{}"));
        let code = format!(
            "at <- function(x) file.path(dirname(getwd()), 'files', x)
             kept <- file(at('{open}'), 'wb'); writeLines('small', kept); flush(kept)
             writeLines('small', at('{linked}')); file.link(at('{linked}'), 'another')
             writeLines('small', at('{whole}'))
             b <- {reply}; .C('write_bytes', {REPLIES}L, b, length(b)); Sys.sleep(60)"
        );
        let answer = session.execute(&code, &[]).await;
        let files: Vec<_> = answer.json()["files"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(files, [format!("{whole}.txt")], "{way:?}");
        assert!(answer.text().contains("2 of 3 files could not be published"), "{}", answer.text());
    }
}

fn nothing() -> Executed {
    Executed {
        ending: Ending::Completed,
        warnings: Vec::new(),
        dropped_warnings: 0,
        missing: Vec::new(),
        changed: Vec::new(),
        published: Vec::new(),
        saved: false,
    }
}

/// A complete frame.
fn frame(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let prefix = Prefix { header: header.len(), payload: payload.len(), place: Place::Inline, memory: false };
    [&prefix.to_bytes()[..], header, payload].concat()
}

/// Bytes as R code.
fn raw_bytes(bytes: &[u8]) -> String {
    let numbers: Vec<_> = bytes.iter().map(u8::to_string).collect();
    format!("as.raw(c({}))", numbers.join(","))
}
