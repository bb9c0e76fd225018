//! Results of calls of services, as JSON. Batches keep them in the form in which they are sent, so it is the core that writes them.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use bytes::Bytes;
use serde::Serialize;

use super::{Failure, services::Consumed};

/// The member with the outputs.
const OUTPUTS: &str = "outputParameters";

/// What is told of a call beside its outputs and files.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    success: bool,
    error_message: &'a str,
    console_output: &'a str,
    changed_files: Vec<&'a str>,
}

/// An object in JSON, up to the value of one more member, which is there already and is not to be copied. `object` has other members.
#[must_use]
pub fn up_to(object: &impl Serialize, member: &str) -> String {
    let mut text = serde_json::to_string(object).unwrap_or_default();
    text.pop();
    text + ",\"" + member + "\":"
}

impl Consumed {
    /// The result as JSON, in three parts. Outputs are as the worker has written them.
    #[must_use]
    pub fn into_json(self) -> [Bytes; 3] {
        let Self { outcome, files, .. } = self;
        let failure = outcome.failure();
        let told = Told {
            success: failure.is_none(),
            error_message: failure.as_deref().unwrap_or_default(),
            console_output: &outcome.console,
            changed_files: outcome.executed.changed.iter().map(|file| file.path.as_str()).collect(),
        };
        let before = up_to(&told, OUTPUTS);
        let mut after = String::new();
        if !files.is_empty() {
            let files: BTreeMap<_, _> = files.iter().map(|(name, content)| (name, STANDARD.encode_to_string(content))).collect();
            after.push_str(",\"outputFiles\":");
            after.push_str(&serde_json::to_string(&files).unwrap_or_default());
        }
        after.push('}');
        let outputs = if outcome.objects.is_empty() { Bytes::from_static(b"{}") } else { outcome.objects };
        [before.into(), outputs, after.into()]
    }
}

/// The result of a call that could not be carried out, for this reason.
pub(super) fn failed(reason: &str) -> String {
    up_to(&Told { error_message: reason, ..Told::default() }, OUTPUTS) + "{}}"
}

/// Why a call could not be carried out, a sentence.
pub(super) fn reason(failure: &Failure) -> String {
    match failure {
        Failure::Operation(error) => format!("The call was not carried out: {error}."),
        Failure::Open(error) => format!("There was no R session for the call: {error}."),
        Failure::Store(_) | Failure::File(_) => {
            tracing::error!(error = failure as &dyn std::error::Error, "a call of a service failed");
            "The server could not do this; its log says why.".to_owned()
        }
        failure => failure.to_string(),
    }
}
