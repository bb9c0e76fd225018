//! `/r/session/{id}/_eval`, `_assign` and `/r/_eval` (contract, section 8).

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};
use bytes::Bytes;
use uuid::Uuid;

use crate::{
    api::{
        address,
        rock::{
            accept::MediaType,
            answer,
            error::Error,
            request::Incoming,
            value::value,
            views::{CommandView, Info},
        },
    },
    app::{
        App, Failure,
        evaluation::{Canvas, Evaluation, ValueEncoding},
        sessions::{Author, Session},
    },
    wire::base64,
};

const SCRIPT: &str = "application/x-rscript";
const DATA: &str = "application/x-rdata";

impl MediaType {
    fn encoding(self) -> ValueEncoding {
        match self {
            Self::Json => ValueEncoding::Json,
            Self::Rds => ValueEncoding::Rds,
        }
    }
}

/// `POST .../_eval`: the value of the last statement; with `async`, a command that will give it later.
pub async fn evaluate(incoming: &mut Incoming) -> Result<Response, Error> {
    let asynchronous = incoming.boolean("async", false)?;
    let form = MediaType::negotiate(&incoming.headers)?;
    let canvas = canvas(incoming)?;
    let script = read_script(incoming).await?;
    let session = incoming.session()?;
    let label = if asynchronous { script.clone() } else { String::new() };
    let evaluation = Evaluation::Value { code: script, encoding: form.encoding(), canvas };
    if asynchronous {
        return submit(incoming, &session, evaluation, label, form);
    }
    let bytes = operate(&incoming.app, &session, evaluation).await?.unwrap_or_default();
    Ok(answer::value(StatusCode::OK, form, bytes))
}

/// `POST .../_assign?s=name`: binds the value of a script, or a serialized value, to a name.
pub async fn assign(incoming: &mut Incoming) -> Result<Response, Error> {
    let name = incoming.query.get("s")?.ok_or_else(|| Error::missing("Required parameter 's' is not present."))?.to_owned();
    let asynchronous = incoming.boolean("async", false)?;
    let (evaluation, label) = match incoming.content_type().as_str() {
        SCRIPT => {
            let code = incoming.read_script().await?;
            let label = format!("base::assign('{name}', {code})");
            (Evaluation::Bind { name, code, canvas: canvas(incoming)? }, label)
        }
        DATA => {
            let value = decode(incoming.read_body().await?)?;
            let label = format!("{name} <- byte[{}]", value.len());
            (Evaluation::BindSerialized { name, value }, label)
        }
        _ => return Err(Error::wrong_type("application/x-rscript or application/x-rdata")),
    };
    let session = incoming.session()?;
    if asynchronous {
        return submit(incoming, &session, evaluation, label, MediaType::Json);
    }
    operate(&incoming.app, &session, evaluation).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `POST /r/_eval`: the value of a script in a session of its own, which ends with the answer, or when the client goes away. Not in the
/// original.
pub async fn once(incoming: &mut Incoming) -> Result<Response, Error> {
    let form = MediaType::negotiate(&incoming.headers)?;
    let script = read_script(incoming).await?;
    let ephemeral = incoming.app.session_open_ephemeral(incoming.principal(), None, Author::Caller).await?;
    let evaluation = Evaluation::Value { code: script, encoding: form.encoding(), canvas: Canvas::default() };
    let bytes = operate(&incoming.app, &ephemeral.session, evaluation).await?.unwrap_or_default();
    Ok(answer::value(StatusCode::OK, form, bytes))
}

/// Describes a new session to its code, as the hidden object `.info`.
pub async fn introduce(incoming: &Incoming, session: &Arc<Session>) -> Result<(), Error> {
    let value = Info::of(&incoming.app).serialized().into();
    operate(&incoming.app, session, Evaluation::BindSerialized { name: ".info".to_owned(), value }).await?;
    Ok(())
}

/// R's answer to a question of the server's, whose code finds `arguments` in the character vector `.arguments`.
pub async fn ask(incoming: &Incoming, code: &'static str, arguments: &[&str], form: MediaType) -> Result<Bytes, Error> {
    let done = incoming.app.question(code, arguments, form.encoding()).await.map_err(|failure| match failure {
        Failure::Open(error) => error.into(),
        // No client sent this code, so its failure is the server's fault.
        failure => Error::no_r(failure.to_string()),
    })?;
    let given = value(&Ok(done), Uuid::nil()).map_err(|error| Error::no_r(error.message()))?;
    Ok(given.unwrap_or_default())
}

async fn operate(app: &App, session: &Arc<Session>, evaluation: Evaluation) -> Result<Option<Bytes>, Error> {
    value(&app.evaluate(session, evaluation).await, session.id)
}

/// Leaves an evaluation to the session. The answer is the command, which the client can ask about.
fn submit(incoming: &Incoming, session: &Arc<Session>, evaluation: Evaluation, label: String, form: MediaType) -> Result<Response, Error> {
    let command = incoming.app.evaluate_later(session, evaluation, label, form as u8);
    let command = command.map_err(|error| Error::of_operation(error, session.id))?;
    let location = format!("{}/r/session/{}/command/{}", address(&incoming.headers), session.id, command.number);
    Ok(answer::created(&location, &CommandView::of(&command, session.id)))
}

/// The size of the plots that a script draws: they are exactly what R's `png()` draws in this size.
fn canvas(incoming: &Incoming) -> Result<Canvas, Error> {
    let default = Canvas::default();
    Ok(Canvas {
        width: incoming.pixels("width")?.unwrap_or(default.width),
        height: incoming.pixels("height")?.unwrap_or(default.height),
        resolution: incoming.resolution()?.unwrap_or(default.resolution),
    })
}

/// Reads a script. The request need not declare its type.
async fn read_script(incoming: &mut Incoming) -> Result<String, Error> {
    match incoming.content_type().as_str() {
        SCRIPT | "" => incoming.read_script().await,
        _ => Err(Error::wrong_type(SCRIPT)),
    }
}

/// Decodes base64 in place.
fn decode(encoded: Bytes) -> Result<Bytes, Error> {
    let decoded = base64::decode(encoded.into());
    decoded.map(Bytes::from).map_err(|_| Error::invalid("The body of the request is not base64"))
}
