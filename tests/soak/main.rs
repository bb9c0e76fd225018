//! Ten thousand sessions, one in ten of which means harm; and nothing is left of them. `make hostile` runs this, in some
//! minutes; `make test` does not.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and says what it has measured")]
#![expect(unreachable_pub, reason = "a program of tests is nobody's library")]

#[expect(dead_code, unused_imports, reason = "what the other tests need as well")]
#[path = "../it/harness/mod.rs"]
mod harness;

use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use harness::{Client, PASSWORD, Server, descendants, eventually};

/// Sessions in all; before, so many that the server has what it keeps.
const SESSIONS: usize = 10_000;
const WARM_UP: usize = 300;
/// Clients at the same time.
const CLIENTS: usize = 6;
/// What the supervisor's memory may have grown by, in KiB.
const GROWTH: usize = 20 << 10;
const NATIVE: &str = include_str!("../it/hostile/native.c");

/// What sessions do that mean harm. `LIBRARY` is the native code, compiled.
const HARM: [&str; 12] = [
    "quit(status = 3)",
    "tools::pskill(Sys.getpid(), 9)",
    "system('setsid sleep 1000 >/dev/null 2>&1 &'); for (i in 1:5) parallel:::mcfork()",
    "system2('perl', c('-e', shQuote('for (1..3000) { mkdir \"d\"; chdir \"d\" }')))",
    "for (i in 1:200) file.create(i); dir.create('a/b', recursive = TRUE); Sys.chmod(c('a/b', 'a', '.'), '0000', FALSE)",
    "repeat cat(strrep('x', 1e5))",
    "x <- list(); repeat x[[length(x) + 1]] <- runif(1e6)",
    "dyn.load('LIBRARY'); .C('write_frame', 4L, 60e6, 0L, 0, 1e6)",
    "dyn.load('LIBRARY'); .C('write_frame', 4L, 1, 0L, 3e9, 1e6)",
    "dyn.load('LIBRARY'); .C('send_descriptors', 3L, 1000L)",
    "dyn.load('LIBRARY'); .C('trace', 1L)",
    "dyn.load('LIBRARY'); .C('fill_memory', 3e8); Sys.sleep(10)",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_ten_thousand_sessions_one_in_ten_of_them_hostile() {
    let library = tempfile::tempdir().unwrap();
    std::fs::set_permissions(library.path(), PermissionsExt::from_mode(0o755)).unwrap();
    compile(library.path());
    let settings = "[sessions]\npool = 4\nmemory_mib = 256\noperation_seconds = 3\ngrace_seconds = 1\nmax_per_user = 1000";
    let server = Arc::new(Server::start(settings));
    run(&server, library.path(), WARM_UP).await;
    settle(&server);
    let before = state(&server);
    let begun = Instant::now();
    run(&server, library.path(), SESSIONS).await;
    let took = begun.elapsed();
    settle(&server);
    let after = state(&server);
    println!("{SESSIONS} sessions in {took:.0?}; before {before:?}, after {after:?}");
    assert!(after.descriptors <= before.descriptors + 10, "{before:?} {after:?}");
    assert!(after.memory <= before.memory + GROWTH, "{before:?} {after:?}");
    assert_eq!(Client::admin(&server).await.session().await.value("1 + 1").await["value"], 2);
}

fn compile(folder: &Path) {
    std::fs::write(folder.join("native.c"), NATIVE).unwrap();
    let compiled = std::process::Command::new("R").args(["CMD", "SHLIB", "native.c"]).current_dir(folder).output().unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
}

async fn run(server: &Arc<Server>, library: &Path, sessions: usize) {
    let library = library.join("native.so").display().to_string();
    let next = Arc::new(AtomicUsize::new(0));
    let clients = (0..CLIENTS).map(|_| {
        let (server, next, library) = (Arc::clone(server), Arc::clone(&next), library.clone());
        tokio::spawn(async move {
            let client = Client::login(&server, "admin", PASSWORD).await;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= sessions {
                    return;
                }
                let session = client.session().await;
                if number.is_multiple_of(10) {
                    session.execute(&HARM[number / 10 % HARM.len()].replace("LIBRARY", &library), &[]).await;
                } else {
                    assert_eq!(session.value(&format!("{number} + 1")).await["value"], number + 1);
                }
                // Of one that has ended by itself, there is nothing to close.
                session.post("close", &[]).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

/// Waits until only the zygote and the ready workers are there.
fn settle(server: &Server) {
    eventually("all processes have ended", || descendants(server.zygote()).len() == 4);
    eventually("all folders are removed", || server.session_folders() == 4);
}

#[derive(Debug)]
struct State {
    descriptors: usize,
    /// In KiB.
    memory: usize,
}

fn state(server: &Server) -> State {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    State { descriptors: std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count(), memory }
}
