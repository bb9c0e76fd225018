//! Offshoot through its `RevoDeployR` API: with a cookie, forms, and JSON in a type model.

use anyhow::{Context, Result, ensure};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    MODEL, PLOT, Session,
    offshoot::{MULTIPART, multipart},
    refuse,
};
use crate::{
    data::{Form, Object, Sent},
    http::{Client, between},
};

pub(super) struct RevoDeployR {
    client: Client,
    id: String,
}

/// Logs in; returns the cookie as a header line.
pub(super) fn login(address: &str, name: &str, password: &str) -> Result<String> {
    let form = format!("username={name}&password={password}");
    let answer = Client::connect(address)?.post("/deployr/r/user/login", "", form.as_bytes())?;
    Ok(format!("Cookie: JSESSIONID={}\r\n", between(&String::from_utf8(answer)?, "\"cookie\":\"", "\"")?))
}

impl RevoDeployR {
    /// Opens a session for a client that has logged in.
    pub(super) fn open(mut client: Client) -> Result<Self> {
        let answer = client.post("/deployr/r/session/create", "", &[])?;
        let id = between(&String::from_utf8(answer)?, "\"session\":\"", "\"")?.to_owned();
        Ok(Self { client, id })
    }

    /// Runs code; returns the whole answer, which has these objects.
    fn execute(&mut self, code: &str, objects: &str) -> Result<String> {
        let code = utf8_percent_encode(code, NON_ALPHANUMERIC);
        let form = format!("session={}&code={code}&robjects={objects}", self.id);
        succeeded(self.client.post("/deployr/r/session/execute/code", "", form.as_bytes())?)
    }
}

fn succeeded(answer: Vec<u8>) -> Result<String> {
    let answer = String::from_utf8(answer)?;
    let start = answer.get(..answer.len().min(200)).unwrap_or_default();
    ensure!(start.contains("\"success\":true"), "Offshoot answers {start}");
    Ok(answer)
}

impl Session for RevoDeployR {
    fn answer(&mut self) -> Result<()> {
        let answer = self.execute("x <- 1+1", "x")?;
        ensure!(answer.contains("\"value\":2}"), "not the answer: {answer}");
        Ok(())
    }

    fn run(&mut self, code: &str) -> Result<()> {
        self.execute(code, "").map(drop)
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        if form == Form::Binary {
            return refuse("RevoDeployR has values as JSON and XML");
        }
        self.client.get(&format!("/deployr/r/session/object/get?format=json&session={}&name={}", self.id, object.name))
    }

    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        if form == Form::Binary {
            return refuse("RevoDeployR has values as JSON and XML");
        }
        let body = multipart(&[("session", &self.id), ("inputs", &sent.inputs)], None);
        succeeded(self.client.post("/deployr/r/session/object/push", MULTIPART, &body)?).map(drop)
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        let answer = self.execute(PLOT, "")?;
        let url = between(&answer, "unnamedplot001.png\":{\"value\":\"http://", "\"")?;
        let path = url.find('/').and_then(|at| url.get(at..)).context("no path in the plot's address")?;
        self.client.get(path)
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        Ok(self.execute(&format!("coefficients <- {MODEL}"), "coefficients")?.into_bytes())
    }

    fn script(&mut self) -> Result<()> {
        let answer = succeeded(self.client.post("/deployr/r/script/execute", "", b"rscript=answer&robjects=answer")?)?;
        ensure!(answer.contains("\"value\":2}"), "not the answer: {answer}");
        Ok(())
    }

    fn upload(&mut self, bytes: &[u8]) -> Result<()> {
        let body = multipart(&[("session", &self.id), ("name", "file.bin")], Some(bytes));
        succeeded(self.client.post("/deployr/r/session/file/upload", MULTIPART, &body)?).map(drop)
    }

    fn download(&mut self) -> Result<Vec<u8>> {
        self.client.get(&format!("/deployr/r/session/file/download?session={}&name=file.bin", self.id))
    }
}

impl Drop for RevoDeployR {
    fn drop(&mut self) {
        let form = format!("session={}", self.id);
        let _ = self.client.post("/deployr/r/session/close", "", form.as_bytes());
    }
}
