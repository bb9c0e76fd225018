//! Offshoot: the built program with its defaults, that is with a login, limits and (as root) a user id for each session.
//!
//! Settings differ from the defaults in the number of sessions, in how long an idle connection is kept, and in the size of plots, which is
//! the same for all back ends.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{
    Backend, Session, Settings,
    mlserver::{self, RServer},
    refuse,
    revodeployr::{self, RevoDeployR},
    rock::Rock,
};
use crate::{
    http::Client,
    processes::{Process, children, command},
};

const NAME: &str = "admin";
const PASSWORD: &str = "Linden-7-Kraehen";
/// Name and password (RFC 7617).
const BASIC: &str = "Authorization: Basic YWRtaW46TGluZGVuLTctS3JhZWhlbg==\r\n";
const SCRIPT: &str = "answer <- 1+1";

pub(super) struct Offshoot {
    server: Process,
    address: String,
    api: Api,
    /// The credentials, as a header line.
    credentials: String,
}

/// The API that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    RevoDeployR,
    Rock,
    RServer,
}

impl Offshoot {
    pub(super) fn start(folder: &Path, api: Api, settings: Settings) -> Result<Self> {
        let data = folder.join("data");
        let config = folder.join("offshoot.toml");
        std::fs::write(&config, configuration(folder, settings)?)?;
        // The first start creates the store and the accounts.
        drop(serve(&config, &data)?);
        put_script(folder, &data)?;
        let (server, address) = serve(&config, &data)?;
        let credentials = match api {
            Api::RevoDeployR => revodeployr::login(&address, NAME, PASSWORD)?,
            Api::Rock => BASIC.to_owned(),
            Api::RServer => mlserver::login(&address, NAME, PASSWORD)?,
        };
        let offshoot = Self { server, address, api, credentials };
        if api == Api::RServer {
            mlserver::publish_answer(offshoot.connect()?, SCRIPT)?;
        }
        Ok(offshoot)
    }

    /// A connection whose requests have the credentials.
    fn connect(&self) -> Result<Client> {
        let mut client = Client::connect(&self.address)?;
        client.headers.clone_from(&self.credentials);
        Ok(client)
    }
}

/// Starts the server; returns its process, and its address.
fn serve(config: &Path, data: &Path) -> Result<(Process, String)> {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(config).arg("--data").arg(data);
    command.env("OFFSHOOT_ADMIN_PASSWORD", PASSWORD).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Process::start(&mut command)?;
    let mut line = String::new();
    BufReader::new(server.child.stdout.take().context("no standard output")?).read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on http://").context("Offshoot does not start")?.to_owned();
    Ok((server, address))
}

/// The program, without the settings in this process's environment.
fn program() -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_offshoot"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OFFSHOOT_")) {
        command.env_remove(name);
    }
    command.env("OFFSHOOT_LOG_LEVEL", "warn");
    command
}

fn configuration(folder: &Path, settings: Settings) -> Result<String> {
    let mut text = "http.head_seconds = 3600\nmlserver.plot_pixels = 480\n[sessions]\nmax = 4000\nmax_per_user = 4000\n".to_owned();
    if !settings.pool {
        text.push_str("pool = 0\n");
    }
    if settings.preload_mib > 0 {
        let library = install_package_of(folder, settings.preload_mib)?;
        text.push_str(&format!("memory_mib = 0\n[r]\npreload = ['benchdata']\nlibraries = ['{}']\n", library.display()));
    }
    Ok(text)
}

/// Installs an R package that makes `mib` MiB of data when it is loaded.
fn install_package_of(folder: &Path, mib: usize) -> Result<std::path::PathBuf> {
    let (source, library) = (folder.join("benchdata"), folder.join("library"));
    std::fs::create_dir_all(source.join("R"))?;
    std::fs::create_dir_all(&library)?;
    std::fs::write(source.join("DESCRIPTION"), "Package: benchdata\nVersion: 1.0\nTitle: Data\nDescription: Data.\nLicense: MIT\n")?;
    std::fs::write(source.join("NAMESPACE"), "")?;
    let code = format!(".onLoad <- function(...) assign('data', rep(1, {}), topenv())\n", mib << 17);
    std::fs::write(source.join("R/data.R"), code)?;
    let output = command("R").args(["CMD", "INSTALL", "--no-docs", "--no-test-load", "--library"]).arg(&library).arg(&source).output()?;
    ensure!(output.status.success(), "R CMD INSTALL: {}", String::from_utf8_lossy(&output.stderr));
    Ok(library)
}

/// Puts the script of [`Session::script`] into the store.
fn put_script(folder: &Path, data: &Path) -> Result<()> {
    let file = folder.join("answer.R");
    std::fs::write(&file, SCRIPT)?;
    let mut command = program();
    command.args(["script", "put", "answer"]).arg(&file).args(["--access", "authenticated", "--data"]).arg(data);
    let output = command.env("OFFSHOOT_ADMIN_PASSWORD", PASSWORD).output()?;
    ensure!(output.status.success(), "offshoot script put: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

impl Backend for Offshoot {
    fn open(&self) -> Result<Box<dyn Session>> {
        let client = self.connect()?;
        Ok(match self.api {
            Api::RevoDeployR => Box::new(RevoDeployR::open(client)?),
            Api::Rock => Box::new(Rock::open(client)?),
            Api::RServer => Box::new(RServer::open(client)?),
        })
    }

    fn publish(&self, megabytes: usize) -> Result<()> {
        match self.api {
            Api::RServer => mlserver::publish_model(self.connect()?, megabytes),
            Api::RevoDeployR | Api::Rock => refuse("this API has no services"),
        }
    }

    fn sessions(&self) -> Vec<u32> {
        let zygotes = children(self.server.id());
        zygotes.into_iter().flat_map(children).collect()
    }
}

/// The header for [`multipart`]'s bodies.
pub(super) const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=the-edge-of-a-part\r\n";

/// A form with these fields, and a file if there is one.
pub(super) fn multipart(fields: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    const EDGE: &str = "--the-edge-of-a-part";
    let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 128).sum();
    let mut body = Vec::with_capacity(length + file.map_or(0, <[u8]>::len) + 1024);
    for (name, value) in fields {
        body.extend_from_slice(format!("{EDGE}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    if let Some(file) = file {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"file.bin\"\r\nContent-Type: application/octet-stream";
        body.extend_from_slice(format!("{EDGE}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("{EDGE}--\r\n").as_bytes());
    body
}
