//! What R does at its prompt for each statement, and what it reports: the same in both APIs, with and without automatic
//! printing.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::{Client, Rock, RockSession, Server, Session};

/// R at the other end of an API.
enum Prompt {
    Revodeployr(Session),
    Rock(RockSession),
    RockLater(RockSession),
}

/// What came of code.
#[derive(Debug)]
struct Seen {
    console: String,
    error: Option<String>,
    warnings: Vec<String>,
}

impl Prompt {
    /// One of each kind.
    async fn each() -> Vec<Self> {
        static PRINTING: OnceLock<Server> = OnceLock::new();
        let printing = PRINTING.get_or_init(|| Server::keep("[revodeployr]\nautoprint = true"));
        vec![
            Self::Revodeployr(Client::admin(printing).await.session().await),
            Self::Revodeployr(Client::admin(Server::shared()).await.session().await),
            Self::Rock(Rock::by("user").open().await),
            Self::RockLater(Rock::by("user").open().await),
        ]
    }

    async fn run(&self, code: &str) -> Seen {
        match self {
            Self::Revodeployr(session) => {
                let response = session.execute(code, &[]).await.json();
                let warnings = response["warnings"].as_object().into_iter().flatten();
                Seen {
                    console: response["console"]["value"].as_str().unwrap_or_default().to_owned(),
                    error: response["error"].as_str().map(str::to_owned),
                    warnings: warnings.map(|(_, warning)| warning["value"].as_str().unwrap().to_owned()).collect(),
                }
            }
            Self::Rock(session) => {
                let reply = session.eval(code).await;
                let error = (reply.status != 200).then(|| reply.document()["message"].as_str().unwrap().trim_end().to_owned());
                Self::of_rock(session, error).await
            }
            Self::RockLater(session) => {
                let id = session.submit(code).await["id"].as_str().unwrap().to_owned();
                let command = session.get(&format!("/command/{id}?wait=true")).await.document();
                let error = (command["status"] == "FAILED").then(|| command["error"].as_str().unwrap_or_default().trim_end().to_owned());
                assert!(error.is_some() || command["status"] == "COMPLETED", "{command}");
                Self::of_rock(session, error).await
            }
        }
    }

    async fn of_rock(session: &RockSession, error: Option<String>) -> Seen {
        let console = session.get("/_console").await.text().trim_end().to_owned();
        Seen { console, error, warnings: Vec::new() }
    }

    /// Runs code, which has to succeed without a warning; returns what it printed.
    async fn prints(&self, code: &str) -> String {
        let Seen { console, error, warnings } = self.run(code).await;
        assert!(error.is_none() && warnings.is_empty(), "{code}: {error:?} {warnings:?}");
        console
    }

    /// Whether warnings and errors are told to the caller, and are not on the console.
    fn tells_caller(&self) -> bool {
        matches!(self, Self::Revodeployr(_))
    }
}

#[tokio::test]
async fn a_condition_that_was_only_signalled_is_not_the_error() {
    for prompt in Prompt::each().await {
        let code = "tryCatch(stop('first'), error = function(e) message(e)); try(log('x')); cat('end\\n')";
        let expected = "firstError in log(\"x\") : non-numeric argument to mathematical function\nend";
        assert_eq!(prompt.prints(code).await.replace("first\n", "first"), expected);
        let error = prompt.run("f <- function(n) f(n + 1); f(1)").await.error.unwrap();
        assert!(error.contains("C stack usage") || error.contains("nested too deeply"), "{error}");
        assert_eq!(
            prompt.prints("invisible(signalCondition(simpleError('unheard'))); try(stop('silent'), silent = TRUE); cat('on')").await,
            "on"
        );
        let seen = prompt.run("try(stop('shown')); stop('real')").await;
        assert_eq!(seen.error.as_deref().map(|error| error.trim_start_matches("Error: ")), Some("real"), "{seen:?}");
        assert!(seen.console.starts_with("Error in try(stop(\"shown\")) : shown"), "{seen:?}");
        assert_eq!(
            prompt
                .prints("invisible(signalCondition(simpleWarning('w'))); tryCatch(warning('c'), warning = function(w) cat('caught'))")
                .await,
            "caught"
        );
    }
}

#[tokio::test]
async fn warnings_of_any_origin_are_told_once_with_their_statement() {
    for prompt in Prompt::each().await {
        for (code, warning) in [
            ("tryCatch(stop('first'), error = function(e) warning(e))", "first"),
            ("warning(structure(class = c('own', 'condition'), list(message = 'of a class', call = NULL)))", "of a class"),
            ("local({ e <- new.env(); reg.finalizer(e, function(x) warning('finalizer')); invisible() }); invisible(gc())", "finalizer"),
            ("invisible(as.integer('many'))", "NAs introduced by coercion"),
            ("f <- function() { warning('before the end'); invisible() }; f()", "before the end"),
        ] {
            let seen = prompt.run(code).await;
            assert_eq!(seen.error, None, "{code}");
            if prompt.tells_caller() {
                assert_eq!((seen.warnings, seen.console.as_str()), (vec![warning.to_owned()], ""), "{code}");
            } else {
                assert!(seen.console.starts_with("Warning message:") && seen.console.matches(warning).count() == 1, "{code}: {seen:?}");
            }
            assert_eq!(prompt.prints("cat('next')").await, "next", "{code}");
        }
    }
}

#[tokio::test]
async fn warnings_before_an_error_are_told_beside_it() {
    for prompt in Prompt::each().await {
        let seen = prompt.run("f <- function() { warning('w'); on.exit(cat('left')); stop('e') }; f(); cat('never')").await;
        assert_eq!(seen.error.as_deref(), Some("Error in f() : e"));
        if prompt.tells_caller() {
            assert_eq!((seen.warnings, seen.console.as_str()), (vec!["w".to_owned()], "left"));
        } else {
            assert_eq!(seen.console, "Error in f() : e\nIn addition: Warning message:\nIn f() : w\nleft");
        }
        let seen = prompt.run("f <- function() { on.exit(stop('second')); stop('first') }; f()").await;
        assert_eq!(seen.error.as_deref(), Some("Error in f() : second"));
        assert!(seen.console.starts_with("Error in f() : first"), "{seen:?}");
        let seen = prompt.run("f <- function() { on.exit(try(stop('tried'))); stop('first') }; f()").await;
        assert_eq!(seen.error.as_deref(), Some("Error in f() : first"));
        assert!(seen.console.ends_with("Error in try(stop(\"tried\")) : tried"), "{seen:?}");
    }
}

#[tokio::test]
async fn reports_are_known_in_any_language() {
    for prompt in Prompt::each().await {
        let seen = prompt.run("Sys.setenv(LANGUAGE = 'de'); f <- function() { warning('w'); stop('e') }; f()").await;
        assert_eq!(seen.error.as_deref(), Some("Error in f() : e"));
        if prompt.tells_caller() {
            assert_eq!((seen.warnings, seen.console.as_str()), (vec!["w".to_owned()], ""));
        }
        let seen = prompt.run("for (i in 1:20) warning(i)").await;
        if prompt.tells_caller() {
            assert_eq!((seen.warnings.len(), seen.console.as_str()), (20, ""));
        }
    }
}

#[tokio::test]
async fn text_like_a_report_is_printed() {
    for prompt in Prompt::each().await {
        let code = "cat('Warning message:\\n', file = stderr()); cat('a\\n'); cat('In addition: ', file = stderr()); cat('b\\n')
            cat('There were 12 warnings (use warnings() to see them)\\n', file = stderr())";
        let expected = "Warning message:\na\nIn addition: b\nThere were 12 warnings (use warnings() to see them)";
        assert_eq!(prompt.prints(code).await, expected);
    }
}

#[tokio::test]
async fn handlers_for_all_code_stay_until_they_are_removed() {
    for prompt in Prompt::each().await {
        prompt
            .prints("globalCallingHandlers(message = function(m) { cat('seen', conditionMessage(m)); tryInvokeRestart('muffleMessage') })")
            .await;
        assert_eq!(prompt.prints("message('one')").await, "seen one");
        assert!(prompt.run("stop('an error in between')").await.error.is_some());
        assert_eq!(prompt.prints("f <- function() message('two'); f(); message('three')").await, "seen two\nseen three");
        prompt.prints("invisible(globalCallingHandlers(NULL))").await;
        assert_eq!(prompt.prints("message('four')").await, "four");
    }
}

#[tokio::test]
async fn packages_may_handle_the_conditions_of_all_code() {
    for prompt in Prompt::each().await {
        prompt.prints("rlang::global_entrace()").await;
        assert!(prompt.run("f <- function() stop('traced'); f()").await.error.is_some_and(|error| error.contains("traced")));
        assert_eq!(prompt.prints("cat(conditionMessage(rlang::last_error()), nrow(rlang::last_error()$trace) > 0)").await, "traced TRUE");
    }
}

#[tokio::test]
async fn a_limit_on_time_begins_anew_with_each_statement() {
    // It is a limit, and not the machine, that decides: what has to end would not end by itself.
    const ENDLESS: &str = "repeat {}";
    for prompt in Prompt::each().await {
        let reached = |seen: Seen| seen.error.is_some_and(|error| error.contains("reached elapsed time limit"));
        prompt.prints("setTimeLimit(elapsed = 0.3)").await;
        for _ in 0..2 {
            assert!(reached(prompt.run(ENDLESS).await));
        }
        prompt.prints("setTimeLimit()\ninvisible(1)").await;
        // A limit for one statement is forgotten with it.
        let begin = "t <- proc.time()[[3]]; while (proc.time()[[3]] - t < 0.6) {}";
        prompt.prints(&format!("setTimeLimit(elapsed = 0.3, transient = TRUE)\n{begin}")).await;
        assert!(reached(prompt.run("{ setTimeLimit(elapsed = 0.3, transient = TRUE); repeat {} }").await));
        let session = prompt.run(&format!("setSessionTimeLimit(elapsed = 0.3)\n{ENDLESS}")).await.error.unwrap();
        assert!(session.contains("reached session elapsed time limit"), "{session}");
        assert_eq!(prompt.prints("cat('lives')").await, "lives");
    }
}

#[tokio::test]
async fn task_callbacks_run_after_each_statement() {
    for prompt in Prompt::each().await {
        let code = "invisible(addTaskCallback(function(expr, value, ok, visible) {
            cat('after', deparse(expr), 'which is', value, ok, '\\n'); TRUE }))";
        prompt.run(code).await;
        let printed = prompt.prints("x <- 1 + 1\ncat('in between\\n')\nx <- x + 1").await;
        let after: Vec<_> = printed.lines().map(str::trim).filter(|line| line.starts_with("after x")).collect();
        assert_eq!(after, ["after x <- 1 + 1 which is 2 TRUE", "after x <- x + 1 which is 3 TRUE"], "{printed}");
        assert!(prompt.prints("invisible(removeTaskCallback(1))\ncat('done')").await.ends_with("done"));
    }
}

#[tokio::test]
async fn functions_keep_their_source_if_that_is_wanted() {
    for prompt in Prompt::each().await {
        let code = "options(keep.source = TRUE)\nf <- function(x) {  # told\n  x }\nprint(f)\ncat(is.null(attr(f, 'srcref')))";
        assert_eq!(prompt.prints(code).await, "function(x) {  # told\n  x }\nFALSE");
        assert_eq!(prompt.prints("g <- function(x)   x # told\nprint(g)").await, "function(x)   x");
        assert_eq!(prompt.prints("options(keep.source = FALSE)\nf <- function(x)   x\nprint(f)").await, "function (x) \nx");
    }
}

#[tokio::test]
async fn a_data_table_that_was_changed_in_place_is_printed() {
    for prompt in Prompt::each().await {
        // Newer versions print the classes of columns as well.
        prompt.prints("library(data.table); options(datatable.print.class = FALSE); d <- data.table(a = 1:2)").await;
        assert_eq!(prompt.prints("d[, b := a * 2]\nprint(d)").await, "   a b\n1: 1 2\n2: 2 4");
    }
}

#[tokio::test]
async fn an_error_that_a_package_prints_by_itself_has_its_text() {
    for prompt in Prompt::each().await {
        for _ in 0..2 {
            let seen = prompt.run("rlang::abort('of rlang')").await;
            assert!(seen.error.as_deref().is_some_and(|error| error.contains("of rlang")), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_long_message_is_whole() {
    for prompt in Prompt::each().await {
        let seen = prompt.run("stop(strrep('m', 5000), call. = FALSE)").await;
        assert_eq!(seen.error.map(|error| error.matches('m').count()), Some(5000));
    }
}

#[tokio::test]
async fn values_are_printed_where_that_is_wanted() {
    let prompts = Prompt::each().await;
    let expected = ["[1] 3\n[1] \"s\"\n[1] 3", "", "", ""];
    for (prompt, expected) in prompts.iter().zip(expected) {
        assert_eq!(prompt.prints("x <- 3\nx\n's'\ninvisible(5)\n(x)").await, expected);
        assert_eq!(prompt.prints("cat(.Last.value)").await, "3");
    }
    let Prompt::Rock(rock) = &prompts[2] else { unreachable!() };
    assert_eq!(rock.value("x").await, Value::from(3));
    assert_eq!(rock.value("function(x) x").await, json!(["function (x) ", "x"]));
}
