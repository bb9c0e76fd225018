//! Values in a session: the results of code, objects, and plots.

use std::sync::Arc;

use bytes::Bytes;

use super::{App, Failure};
use crate::{
    link::command::{Assign, Command, Evaluate, ObjectNames, Objects, Pages, Remove, Unserialize, Use},
    session::{
        OperationError, Session,
        queue::{Pending, Turn},
    },
    wire::rds,
};
pub use crate::{
    link::command::{Canvas, Draw, Ending},
    session::{Admission, Deferred, Done, Operation},
    wire::{Detail, Encoding, MissingObject, ValueEncoding, condition::Condition},
};

/// An evaluation, whose value is returned or bound to a name.
#[derive(Debug)]
pub enum Evaluation {
    /// Returns the value of a script's last statement, visible or not.
    Value {
        /// The script.
        code: String,
        /// The form of the value.
        encoding: ValueEncoding,
        /// The size of its plots.
        canvas: Canvas,
    },
    /// Binds the value of a script's last statement to a name.
    Bind {
        /// The name.
        name: String,
        /// The script.
        code: String,
        /// The size of its plots.
        canvas: Canvas,
    },
    /// Binds a value in R's serialization to a name.
    BindSerialized {
        /// The name.
        name: String,
        /// The value.
        value: Bytes,
    },
}

impl Evaluation {
    /// The size of what the worker gets, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Value { code, .. } | Self::Bind { code, .. } => code.len(),
            Self::BindSerialized { value, .. } => value.len(),
        }
    }

    /// Puts the evaluation in the queue of a session.
    fn submit(self, session: &Arc<Session>) -> Result<Pending<Ending>, OperationError> {
        match self {
            Self::Value { code, encoding, canvas } => {
                session.submit(Evaluate { value: Use::Return(encoding), canvas }, code.into(), Admission::Queued)
            }
            Self::Bind { name, code, canvas } => {
                session.submit(Evaluate { value: Use::Assign(name), canvas }, code.into(), Admission::Queued)
            }
            Self::BindSerialized { name, value } => session.submit(Unserialize { name }, value, Admission::Queued),
        }
    }
}

impl App {
    /// Runs an evaluation when it is its turn.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn evaluate(&self, session: &Arc<Session>, evaluation: Evaluation) -> Result<Done, OperationError> {
        evaluation.submit(session)?.answer().await.map(Done::from)
    }

    /// Leaves an evaluation to the session, which keeps the result. `label` and `note` describe it to callers that look later.
    ///
    /// # Errors
    /// [`OperationError`]
    pub fn evaluate_later(
        &self,
        session: &Arc<Session>,
        evaluation: Evaluation,
        label: String,
        note: u8,
    ) -> Result<Arc<Operation>, OperationError> {
        session.defer(evaluation.size(), || evaluation.submit(session), label, note)
    }

    /// R's answer to a question of the server's, in a session of its own. The code finds `arguments` in the character vector `.arguments`,
    /// so that nothing is pasted into code.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn question(self: &Arc<Self>, code: &'static str, arguments: &[&str], encoding: ValueEncoding) -> Result<Done, Failure> {
        let ephemeral = self.session_open_for_question().await?;
        let arguments = rds::serialize(rds::RdsValue::Strings(arguments)).into();
        let bind = Evaluation::BindSerialized { name: ".arguments".to_owned(), value: arguments };
        self.evaluate(&ephemeral.session, bind).await?;
        let question = Evaluation::Value { code: code.to_owned(), encoding, canvas: Canvas::default() };
        Ok(self.evaluate(&ephemeral.session, question).await?)
    }

    /// Encodes objects of a session; returns also the names of missing objects. `names` is `None` for all objects that `ls()` shows.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn value_get(
        &self,
        session: &Arc<Session>,
        names: Option<Vec<String>>,
        detail: Detail,
        encoding: Encoding,
    ) -> Result<(Bytes, Vec<MissingObject>), Failure> {
        let answer = session.operate(Objects { names, detail, encoding }, Bytes::new(), Admission::Immediate).await?;
        Ok((answer.payload, answer.reply))
    }

    /// The names of all objects that `ls()` shows, as a JSON array.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn value_names(&self, session: &Arc<Session>) -> Result<Bytes, Failure> {
        Ok(session.operate(ObjectNames, Bytes::new(), Admission::Queued).await?.payload)
    }

    /// Binds encoded inputs: all of them, or none if this fails.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for inputs that are wrong, and others
    pub async fn value_assign(&self, session: &Arc<Session>, inputs: Bytes) -> Result<(), Failure> {
        session.operate(Assign, inputs, Admission::Immediate).await?;
        Ok(())
    }

    /// Removes an object of a session; false when there is none.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn value_remove(&self, session: &Arc<Session>, name: &str, admission: Admission) -> Result<bool, Failure> {
        let remove = Remove { name: name.to_owned() };
        Ok(session.operate(remove, Bytes::new(), admission).await?.reply)
    }

    /// How many pages the last evaluation has drawn without opening a device itself.
    ///
    /// # Errors
    /// [`OperationError`]
    pub async fn plot_count(&self, session: &Arc<Session>) -> Result<usize, OperationError> {
        Ok(session.operate(Pages, Bytes::new(), Admission::Queued).await?.reply)
    }

    /// Draws one of these pages as a picture; `None` when there is no such page.
    ///
    /// # Errors
    /// [`OperationError::Refused`] when R cannot draw it with these settings, and others
    pub async fn plot_draw(&self, session: &Arc<Session>, draw: Draw) -> Result<Option<Bytes>, OperationError> {
        let answer = session.operate(draw, Bytes::new(), Admission::Queued).await?;
        Ok(answer.reply.then_some(answer.payload))
    }

    /// Carries out a command whose reply has no payload that we need.
    pub(super) async fn ask<C: Command>(turn: &Turn, command: C) -> Result<C::Reply, Failure> {
        Ok(turn.operate(command, Bytes::new()).await?.reply)
    }
}
