//! What a client does when it has connected, in the order in which it was seen to, and what it expects of it (contract, sections b.2 and f).

use serde_json::{Value, json};

use super::client::{Client, evaluated, server_with, shared, until_dead};

/// A client that has done all that, at the prompt with this id. What R has printed until then is forgotten.
pub(super) async fn started(id: &str) -> (Client, u64) {
    let (mut client, prompt) = Client::at_prompt(shared(), id).await;
    assert_eq!(client.value(".Platform$OS.type").await, "unix");
    let load = "if (!isNamespaceLoaded('rtvs')) loadNamespace('rtvs', lib.loc = '/usr/share/rtvs')";
    // What fails in the first group stops the start of a client, and what fails in the others is told to its user.
    for code in [
        load,
        "setwd('~')",
        "rtvs:::suppress_ui()",
        "attach(as.environment(list(ide = function() rtvs:::graphics.ide.new())), name = 'rtvs::graphics::ide')",
        "options(device = 'ide')",
        "grDevices::deviceIsInteractive('ide')",
        "rtvs:::set_mirror('https://test.cran.info')",
        "Sys.setlocale('LC_CTYPE', 'en_US.UTF-8')",
        "options(help_type = 'html', browser = rtvs:::open_url, pager = rtvs:::show_file, editor = rtvs:::edit_file)",
        "utils::assignInNamespace(\"setwd\", rtvs:::\"setwd\", \"base\")",
        "rtvs:::redirect_functions()",
        "rtvs:::set_view_mode(1)",
        "options(width = as.integer(80))",
    ] {
        let done = client.eval(code, "0").await;
        assert_eq!((done.status.as_deref(), done.error, done.value), (Some("OK"), None, Value::Null), "{code}");
    }
    assert_eq!(client.value("rtvs:::version").await, 1);
    assert_eq!(client.value("!exists('Revo.version')").await, true);
    // The tests share an account, and what one of them has left is not for another.
    client.eval("unlink('~/.Autosave.RData')", "0").await;
    let reload = client.eval("rtvs:::query_reload_autosave()", "@").await;
    assert_eq!(reload.value, false);
    assert_eq!(client.eval("rtvs:::enable_autosave(FALSE)", "0").await.error, None);
    let (prompt, ..) = client.interact(prompt, "\n").await;
    (client, prompt.id)
}

/// Has the user asked whether to load what the session before has left, who answers with this letter. Returns whether it can be removed.
pub(super) async fn asked_to_reload(client: &mut Client, answer: &str) -> Value {
    let id = client.send("?=@", json!(["rtvs:::query_reload_autosave()"]), b"").await;
    let asked = client.named("?YesNoCancel").await;
    client.reply(asked.id, "?YesNoCancel", json!([answer])).await;
    evaluated(&client.wait_for(|message| message.request == id).await).value
}

#[tokio::test]
async fn what_a_client_sets_at_its_start_is_in_force() {
    let (mut client, prompt) = started("start").await;
    assert_eq!(client.value("rtvs:::view_env$view_mode").await, 1);
    let mirror = client.value("as.list(getOption('repos'))").await;
    assert!(mirror["CRAN"].as_str().unwrap().starts_with("https://test.cran.info"), "{mirror}");
    client.answer(prompt, "setwd(tempdir())\n").await;
    let folder = client.named("!SetWD").await;
    assert!(folder.json.contains('/'), "{}", folder.json);
    let prompt = client.prompt().await.id;
    client.answer(prompt, "library()\n").await;
    assert_eq!(client.named("!Library").await.json, "[]");
    let prompt = client.prompt().await.id;
    client.answer(prompt, "View(mtcars)\n").await;
    let view: Value = serde_json::from_str(&client.named("!View").await.json).unwrap();
    assert_eq!((view[0].as_str(), view.as_array().unwrap().len()), (Some("mtcars"), 2));
    let prompt = client.prompt().await.id;
    client.answer(prompt, "x <- edit('a text')\n").await;
    let edit = client.named("?EditFile").await;
    client.reply(edit.id, "?EditFile", json!(["'another'\n"])).await;
    client.prompt().await;
    assert_eq!(client.value("x").await, "another");
}

#[tokio::test]
async fn a_workspace_whose_client_is_lost_is_there_in_the_next_session() {
    let server = server_with("");
    let (mut client, _) = Client::at_prompt(&server, "lost").await;
    assert_eq!(client.eval("rtvs:::query_reload_autosave()", "@").await.value, false);
    assert_eq!(client.eval("rtvs:::enable_autosave(FALSE)", "0").await.error, None);
    assert_eq!(client.eval("kept <- 6 * 7", "0").await.error, None);
    let pid = client.pid().await;
    client.send("?=/", json!(["repeat {}"]), b"").await;
    drop(client);
    until_dead(pid).await;
    for (answer, is_over) in [("C", false), ("Y", true)] {
        let (mut client, _) = Client::at_prompt(&server, "next").await;
        assert_eq!(asked_to_reload(&mut client, answer).await, is_over);
        assert_eq!(client.value("get0('kept')").await, if is_over { json!(42) } else { Value::Null });
        if is_over {
            client.eval("rtvs:::enable_autosave(TRUE)", "0").await;
            client.eval("rm(list = ls(all.names = TRUE))", "0").await;
        }
        let pid = client.pid().await;
        drop(client);
        until_dead(pid).await;
    }
    let (mut client, _) = Client::at_prompt(&server, "last").await;
    assert_eq!(client.eval("rtvs:::query_reload_autosave()", "@").await.value, false);
}
