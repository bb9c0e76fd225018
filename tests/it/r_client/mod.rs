//! The R packages in `r-client/`, in an R of their own, against a real server.

mod azure;
mod examples;
mod functions;
mod prompt;
mod terminal;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crate::harness::{PASSWORD, Server, program, skipped};

/// What the packages and their tests need of R.
const NEEDED: &str = "c('R6', 'curl', 'jsonlite', 'knitr', 'png', 'testthat')";

/// A library with both packages; `None` if R has not what they need.
fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let needed = format!("quit(status = !all(vapply({NEEDED}, requireNamespace, NA, quietly = TRUE)))");
        if !program("Rscript").args(["-e", &needed]).status().unwrap().success() {
            return None;
        }
        let library = crate::harness::points().join("r-client");
        std::fs::create_dir(&library).unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("r-client");
        for package in ["offshoot", "mrsdeploy"] {
            let mut install = program("R");
            install.args(["CMD", "INSTALL", "--no-test-load", "-l"]).arg(&library).arg(sources.join(package));
            let output = install.env("R_LIBS", &library).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(library)
    });
    if library.is_none() {
        skipped(&format!("the R packages {NEEDED} are not all there: make setup-tests"));
    }
    library.as_deref()
}

/// R with the packages, in a folder of its own.
struct Client {
    library: &'static Path,
    server: String,
    folder: tempfile::TempDir,
}

/// What a command has printed when it has ended.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

impl Client {
    /// A client of this server, which has the account `ada`; `None` if R has not what it needs.
    async fn of(server: &Server) -> Option<Self> {
        let library = tokio::task::spawn_blocking(library).await.unwrap()?;
        server.account("ada", &["POWER_USER"]).await;
        Some(Self { library, server: server.address.clone(), folder: tempfile::tempdir().unwrap() })
    }

    fn command(&self, name: &str) -> Command {
        let mut command = program(name);
        command
            .env("R_LIBS", self.library)
            .env("OFFSHOOT_SERVER", &self.server)
            .env("OFFSHOOT_USER", "ada")
            .env("OFFSHOOT_PASSWORD", PASSWORD);
        command.current_dir(self.folder.path());
        command
    }

    /// What Rscript prints for this code, with what it says of errors.
    async fn evaluates(&self, code: &str) -> (std::process::ExitStatus, String) {
        let mut command = self.command("Rscript");
        command.args(["-e", code]);
        let output = output(command).await;
        (output.status, format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    /// The call that logs in, and opens a session.
    fn login(&self) -> String {
        format!("remoteLogin(\"{}\", username = \"ada\", password = \"{PASSWORD}\", diff = FALSE)", self.server)
    }

    /// What R prints that gets this script as its input. `LOGIN` stands for the call that logs in.
    fn prints(&self, script: &str) -> String {
        self.prints_with(script, &[])
    }

    /// What it prints with these variables in its environment.
    fn prints_with(&self, script: &str, variables: &[(&str, String)]) -> String {
        let login = self.login();
        let file = self.folder.path().join("script.R");
        std::fs::write(&file, script.replace("LOGIN", &login)).unwrap();
        let mut command = self.command("R");
        command.args(["--no-save", "--no-restore", "--quiet"]).envs(variables.iter().cloned()).stdin(std::fs::File::open(&file).unwrap());
        std::fs::remove_file(&file).unwrap();
        let output = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        text.replace(&login, "LOGIN").replace(&self.server, "[server]")
    }
}
