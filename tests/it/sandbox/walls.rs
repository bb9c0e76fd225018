//! What sessions try is in vain, and what they need works, in each way that servers run.

use std::os::{
    linux::net::SocketAddrExt,
    unix::{
        fs::PermissionsExt,
        net::{SocketAddr, UnixListener},
    },
};

use super::{
    SETTINGS,
    attacks::{
        AS_EVER, CALLS, COMMON_FOLDERS, FILES, ON_ATTRIBUTES, ON_FILES, ON_PROCESSES, OTHERS, PROCESSES, SOCKETS, SYSTEM_SOCKETS, TOOLS,
    },
};
use crate::{
    harness::{Client, Server, Session},
    hostile::{Way, load_native},
};

/// System calls that containers often forbid.
const CONTAINED: [libc::c_long; 5] = [libc::SYS_unshare, libc::SYS_mount, libc::SYS_setns, libc::SYS_pidfd_getfd, libc::SYS_keyctl];

/// The variable that names a server to attack, which somebody else has started; in words, in this order: its address, the password of its
/// administrator, its process id as its sessions would see it, its data folder, its file of settings, whether its sessions have `users` of
/// their own and whether they have `namespaces` (`no` if they have not).
const ELSEWHERE: &str = "OFFSHOOT_TEST_SERVER";

/// A server with a session that is attacked, and one that attacks.
struct Field {
    /// The server, if it was started here.
    server: Option<Server>,
    victim: Session,
    attacker: Session,
    /// Whether each session has a user of its own.
    own_users: bool,
    /// Whether sessions have namespaces.
    namespaces: bool,
    /// What stands for the words in braces.
    words: Vec<(&'static str, String)>,
}

/// In which way the server runs.
impl std::fmt::Display for Field {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "users: {}, namespaces: {}", self.own_users, self.namespaces)
    }
}

impl Field {
    /// One in each way that servers run here, or the one that somebody else has started.
    async fn each(test: impl AsyncFn(Self)) {
        if let Ok(words) = std::env::var(ELSEWHERE) {
            let [address, password, server, data, config, own_users, namespaces] =
                words.split(' ').collect::<Vec<_>>().try_into().expect("seven words");
            let client = Client::login_at(address, "admin", password).await;
            let places = [data, config, server].map(str::to_owned);
            return test(Self::new(None, &client, places, own_users == "users", namespaces == "namespaces").await).await;
        }
        let contained = Server::start_as_one_user_without(&CONTAINED, SETTINGS);
        let servers = Way::all().into_iter().map(|way| (way == Way::Users, way.start(SETTINGS))).chain([(false, contained)]);
        for (own_users, server) in servers {
            let client = Client::admin(&server).await;
            let config = server.data().with_file_name("offshoot.toml").display().to_string();
            let places = [server.data().display().to_string(), config, server.pid().to_string()];
            let namespaces = server.log().contains("signals system-calls namespaces");
            test(Self::new(Some(server), &client, places, own_users, namespaces).await).await;
        }
    }

    async fn new(server: Option<Server>, client: &Client, places: [String; 3], own_users: bool, namespaces: bool) -> Self {
        let (victim, attacker) = (client.session().await, client.session().await);
        victim.run(TOOLS).await;
        attacker.run(TOOLS).await;
        let text = async |code: &str| victim.value(code).await["value"].as_str().unwrap_or_default().to_owned();
        let key = 1_000_000 + std::process::id();
        let [data, config, pid] = places;
        let words = vec![
            ("{library}", format!("{data}/library")),
            ("{data}", data),
            ("{config}", config),
            ("{other}", text("getwd()").await),
            ("{other_temporary}", text("tempdir()").await),
            ("{worker}", text("as.character(Sys.getpid())").await),
            // The parent of a session.
            ("{zygote}", text("strsplit(sub('.*\\\\)', '', readLines('/proc/self/stat')), ' ')[[1]][3]").await),
            ("{abstract}", format!("offshoot-test-{pid}")),
            ("{server}", pid),
            ("{key}", key.to_string()),
        ];
        let field = Self { server, victim, attacker, own_users, namespaces, words };
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
    Field::each(async |field| {
        let mut worked = Vec::new();
        for path in FILES {
            // Landlock says nothing of attributes, so that they are closed by users or by namespaces.
            let others = ON_ATTRIBUTES.into_iter().filter(|_| field.own_users || field.namespaces);
            for (what, code) in ON_FILES.into_iter().chain(others) {
                if field.is_true(&code.replace("PATH", path)).await {
                    worked.push(format!("{what} {path}"));
                }
            }
        }
        assert!(worked.is_empty(), "{field}: {worked:#?}");
        assert_eq!(field.victim.prints("cat(readLines('secret.txt'), format(file.mode('secret.txt')))").await, "secret 600");
    })
    .await;
}

#[tokio::test]
async fn processes_of_others_are_out_of_reach() {
    Field::each(async |field| {
        let mut worked = Vec::new();
        for (whose, pid) in PROCESSES {
            for (what, code) in ON_PROCESSES {
                if field.is_true(&code.replace("PID", pid)).await {
                    worked.push(format!("{what} {whose}"));
                }
            }
        }
        assert!(worked.is_empty(), "{field}: {worked:#?}");
        assert_eq!(field.victim.value("6 * 7").await["value"], 42);
    })
    .await;
}

/// A socket that anybody may connect to, in a folder where programs of the system have theirs. Only root can make one.
pub fn open_socket() -> Option<(tempfile::TempDir, UnixListener)> {
    let folder = tempfile::tempdir_in("/run").ok()?;
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    for (path, mode) in [(folder.path(), 0o755), (path.as_path(), 0o666)] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
    Some((folder, listener))
}

#[tokio::test]
async fn a_session_reaches_nothing_but_itself() {
    Field::each(async |field| {
        let name = field.with_words("{abstract}");
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let mut worked = Vec::new();
        let folder = open_socket();
        let sockets = folder.as_ref().map(|(folder, _)| folder.path().display().to_string()).unwrap_or_default();
        let others = SOCKETS.into_iter().filter(|_| field.own_users || field.namespaces);
        let others = others.chain(SYSTEM_SOCKETS.into_iter().filter(|_| field.namespaces));
        for (what, code) in OTHERS.into_iter().chain(others) {
            if field.is_true(&code.replace("{sockets}", &sockets)).await {
                worked.push(what);
            }
        }
        assert!(worked.is_empty(), "{field}: {worked:#?}");
        assert_eq!(field.victim.value("6 * 7").await["value"], 42);
        if let Some(server) = &field.server {
            assert!(!server.data().join("planted").exists());
            assert_eq!(std::fs::read_to_string(field.with_words("{config}")).unwrap(), SETTINGS);
        }
    })
    .await;
}

#[tokio::test]
async fn system_calls_that_nobody_needs_are_refused() {
    Field::each(async |field| {
        // Tells the error of each call, in a line.
        let call = |number: libc::c_long, arguments: &str| {
            let arguments = if arguments.is_empty() { String::new() } else { format!(", {arguments}") };
            format!("print((syscall({number}{arguments}) == -1 ? $!+0 : 0), \"\\n\");")
        };
        let errors = async |bits: libc::c_long| {
            let calls: String = CALLS.iter().map(|(_, number, arguments, _)| call(number | bits, &field.with_words(arguments))).collect();
            let printed = field
                .attacker
                .prints(&format!("writeLines({calls:?}, 'calls.pl'); cat(system('perl calls.pl 2>&1', intern = TRUE), sep = '\\n')"))
                .await;
            printed.lines().map(|error| error.parse().unwrap_or_else(|_| panic!("{field}: {printed}"))).collect::<Vec<i32>>()
        };
        let expected: Vec<i32> = CALLS.iter().map(|(_, _, _, error)| *error).collect();
        let wrong = |errors: Vec<i32>, expected: &[i32]| {
            assert_eq!(errors.len(), expected.len());
            let wrong = CALLS.iter().zip(errors).zip(expected).filter(|((_, error), expected)| error != *expected);
            wrong.map(|((call, error), _)| format!("{}: {error}", call.0)).collect::<Vec<_>>()
        };
        assert_eq!(wrong(errors(0).await, &expected), Vec::<String>::new(), "{field}");
        // Other filters, which come first elsewhere, end a process for these.
        if field.server.is_some() && cfg!(target_arch = "x86_64") {
            const X32: libc::c_long = 0x4000_0000;
            assert_eq!(wrong(errors(X32).await, &[libc::ENOSYS; CALLS.len()]), Vec::<String>::new(), "{field}, by the numbers of x32");
            load_native(&field.attacker).await;
            let status = field.attacker.value(".C('make_call_of_i386', 0L)[[1]]").await["value"].as_i64();
            assert_eq!(status, Some(128 + i64::from(libc::SIGSYS)), "{field}");
        }
    })
    .await;
}

#[tokio::test]
async fn r_works_within_its_walls_as_ever() {
    Field::each(async |field| {
        let mut wrong = Vec::new();
        let common = COMMON_FOLDERS.into_iter().filter(|_| field.namespaces);
        for (what, code) in AS_EVER.into_iter().chain(common) {
            if !field.is_true(&format!("suppressMessages({code})")).await {
                wrong.push(what);
            }
        }
        assert!(wrong.is_empty(), "{field}: {wrong:#?}");
    })
    .await;
}

/// In a folder that is hidden from sessions or is their own, such as that for temporary files.
#[tokio::test]
async fn a_file_that_the_settings_name_is_there_and_its_neighbour_is_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let code = format!(
        "tried <- function(code) tryCatch(code, error = function(e) 'error', warning = function(w) 'error')\n\
         files <- file.path('{}', c('named', 'neighbour'))\n\
         cat(sapply(files, function(file) tried(readLines(file, warn = FALSE))), tried(cat('new', file = files[1])))",
        folder.path().display()
    );
    for way in Way::all() {
        for name in ["named", "neighbour"] {
            std::fs::write(path(name), name).unwrap();
            std::fs::set_permissions(path(name), PermissionsExt::from_mode(0o666)).unwrap();
        }
        let server = way.start(&format!("{SETTINGS}\nreadable = ['{}']", path("named")));
        let client = Client::admin(&server).await;
        assert_eq!(client.session().await.prints(&code).await, "named error error");
        // One that has gone meanwhile keeps no session from its start.
        std::fs::remove_file(path("named")).unwrap();
        assert_eq!(client.session().await.prints("cat(1)").await, "1");
    }
}
