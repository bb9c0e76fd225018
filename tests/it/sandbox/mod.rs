//! The walls around sessions: what they keep out, and what they let R do.

mod attacks;
mod kernels;
mod later;
mod network;

use std::os::{
    linux::net::SocketAddrExt,
    unix::net::{SocketAddr, UnixListener},
};

use crate::{
    harness::{Client, Server, Session, skipped},
    hostile::{Way, load_native},
};
use attacks::{AS_EVER, CALLS, COMMON_FOLDERS, FILES, ON_ATTRIBUTES, ON_FILES, ON_PROCESSES, OTHERS, PROCESSES, SOCKETS, TOOLS};

const SETTINGS: &str = "[sessions]\npool = 0";

/// Whether a server's sessions have namespaces, which some machines allow to nobody.
fn has_namespaces(server: &Server) -> bool {
    let has = server.log().contains("signals system-calls namespaces");
    if !has {
        skipped("what takes namespaces, as they are not allowed here");
    }
    has
}

/// A server with a session that is attacked, and one that attacks.
struct Field {
    server: Server,
    victim: Session,
    attacker: Session,
    /// Whether sessions have namespaces.
    namespaces: bool,
    /// What stands for the words in braces.
    words: Vec<(&'static str, String)>,
}

impl Field {
    async fn new(way: Way) -> Self {
        let server = way.start(SETTINGS);
        let client = Client::admin(&server).await;
        let (victim, attacker) = (client.session().await, client.session().await);
        victim.run(TOOLS).await;
        attacker.run(TOOLS).await;
        load_native(&attacker).await;
        let text = async |code: &str| victim.value(code).await["value"].as_str().unwrap_or_default().to_owned();
        let key = 1_000_000 + std::process::id();
        let words = vec![
            ("{data}", server.data().display().to_string()),
            ("{config}", server.data().with_file_name("offshoot.toml").display().to_string()),
            ("{library}", server.data().join("library").display().to_string()),
            ("{other}", text("getwd()").await),
            ("{other_temporary}", text("tempdir()").await),
            ("{worker}", text("as.character(Sys.getpid())").await),
            ("{zygote}", server.zygote().to_string()),
            ("{server}", server.pid().to_string()),
            ("{abstract}", format!("offshoot-test-{}", server.pid())),
            ("{key}", key.to_string()),
        ];
        let namespaces = has_namespaces(&server);
        let field = Self { server, victim, attacker, namespaces, words };
        field.victim.run(&field.with_words(
            "writeLines('secret', 'secret.txt'); writeLines('kept', file.path(tempdir(), 'kept')); x <- 1; save(x, file = 'kept.RData'); saveRDS(x, 'kept.rds'); writeLines('1', 'code.R')
             for (f in c('/tmp', '/var/tmp', '/dev/shm')) suppressWarnings(try(writeLines('x', file.path(f, 'of-another')), silent = TRUE))
             by_perl('defined(shmget({key}, 4096, 01666)); defined(semget({key}, 1, 01666)); defined(msgget({key}, 01666))')
             by_perl('socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, pack_sockaddr_un(\"socket\")) && listen(S, 9); fork() and exit; close STDOUT; close STDERR; sleep 1000')",
        )).await;
        field
    }

    fn with_words(&self, code: &str) -> String {
        self.words.iter().fold(code.to_owned(), |code, (word, value)| code.replace(word, value))
    }

    /// Whether an attack has worked, or something that has to.
    async fn is_true(&self, code: &str) -> bool {
        let reply = self
            .attacker
            .execute(&format!("outcome <- local({{ {} }})", self.with_words(code)), &[("robjects", "outcome")])
            .await
            .success();
        match reply["robjects"]["outcome"]["value"].as_bool() {
            Some(outcome) => outcome,
            None => panic!("{code}: {reply}"),
        }
    }
}

#[tokio::test]
async fn files_of_others_are_out_of_reach() {
    for way in Way::all() {
        let field = Field::new(way).await;
        let mut worked = Vec::new();
        for path in FILES {
            // Landlock says nothing of attributes, so that they are closed by users or by namespaces.
            let others = ON_ATTRIBUTES.into_iter().filter(|_| way == Way::Users || field.namespaces);
            for (what, code) in ON_FILES.into_iter().chain(others) {
                if field.is_true(&code.replace("PATH", path)).await {
                    worked.push(format!("{what} {path}"));
                }
            }
        }
        assert!(worked.is_empty(), "{way:?}: {worked:#?}");
        assert_eq!(field.victim.prints("cat(readLines('secret.txt'), format(file.mode('secret.txt')))").await, "secret 600");
    }
}

#[tokio::test]
async fn processes_of_others_are_out_of_reach() {
    for way in Way::all() {
        let field = Field::new(way).await;
        let mut worked = Vec::new();
        for (whose, pid) in PROCESSES {
            for (what, code) in ON_PROCESSES {
                if field.is_true(&code.replace("PID", pid)).await {
                    worked.push(format!("{what} {whose}"));
                }
            }
        }
        assert!(worked.is_empty(), "{way:?}: {worked:#?}");
        assert_eq!(field.victim.value("6 * 7").await["value"], 42);
    }
}

#[tokio::test]
async fn a_session_reaches_nothing_but_itself() {
    for way in Way::all() {
        let field = Field::new(way).await;
        let name = field.with_words("{abstract}");
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let mut worked = Vec::new();
        let sockets = SOCKETS.into_iter().filter(|_| way == Way::Users || field.namespaces);
        for (what, code) in OTHERS.into_iter().chain(sockets) {
            if field.is_true(code).await {
                worked.push(what);
            }
        }
        assert!(worked.is_empty(), "{way:?}: {worked:#?}");
        assert_eq!(field.victim.value("6 * 7").await["value"], 42);
        assert!(!field.server.data().join("planted").exists());
        assert_eq!(std::fs::read_to_string(field.with_words("{config}")).unwrap(), SETTINGS);
    }
}

#[tokio::test]
async fn system_calls_that_nobody_needs_are_refused() {
    for way in Way::all() {
        let field = Field::new(way).await;
        let mut wrong = Vec::new();
        for (name, number, arguments, expected) in CALLS {
            let arguments = field.with_words(&format!("c({arguments}, rep(0, 6))[1:6]"));
            let error = |function| format!(".C('{function}', {number}L, as.double({arguments}), 0L)[[3]]");
            let own = field.attacker.value(&error("make_call")).await["value"].as_i64();
            if own != Some(expected.into()) {
                wrong.push(format!("{name}: {own:?}"));
            }
            if cfg!(target_arch = "x86_64") {
                let x32 = field.attacker.value(&error("make_call_of_x32")).await["value"].as_i64();
                if x32 != Some(libc::ENOSYS.into()) {
                    wrong.push(format!("{name} of x32: {x32:?}"));
                }
            }
        }
        if cfg!(target_arch = "x86_64") {
            let status = field.attacker.value(".C('make_call_of_i386', 0L)[[1]]").await["value"].as_i64();
            assert_eq!(status, Some(128 + i64::from(libc::SIGSYS)), "{way:?}");
        }
        assert!(wrong.is_empty(), "{way:?}: {wrong:#?}");
    }
}

#[tokio::test]
async fn r_works_within_its_walls_as_ever() {
    for way in Way::all() {
        let field = Field::new(way).await;
        let mut wrong = Vec::new();
        let common = COMMON_FOLDERS.into_iter().filter(|_| field.namespaces);
        for (what, code) in AS_EVER.into_iter().chain(common) {
            if !field.is_true(&format!("suppressMessages({code})")).await {
                wrong.push(what);
            }
        }
        assert!(wrong.is_empty(), "{way:?}: {wrong:#?}");
    }
}
