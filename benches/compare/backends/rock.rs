//! Offshoot through OBiBa Rock's API: with a name and a password in each request, plain code, and values as JSON or RDS.

use anyhow::{Result, ensure};

use super::{
    MODEL, PLOT, Session,
    offshoot::{MULTIPART, multipart},
    refuse,
};
use crate::{
    data::{Form, Object, Sent},
    http::{Client, between},
};

const SCRIPT: &str = "Content-Type: application/x-rscript\r\n";

pub(super) struct Rock {
    client: Client,
    /// The path of the session.
    path: String,
}

impl Rock {
    /// Opens a session for the user whom the client's credentials name.
    pub(super) fn open(mut client: Client) -> Result<Self> {
        let answer = String::from_utf8(client.post("/r/sessions", "", &[])?)?;
        let path = format!("/r/session/{}", between(&answer, "\"id\":\"", "\"")?);
        Ok(Self { client, path })
    }

    /// The value of the code's last statement.
    fn eval(&mut self, code: &str, form: Form) -> Result<Vec<u8>> {
        let accept = match form {
            Form::Json => "Accept: application/json\r\n",
            Form::Binary => "Accept: application/octet-stream\r\n",
        };
        self.client.post(&format!("{}/_eval", self.path), &format!("{SCRIPT}{accept}"), code.as_bytes())
    }
}

impl Session for Rock {
    fn answer(&mut self) -> Result<()> {
        let answer = self.eval("1+1", Form::Json)?;
        ensure!(answer == b"2", "not the answer: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn run(&mut self, code: &str) -> Result<()> {
        self.eval(&format!("{code}\nNULL"), Form::Json).map(drop)
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        self.eval(&object.name, form)
    }

    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        if form == Form::Json {
            return refuse("Rock takes values as R serializes them");
        }
        let path = format!("{}/_assign?s={}", self.path, sent.name);
        self.client.post(&path, "Content-Type: application/x-rdata\r\n", &sent.base64).map(drop)
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        self.client.post(&format!("{}/_eval?width=480&height=480", self.path), SCRIPT, format!("{PLOT}\nNULL").as_bytes())?;
        self.client.send("GET", &format!("{}/_plots/1", self.path), "Accept: image/png\r\n", &[])
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        self.eval(MODEL, Form::Json)
    }

    /// Rock cannot call scripts by name, so the code is sent and runs in a session of its own.
    fn script(&mut self) -> Result<()> {
        let answer = self.client.post("/r/_eval", SCRIPT, b"1+1")?;
        ensure!(answer == b"2", "not the answer: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn upload(&mut self, bytes: &[u8]) -> Result<()> {
        let path = format!("{}/_upload?path=file.bin&overwrite=true", self.path);
        self.client.post(&path, MULTIPART, &multipart(&[], Some(bytes))).map(drop)
    }

    fn download(&mut self) -> Result<Vec<u8>> {
        self.client.get(&format!("{}/_download?path=file.bin", self.path))
    }
}

impl Drop for Rock {
    fn drop(&mut self) {
        let _ = self.client.send("DELETE", &self.path, "", &[]);
    }
}
