//! Breakpoints, steps and the stack, as the client's debugger asks for them (contract, sections b.10 and h).

use serde_json::{Value, json};

use super::{client::Client, start::started};

/// A frame of the stack, where it stands, and the call that it makes there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    /// Its number for R.
    index: usize,
    pub(super) file: Option<String>,
    pub(super) line: Option<u64>,
    pub(super) call: String,
    pub(super) environment: Option<String>,
}

impl Frame {
    /// Code whose value is the environment.
    pub(super) fn place(&self) -> String {
        format!("base::sys.frame({})", self.index)
    }
}

/// A client that debugs.
pub(super) struct Debugger {
    pub(super) client: Client,
    /// The prompt that waits.
    prompt: u64,
}

impl Debugger {
    /// A session in which R stops at breakpoints.
    pub(super) async fn new(id: &str) -> Self {
        let (client, prompt) = started(id).await;
        let mut debugger = Self { client, prompt };
        debugger.does("rtvs:::enable_breakpoints(TRUE)").await;
        debugger
    }

    /// Evaluates code for what it does.
    pub(super) async fn does(&mut self, code: &str) {
        let done = self.client.eval(code, "0").await;
        assert_eq!((done.status.as_deref(), done.error), (Some("OK"), None), "{code}");
    }

    /// Writes a file in the session; returns its path.
    pub(super) async fn file(&mut self, name: &str, text: &str) -> String {
        self.does(&format!("cat({text:?}, file = file.path(tempdir(), {name:?}))")).await;
        self.client.value(&format!("file.path(tempdir(), {name:?})")).await.as_str().unwrap().to_owned()
    }

    /// Writes a file and has R evaluate it. Returns where R stops.
    pub(super) async fn source(&mut self, name: &str, text: &str) -> Vec<Frame> {
        let path = self.file(name, text).await;
        self.types(&format!("rtvs::debug_source({path:?})")).await
    }

    /// Types a line. Returns where R stops, or nothing if it is at its own prompt.
    pub(super) async fn types(&mut self, line: &str) -> Vec<Frame> {
        self.client.answer(self.prompt, &format!("{line}\n")).await;
        self.stops().await
    }

    /// Leaves the browser, and waits until R computes.
    async fn goes_on(&mut self) {
        self.client.answer(self.prompt, "c\n").await;
        self.client.named("!+").await;
    }

    /// Where R stops next. What stops it at a breakpoint is stepped out of, as the client does.
    async fn stops(&mut self) -> Vec<Frame> {
        loop {
            let prompt = self.client.prompt().await;
            self.prompt = prompt.id;
            let asked: Value = serde_json::from_str(&prompt.json).unwrap();
            if !asked[0].as_array().unwrap().contains(&json!(16)) {
                return Vec::new();
            }
            let frames = self.stack().await;
            if frames.iter().all(|frame| !is_breakpoint(&frame.call)) {
                return sourced(frames);
            }
            self.client.answer(self.prompt, "n\n").await;
        }
    }

    /// All frames, from the workspace on.
    async fn stack(&mut self) -> Vec<Frame> {
        let frames = self.client.value("rtvs:::describe_traceback()").await;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let frame = |(index, frame): (usize, &Value)| Frame {
            index,
            file: text(&frame["filename"]),
            line: frame["line_number"].as_u64(),
            call: text(&frame["call"]).unwrap(),
            environment: text(&frame["env_name"]),
        };
        frames.as_array().unwrap().iter().enumerate().map(frame).collect()
    }

    /// Steps out of the function in which R waits.
    async fn steps_out(&mut self) -> Vec<Frame> {
        self.does("rtvs:::browser_set_debug(1, 1)").await;
        self.types("c").await
    }

    async fn add(&mut self, file: &str, line: u64) {
        self.does(&format!("rtvs:::add_breakpoint({file:?}, {line}, TRUE)")).await;
    }

    async fn remove(&mut self, file: &str, line: u64) {
        self.does(&format!("rtvs:::remove_breakpoint({file:?}, {line})")).await;
    }
}

/// Whether the client takes a call for one that stops at a breakpoint.
fn is_breakpoint(call: &str) -> bool {
    call.starts_with(".doTrace(") && call.contains("rtvs:::is_breakpoint(") && call.ends_with(')')
}

/// The frames without those of the function that evaluates a file.
fn sourced(frames: Vec<Frame>) -> Vec<Frame> {
    let begins = frames.first().is_some_and(|first| {
        first.environment.as_deref() == Some("<environment: R_GlobalEnv>")
            && (first.call.starts_with("source(") || first.call.starts_with("rtvs::debug_source("))
    });
    frames.into_iter().skip_while(|frame| begins && frame.line.is_none()).collect()
}

/// The lines at which frames stand.
fn lines(frames: &[Frame]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame.line).collect()
}

const FUNCTION: &str = "f <- function(x) {\n  y <- x + 1\n  y * 2\n}\nz <- f(1)\nprint(z)\n";

#[tokio::test]
async fn r_stops_at_breakpoints_of_statements_and_functions() {
    let mut debugger = Debugger::new("stops").await;
    debugger.add("stops.R", 5).await;
    let frames = debugger.source("stops.R", FUNCTION).await;
    assert_eq!(lines(&frames), [5]);
    assert!(frames[0].file.as_deref().unwrap().ends_with("/stops.R"), "{frames:?}");
    // Within the function that is defined now, and of which a copy runs later.
    debugger.add("stops.R", 3).await;
    let frames = debugger.types("c").await;
    assert_eq!((lines(&frames), frames[0].call.as_str()), (vec![5, 3], "f(1)"));
    assert_eq!(debugger.client.value(&format!("eval(quote(y), {})", frames[1].place())).await, 2);
    assert_eq!(debugger.types("c").await, []);
    assert_eq!(debugger.client.value("z").await, 4);
    assert_eq!(lines(&debugger.types("f(2)").await), [3]);
    assert_eq!(debugger.types("Q").await, []);
    // One that is removed, while R waits at it.
    assert_eq!(lines(&debugger.types("f(2)").await), [3]);
    debugger.remove("stops.R", 3).await;
    assert_eq!(debugger.types("c").await, []);
    assert_eq!(debugger.types("f(2)").await, []);
    // What a function looks like does not tell that it had one.
    assert_eq!(debugger.client.value("any(grepl('doTrace', deparse(body(f))))").await, false);
    // All of them.
    debugger.add("stops.R", 2).await;
    debugger.does("rtvs:::enable_breakpoints(FALSE)").await;
    assert_eq!(debugger.types("f(2)").await, []);
    debugger.does("rtvs:::enable_breakpoints(TRUE)").await;
    assert_eq!(lines(&debugger.types("f(2)").await), [2]);
}

#[tokio::test]
async fn steps_go_over_calls_into_them_and_out_of_them() {
    let mut debugger = Debugger::new("steps").await;
    debugger.add("steps.R", 5).await;
    debugger.source("steps.R", FUNCTION).await;
    assert_eq!(lines(&debugger.types("n").await), [6]);
    assert_eq!(debugger.types("c").await, []);
    // Into the function, at its beginning, and on.
    debugger.source("steps.R", FUNCTION).await;
    let frames = debugger.types("s").await;
    assert_eq!((lines(&frames), frames[0].call.as_str()), (vec![5, 1], "f(1)"));
    // What the client evaluates there is not stepped into.
    let watch = format!("rtvs:::eval_and_describe('nrow(mtcars)', ({}),, base::c(),, rtvs:::make_repr_deparse())", frames[1].place());
    assert_eq!(debugger.client.value(&watch).await, json!({ "repr": "32L" }));
    assert_eq!(lines(&debugger.types("n").await), [5, 2]);
    assert_eq!(lines(&debugger.types("n").await), [5, 3]);
    assert_eq!(lines(&debugger.types("n").await), [6]);
    assert_eq!(debugger.types("c").await, []);
    // To the end of the function.
    debugger.remove("steps.R", 5).await;
    debugger.add("steps.R", 2).await;
    assert_eq!(lines(&debugger.source("steps.R", FUNCTION).await), [5, 2]);
    assert_eq!(debugger.types("f").await, []);
    // Out of a function, into the one that has called it.
    let nested = "f <- function() {\n  1\n}\ng <- function() {\n  f()\n  2\n}\ng()\n";
    debugger.add("nested.R", 2).await;
    let frames = debugger.source("nested.R", nested).await;
    let calls: Vec<_> = frames.iter().map(|frame| frame.call.as_str()).collect();
    assert_eq!((lines(&frames), &calls[..2]), (vec![8, 5, 2], &["g()", "f()"][..]));
    let frames = debugger.steps_out().await;
    assert_eq!((lines(&frames), frames[0].call.as_str()), (vec![8, 6], "g()"));
    assert_eq!(debugger.types("c").await, []);
    // To the workspace, where there is nothing to step out of.
    debugger.add("flat.R", 1).await;
    debugger.add("flat.R", 2).await;
    assert_eq!(lines(&debugger.source("flat.R", "x <- 1\ny <- 2\n").await), [1]);
    assert_eq!(lines(&debugger.steps_out().await), [2]);
}

#[tokio::test]
async fn a_step_onto_a_breakpoint_stops_there_once() {
    let mut debugger = Debugger::new("onto").await;
    let code = "f <- function() {\n  a <- 1\n  b <- 2\n  a + b\n}\nx <- f()\ny <- 2\nz <- 3\n";
    for line in [1, 2, 3, 6, 7] {
        debugger.add("onto.R", line).await;
    }
    assert_eq!(lines(&debugger.source("onto.R", code).await), [1]);
    for (command, expected) in [("n", &[6][..]), ("s", &[6, 1]), ("n", &[6, 2]), ("n", &[6, 3]), ("n", &[6, 4]), ("n", &[7]), ("n", &[8])] {
        assert_eq!(lines(&debugger.types(command).await), expected);
    }
    assert_eq!(debugger.types("c").await, []);
    // Without stepping, at each of them once.
    assert_eq!(lines(&debugger.source("onto.R", code).await), [1]);
    for expected in [&[6][..], &[6, 1], &[6, 2], &[6, 3], &[7]] {
        assert_eq!(lines(&debugger.types("c").await), expected);
    }
    assert_eq!(debugger.types("c").await, []);
}

#[tokio::test]
async fn the_stack_names_files_lines_calls_and_environments() {
    let mut debugger = Debugger::new("stack").await;
    for (file, own, other) in [("even.R", "f", "g"), ("odd.R", "g", "f")] {
        let code = format!("{own} <- function(n) {{\n  if (n > 0) {{\n    {other}(n - 1)\n  }} else {{\n    return()\n  }}\n}}\n");
        assert_eq!(debugger.source(file, &code).await, []);
    }
    debugger.add("even.R", 5).await;
    let frames = debugger.types("f(4)").await;
    let told: Vec<_> = frames
        .iter()
        .map(|frame| (frame.file.as_deref().map(|path| path.rsplit('/').next().unwrap()), frame.line, frame.call.as_str()))
        .collect();
    let (even, odd) = (Some("even.R"), Some("odd.R"));
    assert_eq!(
        told[..5],
        [
            (None, None, "f(4)"),
            (even, Some(3), "g(n - 1)"),
            (odd, Some(3), "f(n - 1)"),
            (even, Some(3), "g(n - 1)"),
            (odd, Some(3), "f(n - 1)")
        ]
    );
    assert_eq!((told.len(), told[5].0, told[5].1), (6, even, Some(5)));
    assert_eq!(frames[0].environment.as_deref(), Some("<environment: R_GlobalEnv>"));
    assert!(frames[1..].iter().all(|frame| frame.environment.is_none()), "{frames:?}");
    assert_eq!(debugger.types("Q").await, []);
    let code = "f <- function() eval(quote(browser()), .GlobalEnv)
        g <- function(f) eval(as.call(list(f)), getNamespace('utils'))
        h <- function() eval(as.call(list(g, f)), as.environment('package:utils'))
        h()\n";
    let frames = debugger.source("environments.R", code).await;
    let (global, utils) = ("<environment: R_GlobalEnv>", "<environment: package:utils>");
    let expected = [Some(global), None, None, Some(utils), None, None, Some("<environment: namespace:utils>"), None, None, Some(global)];
    let named: Vec<_> = frames.iter().map(|frame| frame.environment.as_deref()).collect();
    assert_eq!(named, expected);
}

#[tokio::test]
async fn files_are_stopped_in_however_they_are_evaluated() {
    let mut debugger = Debugger::new("ways").await;
    let one = debugger.file("one.R", "0\n").await;
    debugger.add("one.R", 1).await;
    for code in ["rtvs::debug_source", "source"] {
        let frames = debugger.types(&format!("{code}({one:?})")).await;
        assert_eq!((lines(&frames), frames.len()), (vec![1], 1), "{code}");
        assert_eq!(frames[0].environment.as_deref(), Some("<environment: R_GlobalEnv>"));
        assert_eq!(debugger.types("c").await, []);
    }
    // By code of another file, which is stopped in as well.
    debugger.add("two.R", 1).await;
    let frames = debugger.source("two.R", &format!("eval(parse({one:?}))\n")).await;
    assert!(frames.last().unwrap().file.as_deref().unwrap().ends_with("/two.R"), "{frames:?}");
    let frames = debugger.types("c").await;
    assert!(frames.last().unwrap().file.as_deref().unwrap().ends_with("/one.R"), "{frames:?}");
    assert_eq!(debugger.types("c").await, []);
    // What is typed at the browser is evaluated there.
    assert_eq!(lines(&debugger.source("typed.R", "x <- 'old'; browser()\n").await), [1]);
    assert_eq!(lines(&debugger.types("x <- 'new'").await), [1]);
    assert_eq!(debugger.client.value("x").await, "new");
    assert_eq!(debugger.types("c").await, []);
    assert_eq!(debugger.source("wrong.R", "x <- \n").await, []);
}

#[tokio::test]
async fn breakpoints_come_and_go_while_r_runs() {
    let mut debugger = Debugger::new("running").await;
    let code = "browser()\nf <- function() {\n  NULL\n}\nwhile (TRUE) f()\n";
    assert_eq!(lines(&debugger.source("running.R", code).await), [1]);
    debugger.goes_on().await;
    debugger.add("running.R", 3).await;
    assert_eq!(lines(&debugger.stops().await), [5, 3]);
    assert_eq!(debugger.types("Q").await, []);
    let code = "browser()\nf <- function() {\n  NULL\n  browser()\n}\nb <- FALSE\nwhile (TRUE) if (b) f()\n";
    assert_eq!(lines(&debugger.source("removed.R", code).await), [1]);
    debugger.add("removed.R", 3).await;
    debugger.goes_on().await;
    debugger.remove("removed.R", 3).await;
    debugger.does("b <- TRUE").await;
    assert_eq!(lines(&debugger.stops().await), [7, 4]);
    assert_eq!(debugger.types("Q").await, []);
    // R is stopped wherever it is.
    let code = "x <- 0\nbrowser()\nwhile (x >= 0) {\n  x <- x + 1\n}\nbrowser()\n";
    assert_eq!(lines(&debugger.source("break.R", code).await), [2]);
    debugger.goes_on().await;
    debugger.client.send("?=@", json!(["browser()"]), b"").await;
    let frames = debugger.stops().await;
    assert!(frames.len() == 1 && matches!(frames[0].line, Some(3..=5)), "{frames:?}");
    debugger.does("x <- -42").await;
    assert_eq!(lines(&debugger.types("c").await), [6]);
    assert_eq!(debugger.types("c").await, []);
}

#[tokio::test]
async fn code_does_the_same_with_breakpoints_as_without() {
    let mut debugger = Debugger::new("same").await;
    let code = "f <- function(n, ...) {\n  found <- c()\n  for (i in 1:n) {\n    if (i == 2)\n      next\n    if (i > 4) {\n      break\n    }\n    \
                found <- c(found, i)\n  }\n  k <- function(x) x * 2\n  if (...length() > 0)\n    return(k(found))\n  switch(\n    'b',\n    a = 1,\n    \
                b = { found },\n  )\n}\ng <- function(x) x + 1\nm <- matrix(1:4, 2)[, 1]\n";
    let all = "list(f(3), f(9), f(9, 1), g(1), m, deparse(args(f)))";
    let same = format!("identical(before, {all})");
    assert_eq!(debugger.source("same.R", code).await, []);
    debugger.does(&format!("before <- {all}")).await;
    for line in 1..=25 {
        debugger.add("same.R", line).await;
    }
    // Evaluations that may ask nobody go on.
    assert_eq!(debugger.client.value(&same).await, true);
    debugger.does("rtvs:::enable_breakpoints(FALSE)").await;
    assert_eq!(debugger.source("same.R", code).await, []);
    assert_eq!(debugger.client.value(&same).await, true);
    debugger.does("rtvs:::enable_breakpoints(TRUE)").await;
    assert_eq!(debugger.client.value(&same).await, true);
    for line in 1..=25 {
        debugger.remove("same.R", line).await;
    }
    assert_eq!(debugger.source("same.R", code).await, []);
    assert_eq!(debugger.types(&format!("stopifnot({same})")).await, []);
    // Each statement is stopped at, also where a function has no braces. A further line of a statement is where that begins.
    for (line, code, stop) in [(20, "g(1)", 20), (11, "f(3)", 11), (13, "f(3, 1)", 12), (7, "f(9)", 7), (17, "f(3)", 17)] {
        debugger.add("same.R", line).await;
        let frames = debugger.types(code).await;
        assert_eq!(lines(&frames), [stop], "{code}");
        debugger.remove("same.R", line).await;
        assert_eq!(debugger.types("c").await, []);
    }
    // Code of which R does not know where it is written stays as it is, and nobody is warned.
    debugger.does("nowhere <- eval(parse(text = 'function(x) { x }', keep.source = FALSE))").await;
    let unchanged =
        "local({ before <- options(warn = 2); on.exit(options(before)); identical(rtvs:::with_breakpoints(nowhere), nowhere) })";
    assert_eq!(debugger.client.value(unchanged).await, true);
}
