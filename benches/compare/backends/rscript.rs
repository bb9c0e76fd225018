//! A process for each request: `Rscript -e`, which has to make its data anew each time.

use std::{path::PathBuf, process::Stdio};

use anyhow::{Result, ensure};

use super::{Backend, COMPUTE, MODEL, MODEL_DATA, PLOT, Session, refuse};
use crate::{
    data::{Form, Object, Sent},
    processes::{Process, command},
};

pub(super) struct Rscript {
    folder: PathBuf,
}

impl Rscript {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Backend for Rscript {
    fn open(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Requests { folder: tempfile::Builder::new().tempdir_in(&self.folder)?.keep() }))
    }
}

struct Requests {
    folder: PathBuf,
}

impl Requests {
    /// The output of the code.
    fn request(&self, code: &str) -> Result<Vec<u8>> {
        use std::io::Read;
        let mut command = command("Rscript");
        command.args(["-e", code]).current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let mut printed = Vec::new();
        if let Some(output) = &mut process.child.stdout {
            output.read_to_end(&mut printed)?;
        }
        let status = process.child.wait()?;
        ensure!(status.success(), "Rscript: {status}");
        Ok(printed)
    }
}

impl Session for Requests {
    fn answer(&mut self) -> Result<()> {
        let printed = self.request("1+1")?;
        ensure!(printed == b"[1] 2\n", "not the answer: {}", String::from_utf8_lossy(&printed));
        Ok(())
    }

    /// Does nothing, because nothing stays. Later requests run this code themselves.
    fn run(&mut self, _code: &str) -> Result<()> {
        Ok(())
    }

    fn compute(&mut self) -> Result<()> {
        self.request(COMPUTE).map(drop)
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        if form == Form::Binary {
            return refuse("its standard output is text");
        }
        self.request(&format!("{}; cat(jsonlite::toJSON({}, digits = NA))", object.code, object.name))
    }

    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        let (bytes, read) = match form {
            Form::Json => (&sent.json, "jsonlite::fromJSON('sent')"),
            Form::Binary => (&sent.rds, "unserialize(readBin('sent', 'raw', file.size('sent')))"),
        };
        std::fs::write(self.folder.join("sent"), bytes)?;
        self.request(&format!("sent <- {read}; if (is.list(sent)) sent <- as.data.frame(sent); {}", sent.check)).map(drop)
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        self.request(&format!("png('plot.png'); {PLOT}; invisible(dev.off())"))?;
        Ok(std::fs::read(self.folder.join("plot.png"))?)
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        self.request(&format!("{MODEL_DATA}; cat(jsonlite::toJSON({MODEL}, digits = NA))"))
    }

    fn script(&mut self) -> Result<()> {
        self.answer()
    }
}
