//! Rserve: a forked process for each connection, used over its binary protocol. It requires no login, and sets no limits.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};

use super::{Backend, MODEL, PLOT, Session, Settings};
use crate::{
    data::{Form, Object, Sent},
    processes::{Process, children, command, free_port, wait_until},
    qap::{Connection, Value, XT_ARRAY_DOUBLE, XT_ARRAY_STRING, XT_RAW},
};

pub(super) struct Rserve {
    server: Process,
    address: String,
}

impl Rserve {
    pub(super) fn start(folder: &Path, settings: Settings) -> Result<Self> {
        let port = free_port()?;
        let config = folder.join("Rserve.conf");
        // Sizes in KiB, so that files of 100 MB fit.
        std::fs::write(&config, format!("port {port}\nremote disable\nmaxinbuf 1048576\nworkdir {}\n", folder.join("work").display()))?;
        // Every session has jsonlite loaded, as users would set it up.
        let mut code = "loadNamespace('jsonlite')".to_owned();
        if settings.preload_mib > 0 {
            code.push_str(&format!("; data <- rep(1, {})", settings.preload_mib << 17));
        }
        code.push_str(&format!("; Rserve::run.Rserve(config.file = '{}')", config.display()));
        let mut command = command("R");
        command.args(["--no-echo", "--no-save", "--no-restore", "-e", &code]).current_dir(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Process::start(&mut command)?;
        let address = format!("127.0.0.1:{port}");
        wait_until(&mut server, "Rserve", || Connection::open(&address).is_ok())?;
        Ok(Self { server, address })
    }
}

impl Backend for Rserve {
    fn open(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Forked(Connection::open(&self.address)?)))
    }

    fn sessions(&self) -> Vec<u32> {
        children(self.server.id())
    }
}

struct Forked(Connection);

impl Forked {
    fn json(&mut self, expression: &str) -> Result<Vec<u8>> {
        self.0.eval_to(XT_ARRAY_STRING, &format!("jsonlite::toJSON({expression}, digits = NA)"))
    }
}

impl Session for Forked {
    fn answer(&mut self) -> Result<()> {
        let value = self.0.eval_to(XT_ARRAY_DOUBLE, "1+1")?;
        ensure!(value == 2_f64.to_le_bytes(), "not the answer: {value:?}");
        Ok(())
    }

    fn run(&mut self, code: &str) -> Result<()> {
        self.0.run(&format!("{{{code}}}"))
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        match form {
            Form::Json => self.json(&object.name),
            Form::Binary => self.0.eval(&object.name),
        }
    }

    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        match (form, &sent.qap) {
            (Form::Json, _) => {
                let text = std::str::from_utf8(&sent.json).context("JSON is UTF-8")?;
                self.0.assign("sent", &Value::strings([text].into_iter()))?;
                self.0.run("{sent <- jsonlite::fromJSON(sent); if (is.list(sent)) sent <- as.data.frame(sent)}")
            }
            (Form::Binary, Some(value)) => self.0.assign("sent", value),
            (Form::Binary, None) => {
                self.0.assign("sent", &Value::raw(&sent.rds)?)?;
                self.0.run("sent <- unserialize(sent)")
            }
        }
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        self.0.eval_to(XT_RAW, &format!("{{png('plot.png'); {PLOT}; dev.off(); readBin('plot.png', 'raw', 1e6)}}"))
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        self.json(MODEL)
    }

    fn upload(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_file("file.bin", bytes)
    }

    fn download(&mut self) -> Result<Vec<u8>> {
        self.0.read_file("file.bin")
    }
}
