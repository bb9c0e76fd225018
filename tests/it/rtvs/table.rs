//! The table of what the original's own tests assert (contract, section h): values as JSON, and what is typed and stopped.

use serde_json::{Value, json};

use super::{
    client::{Broker, Client, evaluated, shared, until_dead},
    start::started,
};

#[tokio::test]
async fn values_have_the_json_that_clients_read() {
    let (mut client, _) = Client::at_prompt(shared(), "json").await;
    let unicode = "Ελληνικά Русский ქართული Հայերեն हिन्दी 汉字 العربية עברית “quoted”";
    let text = format!("'{unicode}'");
    for (code, expected) in [
        ("NULL", json!(null)),
        ("NA", json!(null)),
        ("NA_integer_", json!(null)),
        ("NA_real_", json!(null)),
        ("NA_character_", json!(null)),
        ("TRUE[FALSE]", json!(null)),
        ("0[FALSE]", json!(null)),
        ("0L[FALSE]", json!(null)),
        ("''[FALSE]", json!(null)),
        ("TRUE", json!(true)),
        ("FALSE", json!(false)),
        ("0", json!(0)),
        ("0L", json!(0)),
        ("42.24", json!(42.24)),
        ("'text'", json!("text")),
        ("'\\r\\n\\t\\f\"'", json!("\r\n\t\u{c}\"")),
        ("'\\a\\v'", json!("\u{7}\u{b}")),
        (text.as_str(), json!(unicode)),
        ("list()", json!([])),
        ("list(0, 's', NULL)", json!([0, "s", null])),
        ("list(NA, 1, NA, 2, NA)", json!([1, 2])),
        ("structure(list(), names = ''[FALSE])", json!({})),
        ("list(n = 0, s = 's', u = NULL)", json!({ "n": 0, "s": "s", "u": null })),
        ("list(n = 0, na = NA)", json!({ "n": 0 })),
        ("as.environment(list())", json!({})),
        ("as.environment(list(n = 0, s = 's', u = NULL))", json!({ "n": 0, "s": "s", "u": null })),
        ("as.environment(list(n = 0, na = NA))", json!({ "n": 0 })),
        ("list(as.environment(list(l = list())))", json!([{ "l": [] }])),
        ("list('Ûñïçôdè' = 0)", json!({ "Ûñïçôdè": 0 })),
        ("list('«Юникод»' = 0)", json!({ "«Юникод»": 0 })),
    ] {
        assert_eq!(client.value(code).await, expected, "{code}");
    }
    // Clients tell numbers that count from others by their form.
    let whole = client.ask("?=", json!(["list(3, 1e5, 2^53)"]), b"").await;
    assert!(whole.json.ends_with("[3,100000,9007199254740992]]"), "{}", whole.json);
    for code in ["NaN", "+Inf", "-Inf", "1i", "function() {}", "quote(symbol)", "quote(1 + 2)", "c(1, 2)"] {
        let direct = client.eval(code, "").await;
        assert!(direct.status.as_deref() == Some("OK") && direct.error.is_some(), "{code}: {direct:?}");
    }
    for code in ["structure(list(1, 2), names = c('x', NA))", "list(x = 1, x = 2)", "local({ e <- new.env(); e$e <- e; e })"] {
        let json = client.eval(&format!("rtvs:::toJSON({code})"), "").await;
        assert!(json.status.as_deref() == Some("OK") && json.error.is_some(), "{code}: {json:?}");
    }
    assert_eq!(client.value("rtvs:::toJSON(list(a = 1))").await, "{\"a\":1}");
}

#[tokio::test]
async fn values_come_as_bytes_and_errors_as_texts() {
    let (mut client, _) = Client::at_prompt(shared(), "bytes").await;
    assert_eq!(client.eval("as.raw(c(0, 1, 2, 3, 4))", "r").await.blob, [0, 1, 2, 3, 4].as_slice());
    assert_eq!(client.eval("NULL", "r").await.blob, [].as_slice());
    assert!(client.eval("1L", "r").await.error.is_some());
    assert_eq!(client.eval("1 +", "").await.status.as_deref(), Some("INCOMPLETE"));
    assert_eq!(client.eval("1 1", "").await.status.as_deref(), Some("ERROR"));
    assert!(client.eval("stop('x')", "").await.error.unwrap().contains('x'));
    assert_eq!(client.eval("stop('first'); 'last'", "").await.value, "last");
    let id = client.value("rtvs:::create_blob(as.raw(1:10))").await;
    assert_eq!(client.eval(&format!("rtvs:::get_blob({id})"), "r").await.blob, (1..=10).collect::<Vec<u8>>().as_slice());
    assert_eq!(client.eval(&format!("rtvs:::destroy_blob({id})"), "0").await.error, None);
    assert!(client.eval(&format!("rtvs:::get_blob({id})"), "r").await.error.is_some());
    let (plain, compressed) =
        (client.value("rtvs:::create_blob(raw(1000000))").await, client.value("rtvs:::create_compressed_blob(raw(1000000))").await);
    let size = async |client: &mut Client, id: &Value| -> Value {
        let reply = client.ask("?GetBlobSize", json!([id]), b"").await;
        serde_json::from_str::<Value>(&reply.json).unwrap()[0].clone()
    };
    assert_eq!(size(&mut client, &plain).await, 1_000_000);
    assert!(size(&mut client, &compressed).await.as_u64().unwrap() < 10_000);
    let archive = client.ask("?ReadBlob", json!([compressed, 0, -1]), b"").await.blob;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
    let mut unpacked = Vec::new();
    std::io::copy(&mut archive.by_name("data").unwrap(), &mut unpacked).unwrap();
    assert_eq!(unpacked, vec![0; 1_000_000]);
    // In the ways that clients send them.
    assert_eq!(client.eval("f <- function(a, b) { a + b }", "0").await.error, None);
    assert_eq!(client.value("f(1, 2)").await, 3);
    assert_eq!(client.eval("x <- mtcars", "0").await.error, None);
    assert_eq!(client.value("list(as.list(rownames(x))[[1]], length(x), x$mpg[[1]])").await, json!(["Mazda RX4", 11, 21]));
    assert_eq!(client.eval("exists('x')", "B").await.value, false);
    assert!(client.eval("sum(1)", "E").await.error.is_some());
}

#[tokio::test]
async fn what_is_typed_is_evaluated_and_asked_for() {
    let (mut client, prompt) = started("typed").await;
    let (prompt, output, errors) = client.interact(prompt, "1+1\n").await;
    assert_eq!((output.as_str(), errors.as_str()), ("[1] 2\n", ""));
    let (prompt, output, errors) = client.interact(prompt.id, "x123\n").await;
    assert_eq!((output.as_str(), errors.as_str()), ("", "Error: object 'x123' not found\n"));
    let (name, ..) = client.interact(prompt.id, "\nh <- 'Hello'\nname <- readline('Name:')\npaste(h, name)\n").await;
    let asked: Value = serde_json::from_str(&name.json).unwrap();
    assert_eq!((&asked[2], &asked[4]), (&json!(false), &json!("Name:")));
    let (prompt, output, _) = client.interact(name.id, "Goo\n").await;
    assert_eq!(output, "[1] \"Hello Goo\"\n");
    let (mut prompt, output, _) = client.interact(prompt.id, "'日本語'\nsystem('echo hi')\n").await;
    assert_eq!(output, "[1] \"日本語\"\nhi\n");
    for number in 0..10 {
        let (asked, ..) = client.interact(prompt.id, "readline('i')\n").await;
        assert!(asked.json.ends_with(",false,null,\"i\"]"), "{}", asked.json);
        let (next, output, _) = client.interact(asked.id, &format!("{number}\n")).await;
        assert_eq!(output, format!("[1] \"{number}\"\n"));
        prompt = next;
    }
    let (browser, ..) = client.interact(prompt.id, "browser()\n").await;
    let contexts: Value = serde_json::from_str(&browser.json).unwrap();
    assert!(contexts[0].as_array().unwrap().contains(&json!(16)), "{contexts}");
}

#[tokio::test]
async fn prompts_nest_and_are_answered_from_the_top() {
    let (mut client, prompt) = started("nested").await;
    let outer = client.send("?=@", json!(["paste('0 +', readline('2'))"]), b"").await;
    let second = client.prompt().await;
    let inner = client.send("?=@", json!(["paste('0 +', readline('3'))"]), b"").await;
    let third = client.prompt().await;
    assert!(third.json.ends_with("\"3\"]"), "{}", third.json);
    client.answer(third.id, "3\n").await;
    let reply = client.wait_for(|message| message.request == inner).await;
    assert_eq!(evaluated(&reply).value, "0 + 3");
    client.answer(second.id, "2\n").await;
    let reply = client.wait_for(|message| message.request == outer).await;
    assert_eq!(evaluated(&reply).value, "0 + 2");
    let (_, output, _) = client.interact(prompt, "5\n").await;
    assert_eq!(output, "[1] 5\n");
}

#[tokio::test]
async fn r_that_is_killed_or_asked_to_quit_closes_the_pipe_and_can_begin_again() {
    let broker = Broker::admin(shared());
    for _ in 0..2 {
        let (mut client, _) = started("again").await;
        let pid = client.pid().await;
        client.send("?=0", json!(["q()"]), b"").await;
        assert_eq!(client.closed().await, Some(1000));
        until_dead(pid).await;
        assert!(!broker.sessions().await.contains(&"again".to_owned()));
    }
    let (mut client, _) = started("again").await;
    let pid = client.pid().await;
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    assert_eq!(client.closed().await, Some(1000));
    // An evaluation that cannot be cancelled does not keep a session from its end.
    let (mut client, _) = started("again").await;
    let pid = client.pid().await;
    client.send("?=", json!(["while (TRUE) {}"]), b"").await;
    assert_eq!(broker.call(reqwest::Method::DELETE, "/sessions/again").await.status, 200);
    until_dead(pid).await;
    client.closed().await;
}
