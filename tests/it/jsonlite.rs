//! Values as JSON, compared with the output of R's package jsonlite in the same session.

use std::sync::Arc;

use offshoot::{
    link::command::{Canvas, Ending, Evaluate, Use},
    session::{Admission, Session},
    wire::ValueEncoding,
};

use crate::core::{Core, someone};

/// Prints jsonlite's output for a value, and returns the value.
const EXPECTED: &str = r#"
.expected <- function(x) {
  text <- tryCatch(
    jsonlite::toJSON(x, auto_unbox = TRUE, null = "null", na = "null", digits = NA),
    error = function(e) jsonlite::serializeJSON(x)
  )
  cat(enc2utf8(as.character(text)))
  invisible(x)
}

# From 1.8.5 on, serializeJSON() has 17 digits of numbers beyond 2^31, where the rules that we follow have 15.
if (packageVersion("jsonlite") >= "1.8.5") local({
  theirs <- jsonlite:::num_to_char
  assignInNamespace("num_to_char", function(x, digits = NA, ...) {
    text <- theirs(x, digits, ...)
    large <- is.double(x) & is.finite(x) & abs(x) >= .Machine$integer.max
    if (!is.na(digits)) text[large] <- sprintf("%.15g", x[large])
    text
  }, "jsonlite")
})
"#;

struct Both {
    _core: Core,
    session: Arc<Session>,
}

impl Both {
    async fn start() -> Self {
        let core = Core::start(|_| ()).await;
        let session = core.sessions.open(someone()).await.unwrap();
        let both = Self { _core: core, session };
        both.run(EXPECTED).await;
        both
    }

    /// The value as JSON, and the printed text.
    async fn run(&self, code: &str) -> (String, String) {
        let command = Evaluate { value: Use::Return(ValueEncoding::Json), canvas: Canvas::default() };
        let answer = self.session.operate(command, code.to_owned().into(), Admission::Immediate).await.unwrap();
        match answer.reply {
            Ending::Completed => (String::from_utf8(answer.payload.as_ref().to_vec()).unwrap(), answer.console),
            other => panic!("{code}: {other:?}\n{}", answer.console),
        }
    }

    async fn agree_on(&self, code: &str) {
        let (ours, theirs) = self.run(&format!("suppressWarnings(.expected({{ {code} }}))")).await;
        assert_eq!(ours, theirs, "{code}");
        serde_json::from_str::<serde::de::IgnoredAny>(&ours).unwrap_or_else(|error| panic!("{code}: {error}: {ours}"));
    }
}

#[tokio::test]
async fn values_of_every_type_are_written_as_jsonlite_writes_them() {
    let both = Both::start().await;
    let expressions = include_str!("jsonlite/values.R").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    for code in expressions {
        both.agree_on(code).await;
        count += 1;
    }
    assert!(count >= 200, "{count} values");
}

#[tokio::test]
async fn a_thousand_random_values_are_written_as_jsonlite_writes_them() {
    let both = Both::start().await;
    both.run(include_str!("jsonlite/random.R")).await;
    for seed in 1..=1_000 {
        both.agree_on(&format!("random_value({seed})")).await;
    }
}
