//! Values in R's own serialization, from a session and to it.

use std::sync::Arc;

use bytes::Bytes;
use offshoot::{
    link::{
        command::{Canvas, Command, Ending, Evaluate, Unserialize, Use},
        messages::folder,
    },
    session::{Admission, Completion, OperationError, Session},
    wire::ValueEncoding,
};

use crate::core::{Core, someone};

/// Values of every type that `identical()` compares by content.
const VALUES: &[&str] = &[
    "NULL",
    "c(TRUE, NA)",
    "1:10",
    "c(1L, NA)",
    "seq(2, 3, length.out = 7)",
    "c(NA, NaN, Inf, -0, 5e-324)",
    "c(1i, NA)",
    "c('a', NA, 'caf\\u00e9', iconv('caf\\u00e9', 'UTF-8', 'latin1'))",
    "as.raw(0:255)",
    "list(a = 1, list(), NULL)",
    "factor(c('a', NA))",
    "data.frame(a = 1:3, b = letters[1:3])",
    "iris",
    "matrix(1:6, 2, dimnames = list(NULL, letters[1:3]))",
    "as.POSIXct('2021-02-24 10:11:12', tz = 'Europe/Paris')",
    "quote(if (a) b else c(d, e = 1))",
    "expression(a, b + 1)",
    "pairlist(a = 1, 2)",
    "sum",
    "`if`",
    "as.name('odd name')",
    "globalenv()",
    "asNamespace('stats')",
    "stats::sd",
    "structure(list(1), class = 'mine', note = list(y ~ x))",
    "{ setClass('A', representation(x = 'numeric')); new('A', x = 1) }",
    "setNames(as.list(1:1000), paste0('n', 1:1000))",
    "rep(c('same', 'strings'), 500)",
    // Long vectors of numbers, which our own code serializes.
    "c(NA, NaN, Inf, -0, 5e-324, 1:5000 / 3)",
    "rep(c(1L, NA, -5L), 1000)",
    "rep(c(TRUE, NA, FALSE), 1000)",
    "matrix(1:6000 / 7, 2, dimnames = list(c('a', 'b'), NULL))",
    "setNames(rep(2.5, 1024), paste0('n', 1:1024))",
    "factor(rep(c('a', NA, 'b'), 700), labels = c('caf\\u00e9', 'b'))",
    "as.POSIXct('2021-02-24', tz = 'Europe/Paris') + rep(0.5, 2000)",
    "structure(rep(1L, 2000), class = 'mine', note = list(y ~ x))",
    "{ setClass('N', contains = 'numeric', representation(unit = 'character')); new('N', rep(1, 2000), unit = 'm') }",
    "1:100000",
    "sort(rep(c(3, 1, 2), 1000))",
];

struct Live {
    core: Core,
    session: Arc<Session>,
}

impl Live {
    async fn start() -> Self {
        // A wrong length must not take much memory.
        let core = Core::start(|config| config.sessions.memory_mib = 128).await;
        let session = core.sessions.open(someone()).await.unwrap();
        Self { core, session }
    }

    async fn ask<C: Command>(&self, command: C, payload: impl Into<Bytes>) -> Result<Completion<C::Reply>, OperationError> {
        self.session.operate(command, payload.into(), Admission::Immediate).await
    }

    /// The serialized value of code, which has to succeed.
    async fn value(&self, code: &str) -> Bytes {
        let answer =
            self.ask(Evaluate { value: Use::Return(ValueEncoding::Rds), canvas: Canvas::default() }, code.to_owned()).await.unwrap();
        match answer.reply {
            Ending::Completed => answer.payload,
            other => panic!("{code}: {other:?}"),
        }
    }

    /// The output of code, which has to succeed.
    async fn prints(&self, code: &str) -> String {
        let answer =
            self.ask(Evaluate { value: Use::Return(ValueEncoding::Rds), canvas: Canvas::default() }, code.to_owned()).await.unwrap();
        assert_eq!(answer.reply, Ending::Completed);
        answer.console
    }

    async fn assign(&self, name: &str, bytes: impl Into<Bytes>) -> Result<(), String> {
        match self.ask(Unserialize { name: name.to_owned() }, bytes).await {
            Ok(Completion { reply: Ending::Completed, .. }) => Ok(()),
            Err(OperationError::Refused(message)) => Err(message),
            other => panic!("{other:?}"),
        }
    }

    /// A file that the session has written.
    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.session.folder.join(folder::WORK).join(name)).unwrap()
    }
}

#[tokio::test]
async fn values_go_out_as_r_serializes_them_and_come_back_identical() {
    let live = Live::start().await;
    for code in VALUES {
        let value = live.value(&format!("x <- {{ {code} }}; writeBin(serialize(x, NULL), 'x.rds'); x")).await;
        assert_eq!(value.as_ref(), live.file("x.rds"), "{code}");
        live.assign("y", value.as_ref().to_vec()).await.unwrap();
        assert_eq!(live.prints("cat(identical(x, y))").await, "TRUE", "{code}");
    }
}

/// R marks a vector with room to grow in its stream as well. The mark has no meaning there, and our stream of a long vector does not
/// have it.
#[tokio::test]
async fn vectors_with_room_to_grow_come_back_identical() {
    let live = Live::start().await;
    let value = live.value("x <- numeric(); for (i in 1:3000) x[i] <- i; x").await;
    live.assign("y", value.as_ref().to_vec()).await.unwrap();
    assert_eq!(live.prints("cat(identical(x, y), identical(y, as.numeric(1:3000)))").await, "TRUE TRUE");
}

#[tokio::test]
async fn large_values_go_through_shared_memory() {
    let live = Live::start().await;
    let value = live.value("x <- as.numeric(1:1e6) / 3").await;
    assert!(value.len() > 8_000_000);
    live.assign("y", value.as_ref().to_vec()).await.unwrap();
    assert_eq!(live.prints("cat(identical(x, y))").await, "TRUE");
}

#[tokio::test]
async fn every_format_of_serialize_comes_in() {
    let live = Live::start().await;
    for arguments in ["version = 2", "version = 3", "xdr = FALSE", "ascii = TRUE", "ascii = NA"] {
        live.prints(&format!("x <- list(a = pi, 'b', 1:3); writeBin(serialize(x, NULL, {arguments}), 'x.rds')")).await;
        live.assign("y", live.file("x.rds")).await.unwrap();
        assert_eq!(live.prints("cat(identical(x, y)); rm(y)").await, "TRUE", "{arguments}");
    }
}

#[tokio::test]
async fn streams_that_end_too_early_are_errors() {
    let live = Live::start().await;
    let whole = live.value("list(a = 1:3, b = 'text', c = y ~ x, d = data.frame(a = 1), e = as.raw(1:9))").await.as_ref().to_vec();
    for length in 0..whole.len() {
        let message = live.assign("y", whole[..length].to_vec()).await.unwrap_err();
        assert!(!message.is_empty(), "{length}");
    }
    assert_eq!(live.prints("cat(exists('y'))").await, "FALSE");
    for bytes in [&b"no stream at all"[..], b"\x1f\x8b\x08\x00", b"X", b"X\n\xff\xff\xff\xff", &[0; 4096]] {
        live.assign("y", bytes.to_vec()).await.unwrap_err();
    }
    // Bytes after the value are ignored, as in R.
    live.assign("y", [whole.as_slice(), b"more"].concat()).await.unwrap();
    assert_eq!(live.prints("cat(y$b)").await, "text");
}

#[tokio::test]
async fn corrupt_streams_are_errors_or_values_and_never_end_more_than_their_session() {
    let mut live = Live::start().await;
    let whole = live.value("list(a = 1:3 + 0, b = c('text', NA), c = factor('u'), d = data.frame(a = 1:2), e = matrix(1:4, 2))").await;
    let whole = whole.as_ref();
    let (mut refused, mut taken, mut ended) = (0, 0, 0);
    for at in 0..whole.len() {
        let mut corrupt = whole.to_vec();
        corrupt[at] ^= 1 << (at % 8);
        let assigned = live.ask(Unserialize { name: "y".to_owned() }, corrupt).await;
        let outcome = match assigned {
            // Any value that comes of it is read.
            Ok(Completion { reply: Ending::Completed, .. }) => {
                live.ask(Evaluate { value: Use::Return(ValueEncoding::Json), canvas: Canvas::default() }, "y").await
            }
            outcome => outcome,
        };
        match outcome {
            Ok(_) => taken += 1,
            Err(OperationError::Refused(_)) => refused += 1,
            // R trusts a stream in some places and makes invalid values of it; its `unserialize()` crashes as well.
            Err(OperationError::Dead(_)) => {
                ended += 1;
                live.session = live.core.sessions.open(someone()).await.unwrap();
            }
            other => panic!("{at}: {other:?}"),
        }
    }
    assert!(refused > whole.len() / 10 && taken > whole.len() / 10 && ended < whole.len() / 20, "{refused}, {taken}, {ended}");
}

#[tokio::test]
async fn values_are_bound_to_any_name_that_r_takes() {
    let live = Live::start().await;
    let one = live.value("1").await.as_ref().to_vec();
    for name in ["a", "odd name", "\"quoted'", "é", "if", ".hidden", "a\\b", "a\nb"] {
        live.assign(name, one.clone()).await.unwrap();
        let code = format!("cat(get({}) == 1)", serde_json::to_string(name).unwrap());
        assert_eq!(live.prints(&code).await, "TRUE", "{name:?}");
    }
    assert_eq!(live.assign("", one.clone()).await.unwrap_err(), "attempt to use zero-length variable name");
    assert_eq!(live.assign("a\0b", one.clone()).await.unwrap_err(), "a name cannot contain a NUL character");
    assert!(live.assign(&"n".repeat(20_000), one.clone()).await.unwrap_err().contains("limited to 10000 bytes"));
    live.prints("lockBinding('a', globalenv())").await;
    assert_eq!(live.assign("a", one).await.unwrap_err(), "cannot change value of locked binding for 'a'");
}
