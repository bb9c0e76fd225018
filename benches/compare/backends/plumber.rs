//! plumber: one R process that answers HTTP, one request after another. There are no sessions: all requests share this R.

use std::{path::Path, process::Stdio};

use anyhow::{Result, ensure};

use super::{
    Backend, Session,
    service::{self, INPUTS},
};
use crate::{
    data::{Form, Object, Sent},
    http::Client,
    processes::{Process, command, free_port, wait_until},
};

const ROUTES: &str = include_str!("plumber.R");
const JSON: &str = "Content-Type: application/json\r\n";
const BYTES: &str = "Content-Type: application/octet-stream\r\n";

pub(super) struct Plumber {
    address: String,
    /// The process, which ends when this value is dropped.
    _server: Process,
}

impl Plumber {
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        std::fs::write(folder.join("plumber.R"), ROUTES)?;
        let code = format!("plumber::pr_run(plumber::pr('plumber.R'), host = '127.0.0.1', port = {port}, docs = FALSE, quiet = TRUE)");
        let mut command = command("R");
        command.args(["--no-echo", "--no-save", "--no-restore", "-e", &code]).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Process::start(&mut command)?;
        let address = format!("127.0.0.1:{port}");
        wait_until(&mut server, "plumber", || Client::connect(&address).is_ok_and(|mut client| client.get("/answer").is_ok()))?;
        Ok(Self { address, _server: server })
    }
}

impl Backend for Plumber {
    fn open(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Shared(Client::connect(&self.address)?)))
    }

    /// The model is there from the start, and the object stays in R as long as R runs.
    fn publish(&self, megabytes: usize) -> Result<()> {
        Shared(Client::connect(&self.address)?).run(&service::ballast(megabytes))
    }
}

struct Shared(Client);

impl Session for Shared {
    fn answer(&mut self) -> Result<()> {
        let answer = self.0.get("/answer")?;
        ensure!(answer == b"[2]", "not the answer: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn run(&mut self, code: &str) -> Result<()> {
        self.0.post("/run", BYTES, code.as_bytes()).map(drop)
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        let route = if form == Form::Json { "json" } else { "rds" };
        self.0.get(&format!("/{route}?name={}", object.name))
    }

    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        match form {
            Form::Json => self.0.post("/json", BYTES, &sent.json),
            Form::Binary => self.0.post("/rds", BYTES, &sent.rds),
        }
        .map(drop)
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        self.0.get("/plot")
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        self.0.get("/model")
    }

    fn script(&mut self) -> Result<()> {
        self.answer()
    }

    fn consume(&mut self, _megabytes: usize) -> Result<()> {
        let [prediction] = serde_json::from_slice(&self.0.post("/predict", JSON, INPUTS)?)?;
        service::check(prediction)
    }

    fn upload(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.post("/file", BYTES, bytes).map(drop)
    }

    fn download(&mut self) -> Result<Vec<u8>> {
        self.0.get("/file")
    }
}
