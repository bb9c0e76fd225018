//! The remote prompt at a terminal, with somebody who types.

use expectrl::{Eof, Expect, session::OsSession};

use crate::{
    harness::{PASSWORD, PATIENCE, Server},
    r_client::Client,
};

/// R at a terminal.
struct Terminal {
    session: OsSession,
    /// All that it has shown so far.
    shown: String,
    client: Client,
}

impl Terminal {
    fn open(client: Client) -> Self {
        // Where the tests run in the background, interrupts are ignored, and newer versions of R leave it at that.
        let mut command = client.command("env");
        command.args(["--default-signal=INT", "R", "--no-save", "--no-restore", "--quiet"]).env("TERM", "dumb");
        let mut session = OsSession::spawn(command).unwrap();
        session.set_expect_timeout(Some(PATIENCE));
        session.get_process_mut().set_echo(true, Some(PATIENCE)).unwrap();
        // A line that is too long for the terminal would be shown in part.
        session.get_process_mut().set_window_size(400, 50).unwrap();
        let mut terminal = Self { session, shown: String::new(), client };
        terminal.sees("> ");
        terminal.types("library(offshoot)", "> ");
        terminal
    }

    /// Waits until the terminal shows this, and returns what has come before.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        match self.session.expect(text) {
            Ok(found) => {
                let before = String::from_utf8_lossy(found.before()).into_owned();
                self.shown.push_str(&before);
                self.shown.push_str(text);
                before
            }
            Err(error) => {
                let mut left = vec![0; 1 << 16];
                let length = self.session.try_read(&mut left).unwrap_or(0);
                panic!("{text:?} has not come: {error}; {:?}, then {:?}", self.shown, String::from_utf8_lossy(&left[..length]))
            }
        }
    }

    /// Types a line, waits for this, and returns what has come before it: the line as well.
    #[track_caller]
    fn types(&mut self, line: &str, until: &str) -> String {
        self.session.send_line(line).unwrap();
        // What the terminal shows of the line may have the same text.
        let echo = self.sees(line);
        echo + &self.sees(until)
    }

    fn interrupts(&mut self) {
        self.session.send(expectrl::ControlCode::EndOfText).unwrap();
    }

    fn logs_in(&mut self) {
        let address = self.client.server.clone();
        self.types(&format!("remoteLogin(\"{address}\", diff = FALSE)"), "Username: ");
        self.types("ada", "Password: ");
        self.session.send_line(PASSWORD).unwrap();
        let shown = self.sees("REMOTE> ");
        assert!(!shown.contains(PASSWORD), "{shown}");
        assert!(shown.contains("Your REMOTE R session is now active."), "{shown}");
    }
}

async fn at_a_terminal(server: &Server, steps: impl FnOnce(&mut Terminal) + Send + 'static) {
    let Some(client) = Client::of(server).await else { return };
    tokio::task::spawn_blocking(move || {
        let mut terminal = Terminal::open(client);
        terminal.logs_in();
        steps(&mut terminal);
        terminal.session.send_line("q()").unwrap();
        terminal.session.expect(Eof).unwrap();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn code_goes_over_several_lines_and_what_is_wrong_is_not_sent() {
    let server = Server::start("");
    at_a_terminal(&server, |terminal| {
        terminal.types("f <- function(x) {", "+ ");
        terminal.types("x * 2", "+ ");
        assert!(terminal.types("}; f(21)", "REMOTE> ").contains("[1] 42"));
        terminal.types("text <- 'a", "+ ");
        terminal.types("  b'", "REMOTE> ");
        assert!(terminal.types("text", "REMOTE> ").contains(r#"[1] "a\n  b""#), "spaces within a string are kept");
        assert!(terminal.types("y <- )", "REMOTE> ").contains("unexpected ')'"));
        assert!(terminal.types("pause() # for a while", "> ").ends_with('\n'));
        let history =
            terminal.types("length(jsonlite::fromJSON(rawToChar(offshoot:::send('GET', offshoot:::session_path('history')))))", "> ");
        assert!(history.contains("[1] 3"), "{history}");
        terminal.types("resume()", "REMOTE> ");
        terminal.types("exit", "> ");
        assert!(terminal.types("remoteExecute('1')", "> ").contains("no login"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_stops_the_code_there_and_keeps_the_session() {
    let server = Server::start("");
    at_a_terminal(&server, |terminal| {
        terminal.types("kept <- 42", "REMOTE> ");
        for busy in ["Sys.sleep(1000)", "repeat {}", "system('sleep 1000')"] {
            terminal.types(&format!("cat('run', 'ning'); {busy}"), "run ning");
            terminal.interrupts();
            terminal.sees("REMOTE> ");
            assert!(terminal.types("kept", "REMOTE> ").contains("[1] 42"), "after {busy}");
        }
        terminal.types("unfinished(", "+ ");
        terminal.interrupts();
        terminal.sees("REMOTE> ");
        assert!(terminal.types("kept", "REMOTE> ").contains("[1] 42"), "after a line that was not complete");
        terminal.interrupts();
        terminal.sees("REMOTE> ");
        terminal.types("exit", "> ");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plots_are_drawn_here_and_kept_as_files() {
    let server = Server::start("");
    at_a_terminal(&server, |terminal| {
        terminal.types("plot(1:3); lattice::xyplot(1 ~ 1)", "REMOTE> ");
        terminal.types("pause()", "> ");
        // Without a window, R draws into a file.
        assert!(terminal.types("names(dev.list())", "> ").contains("[1] \"pdf\""));
        assert!(terminal.types("list.files(pattern = 'png')", "> ").contains(r#""unnamedplot001.png" "unnamedplot002.png""#));
        terminal.types("size <- dim(png::readPNG('unnamedplot002.png'))", "> ");
        assert!(terminal.types("size", "> ").contains("400 400"));
        terminal.types("remoteLogout()", "> ");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_shows_how_far_it_has_come() {
    let server = Server::start("");
    at_a_terminal(&server, |terminal| {
        terminal.types("pause()", "> ");
        terminal.types("writeBin(raw(2e7), 'large.bin'); putLocalFile('large.bin')", "100%");
        terminal.types("small <- 1; putLocalObject('small')", "> ");
        let shown = terminal.types("length(getRemoteFile('large.bin', as = 'raw'))", "[1] 20000000");
        assert!(shown.contains("100%"), "{shown}");
        terminal.types("remoteLogout()", "> ");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_killed_leads_back_to_the_local_prompt() {
    let server = Server::start("");
    at_a_terminal(&server, |terminal| {
        let shown = terminal.types("cat('process', Sys.getpid(), '.\\n'); Sys.sleep(1000)", " .\r\n");
        let process = rustix::process::Pid::from_raw(shown.rsplit("process ").next().unwrap().parse().unwrap()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        let told = terminal.sees("\n> ");
        assert!(told.contains("signal 9") && told.contains("remoteLogin()"), "{told}");
        assert!(terminal.types("1 + 1", "> ").contains("[1] 2"));
        assert!(terminal.types("resume()", "> ").contains("no remote session"));
        terminal.logs_in();
        terminal.types("exit", "> ");
    })
    .await;
}
