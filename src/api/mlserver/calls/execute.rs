//! Code in a session: `execute`, `cancel`, `console-output`, `history` (contract, Sessions).

use std::borrow::Cow;

use axum::{body::Body, http::StatusCode, response::Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::{
        accept,
        body::PartsBody,
        console,
        mlserver::{
            answer,
            error::Error,
            request::{Incoming, parse},
        },
    },
    app::{
        evaluation::{Admission, Encoding},
        results::up_to,
        runs::{InputForm, PlotFiles, Reporting, Run, RunResult},
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecuteRequest<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow, default)]
    input_parameters: Option<&'a RawValue>,
    #[serde(default)]
    output_parameters: Option<Vec<String>>,
}

/// `POST /sessions/{id}/execute`
pub async fn execute(incoming: &mut Incoming) -> Result<Response, Error> {
    let session = incoming.session()?;
    let body = incoming.read_body().await?;
    let request: ExecuteRequest<'_> = parse(&body, r#"{"code": "...", "inputParameters": [...], "outputParameters": [...]}"#)?;
    let settings = &incoming.app.settings().mlserver;
    incoming.app.history_add(&session, &request.code);
    let run = Run {
        code: &request.code,
        inputs: request.input_parameters.map(RawValue::get).filter(|inputs| *inputs != "null").unwrap_or_default(),
        form: InputForm::Plain(None),
        objects: request.output_parameters.unwrap_or_default(),
        encoding: Encoding::PlainPairs,
        plots: PlotFiles { size: [settings.plot_pixels; 2], publish: false },
        reporting: Reporting::Console,
        print: true,
        admission: Admission::Queued,
        ..Run::default()
    };
    let outcome = incoming.app.execute(&session, run).await?;
    Ok(answer::json_body(StatusCode::OK, outcome_body(outcome)))
}

/// What is told of a run beside its outputs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Beginning<'a> {
    success: bool,
    error_message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rest<'a> {
    console_output: &'a str,
    changed_files: Vec<&'a str>,
}

/// The answer to a run. Its outputs are sent as the worker has written them.
fn outcome_body(outcome: RunResult) -> Body {
    let failure = outcome.failure();
    let beginning = Beginning { success: failure.is_none(), error_message: failure.as_deref().unwrap_or_default() };
    let rest =
        Rest { console_output: &outcome.console, changed_files: outcome.executed.changed.iter().map(|file| file.path.as_str()).collect() };
    let before = up_to(&beginning, "outputParameters");
    let after = serde_json::to_string(&rest).unwrap_or_default().replacen('{', ",", 1);
    Body::new(PartsBody::new([Bytes::from(before), outcome.objects, Bytes::from(after)]))
}

/// `POST /sessions/{id}/cancel`: stops what the session is running, if anything. The session lives on.
pub async fn cancel(incoming: &mut Incoming) -> Result<Response, Error> {
    incoming.session()?.interrupt();
    Ok(answer::empty(StatusCode::OK))
}

/// `GET /sessions/{id}/console-output`: the output of the running execution so far, or of the last one. As `text/event-stream`, it comes
/// while it is printed, which the original does not have.
pub async fn console_output(incoming: &mut Incoming) -> Result<Response, Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ConsoleOutput {
        console_output: String,
    }
    let session = incoming.session()?;
    if accept::prefer(&incoming.headers, ["application/json", "text/event-stream"]) == Some(1) {
        return Ok(console::events(session));
    }
    Ok(answer::json(StatusCode::OK, &ConsoleOutput { console_output: session.console.text() }))
}

/// `GET /sessions/{id}/history`: what was executed, oldest first.
pub async fn history(incoming: &mut Incoming) -> Result<Response, Error> {
    let history = incoming.session()?.record.history();
    Ok(answer::json(StatusCode::OK, &history.iter().map(AsRef::as_ref).collect::<Vec<&str>>()))
}
