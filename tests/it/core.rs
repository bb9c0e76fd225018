//! Sessions without HTTP, because RevoDeployR has no call for interrupts.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use bytes::Bytes;
use offshoot::{
    config::Config,
    link::command::{Ending, Execute},
    session::{Admission, Opening, OperationError, Sessions, Stop},
    wire::Encoding,
};

use crate::harness::{Client, Server, is_root_for, points};

/// Sessions without a server.
pub struct Core {
    pub sessions: Sessions,
    _folder: tempfile::TempDir,
}

impl Core {
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.r.worker = env!("CARGO_BIN_EXE_offshoot-worker").into();
        config.sessions.pool = 1;
        config.sessions.writable = vec![points().to_owned()];
        change(&mut config);
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let sessions = Sessions::start(config.sessions, config.r, folder.path(), Vec::new()).await.unwrap();
        Self { sessions, _folder: folder }
    }
}

pub fn someone() -> Opening<'static> {
    Opening { owner: "someone", ..Opening::default() }
}

fn execute(objects: &[&str]) -> Execute {
    let objects = objects.iter().map(|&name| name.to_owned()).collect();
    Execute { print: true, objects, encoding: Encoding::TypedJson, ..Execute::default() }
}

#[test]
fn a_session_is_not_killed_with_another_that_was_abandoned() {
    use offshoot::system::{locks::reserve, processes::has_processes};
    use rustix::process::{Pid, Signal, kill_process};
    use std::os::unix::fs::MetadataExt;
    if !is_root_for("what becomes of the user of an abandoned session") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let core = runtime.block_on(Core::start(|_| ()));
    let session = runtime.block_on(core.sessions.open(someone())).unwrap();
    let user = std::fs::metadata(format!("/proc/{}", session.pid)).unwrap().uid();
    // The task that drives the worker goes away while the worker cannot end.
    let worker = Pid::from_raw(session.pid).unwrap();
    kill_process(worker, Signal::STOP).unwrap();
    drop((session, core, runtime));
    let reservations = std::fs::File::options().read(true).write(true).open("/run/offshoot.users").unwrap();
    assert!(has_processes(user) && !reserve(&reservations, user));
    kill_process(worker, Signal::KILL).unwrap();
}

#[tokio::test]
async fn interrupts_stop_what_runs_and_the_session_lives_on() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    session.operate(execute(&[]), "kept <- 42".into(), Admission::Immediate).await.unwrap();
    for endless in [
        "Sys.sleep(1e6)",
        "repeat {}",
        "for (i in 1:1e12) sqrt(i)",
        "system('sleep 1000000'); Sys.sleep(1e6)",
        "x <- sort(runif(1e8)); repeat {}",
    ] {
        let running = tokio::spawn({
            let session = session.clone();
            let code = format!("cat('running'); {endless}");
            async move { session.operate(execute(&[]), code.into(), Admission::Immediate).await }
        });
        // An operation stops, whenever it is interrupted after its start.
        while !session.is_busy() {
            tokio::task::yield_now().await;
        }
        session.interrupt();
        let answer = running.await.unwrap().unwrap();
        assert_eq!((&answer.reply.ending, answer.stopped), (&Ending::Interrupted, Some(Stop::Interrupt)), "{endless}");
    }
    let answer = session.operate(execute(&["kept"]), "kept".into(), Admission::Immediate).await.unwrap();
    assert_eq!(answer.console, "[1] 42\n");
    assert_eq!(answer.payload.as_ref(), br#"{"kept":{"type":"primitive","rclass":"numeric","value":42}}"#);
    core.sessions.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn an_interrupt_of_nothing_does_not_stop_what_comes_next() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    session.interrupt();
    let answer = session.operate(execute(&[]), "for (i in 1:1e6) i; cat('done')".into(), Admission::Immediate).await.unwrap();
    assert_eq!((&answer.reply.ending, answer.console.as_str()), (&Ending::Completed, "done"));
    core.sessions.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn code_that_does_not_stop_is_killed() {
    let core = Core::start(|config| config.sessions.grace_seconds = 1).await;
    let session = core.sessions.open(someone()).await.unwrap();
    let deaf = "suspendInterrupts(repeat {})".to_owned();
    let running = tokio::spawn({
        let session = session.clone();
        async move { session.operate(execute(&[]), deaf.into(), Admission::Immediate).await }
    });
    while !session.is_busy() {
        tokio::task::yield_now().await;
    }
    session.interrupt();
    match running.await.unwrap() {
        Err(OperationError::Dead(tombstone)) => assert_eq!(tombstone.cause.to_string(), "R was killed, as it did not stop at an interrupt"),
        other => panic!("{other:?}"),
    }
    core.sessions.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn queued_operations_keep_their_order() {
    let core = Core::start(|config| config.sessions.queue = 20).await;
    let session = core.sessions.open(someone()).await.unwrap();
    session.operate(execute(&[]), "seen <- integer()".into(), Admission::Immediate).await.unwrap();
    let mut waiting = Vec::new();
    for number in 0..20 {
        let session = session.clone();
        let code = format!("seen <- c(seen, {number}L)");
        let mut operation = Box::pin(async move { session.operate(execute(&[]), Bytes::from(code), Admission::Queued).await });
        // Polling it once puts it in the queue.
        assert!(futures_util::poll!(&mut operation).is_pending());
        waiting.push(operation);
    }
    let refused = session.operate(execute(&[]), "1".into(), Admission::Immediate).await;
    assert_eq!(refused.unwrap_err(), OperationError::Busy);
    for operation in waiting {
        operation.await.unwrap();
    }
    let answer = session.operate(execute(&[]), "cat(seen)".into(), Admission::Queued).await.unwrap();
    assert_eq!(answer.console, (0..20).map(|number| number.to_string()).collect::<Vec<_>>().join(" "));
    core.sessions.stop(Duration::from_secs(5)).await;
}

/// R writes the number of references to a value into the value. So each function that a session calls would cost a copy of its page.
#[tokio::test]
async fn what_sessions_share_is_not_counted_in_each() {
    let server = Server::start("[sessions]\npool = 0\n[r]\npreload = ['lattice']");
    let session = Client::admin(&server).await.session().await;
    let shared = "list(base::lapply, body(base::lapply), formals(lattice::xyplot), asNamespace('lattice'), quote(seq_along))";
    let count = format!(
        "said <- capture.output(for (value in {shared}) .Internal(inspect(value, 0L)));\
         cat(sub('.*REF\\\\(([0-9]+)\\\\).*', '\\\\1', grep('^@', said, value = TRUE)))"
    );
    assert_eq!(session.prints(&count).await, ["65535"; 5].join(" "), "{}", server.log());
}

#[tokio::test]
async fn changed_files_are_known() {
    let core = Core::start(|_| ()).await;
    let session = core.sessions.open(someone()).await.unwrap();
    let code = "writeLines('a', 'a.txt'); dir.create('sub'); writeLines('b', 'sub/b.txt')";
    let answer = session.operate(execute(&[]), code.into(), Admission::Immediate).await.unwrap();
    let seen: Vec<_> = answer.reply.changed.iter().map(|file| (file.path.as_str(), file.created, file.size)).collect();
    assert_eq!(seen, [("a.txt", true, 2), ("sub/b.txt", true, 2)]);
    let answer = session.operate(execute(&[]), "cat('more', file = 'a.txt', append = TRUE)".into(), Admission::Immediate).await.unwrap();
    let seen: Vec<_> = answer.reply.changed.iter().map(|file| (file.path.as_str(), file.created, file.size)).collect();
    assert_eq!(seen, [("a.txt", false, 6)]);
    core.sessions.stop(Duration::from_secs(5)).await;
}
