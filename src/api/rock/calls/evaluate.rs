//! `/r/session/{id}/_eval`, `_assign` and `/r/_eval` (contract, section 8).

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};
use bytes::Bytes;
use uuid::Uuid;

use crate::{
    api::{
        address,
        rock::{
            accept::Form,
            answer,
            error::Error,
            request::Incoming,
            views::{CommandView, Info},
        },
    },
    link::command::{Command, Ending, Evaluate, Unserialize, Use},
    session::{Admission, Done, OperationError, Session, Stop},
    wire::{ValueEncoding, base64, rds},
};

const SCRIPT: &str = "application/x-rscript";
const DATA: &str = "application/x-rdata";

impl Form {
    fn encoding(self) -> ValueEncoding {
        match self {
            Self::Json => ValueEncoding::Json,
            Self::Rds => ValueEncoding::Rds,
        }
    }
}

/// `POST .../_eval`: the value of the last statement, or with `async` a command that gives it later.
pub async fn evaluate(mut incoming: Incoming) -> Result<Response, Error> {
    let asynchronous = incoming.boolean("async", false)?;
    let form = Form::negotiate(&incoming.headers)?;
    let script = read_script(&mut incoming).await?;
    let session = incoming.session()?;
    let command = Evaluate(Use::Return(form.encoding()));
    if asynchronous {
        return submit(&incoming, &session, command, script.clone().into(), script, form);
    }
    let bytes = operate(&session, command, script.into()).await?.unwrap_or_default();
    Ok(answer::value(StatusCode::OK, form, bytes))
}

/// `POST .../_assign?s=name`: the value of a script, or a serialized value, is bound to a name.
pub async fn assign(mut incoming: Incoming) -> Result<Response, Error> {
    let name = incoming.query.get("s")?.ok_or_else(|| Error::missing("Required parameter 's' is not present."))?.to_owned();
    let asynchronous = incoming.boolean("async", false)?;
    match incoming.content_type().as_str() {
        SCRIPT => {
            let script = incoming.read_script().await?;
            let label = format!("base::assign('{name}', {script})");
            bind(&incoming, Evaluate(Use::Assign(name)), script.into(), label, asynchronous).await
        }
        DATA => {
            let value = decode(incoming.read_body().await?)?;
            let label = format!("{name} <- byte[{}]", value.len());
            bind(&incoming, Unserialize { name }, value, label, asynchronous).await
        }
        _ => Err(Error::wrong_type("application/x-rscript or application/x-rdata")),
    }
}

async fn bind<C: Command<Reply = Ending> + 'static>(
    incoming: &Incoming,
    command: C,
    content: Bytes,
    label: String,
    asynchronous: bool,
) -> Result<Response, Error> {
    let session = incoming.session()?;
    if asynchronous {
        return submit(incoming, &session, command, content, label, Form::Json);
    }
    operate(&session, command, content).await?;
    Ok(answer::empty(StatusCode::OK))
}

/// `POST /r/_eval`: the value of a script in a session for it alone, which ends with the answer, or when the
/// client goes away. Not in the original.
pub async fn once(mut incoming: Incoming) -> Result<Response, Error> {
    let form = Form::negotiate(&incoming.headers)?;
    let script = read_script(&mut incoming).await?;
    let passing = incoming.app.open_for_run(&incoming.caller()?.name, None, None).await?;
    let command = Evaluate(Use::Return(form.encoding()));
    let bytes = operate(&passing.session, command, script.into()).await?.unwrap_or_default();
    Ok(answer::value(StatusCode::OK, form, bytes))
}

/// Tells a new session what it is in, as the hidden object `.info`.
pub async fn introduce(incoming: &Incoming, session: &Arc<Session>) -> Result<(), Error> {
    let content = Info::of(&incoming.app).serialized();
    operate(session, Unserialize { name: ".info".to_owned() }, content.into()).await?;
    Ok(())
}

/// What R answers to a question of ours, in a session for that alone. The code has `arguments` in the character
/// vector `.arguments`: nothing is pasted into code.
pub async fn ask(incoming: &Incoming, code: &'static str, arguments: &[&str], form: Form) -> Result<Bytes, Error> {
    let passing = incoming.app.open_for_question().await?;
    let session = &passing.session;
    let arguments = rds::serialize(rds::Value::Strings(arguments));
    let answered = async {
        operate(session, Unserialize { name: ".arguments".to_owned() }, arguments.into()).await?;
        operate(session, Evaluate(Use::Return(form.encoding())), code.into()).await
    };
    // Nobody has sent this code: that it fails is the server's fault.
    Ok(answered.await.map_err(|error| Error::no_r(error.message()))?.unwrap_or_default())
}

/// The value that an operation gave, in the form that was asked for; `None` when it is one that gives none.
///
/// # Errors
/// Why there is none.
pub fn value(result: &Result<Done, OperationError>, session: Uuid) -> Result<Option<Bytes>, Error> {
    let done = result.as_ref().map_err(|error| Error::of_operation(error.clone(), session))?;
    match (&done.ending, done.stopped) {
        // Code may complete although it was stopped: what was cut short may have been a program that it ran.
        (Ending::Completed | Ending::Interrupted, Some(stop @ Stop::TimeLimit(_))) => {
            Err(Error::of_r(format!("The operation was stopped at {stop}")))
        }
        (Ending::Completed, _) if done.payload.is_empty() => Ok(None),
        // An empty list with names, as the original has it.
        (Ending::Completed, _) if done.payload == b"{}"[..] => Ok(Some(Bytes::from_static(b"null"))),
        (Ending::Completed, _) => Ok(Some(done.payload.clone())),
        (Ending::Interrupted, _) => Err(Error::of_r("The operation was interrupted")),
        (Ending::CpuLimit, _) => Err(Error::of_r("The operation was stopped at its limit on processor time")),
        (Ending::SyntaxError { message, .. }, _) => Err(Error::of_r(format!("{message}\n"))),
        (Ending::Failed(condition), _) => Err(Error::of_r(format!("{}\n", condition.as_r_prints()))),
    }
}

async fn operate<C: Command<Reply = Ending>>(session: &Arc<Session>, command: C, content: Bytes) -> Result<Option<Bytes>, Error> {
    let answered = session.operate(command, content, Admission::Queued).await;
    value(&answered.map(Done::from), session.id)
}

/// Leaves an operation to the session; the answer is how to ask for it.
fn submit<C: Command<Reply = Ending> + 'static>(
    incoming: &Incoming,
    session: &Arc<Session>,
    command: C,
    content: Bytes,
    label: String,
    form: Form,
) -> Result<Response, Error> {
    let command = session.defer(command, content, label, form as u8).map_err(|error| Error::of_operation(error, session.id))?;
    let location = format!("{}/r/session/{}/command/{}", address(&incoming.headers), session.id, command.number);
    Ok(answer::created(&location, &CommandView::of(&command, session.id)))
}

/// A script, which may be sent without saying that it is one.
async fn read_script(incoming: &mut Incoming) -> Result<String, Error> {
    match incoming.content_type().as_str() {
        SCRIPT | "" => incoming.read_script().await,
        _ => Err(Error::wrong_type(SCRIPT)),
    }
}

/// Decodes base64 in the place where it is.
fn decode(encoded: Bytes) -> Result<Bytes, Error> {
    let decoded = base64::decode(encoded.into());
    decoded.map(Bytes::from).map_err(|_| Error::invalid("The body of the request is not base64"))
}
