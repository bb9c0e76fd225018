//! Code runs statement by statement, as at R's prompt.

use serde_json::json;

use crate::harness::{Client, Server};

#[tokio::test]
async fn a_restart_is_not_taken_for_an_earlier_error() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("try(stop('an earlier one'), silent = TRUE)").await;
    assert_eq!(session.fails("invokeRestart('abort')").await, "the code was left by a restart, without an error");
    assert!(session.fails("f <- function(n) f(n + 1); f(1)").await.contains("too"));
    assert!(session.fails("f(1)").await.contains("too"));
}

#[tokio::test]
async fn warnings_are_known_to_the_code_that_follows() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.value("length(warnings())").await["value"], 0);
    session.run("f <- function() warning('two'); { warning('one'); f() }").await;
    assert_eq!(session.value("names(warnings())").await["value"], json!(["one", "two"]));
    assert_eq!(session.prints("print(warnings())").await, "Warning messages:\n1: one\n2: In f() : two");
    session.run("for (i in 1:60) warning(i)").await;
    assert_eq!(session.value("c(length(warnings()), names(warnings())[50])").await["value"], json!(["50", "50"]));
}

#[tokio::test]
async fn an_editor_is_refused_and_does_not_wait_for_somebody() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.fails("file.edit('x')").await, "there is no editor in an R session of a server");
    assert_eq!(session.fails("edit(1)").await, "there is no editor in an R session of a server");
}

#[tokio::test]
async fn a_syntax_error_runs_nothing_and_tells_its_place() {
    let session = Client::admin(Server::shared()).await.session().await;
    let error = session.fails("x <- 1\nprint(x)\ny <- (2 +* 3)\n").await;
    assert!(error.starts_with("<text>:3:10: unexpected '*'"), "{error}");
    assert_eq!(session.value("exists('x', globalenv())").await["value"], false);
    assert!(session.fails("f <- function( {").await.contains("unexpected"));
    assert!(session.fails("'never ends").await.contains("unexpected INCOMPLETE_STRING"));
    assert!(session.fails("'\\u{zz}'").await.contains("used without hex digits"));
}

#[tokio::test]
async fn an_error_stops_the_rest_and_has_its_call() {
    let session = Client::admin(Server::shared()).await.session().await;
    let reply = session.execute("a <- 1; cat('before'); f <- function(x) stop('100 %s wrong'); f(a); b <- 2", &[("robjects", "a,b")]).await;
    let response = reply.json();
    assert_eq!(response["error"], "Error in f(a) : 100 %s wrong");
    assert_eq!(response["errorCode"], 900);
    assert_eq!(response["console"]["value"], "before");
    assert_eq!(response["robjects"]["a"]["value"], 1);
    assert_eq!(response["warnings"]["warning001"]["value"], "object 'b' not found");
    assert_eq!(session.fails("stop('no call', call. = FALSE)").await, "no call");
    assert_eq!(session.fails("stop(structure(class = c('mine', 'error', 'condition'), list(message = 'own', call = NULL)))").await, "own");
    assert_eq!(session.fails("log('a')").await, "Error in log(\"a\") : non-numeric argument to mathematical function");
    assert_eq!(session.prints("cat(geterrmessage())").await, "Error in log(\"a\") : non-numeric argument to mathematical function");
    // The error of an earlier evaluation must not be reported for a later one.
    assert!(session.fails("f <- function(n) f(n + 1); f(1)").await.contains("too"));
    assert_eq!(
        session.fails("undefined_function()").await,
        "Error in undefined_function() : could not find function \"undefined_function\""
    );
}

#[tokio::test]
async fn line_ends_of_all_systems() {
    let session = Client::admin(Server::shared()).await.session().await;
    for ends in ["\n", "\r\n", "\r"] {
        let code = ["x <- 1", "# comment", "y <- x +", "  1; s <- 'a", "b'"].join(ends);
        session.run(&code).await;
        assert_eq!(session.value("c(y, nchar(s))").await["value"], json!([2, 3]));
    }
}

#[tokio::test]
async fn the_call_stack_is_that_of_the_prompt() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.value("sys.nframe()").await["value"], 0);
    assert_eq!(session.value("identical(environment(), globalenv())").await["value"], true);
    assert_eq!(session.prints("f <- function() sys.nframe(); x <- f(); cat(x, identical(parent.frame(), globalenv()))").await, "1 TRUE");
    assert_eq!(session.prints("f <- function() { on.exit(cat('left')); stop('x') }; try(f(), silent = TRUE)").await, "left");
    assert_eq!(session.prints("invisible(5); cat(.Last.value)").await, "5");
}

#[tokio::test]
async fn conditions_are_recorded_in_order() {
    let session = Client::admin(Server::shared()).await.session().await;
    let response = session.run("warning('one'); f <- function() warning('two'); f(); message('said'); warning('three')").await;
    let texts: Vec<_> = response["warnings"].as_object().unwrap().values().map(|warning| warning["value"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!(response["console"]["value"], "said");
    // Conditions that the code handles itself are not reported.
    let response = session
        .run("tryCatch(warning('x'), warning = function(w) NULL); suppressWarnings(warning('y')); try(stop('z'), silent = TRUE)")
        .await;
    assert!(response.get("warnings").is_none(), "{response}");
    let response = session.run("withCallingHandlers({ warning('w'); cat('goes on') }, warning = function(w) cat('seen '))").await;
    assert_eq!((&response["console"]["value"], &response["warnings"]["warning001"]["value"]), (&json!("seen goes on"), &json!("w")));
    let response = session.run("for (i in 1:60) warning(i)").await;
    let warnings = response["warnings"].as_object().unwrap();
    assert_eq!(warnings.len(), 51);
    assert_eq!(warnings["warning051"]["value"], "There were 50 or more warnings (use warnings() to see the first 50)");
    let response = session.run(&"warning('w'); ".repeat(1100)).await;
    let warnings = response["warnings"].as_object().unwrap();
    assert_eq!(warnings.len(), 1001);
    assert_eq!(warnings["warning1001"]["value"], "100 more warnings were left out");
}

#[tokio::test]
async fn the_option_warn_is_obeyed() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.fails("options(warn = 2); as.integer('x')").await, "(converted from warning) NAs introduced by coercion");
    let response = session.run("options(warn = -1); as.integer('x')").await;
    assert!(response.get("warnings").is_none());
    let response = session.run("options(warn = 0); as.integer('x')").await;
    assert_eq!(response["warnings"]["warning001"]["value"], "NAs introduced by coercion");
}

#[tokio::test]
async fn a_signalled_error_that_nobody_handles_is_no_error() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.prints("signalCondition(simpleError('unheard')); cat('on')").await, "on");
    assert_eq!(session.prints("try(stop('heard')); cat('on')").await, "Error in try(stop(\"heard\")) : heard\non");
    assert_eq!(session.prints("options(error = quote(cat('option error')))").await, "");
    let reply = session.execute("stop('x')", &[]).await.json();
    assert_eq!((&reply["console"]["value"], &reply["error"]), (&json!("option error"), &json!("x")));
}

#[tokio::test]
async fn nobody_can_be_asked() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.prints("x <- readline('name? '); cat(nchar(x))").await, "name? \n0");
    assert_eq!(session.value("scan(quiet = TRUE)").await["value"], json!([]));
    assert_eq!(session.value("readLines(file('stdin'))").await["value"], json!([]));
    assert!(session.fails("menu(c('a', 'b'))").await.contains("menu() cannot be used non-interactively"));
    assert!(session.prints("f <- function() { browser(); cat('after') }; f()").await.ends_with("after"));
    assert_eq!(session.value("interactive()").await["value"], false);
}

#[tokio::test]
async fn ordinary_r_works() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert_eq!(session.value("unlist(parallel::mclapply(1:4, function(i) i * 2, mc.cores = 2))").await["value"], json!([2, 4, 6, 8]));
    assert_eq!(session.prints("system('echo hi')").await, "hi");
    assert_eq!(session.prints("system('yes | head -n 1')").await, "y");
    assert_eq!(session.value("system('echo in; exit 3', intern = FALSE, ignore.stdout = TRUE)").await["value"], 3);
    assert_eq!(session.prints("f <- tempfile(); sink(f); print(1); sink(); cat(readLines(f))").await, "[1] 1");
    assert_eq!(session.value("capture.output(print(1:3))").await["value"], "[1] 1 2 3");
    let s4 = "setClass('P', representation(name = 'character')); setGeneric('hi', function(x) standardGeneric('hi')); \
              setMethod('hi', 'P', function(x) cat('hi', x@name)); hi(new('P', name = 'Ada'))";
    assert!(session.prints(s4).await.ends_with("hi Ada"));
    let r5 = "A <- setRefClass('A', fields = list(n = 'numeric'), methods = list(up = function() { n <<- n + 1; invisible(.self) })); \
              a <- A$new(n = 1); a$up()$up(); cat(a$n)";
    assert_eq!(session.prints(r5).await, "3");
    assert_eq!(
        session.prints("library(survival); library(Matrix); library(lattice); cat(dim(Matrix(0, 2, 3)), class(Surv(1, 1)))").await,
        "2 3 Surv"
    );
    assert_eq!(session.value("round(coef(lm(dist ~ speed, cars)), 3)").await["value"], json!([-17.579, 3.932]));
}

#[tokio::test]
async fn a_data_table_is_a_data_frame() {
    let session = Client::admin(Server::shared()).await.session().await;
    let code = "library(data.table); d <- data.table(k = c('a', 'b', 'a'), v = 1:3, i = as.IDate('2020-01-01') + 0:2)[, .(s = sum(v), i = max(i)), by = k]";
    let response = session.execute(code, &[("robjects", "d")]).await.success();
    let columns = &response["robjects"]["d"]["value"];
    assert_eq!((&columns["k"]["value"], &columns["s"]["value"]), (&json!(["a", "b"]), &json!([4, 2])));
    assert_eq!(columns["i"]["value"], json!(["2020-01-03", "2020-01-02"]));
    // The session may start threads in its compiled code.
    assert_eq!(session.prints("setDTthreads(2); x <- data.table(k = sample(1e3, 1e5, TRUE))[, .N, by = k]; cat(sum(x$N))").await, "100000");
}

#[tokio::test]
async fn memory_that_is_not_there_is_an_error() {
    let session = Client::admin(Server::shared()).await.session().await;
    assert!(session.fails("x <- numeric(2e9)").await.starts_with("cannot allocate vector of size 14.9 Gb"));
    assert_eq!(session.value("1 + 1").await["value"], 2);
}
