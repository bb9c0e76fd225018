//! R over pipes, one process for the whole session: code goes in as text, and results come out as jsonlite's JSON.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{ChildStdin, ChildStdout, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};

use super::{Backend, MODEL, PLOT, Session, refuse};
use crate::{
    data::{Form, Object, Sent},
    processes::{Process, command},
};

/// Ends each result: a character that cannot occur in JSON.
const END: u8 = 1;

type Running = Arc<Mutex<Vec<u32>>>;

pub(super) struct Subprocess {
    folder: PathBuf,
    running: Running,
}

impl Subprocess {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, running: Running::default() }
    }
}

impl Backend for Subprocess {
    fn open(&self) -> Result<Box<dyn Session>> {
        let folder = tempfile::Builder::new().tempdir_in(&self.folder)?.keep();
        let mut command = command("R");
        command.args(["--no-echo", "--no-save", "--no-restore"]).current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let input = process.child.stdin.take().context("no standard input")?;
        let output = BufReader::with_capacity(256 << 10, process.child.stdout.take().context("no standard output")?);
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(process.id());
        Ok(Box::new(Pipes { process, input, output, folder, running: Arc::clone(&self.running) }))
    }

    fn sessions(&self) -> Vec<u32> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Pipes {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    running: Running,
}

impl Pipes {
    /// The value of an expression as JSON.
    fn value(&mut self, expression: &str) -> Result<Vec<u8>> {
        self.request(&format!("cat(jsonlite::toJSON({expression}, digits = NA), '\\001', sep = '')\n"))
    }

    /// The text that a line of code prints before the end mark.
    fn request(&mut self, line: &str) -> Result<Vec<u8>> {
        self.input.write_all(line.as_bytes())?;
        let mut result = Vec::new();
        self.output.read_until(END, &mut result)?;
        ensure!(result.pop() == Some(END), "R has ended: {}", String::from_utf8_lossy(&result));
        Ok(result)
    }
}

impl Session for Pipes {
    fn answer(&mut self) -> Result<()> {
        let value = self.value("1+1")?;
        ensure!(value == b"[2]", "not the answer: {}", String::from_utf8_lossy(&value));
        Ok(())
    }

    fn run(&mut self, code: &str) -> Result<()> {
        self.request(&format!("invisible({{{code}}}); cat('\\001')\n")).map(drop)
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        if form == Form::Binary {
            return refuse("its pipes are text");
        }
        self.value(&object.name)
    }

    fn serialize(&mut self, object: &Object) -> Result<()> {
        self.run(&format!("serialize({}, NULL)", object.name))
    }

    /// Through a file, because R reads its standard input in pieces of 4 KiB, which would take longer.
    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        let (bytes, read) = match form {
            Form::Json => (&sent.json, "jsonlite::fromJSON('sent')"),
            Form::Binary => (&sent.rds, "unserialize(readBin('sent', 'raw', file.size('sent')))"),
        };
        std::fs::write(self.folder.join("sent"), bytes)?;
        self.run(&format!("sent <- {read}; if (is.list(sent)) sent <- as.data.frame(sent)"))
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        self.run(&format!("png('plot.png'); {PLOT}; dev.off()"))?;
        Ok(std::fs::read(self.folder.join("plot.png"))?)
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        self.value(MODEL)
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).retain(|&pid| pid != self.process.id());
    }
}
