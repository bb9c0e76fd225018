//! Offshoot through Microsoft R Server's API: with a token in each request, and plain JSON.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{
    MODEL, PLOT, Session,
    offshoot::{MULTIPART, multipart},
    service::{self, FIT, INPUTS, PREDICT},
};
use crate::{
    data::{Form, Object, Sent},
    http::{Client, between},
};

const JSON: &str = "Content-Type: application/json\r\n";
const BYTES: &str = "Content-Type: application/octet-stream\r\n";
/// The service that takes the place of a script.
const ANSWER: &str = "answer/1.0";

pub(super) struct RServer {
    client: Client,
    /// The path of the session.
    path: String,
}

/// Logs in; returns the access token as a header line.
pub(super) fn login(address: &str, name: &str, password: &str) -> Result<String> {
    let body = json!({"username": name, "password": password}).to_string();
    let answer = Client::connect(address)?.post("/login", JSON, body.as_bytes())?;
    Ok(format!("Authorization: Bearer {}\r\n", between(&String::from_utf8(answer)?, "\"access_token\":\"", "\"")?))
}

/// Publishes the service that [`Session::script`] calls. It has no image.
pub(super) fn publish_answer(mut client: Client, code: &str) -> Result<()> {
    let outputs = json!([{"name": "answer", "type": "numeric"}]);
    publish(&mut client, ANSWER, &json!({"code": code, "outputParameterDefinitions": outputs}))
}

/// Publishes the service of [`super::Backend::publish`]. Its image is the snapshot of a session, which is closed then.
pub(super) fn publish_model(client: Client, megabytes: usize) -> Result<()> {
    let mut session = RServer::open(client)?;
    session.run(&format!("model <- {FIT}; {}", service::ballast(megabytes)))?;
    let snapshot = session.client.post(&format!("{}/snapshot", session.path), JSON, b"{}")?;
    let definition = json!({
        "code": format!("answer <- {PREDICT}"),
        "snapshotId": between(&String::from_utf8(snapshot)?, "\"snapshotId\":\"", "\"")?,
        "inputParameterDefinitions": [{"name": "hp", "type": "numeric"}, {"name": "wt", "type": "numeric"}],
        "outputParameterDefinitions": [{"name": "answer", "type": "numeric"}],
    });
    publish(&mut session.client, &name(megabytes), &definition)
}

/// The name and the version of a service with an image of this size.
fn name(megabytes: usize) -> String {
    format!("manual-transmission/{megabytes}.0")
}

fn publish(client: &mut Client, service: &str, definition: &Value) -> Result<()> {
    client.post(&format!("/services/{service}"), JSON, definition.to_string().as_bytes()).map(drop)
}

impl RServer {
    /// Opens a session for a client that has logged in.
    pub(super) fn open(mut client: Client) -> Result<Self> {
        let answer = String::from_utf8(client.post("/sessions", JSON, b"{}")?)?;
        let path = format!("/sessions/{}", between(&answer, "\"sessionId\":\"", "\"")?);
        Ok(Self { client, path })
    }

    /// Runs code; returns the whole answer, which has these objects.
    fn execute(&mut self, code: &str, objects: &[&str]) -> Result<Vec<u8>> {
        self.execute_body(&json!({"code": code, "outputParameters": objects}).to_string().into_bytes())
    }

    fn execute_body(&mut self, body: &[u8]) -> Result<Vec<u8>> {
        succeeded(self.client.post(&format!("{}/execute", self.path), JSON, body)?)
    }

    /// The output `answer` of a call.
    fn call(&mut self, service: &str, inputs: &[u8]) -> Result<f64> {
        let answer = succeeded(self.client.post(&format!("/api/{service}"), JSON, inputs)?)?;
        let answer: Value = serde_json::from_slice(&answer)?;
        answer.pointer("/outputParameters/answer").and_then(Value::as_f64).with_context(|| format!("no answer in {answer}"))
    }
}

fn succeeded(answer: Vec<u8>) -> Result<Vec<u8>> {
    let start = String::from_utf8_lossy(answer.get(..answer.len().min(200)).unwrap_or_default());
    ensure!(start.contains("\"success\":true"), "Offshoot answers {start}");
    Ok(answer)
}

impl Session for RServer {
    fn answer(&mut self) -> Result<()> {
        let answer = String::from_utf8(self.execute("x <- 1+1", &["x"])?)?;
        ensure!(answer.contains("\"value\":2}"), "not the answer: {answer}");
        Ok(())
    }

    fn run(&mut self, code: &str) -> Result<()> {
        self.execute(code, &[]).map(drop)
    }

    fn fetch(&mut self, object: &Object, form: Form) -> Result<Vec<u8>> {
        match form {
            Form::Json => self.execute("", &[&object.name]),
            Form::Binary => self.client.get(&format!("{}/workspace/{}", self.path, object.name)),
        }
    }

    fn send(&mut self, sent: &Sent, form: Form) -> Result<()> {
        match form {
            Form::Json => {
                let before = format!("{{\"code\":\"\",\"inputParameters\":[{{\"name\":\"{}\",\"value\":", sent.name);
                self.execute_body(&[before.as_bytes(), &sent.json, b"}]}"].concat()).map(drop)
            }
            Form::Binary => self.client.post(&format!("{}/workspace/{}", self.path, sent.name), BYTES, &sent.rds).map(drop),
        }
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        let answer = String::from_utf8(self.execute(PLOT, &[])?)?;
        let file = between(&answer, "\"changedFiles\":[\"", "\"")?;
        self.client.get(&format!("{}/files/{file}", self.path))
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        self.execute(&format!("coefficients <- {MODEL}"), &["coefficients"])
    }

    fn script(&mut self) -> Result<()> {
        let answer = self.call(ANSWER, b"{}")?;
        ensure!((answer - 2.0).abs() < f64::EPSILON, "not the answer: {answer}");
        Ok(())
    }

    fn consume(&mut self, megabytes: usize) -> Result<()> {
        service::check(self.call(&name(megabytes), INPUTS)?)
    }

    fn upload(&mut self, bytes: &[u8]) -> Result<()> {
        self.client.post(&format!("{}/files", self.path), MULTIPART, &multipart(&[], Some(bytes))).map(drop)
    }

    fn download(&mut self) -> Result<Vec<u8>> {
        self.client.get(&format!("{}/files/file.bin", self.path))
    }
}

impl Drop for RServer {
    fn drop(&mut self) {
        let _ = self.client.send("DELETE", &self.path, "", &[]);
    }
}
