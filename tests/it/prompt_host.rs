//! R at its own prompt, driven by the messages of the core, without any client's protocol.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use offshoot::{
    app::prompt::{
        Begin, EvaluationEnd, Hearer, HostAnswer, HostEvaluation, HostQuestion, Said, Say, Scope, Tell, Teller, Terms, ValueWanted,
    },
    auth::Principal,
    config::{Config, RNamespace},
};

use crate::harness::{Indoors, PATIENCE, points, program};

/// A server without listeners.
pub(crate) struct House {
    indoors: Indoors,
    ada: Principal,
}

impl House {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let indoors = Indoors::start(&["ada"], |config| {
            config.r.namespaces = vec![RNamespace { name: "helper", version: "1", code: "twice <- function(x) 2 * x".to_owned() }];
            change(config);
        })
        .await;
        let ada = indoors.principal("ada");
        Self { indoors, ada }
    }

    pub(crate) async fn stop(self) {
        self.indoors.app.stop(PATIENCE).await;
    }

    pub(crate) async fn open(&self) -> Console {
        self.open_with(&["--vanilla"]).await
    }

    /// An R with this command line.
    async fn open_with(&self, arguments: &[&str]) -> Console {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let begin = Begin { interactive: true, arguments, namespace: Some("helper".to_owned()), blobs: 1 << 20 };
        let host = self.indoors.app.prompt_open(&self.ada, "console", Terms { begin, largest: 1 << 26 }).await.unwrap();
        let (teller, hearer) = host.split();
        let mut console = Console { teller, hearer, sent: 0, prompt: 0, text: String::new() };
        assert!(matches!(console.next().await, Said::Message(Say::Started(_), _)));
        console.prompted().await;
        console
    }
}

/// A client of one session.
pub(crate) struct Console {
    teller: Teller,
    hearer: Hearer,
    sent: u64,
    /// The id of the last prompt.
    pub(crate) prompt: u64,
    /// What R has printed since it was looked at.
    pub(crate) text: String,
}

impl Console {
    async fn next(&mut self) -> Said {
        tokio::time::timeout(PATIENCE, self.hearer.next()).await.expect("R says something").expect("R lives")
    }

    /// The next message, after text has been noted.
    pub(crate) async fn message(&mut self) -> (Say, Bytes) {
        loop {
            match self.next().await {
                Said::Message(say, payload) => return (say, payload),
                Said::Output(text) => self.text.push_str(&text),
                Said::Errors(text) => self.text.push_str(&format!("!{text}")),
            }
        }
    }

    /// Waits for this message.
    async fn until(&mut self, say: &Say) {
        while self.message().await.0 != *say {}
    }

    /// Waits for the next prompt. Returns the prompt and the contexts.
    async fn prompted(&mut self) -> (String, Vec<i32>) {
        loop {
            match self.message().await.0 {
                Say::Ask(id, HostQuestion::Line { prompt, contexts, .. }) => {
                    self.prompt = id;
                    return (prompt, contexts);
                }
                Say::Busy | Say::Idle | Say::Notice(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn answer(&self, text: &str) {
        self.tell(Tell::Answer(self.prompt, HostAnswer::Text), text).await;
    }

    pub(crate) async fn tell(&self, tell: Tell, payload: &str) {
        self.teller.tell(tell, payload.to_owned().into()).await.unwrap();
    }

    /// Types a line; returns what R prints until its next prompt.
    pub(crate) async fn types(&mut self, text: &str) -> String {
        self.answer(text).await;
        self.prompted().await;
        std::mem::take(&mut self.text)
    }

    async fn begin(&mut self, code: &str, reentrant: bool, cancelable: bool) -> u64 {
        self.sent += 1;
        let evaluate = HostEvaluation { id: self.sent, place: Scope::Global, reentrant, cancelable, wanted: ValueWanted::Json };
        self.tell(Tell::Evaluate(evaluate), code).await;
        self.sent
    }

    async fn evaluated(&mut self, id: u64) -> Result<String, EvaluationEnd> {
        loop {
            match self.message().await {
                (Say::Evaluated(of, outcome), value) if of == id => {
                    return if outcome == EvaluationEnd::Value { Ok(String::from_utf8(value.to_vec()).unwrap()) } else { Err(outcome) };
                }
                (Say::Busy | Say::Idle | Say::Notice(_), _) => {}
                (other, _) => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn evaluates(&mut self, code: &str) -> Result<String, EvaluationEnd> {
        let id = self.begin(code, false, true).await;
        self.evaluated(id).await
    }
}

#[tokio::test]
async fn what_is_typed_is_evaluated_by_rs_own_loop() {
    let house = House::new().await;
    let mut console = house.open().await;
    let greeting = std::mem::take(&mut console.text);
    assert!(greeting.contains("R version") && greeting.contains("'q()'"), "{greeting}");
    assert_eq!(console.types("1 + 1\n").await, "[1] 2\n");
    assert_eq!(console.types("x <- .Last.value; x\n'日本語'\n").await, "[1] 2\n[1] \"日本語\"\n");
    assert_eq!(console.types("nothing_there\n").await, "!Error: object 'nothing_there' not found\n");
    assert_eq!(console.types("warning('careful')\n").await, "!Warning message:\n!careful \n");
    assert_eq!(console.types("system('echo from a program')\n").await, "from a program\n");
    console.answer("f <- function() {\n").await;
    assert_eq!(console.prompted().await.0, "+ ");
    console.answer("readline('Name: ') }\n").await;
    console.prompted().await;
    console.answer("f()\n").await;
    let (prompt, contexts) = console.prompted().await;
    assert_eq!(prompt, "Name: ");
    assert!(contexts.len() > 1 && contexts.last() == Some(&0), "{contexts:?}");
    assert_eq!(console.types("Ada\n").await, "[1] \"Ada\"\n");
    console.answer("local({ y <- 3; browser(); y })\n").await;
    let (prompt, contexts) = console.prompted().await;
    assert_eq!(prompt, "Browse[1]> ");
    assert!(contexts.contains(&16), "{contexts:?}");
    console.text.clear();
    assert_eq!(console.types("y * 2\n").await, "[1] 6\n");
    assert_eq!(console.types("c\n").await, "[1] 3\n");
    assert_eq!(console.types("helper:::twice(21)\n").await, "[1] 42\n");
    house.indoors.app.stop(PATIENCE).await;
}

#[tokio::test]
async fn code_is_evaluated_beside_what_waits_and_what_computes() {
    let house = House::new().await;
    let mut console = house.open().await;
    assert_eq!(console.evaluates("1:2 |> sum()").await.unwrap(), "3");
    assert_eq!(
        console.evaluates("list(a = 'x', b = NULL, c = NA, d = list(1, TRUE))").await.unwrap(),
        r#"{"a":"x","b":null,"d":[1,true]}"#
    );
    assert_eq!(console.evaluates("as.environment(list(n = 0))").await.unwrap(), r#"{"n":0}"#);
    assert_eq!(console.evaluates("1 +").await, Err(EvaluationEnd::Incomplete));
    assert_eq!(console.evaluates("1 1").await, Err(EvaluationEnd::Syntax));
    assert_eq!(console.evaluates("stop('no'); 7").await.unwrap(), "7");
    assert_eq!(console.evaluates("7; stop('no')").await, Err(EvaluationEnd::Failed("Error: no\n".to_owned())));
    assert!(matches!(console.evaluates("1:3").await, Err(EvaluationEnd::Failed(why)) if why.contains("0 or 1 element")));
    assert!(matches!(console.evaluates("readline('?')").await, Err(EvaluationEnd::Failed(why)) if why.contains("nobody can be asked")));
    // Refused by R if there is a function beneath it.
    assert_eq!(console.evaluates("utils::assignInNamespace('setwd', function(dir) dir, 'base')").await.unwrap(), "null");
    console.text.clear();
    // While R computes, and while it sleeps.
    for waits in ["while (!exists('go')) NULL\n", "while (!exists('go')) Sys.sleep(600)\n"] {
        console.answer(waits).await;
        let id = console.begin("'meanwhile'", false, false).await;
        assert_eq!(console.evaluated(id).await.unwrap(), "\"meanwhile\"");
        console.tell(Tell::CancelAll, "").await;
        console.until(&Say::Cancelled).await;
        console.prompted().await;
    }
    house.indoors.app.stop(PATIENCE).await;
}

#[tokio::test]
async fn questions_and_evaluations_are_on_top_of_each_other() {
    let house = House::new().await;
    let mut console = house.open().await;
    console.text.clear();
    let (bottom, outer) = (console.prompt, console.begin("paste('0 +', readline('2'))", true, false).await);
    assert_eq!(console.prompted().await.0, "2");
    let (second, inner) = (console.prompt, console.begin("paste('0 +', readline('3'))", true, false).await);
    assert_eq!(console.prompted().await.0, "3");
    // The answer to the outer one waits.
    console.tell(Tell::Answer(second, HostAnswer::Text), "2\n").await;
    console.answer("3\n").await;
    assert_eq!(console.evaluated(inner).await.unwrap(), "\"0 + 3\"");
    assert_eq!(console.evaluated(outer).await.unwrap(), "\"0 + 2\"");
    console.prompt = bottom;
    assert_eq!(console.types("5\n").await, "[1] 5\n");
    house.indoors.app.stop(PATIENCE).await;
}

#[tokio::test]
async fn evaluations_and_what_is_typed_do_not_disturb_each_other() {
    let house = House::new().await;
    let mut console = house.open().await;
    // A browser on top of R's own prompt, which is answered when the browser was left.
    let bottom = console.prompt;
    let id = console.begin("browser()", true, true).await;
    assert_eq!(console.prompted().await.0, "Browse[1]> ");
    console.answer("c\n").await;
    console.evaluated(id).await.unwrap();
    (console.prompt, console.text) = (bottom, String::new());
    assert_eq!(console.types("6 * 7\n").await, "[1] 42\n");
    // Evaluations while somebody steps into functions: not into theirs.
    console.types("f <- function() {\n  if (TRUE) 1\n  2\n}\n").await;
    assert!(console.types("eval(quote({ browser(); y <- f() }), globalenv())\n").await.starts_with("Called from: "));
    for (command, expected) in [("s\n", "y <- f()\n"), ("s\n", "debugging in: f()\n"), ("n\n", "if (TRUE) 1\n"), ("n\n", "[1] 1\n")] {
        let text = console.types(command).await;
        assert!(text.contains(expected), "{text}");
        assert_eq!(console.evaluates("helper:::twice(21)").await.unwrap(), "42");
        assert_eq!(console.text, "");
    }
    console.types("c\n").await;
    assert_eq!(console.types("y\n").await, "[1] 2\n");
    house.stop().await;
}

#[tokio::test]
async fn everything_is_stopped_back_to_rs_own_prompt() {
    let house = House::new().await;
    let mut console = house.open().await;
    for code in
        ["while (TRUE) {}\n", "Sys.sleep(600)\n", "readline('?')\n", "local({ browser() })\n", "system('sleep 600')\n", "try(repeat {})\n"]
    {
        console.answer(code).await;
        console.until(&Say::Busy).await;
        let evaluation = console.begin("repeat {}", false, true).await;
        console.tell(Tell::CancelAll, "").await;
        let mut was_cancelled = false;
        loop {
            match console.message().await.0 {
                Say::Cancelled => break,
                Say::Evaluated(of, EvaluationEnd::Cancelled) if of == evaluation => was_cancelled = true,
                Say::Evaluated(..) => panic!("{code}"),
                _ => {}
            }
        }
        assert!(was_cancelled, "{code}");
        assert_eq!(console.prompted().await, ("> ".to_owned(), vec![0]), "{code}");
        console.text.clear();
        assert_eq!(console.types("1\n").await, "[1] 1\n", "{code}");
    }
    // Code may tidy up.
    console.answer("tryCatch(repeat {}, finally = { Sys.sleep(0.2); cat('tidied up\\n') })\n").await;
    console.until(&Say::Busy).await;
    console.tell(Tell::CancelAll, "").await;
    console.until(&Say::Cancelled).await;
    console.prompted().await;
    assert!(std::mem::take(&mut console.text).contains("tidied up"));
    // At the prompt, too.
    console.tell(Tell::CancelAll, "").await;
    assert_eq!(console.message().await.0, Say::Cancelled);
    console.prompted().await;
    assert_eq!(console.types("1\n").await, "[1] 1\n");
    house.indoors.app.stop(PATIENCE).await;
}

#[tokio::test]
async fn evaluations_on_top_of_each_other_end_at_a_limit() {
    let house = House::new().await;
    let mut console = house.open().await;
    for _ in 0..200 {
        console.begin("readline('deeper')", true, true).await;
    }
    // As many as there may be wait for answers, and the others for them.
    for _ in 0..60 {
        assert_eq!(console.prompted().await.0, "deeper");
    }
    console.tell(Tell::CancelAll, "").await;
    let mut cancelled = 0;
    loop {
        match console.message().await.0 {
            Say::Cancelled => break,
            Say::Evaluated(_, EvaluationEnd::Cancelled) => cancelled += 1,
            _ => {}
        }
    }
    assert!(cancelled > 60, "{cancelled}");
    console.prompted().await;
    console.text.clear();
    assert_eq!(console.types("6 * 7\n").await, "[1] 42\n");
    house.indoors.app.stop(PATIENCE).await;
}

#[tokio::test]
async fn r_starts_as_its_command_line_says() {
    let folder = tempfile::tempdir_in(points()).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let at = folder.path().display();
    let profile =
        format!("setwd('{at}')\n.First <- function() cat('first:', x, '\\n')\nmessage('hello')\nwarning('careful')\nstop('no more')\n");
    std::fs::write(folder.path().join("profile.R"), profile).unwrap();
    let save = format!("x <- 42; save(x, file = '{at}/.RData')");
    assert!(program("Rscript").args(["--vanilla", "-e", &save]).status().unwrap().success());
    let house = House::with(|config| {
        config.sessions.readable = vec![folder.path().to_owned()];
        for (name, value) in [("R_PROFILE_USER", format!("{at}/profile.R")), ("R_PROFILE", String::new())] {
            config.r.environment.insert(name.to_owned(), value);
        }
    })
    .await;
    let after_greeting = |console: &Console| console.text.rsplit_once("to quit R.\n").unwrap().1.trim().to_owned();
    let mut usual = house.open_with(&["--no-save", "--args", "--vanilla", "a b"]).await;
    let errors = format!("hello\nWarning in {at}/profile.R: careful\nError in {at}/profile.R: no more\n");
    let told = after_greeting(&usual).replace('!', "");
    assert_eq!(told, format!("{errors}[Previously saved workspace restored]\n\nfirst: 42"));
    usual.text.clear();
    let told = usual.types("cat(commandArgs()[-1], sep = ','); cat('|', commandArgs(TRUE), sep = ',')\n").await;
    assert_eq!(told, "--no-save,--args,--vanilla,a b|,--vanilla,a b");
    let without_profile = house.open_with(&["--no-init-file"]).await;
    assert_eq!(after_greeting(&without_profile), "");
    let without_workspace = house.open_with(&["--no-restore"]).await;
    assert!(after_greeting(&without_workspace).contains("object 'x' not found"), "{}", without_workspace.text);
    let vanilla = house.open().await;
    assert_eq!(after_greeting(&vanilla), "");
    house.stop().await;
}
