//! Programs in Node: what checks descriptions of interfaces, and a client that is made from one.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::harness::node;

/// A request and its answer, as they are compared with a description.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) method: String,
    /// As the description has it.
    pub(super) path: String,
    /// What was sent, if it was JSON.
    pub(super) request: Option<Value>,
    pub(super) status: u16,
    /// The type of the answer, without parameters.
    pub(super) content_type: Option<String>,
    /// The answer, if it is JSON.
    pub(super) answer: Option<Value>,
}

impl Exchange {
    fn told(&self) -> Value {
        let mut told = json!({ "method": self.method, "path": self.path, "status": self.status, "type": self.content_type });
        let parts = [("request", &self.request), ("answer", &self.answer)];
        parts.into_iter().filter_map(|(name, part)| Some((name, part.clone()?))).for_each(|(name, part)| told[name] = part);
        told
    }
}

/// Whether a description is one, and exchanges are as it says; not looked at where Node is missing.
pub(super) fn check(description: &Value, exchanges: &[Exchange]) {
    let exchanges: Vec<Value> = exchanges.iter().map(Exchange::told).collect();
    if let Some(wrong) = run("check.mjs", &json!({ "description": description, "exchanges": exchanges })) {
        assert_eq!(wrong, json!([]), "{wrong:#}");
    }
}

/// Gives a program what it reads, and returns what it prints.
pub(super) fn run(script: &str, input: &Value) -> Option<Value> {
    let mut command = node(&format!("mlserver/clients/{script}"))?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
