//! What R shows, edits and installs by the client, and sessions that begin and end (contract, sections b.3, b.10 and h).

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    client::{Broker, Client, shared, until_dead},
    start::{asked_to_reload, started},
};

/// The arguments of the next message with this name.
async fn told(client: &mut Client, name: &str) -> Value {
    serde_json::from_str(&client.named(name).await.json).unwrap()
}

#[tokio::test]
async fn values_and_files_are_shown_by_the_client() {
    let (mut client, prompt) = started("shown").await;
    // What will change is named, and what is on one line is printed.
    let (mut prompt, output, _) = client.interact(prompt, "x <- list(1); View(3)\n").await;
    assert_eq!(output, "[1] 3\n");
    for (code, expression, title) in [
        ("View(x)", "x", "x"),
        ("View(x[[1]] + 0:3, 'sum')", "x[[1]] + 0:3", "sum"),
        ("View(function(a) a + 1)", "function(a) a + 1", "function(a) a + 1"),
        ("View(`odd name`)", "`odd name`", "`odd name`"),
    ] {
        client.eval("`odd name` <- mtcars", "0").await;
        client.answer(prompt.id, &format!("{code}\n")).await;
        assert_eq!(told(&mut client, "!View").await, json!([expression, title]), "{code}");
        prompt = client.prompt().await;
    }
    // In the other mode, as it is now.
    client.eval("rtvs:::set_view_mode(0)", "0").await;
    client.answer(prompt.id, "View(x, 'now')\n").await;
    let view = told(&mut client, "!View").await;
    assert_eq!(view[1], "now");
    client.eval("x <- NULL", "0").await;
    assert_eq!(client.value(view[0].as_str().unwrap()).await, json!([1]));
    prompt = client.prompt().await;
    // The pager.
    client.eval("f <- tempfile(); cat('text\\n', file = f)", "0").await;
    client.answer(prompt.id, "file.show(f, title = 'A title', delete.file = TRUE)\n").await;
    let file = told(&mut client, "!ShowFile").await;
    let path = client.value("f").await;
    assert_eq!(file, json!([path, "A title", true]));
    prompt = client.prompt().await;
    client.answer(prompt.id, "help('mean', help_type = 'html')\n").await;
    let page = told(&mut client, "!WebBrowser").await;
    assert!(page[0].as_str().unwrap().starts_with("http://127.0.0.1:"), "{page}");
    prompt = client.prompt().await;
    client.answer(prompt.id, "browseURL('https://example.org/')\n").await;
    assert_eq!(told(&mut client, "!WebBrowser").await, json!(["https://example.org/"]));
}

/// Types code that has something edited, and answers with a text. Returns what was to be edited and the next prompt.
async fn edit(client: &mut Client, prompt: u64, code: &str, answer: Value) -> (Value, u64) {
    client.answer(prompt, &format!("{code}\n")).await;
    let asked = client.named("?EditFile").await;
    client.reply(asked.id, "?EditFile", json!([answer])).await;
    let prompt = client.prompt().await.id;
    (serde_json::from_str(&asked.json).unwrap(), prompt)
}

#[tokio::test]
async fn values_and_files_are_edited_by_the_client() {
    let (mut client, prompt) = started("edited").await;
    client.eval("f <- local({ k <- 2; function(x) x * k })", "0").await;
    let (asked, prompt) = edit(&mut client, prompt, "fix(f)", json!("function(x) x * k + 1\n")).await;
    assert!(asked[0].as_str().unwrap().contains("x * k") && asked[1].is_null(), "{asked}");
    // It stays where it was.
    assert_eq!(client.value("f(10)").await, 21);
    let (asked, prompt) = edit(&mut client, prompt, "y <- edit(list(a = 1))", json!("list(a = 1, b = 'ü')")).await;
    assert_eq!(asked, json!(["list(a = 1)", null]));
    assert_eq!(client.value("y$b").await, "ü");
    // Nothing, if the editor was closed without.
    let (_, prompt) = edit(&mut client, prompt, "z <- edit(c(1, 2))", Value::Null).await;
    assert_eq!(client.value("sum(z)").await, 3);
    // What is no code is an error, and the value stays.
    client.answer(prompt, "fix(f)\n").await;
    let asked = client.named("?EditFile").await;
    let (next, _, errors) = client.interact_with(asked.id, "?EditFile", json!(["function(x"])).await;
    assert!(errors.starts_with("Error"), "{errors}");
    assert_eq!(client.value("f(10)").await, 21);
    // Files, which may be new.
    let path = client.value("file.path(tempdir(), 'edited.R')").await;
    let (asked, prompt) = edit(&mut client, next.id, "file.edit(file.path(tempdir(), 'edited.R'))", json!("'ü'\n")).await;
    assert_eq!(asked, json!([null, path]));
    assert_eq!(client.value(&format!("readLines({path}, encoding = 'UTF-8')")).await, "'ü'");
    let (_, prompt) = edit(&mut client, prompt, "file.edit(file.path(tempdir(), 'edited.R'))", Value::Null).await;
    assert_eq!(client.value(&format!("readLines({path}, encoding = 'UTF-8')")).await, "'ü'");
    let (_, output, _) = client.interact(prompt, "1\n").await;
    assert_eq!(output, "[1] 1\n");
    // Where nobody may be asked, it is an error.
    assert!(client.eval("edit(1)", "").await.error.is_some());
}

#[tokio::test]
async fn packages_are_listed_installed_and_removed() {
    let (mut client, prompt) = started("packages").await;
    let installed = client.value("rtvs:::packages.installed()").await;
    let stats = installed.as_array().unwrap().iter().find(|package| package["Package"] == "stats").unwrap();
    for field in ["Version", "LibPath", "Priority", "License", "Built", "Title", "Description", "Author"] {
        assert!(stats[field].is_string(), "{field}: {stats}");
    }
    assert!(client.value("rtvs:::packages.loaded()").await.as_array().unwrap().contains(&json!("rtvs")));
    assert_eq!(client.value("rtvs:::packages.libpaths()").await, client.value("as.list(.libPaths())").await);
    let functions = client.value("rtvs:::packages.installed.functions()").await;
    let tools = functions.as_array().unwrap().iter().find(|package| package["Package"] == "tools").unwrap();
    for (kind, name) in [("ExportedFunctions", "file_ext"), ("InternalFunctions", "fetchRdDB")] {
        assert!(tools[kind].as_array().unwrap().contains(&json!(name)), "{kind}");
    }
    let exported = client.value("rtvs:::package.exported.functions.names('utils')").await;
    assert!(exported.as_array().unwrap().contains(&json!("head")) && !exported.as_array().unwrap().contains(&json!("edit.data.frame")));
    assert!(client.value("rtvs:::package.all.functions.names('utils')").await.as_array().unwrap().contains(&json!("edit.data.frame")));
    // One of our own.
    let make = "local({
        source <- file.path(tempdir(), 'tinypkg')
        dir.create(file.path(source, 'R'), recursive = TRUE)
        writeLines(c('Package: tinypkg', 'Version: 1.0', 'Title: T', 'Description: D.', 'License: none'), file.path(source, 'DESCRIPTION'))
        writeLines('exportPattern(\"^[a-z]\")', file.path(source, 'NAMESPACE'))
        writeLines(c('tiny <- function() 1', '.hidden <- function() 2'), file.path(source, 'R', 'tiny.R'))
        library <- file.path(tempdir(), 'own library')
        dir.create(library)
        .libPaths(c(library, .libPaths()))
    })";
    client.eval(make, "0").await;
    client.answer(prompt, "install.packages(file.path(tempdir(), 'tinypkg'), repos = NULL, type = 'source', quiet = TRUE)\n").await;
    for question in ["?BeforePackagesInstalled", "?AfterPackagesInstalled"] {
        let asked = client.named(question).await;
        assert_eq!(asked.json, "[]");
        client.reply(asked.id, question, json!([true])).await;
    }
    let prompt = client.prompt().await.id;
    assert_eq!(client.value("rtvs:::package.exported.functions.names('tinypkg')").await, json!(["tiny"]));
    assert_eq!(client.value("rtvs:::package_lock_state('tinypkg', .libPaths()[[1]])").await, 0);
    let (prompt, output, _) = client.interact(prompt, "library('tinypkg', lib.loc = .libPaths()[[1]]); tiny()\n").await;
    assert_eq!(output, "[1] 1\n");
    // One that is loaded stays.
    assert_eq!(client.value("rtvs:::package_lock_state('tinypkg', .libPaths()[[1]])").await, 1);
    assert_eq!(client.value("rtvs:::package_uninstall('tinypkg', .libPaths()[[1]])").await, 1);
    let (prompt, ..) = client.interact(prompt.id, "unloadNamespace('tinypkg')\n").await;
    assert_eq!(client.value("rtvs:::package_uninstall('tinypkg', .libPaths()[[1]])").await, 0);
    client.named("!PackagesRemoved").await;
    assert_eq!(client.value("nzchar(system.file(package = 'tinypkg'))").await, false);
    client.answer(prompt.id, "remove.packages('tinypkg')\n").await;
    client.named("!PackagesRemoved").await;
    client.prompt().await;
    for (program, found) in [("sh", true), ("no-such-program", false)] {
        assert_eq!(client.value(&format!("rtvs:::executable_exists_on_path({program:?})")).await, found);
    }
}

#[tokio::test]
async fn sessions_begin_beside_each_other_and_again() {
    let broker = Broker::admin(shared());
    let sessions = (0..4).map(async |at| {
        let (mut client, _) = started(&format!("parallel-{at}")).await;
        assert_eq!(client.eval("x <- 1", "").await.value, 1);
        let pid = client.pid().await;
        client.send("?=0", json!(["q()"]), b"").await;
        assert_eq!(client.closed().await, Some(1000));
        until_dead(pid).await;
    });
    join_all(sessions).await;
    assert!(broker.sessions().await.iter().all(|id| !id.starts_with("parallel-")));
    // Nothing of the one before is there.
    let (mut client, prompt) = started("parallel-0").await;
    assert_eq!(client.value("exists('x')").await, false);
    assert_eq!(client.eval("x <- 1", "").await.value, 1);
    // Everything is stopped, as often as the client asks for it.
    client.answer(prompt, "while (TRUE) {}\n").await;
    client.named("!+").await;
    for _ in 0..4 {
        client.send("!//", json!([]), b"").await;
    }
    client.cancelled().await;
    client.prompt().await;
    assert_eq!(client.value("x + 1").await, 2);
}

#[tokio::test]
async fn a_saved_workspace_is_loaded_if_the_user_wants_it() {
    let (mut client, _) = started("reload").await;
    client
        .eval("file <- file.path(tempdir(), 'saved.RData'); assign('autosave_file', function() file, envir = asNamespace('rtvs'))", "0")
        .await;
    for (answer, removable, loaded) in [("C", false, false), ("N", true, false), ("Y", true, true)] {
        client.eval("kept <- 42; save(kept, file = file); rm(kept)", "0").await;
        let may_go = asked_to_reload(&mut client, answer).await;
        assert_eq!((may_go, client.value("exists('kept')").await), (json!(removable), json!(loaded)), "{answer}");
        // What is there if it could not be removed is what the next session asks for.
        client.eval(&format!("rtvs:::enable_autosave({})", if removable { "TRUE" } else { "FALSE" }), "0").await;
        assert_eq!(client.value("file.exists(file)").await, !removable);
    }
    client.eval("writeLines('no workspace', file)", "0").await;
    assert_eq!(asked_to_reload(&mut client, "Y").await, false);
    assert!(told(&mut client, "!ShowMessage").await[0].as_str().unwrap().contains("cannot be loaded"));
}

#[tokio::test]
async fn help_is_shown_and_told() {
    let (mut client, prompt) = started("helpful").await;
    let page = client.value("rtvs:::signature.help1('mean')").await;
    assert!(page.as_str().unwrap().contains("\\name{mean}"), "{page}");
    assert_eq!(client.value("rtvs:::signature.help2('mean', 'base')").await, page);
    for code in ["rtvs:::signature.help1('no_such_topic')", "rtvs:::signature.help2('mean', 'nopackage')"] {
        assert_eq!(client.value(code).await, "", "{code}");
    }
    for topic in ["mean", "?mean", "stats::sd"] {
        client.eval(&format!("rtvs:::show_help({topic:?})"), "0").await;
        let page = told(&mut client, "!WebBrowser").await;
        assert!(page[0].as_str().unwrap().starts_with("http://127.0.0.1:"), "{page}");
    }
    let (_, output, _) = client.interact(prompt, "1\n").await;
    assert_eq!(output, "[1] 1\n");
}
