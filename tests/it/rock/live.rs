//! Calls that the original does not have: `_interrupt`, `_console`, `_plots`.

use reqwest::{Method, header};
use serde_json::json;

use crate::harness::{Reply, Rock, RockSession, Server, png_size, read};

async fn interrupt(session: &RockSession) -> Reply {
    read(session.client.request(Method::POST, &format!("{}/_interrupt", session.path))).await
}

async fn get(session: &RockSession, path: &str, accept: &str) -> Reply {
    read(session.client.request(Method::GET, &format!("{}{path}", session.path)).header(header::ACCEPT, accept)).await
}

#[tokio::test]
async fn an_interrupt_stops_what_runs_and_the_session_lives_on() {
    let session = Rock::by("user").open().await;
    session.value("kept <- 1").await;
    let running = session.occupy("repeat {}").await;
    let reply = interrupt(&session).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
    let failed = session.get(&format!("/command/{running}?wait=true")).await.document();
    assert_eq!((&failed["status"], &failed["error"]), (&json!("FAILED"), &json!("The operation was interrupted")));
    assert_eq!(session.value("kept").await, 1);
    // If nothing is running, an interrupt has no effect, now or later.
    assert_eq!(interrupt(&session).await.status, 204);
    assert_eq!(session.value("kept").await, 1);
}

#[tokio::test]
async fn the_console_is_that_of_the_last_operation() {
    let session = Rock::by("user").open().await;
    assert_eq!(session.get("/_console").await.text(), "");
    session.value("cat('größe\n'); message('told'); print(1:3); system('echo from a child'); invisible()").await;
    let reply = session.get("/_console").await;
    assert_eq!(reply.text(), "größe\ntold\n[1] 1 2 3\nfrom a child\n");
    assert_eq!(reply.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    session.value("1").await;
    assert_eq!(session.get("/_console").await.text(), "");
    assert_eq!(get(&session, "/_console", "application/json").await.status, 406);
}

#[tokio::test]
async fn warnings_and_errors_are_on_the_console_as_r_prints_them() {
    let session = Rock::by("user").open().await;
    for (code, printed) in [
        ("warning('ww'); message('mm'); 1", "Warning message:\nww \nmm\n"),
        (
            "f <- function(x) { warning('inside'); warning('again') }; f(1); 2",
            "Warning messages:\n1: In f(1) : inside\n2: In f(1) : again\n",
        ),
        ("suppressWarnings(as.integer('x')); withCallingHandlers(1, warning = identity)", ""),
        ("f <- function(x) stop('no ', x); cat('before\n'); f('way')", "before\nError in f(\"way\") : no way\n"),
        ("warning('first'); stop('then')", "Warning message:\nfirst \nError: then\n"),
        ("{ warning('first'); stop('then') }", "Error: then\nIn addition: Warning message:\nfirst \n"),
        ("try(stop('caught')); tryCatch(stop('unseen'), error = function(e) 1)", "Error in try(stop(\"caught\")) : caught\n"),
        ("1 +", "Error: <text>:2:0: unexpected end of input\n1: 1 +\n   ^\n"),
        ("expression()", "Error: the value cannot be written as JSON: R cannot convert a part of it\n"),
        (
            "options(warn = 1); as.integer('x'); options(warn = 2); as.integer('y')",
            "Warning: NAs introduced by coercion\nError: (converted from warning) NAs introduced by coercion\n",
        ),
    ] {
        session.eval(code).await;
        assert_eq!(session.get("/_console").await.text(), printed, "{code}");
    }
    // R's own message is not printed twice, and no warning is left for the next operation.
    assert_eq!(session.value("options(warn = 0); 1").await, 1);
    assert_eq!(session.get("/_console").await.text(), "");
}

#[tokio::test]
async fn the_console_is_live_and_ends_with_the_operation() {
    let session = Rock::by("user").open().await;
    session.occupy("cat('begun'); while (!file.exists('go')) Sys.sleep(0.01); cat('ended')").await;
    let request = session.client.request(Method::GET, &format!("{}/_console", session.path)).header(header::ACCEPT, "text/event-stream");
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut seen = String::new();
    while !seen.contains("begun") {
        seen.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    // The text arrived while R was running.
    assert!(session.get("").await.document()["busy"].as_bool().unwrap());
    session.upload("?path=go", "x", b"", &[]).await;
    while let Some(piece) = response.chunk().await.unwrap() {
        seen.push_str(std::str::from_utf8(&piece).unwrap());
    }
    // The text comes once and in order, in whatever pieces, and then the end.
    assert_eq!(streamed(&seen), "begunended", "{seen}");
    assert!(seen.trim_end().ends_with("event: end\ndata: null"), "{seen}");
    // After the end of the operation, the stream has the whole text, and the end.
    let after = get(&session, "/_console", "text/event-stream").await;
    assert!(
        after.text().contains("data: \"begunended\"\n") && after.text().trim_end().ends_with("event: end\ndata: null"),
        "{}",
        after.text()
    );
}

#[tokio::test]
async fn looking_at_plots_and_assigning_data_leave_the_console_as_it_is() {
    let session = Rock::by("user").open().await;
    session.value("cat('printed'); plot(1); NULL").await;
    assert_eq!(session.get("/_plots").await.document().as_array().unwrap().len(), 1);
    assert_eq!(session.get("/_plots/1").await.status, 200);
    let data = session.client.request(Method::POST, &format!("{}/_assign?s=x", session.path));
    let data = data.header(header::CONTENT_TYPE, "application/x-rdata").body("WAoAAAADAAQCAgADBQAAAAAFVVRGLTgAAAAOAAAAAUBFAAAAAAAA");
    assert_eq!(read(data).await.status, 200);
    assert_eq!(session.get("/_console").await.text(), "printed");
    assert_eq!(streamed(get(&session, "/_console", "text/event-stream").await.text()), "printed");
    session.value("x").await;
    assert_eq!(session.get("/_console").await.text(), "");
}

/// The text in the events of a stream, and its end.
fn streamed(events: &str) -> String {
    let pieces = events.lines().filter_map(|line| line.strip_prefix("data: "));
    pieces.filter_map(|data| serde_json::from_str::<Option<String>>(data).unwrap()).collect()
}

#[tokio::test]
async fn the_end_of_the_console_is_not_lost_to_the_next_operation() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\nconsole_kib = 0"));
    let session = Rock::on(&server, "user").open().await;
    // More text than the connection holds while nobody reads from it.
    session.occupy("cat(strrep('x', 2e7)); while (!file.exists('go')) Sys.sleep(0.01); cat('tail')").await;
    session.submit("cat('another'); 1").await;
    let request = session.client.request(Method::GET, &format!("{}/_console", session.path)).header(header::ACCEPT, "text/event-stream");
    let mut response = request.send().await.unwrap();
    let mut seen = response.chunk().await.unwrap().unwrap().to_vec();
    session.upload("?path=go", "x", b"", &[]).await;
    assert_eq!(session.get("/command/2/result?wait=true").await.text(), "1");
    while let Some(piece) = response.chunk().await.unwrap() {
        seen.extend_from_slice(&piece);
    }
    let text = streamed(std::str::from_utf8(&seen).unwrap());
    assert_eq!((text.len(), text.trim_start_matches('x')), (20_000_004, "tail"));
}

#[tokio::test]
async fn plots_are_drawn_again_as_they_are_wanted() {
    let session = Rock::by("user").open().await;
    assert_eq!(session.get("/_plots").await.document(), json!([]));
    session.value("plot(cars); hist(cars$speed); par(mfrow = c(1, 2)); plot(1); plot(2); 'done'").await;
    let plots = session.get("/_plots").await.document();
    assert_eq!(plots.as_array().unwrap().len(), 3);
    assert!(plots[0]["location"].as_str().unwrap().ends_with(&format!("{}/_plots/1", session.path)));
    // Looking at plots does not count as an operation, which would forget them, and leaves no file.
    assert_eq!(session.get("/_plots").await.document().as_array().unwrap().len(), 3);
    let first = session.get("/_plots/1").await;
    assert_eq!((first.headers[header::CONTENT_TYPE].to_str().unwrap(), png_size(&first.body)), ("image/png", (800, 600)));
    let larger = session.get("/_plots/1?width=1600&height=1200&resolution=144").await;
    assert_eq!(png_size(&larger.body), (1600, 1200));
    let second = session.get("/_plots/2").await;
    assert_ne!(first.body, second.body);
    let svg = get(&session, "/_plots/3", "image/svg+xml").await;
    assert_eq!(svg.headers[header::CONTENT_TYPE], "image/svg+xml");
    let document = roxmltree::Document::parse(svg.text()).unwrap();
    assert!(document.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")));
    assert_eq!(get(&session, "/_plots/1", "text/html").await.status, 406);
    let wished = get(&session, "/_plots/1", "image/png;q=0.5, image/svg+xml;q=0.9").await;
    assert_eq!(wished.headers[header::CONTENT_TYPE], "image/svg+xml");
    let tiny = session.get("/_plots/1?width=10&height=10").await;
    assert_eq!(tiny.status, 400);
    assert!(tiny.document()["message"].as_str().unwrap().contains("10 by 10 pixels at 72 pixels per inch may be too small"));
    for (path, status) in
        [("/_plots/0", 404), ("/_plots/4", 404), ("/_plots/x", 404), ("/_plots/1?width=0", 400), ("/_plots/1?height=99999", 400)]
    {
        assert_eq!(session.get(path).await.status, status, "{path}");
    }
    assert_eq!(session.value("length(list.files(all.files = TRUE, no.. = TRUE)) + length(list.files(tempdir()))").await, 0);
    // The next operation has plots of its own, or none.
    assert_eq!(session.get("/_plots").await.document(), json!([]));
    assert_eq!(session.value("dev.list()").await, json!(null));
}

#[tokio::test]
async fn plots_whose_device_the_code_closes_are_kept() {
    let session = Rock::by("user").open().await;
    for (code, pages) in [
        ("dev.new(); plot(1); dev.off(); NULL", 1),
        ("plot(1); graphics.off()", 1),
        ("plot(1); dev.off(); plot(2); NULL", 2),
        ("{ plot(1); plot(2); grDevices::dev.off(dev.cur()); plot(3) }", 3),
        ("library(lattice); print(xyplot(dist ~ speed, cars)); dev.off(); NULL", 1),
        ("plot(1); first <- dev.cur(); dev.new(); plot(2); dev.off(first); lines(1:2); graphics.off()", 2),
        ("dev.new(); dev.off()", 0),
        ("plot(1); dev.off(); png('own.png'); plot(2); dev.off(); 1", 1),
    ] {
        session.value(code).await;
        assert_eq!(session.get("/_plots").await.document().as_array().unwrap().len(), pages, "{code}");
        for page in 1..=pages {
            assert_eq!(png_size(&session.get(&format!("/_plots/{page}")).await.body), (800, 600), "{code}");
        }
    }
    assert_eq!(session.fails("dev.off()").await, "Error in dev.off() : cannot shut down device 1 (the null device)\n");
    // A device of the code may have the number that one of ours had before.
    session.value("plot(1); dev.off(); png('own.png'); plot(2); NULL").await;
    assert_eq!(session.value("names(dev.list())").await, "png");
}

#[tokio::test]
async fn plots_of_grid_and_of_failed_code_are_kept() {
    let session = Rock::by("user").open().await;
    session.value("library(lattice); print(xyplot(dist ~ speed, cars)); print(bwplot(~ speed, cars)); NULL").await;
    assert_eq!(session.get("/_plots").await.document().as_array().unwrap().len(), 2);
    assert_eq!(png_size(&session.get("/_plots/2").await.body), (800, 600));
    session.fails("plot(1); stop('after')").await;
    assert_eq!(session.get("/_plots").await.document().as_array().unwrap().len(), 1);
    // Plots on a device of the code are not ours.
    session.value("png('own.png'); plot(1); dev.off(); plot(2); NULL").await;
    assert_eq!(session.get("/_plots").await.document().as_array().unwrap().len(), 1);
    assert_eq!(session.value("list.files()").await, "own.png");
}
