//! A new session shares nothing with its parent, the server, or another session.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    process::Stdio,
};

use crate::harness::{Client, Server, is_root_for, program};

#[tokio::test]
async fn a_new_session_is_empty_and_its_own() {
    let client = Client::admin(Server::shared()).await;
    let (one, other) = (client.session().await, client.session().await);
    for session in [&one, &other] {
        assert_eq!(session.value("ls()").await["value"], serde_json::json!([]));
        assert_eq!(session.value("list.files(all.files = TRUE, no.. = TRUE)").await["value"], serde_json::json!([]));
        assert_eq!(session.value("list.files(tempdir(), all.files = TRUE, no.. = TRUE)").await["value"], serde_json::json!([]));
        assert_eq!(session.value("as.character(file.mode(c(getwd(), tempdir())))").await["value"], serde_json::json!(["700", "700"]));
        assert_eq!(session.value("l10n_info()[['UTF-8']]").await["value"], true);
        assert_eq!(session.value("grep('^OFFSHOOT_', names(Sys.getenv()), value = TRUE)").await["value"], "OFFSHOOT_SESSION_FOLDER");
        assert_eq!(session.value("search()[2] != 'offshoot'").await["value"], true);
    }
    for own in ["getwd()", "tempdir()", "tempfile()", "Sys.getpid()"] {
        assert_ne!(one.value(own).await, other.value(own).await, "{own}");
    }
}

#[tokio::test]
async fn no_session_has_the_terminal_of_whoever_started_the_server() {
    let server = Server::shared();
    let session = Client::admin(server).await.session().await;
    // After the name in parentheses come state, parent, process group, session and terminal (proc(5)). A terminal belongs to one session of
    // the kernel's, which is the zygote's.
    let code = "strsplit(sub('.*[)] ', '', readLines('/proc/self/stat')), ' ')[[1]][4:5]";
    assert_eq!(session.value(code).await["value"], serde_json::json!([server.zygote().to_string(), "0"]));
}

/// Otherwise sessions could not have users of their own, and the server would do without.
#[tokio::test]
async fn a_strict_umask_of_the_server_does_not_close_its_data_folder_to_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut server = program("sh");
    server.args(["-c", "umask 077; exec \"$0\" serve --listen 127.0.0.1:0 --data \"$1\"", env!("CARGO_BIN_EXE_offshoot")]).arg(&data);
    let mut server = server.env("OFFSHOOT_SESSIONS_POOL", "0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mode = std::fs::metadata(&data).map(|metadata| metadata.permissions().mode() & 0o777);
    rustix::process::kill_process(rustix::process::Pid::from_child(&server), rustix::process::Signal::TERM).unwrap();
    server.wait().unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    assert_eq!(mode.unwrap(), 0o711);
}

/// A shell says of a program that it cannot find "Permission denied" if it may not look into one of the folders.
#[tokio::test]
async fn a_missing_program_is_not_found_although_the_server_may_search_more_folders() {
    if !is_root_for("a server whose sessions may search fewer folders than itself") {
        return;
    }
    let closed = tempfile::tempdir().unwrap();
    std::fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", closed.path().display(), std::env::var("PATH").unwrap());
    let settings = format!("[sessions]\npool = 0\n[r]\nlibraries = ['{}']", closed.path().display());
    let server = Server::start_with(&settings, &[("PATH", &path)]);
    let session = Client::admin(&server).await.session().await;
    let said = session.prints("x <- system('no-such-program'); cat(x)").await;
    assert!(said.contains("not found") && said.ends_with("127"), "{said}");
    let folders = "unlist(strsplit(c(Sys.getenv(c('PATH', 'R_LIBS', 'LD_LIBRARY_PATH')), .libPaths()[-1]), ':'))";
    assert_eq!(session.prints(&format!("cat(all(file.access({folders}, 1) == 0 | !file.exists({folders})))")).await, "TRUE");
    let log = server.log();
    assert!(log.contains("r.libraries: sessions may not search all of these folders, and use only "), "{log}");
}

#[tokio::test]
async fn sessions_draw_different_random_numbers() {
    let client = Client::admin(Server::shared()).await;
    let (one, other) = (client.session().await, client.session().await);
    assert_ne!(one.value("runif(5)").await, other.value("runif(5)").await);
    let seeded = "set.seed(1); runif(3)";
    assert_eq!(one.value(seeded).await, other.value(seeded).await);
}

#[tokio::test]
async fn no_descriptor_is_inherited() {
    let client = Client::admin(Server::shared()).await;
    let (session, _other) = (client.session().await, client.session().await);
    // 3 is the session's own socket for commands, 4 the pipe for replies, and 5 the memory for a large reply. The next ones hold files of
    // `/proc`, and one more is the folder being listed.
    let code = "x <- list.files('/proc/self/fd'); x <- x[order(as.integer(x))]; sub(Sys.getpid(), 'PID', Sys.readlink(file.path('/proc/self/fd', x)), fixed = TRUE)";
    let open = session.value(code).await["value"].clone();
    let open: Vec<_> = open.as_array().unwrap().iter().map(|link| link.as_str().unwrap_or_default()).collect();
    assert_eq!(open[0], "/dev/null");
    assert!(open[1].starts_with("pipe:") && open[1] == open[2], "{open:?}");
    assert!(open[3].starts_with("socket:") && open[4].starts_with("pipe:") && open[4] != open[1], "{open:?}");
    assert!(open[5].starts_with("/memfd:offshoot"), "{open:?}");
    assert!(open[6..].iter().all(|link| link.is_empty() || link.starts_with("/proc/PID/")), "{open:?}");
    // A program that R starts has not even these.
    let of_child = "system2('perl', c('-e', shQuote('for (0..99) { print \"$_\\n\" if open(my $f, \"<&\", $_) || open($f, \">&\", $_) }')), stdout = TRUE)";
    assert_eq!(session.value(of_child).await["value"], serde_json::json!(["0", "1", "2"]));
}

#[tokio::test]
async fn sessions_cannot_reach_each_other_or_the_store() {
    let server = Server::shared();
    if !is_root_for("what one session sees of another") {
        return;
    }
    let client = Client::admin(server).await;
    let (one, other) = (client.session().await, client.session().await);
    one.run("writeLines('mine', 'secret.txt')").await;
    let path = one.value("file.path(getwd(), 'secret.txt')").await["value"].as_str().unwrap().to_owned();
    let pid = one.value("Sys.getpid()").await["value"].to_string();
    assert!(other.fails(&format!("readLines('{path}')")).await.contains("cannot open"));
    assert_eq!(other.value(&format!("tools::pskill({pid}, tools::SIGKILL)")).await["value"], false);
    let store = server.data().join("offshoot.db");
    assert!(store.exists());
    assert!(other.fails(&format!("readBin('{}', 'raw', 10)", store.display())).await.contains("cannot open"));
    assert_eq!(one.prints("cat(readLines('secret.txt'))").await, "mine");
}
