//! Evaluation of code for its value.

use std::sync::Arc;

use offshoot::{
    link::command::{Canvas, Ending, Evaluate, Use},
    session::{Admission, Completion, Session, Stop},
    wire::ValueEncoding,
};

use crate::core::{Core, someone};

const JSON: Use = Use::Return(ValueEncoding::Json);

struct Live {
    _core: Core,
    session: Arc<Session>,
}

impl Live {
    async fn start() -> Self {
        let core = Core::start(|config| config.sessions.memory_mib = 64).await;
        let session = core.sessions.open(someone()).await.unwrap();
        Self { _core: core, session }
    }

    async fn evaluate(&self, wanted: Use, code: &str) -> (Ending, Completion<Ending>) {
        let answer = self
            .session
            .operate(Evaluate { value: wanted, canvas: Canvas::default() }, code.to_owned().into(), Admission::Immediate)
            .await
            .unwrap();
        (answer.reply.clone(), answer)
    }

    /// The value of code, which has to succeed.
    async fn json(&self, code: &str) -> String {
        let (ending, answer) = self.evaluate(JSON, code).await;
        assert_eq!(ending, Ending::Completed, "{code}");
        String::from_utf8(answer.payload.as_ref().to_vec()).unwrap()
    }

    /// The message of code, which has to fail.
    async fn error(&self, wanted: Use, code: &str) -> String {
        let (ending, answer) = self.evaluate(wanted, code).await;
        assert!(answer.payload.as_ref().is_empty(), "{code}");
        match ending {
            Ending::Failed(error) => error.message,
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_value_is_that_of_the_last_statement() {
    let live = Live::start().await;
    for (code, value) in [
        ("1; 2; 3", "3"),
        ("x <- 5", "5"),
        ("invisible('hidden')", "\"hidden\""),
        ("x + 1 # a comment", "6"),
        ("x + 1 # a comment\n# and another", "6"),
        ("f <- function(a) {\n  a * 2 # }\n}\nf(x)", "10"),
        ("'a'; NULL", "null"),
        ("for (i in 1:3) i", "null"),
        ("1; # nothing more", "1"),
        ("", "null"),
        ("# only a comment", "null"),
        ("\r\n'lines of a PC'\r\n", "\"lines of a PC\""),
    ] {
        assert_eq!(live.json(code).await, value, "{code:?}");
    }
}

#[tokio::test]
async fn code_runs_once_whatever_comes_of_its_value() {
    let live = Live::start().await;
    live.json("count <- 0; counted <- function(x) { count <<- count + 1; x }").await;
    live.json("counted(1)").await;
    live.json("counted(quote(a + b))").await;
    live.error(JSON, "counted(expression())").await;
    live.error(JSON, "counted(1); stop('after that')").await;
    live.evaluate(Use::Assign("kept".into()), "counted('x')").await;
    assert_eq!(live.json("list(count, kept)").await, "[5,\"x\"]");
}

#[tokio::test]
async fn what_is_printed_and_signalled_is_told_apart_from_the_value() {
    let live = Live::start().await;
    let (ending, answer) = live.evaluate(JSON, "cat('printed'); warning('careful'); message('by the way'); 1; 2").await;
    assert_eq!(ending, Ending::Completed);
    assert_eq!((answer.payload.as_ref(), answer.console.as_str()), (&b"2"[..], "printedWarning message:\ncareful \nby the way\n"));
    assert_eq!(live.session.record.output().as_ref(), answer.console);
}

#[tokio::test]
async fn errors_have_no_value() {
    let live = Live::start().await;
    assert_eq!(live.error(JSON, "1; stop('in vain')").await, "in vain");
    assert_eq!(live.error(Use::Return(ValueEncoding::Rds), "log('x')").await, "non-numeric argument to mathematical function");
    let (ending, answer) = live.evaluate(JSON, "1; 2 +").await;
    assert!(matches!(ending, Ending::SyntaxError { line: 2, .. }), "{ending:?}");
    assert!(answer.payload.as_ref().is_empty());
    // Neither form can express these values.
    for code in ["expression()", "structure(function(x) x, class = 'mine')"] {
        assert_eq!(live.error(JSON, code).await, "the value cannot be written as JSON: R cannot convert a part of it", "{code}");
    }
    let deep = |depth: usize| format!("x <- 1; for (i in 1:{depth}) x <- list(x); x");
    assert_eq!(live.json(&deep(999)).await, format!("{}1{}", "[".repeat(999), "]".repeat(999)));
    assert_eq!(live.error(JSON, &deep(5_000)).await, "the value cannot be written as JSON: it is nested too deeply");
    assert_eq!(live.json("'still there'").await, "\"still there\"");
}

#[tokio::test]
async fn values_are_bound_by_the_evaluation_itself() {
    let live = Live::start().await;
    let assign = |name: &str| Use::Assign(name.to_owned());
    let (ending, answer) = live.evaluate(assign("odd 'name\""), "a <- 1; a + 1 # with a comment").await;
    assert_eq!((ending, answer.payload.as_ref()), (Ending::Completed, &b""[..]));
    assert_eq!(live.json(r#"list(get("odd 'name\""), a)"#).await, "[2,1]");
    assert_eq!(live.error(assign("b"), "stop('no value')").await, "no value");
    assert_eq!(live.json("exists('b')").await, "false");
    live.json("fixed <- 1; lockBinding('fixed', globalenv())").await;
    assert_eq!(live.error(assign("fixed"), "2").await, "cannot change value of locked binding for 'fixed'");
    assert_eq!(live.error(assign(""), "2").await, "attempt to use zero-length variable name");
    assert_eq!(live.error(assign("a\0b"), "ran <- TRUE").await, "a name cannot contain a NUL character");
    assert_eq!(live.json("exists('ran')").await, "false");
}

#[tokio::test]
async fn a_value_that_does_not_fit_into_memory_is_an_error() {
    let live = Live::start().await;
    live.json("x <- rep(pi, 3e6); NULL").await;
    assert_eq!(live.error(JSON, "x").await, "the value, as JSON, does not fit in the session's memory");
    assert_eq!(
        live.error(Use::Return(ValueEncoding::Rds), "list(x, x, x)").await,
        "the value, serialized, does not fit in the session's memory"
    );
    assert_eq!(live.json("length(x)").await, "3000000");
}

#[tokio::test]
async fn an_interrupt_stops_it_and_the_session_lives_on() {
    let live = Live::start().await;
    let running = tokio::spawn({
        let session = Arc::clone(&live.session);
        async move { session.operate(Evaluate { value: JSON, canvas: Canvas::default() }, "repeat {}".into(), Admission::Immediate).await }
    });
    while !live.session.is_busy() {
        tokio::task::yield_now().await;
    }
    live.session.interrupt();
    let answer = running.await.unwrap().unwrap();
    assert_eq!(answer.reply, Ending::Interrupted);
    assert_eq!(answer.stopped, Some(Stop::Interrupt));
    assert_eq!(live.json("1").await, "1");
}
