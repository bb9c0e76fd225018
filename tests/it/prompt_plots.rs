//! Devices with a history of pages, in an R that is interactive.

use bytes::Bytes;
use offshoot::{
    app::prompt::{HostAnswer, HostQuestion, Notice, Plot, Say, Tell},
    config::RNamespace,
};

use crate::{
    harness::png_size,
    prompt_host::{Console, House},
};

/// What a client's namespace may be like.
const CODE: &str = r#"
device <- function() history_open("shown")
current <- function() history_active_device()
turned <- function(by) if (by < 0) history_previous(current()) else history_next(current())
sized <- function(width, height) history_resize(current(), width, height, 96)
cleared <- function() history_clear(current())
taken <- function() { history_remove(current(), history_active_page(current())); history_count(current()) }
written <- function() length(history_export(current(), history_active_page(current()), function(file) grDevices::pdf(file, 7, 7)))
waits <- function(f) host_promise(environment(f), "x")
"#;

const DEVICE: &str = "attach(list(shown = function() helper:::device()), name = 'device'); options(device = 'shown')\n";

async fn open() -> (House, Console) {
    let house = House::with(|config| {
        config.r.namespaces = vec![RNamespace { name: "helper", version: "1", code: CODE.to_owned() }];
    })
    .await;
    let mut console = house.open().await;
    console.types(DEVICE).await;
    (house, console)
}

/// Types code, and answers what devices ask. Returns the pages that come until the next prompt, each as it came last: a slow machine also
/// sends what there is of a page while R is drawing it.
async fn drawn(console: &mut Console, code: &str) -> Vec<(Plot, Bytes)> {
    console.answer(code).await;
    let mut plots = vec![];
    loop {
        match console.message().await {
            (Say::Ask(id, HostQuestion::DeviceSize(device)), _) => {
                assert_eq!(device.len(), 36);
                console.tell(Tell::Answer(id, HostAnswer::Size(360, 300, 96)), "").await;
            }
            (Say::Ask(id, HostQuestion::Locate(_)), _) => console.tell(Tell::Answer(id, HostAnswer::Point(100, 50)), "").await,
            (Say::Ask(id, HostQuestion::Line { .. }), _) => {
                console.prompt = id;
                return plots;
            }
            (Say::Plot(plot), picture) => {
                plots.retain(|(earlier, _): &(Plot, Bytes)| earlier.page != plot.page);
                plots.push((plot, picture));
            }
            (Say::Busy | Say::Idle | Say::Notice(_), _) => {}
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn pages_are_sent_before_the_prompt_and_turned_back_to() {
    let (house, mut console) = open().await;
    let first = drawn(&mut console, "plot(cars)\n").await;
    assert_eq!(first.len(), 1);
    assert_eq!(png_size(&first[0].1), (360, 300));
    assert_eq!((first[0].0.number, first[0].0.active, first[0].0.count), (2, 0, 1));
    // As png() draws it.
    let same = "local({ f <- tempfile(); png(f, 360, 300, res = 96); plot(cars); dev.off(); b <- readBin(f, 'raw', 1e6); unlink(f); cat(sum(as.integer(b) * seq_along(b)), '\\n') })\n";
    console.text.clear();
    let sum: u64 = (1u64..).zip(&first[0].1).map(|(at, byte)| at * u64::from(*byte)).sum();
    assert!(drawn(&mut console, same).await.is_empty());
    assert_eq!(console.text, format!("{sum} \n"));
    let two = drawn(&mut console, "plot(1:3); plot(4:6)\n").await;
    assert_eq!(two.iter().map(|(plot, _)| (plot.active, plot.count)).collect::<Vec<_>>(), [(1, 2), (2, 3)]);
    assert!(drawn(&mut console, "1\n").await.is_empty());
    let back = drawn(&mut console, "helper:::turned(-1)\n").await;
    assert_eq!((back[0].0.page.clone(), &back[0].1), (two[0].0.page.clone(), &two[0].1));
    let larger = drawn(&mut console, "helper:::sized(500, 400)\n").await;
    assert_eq!((larger.len(), png_size(&larger[0].1), larger[0].0.active), (1, (500, 400), 1));
    assert_eq!(drawn(&mut console, "helper:::taken()\n").await[0].0.count, 2);
    console.text.clear();
    assert_eq!(drawn(&mut console, "p <- locator(1); is.list(p)\n").await.len(), 0);
    assert_eq!(console.text, "[1] TRUE\n");
    console.text.clear();
    assert_eq!(drawn(&mut console, "helper:::written() > 1000; exists('.Random.seed')\n").await.len(), 0);
    assert_eq!(console.text, "[1] TRUE\n[1] FALSE\n");
    let cleared = drawn(&mut console, "helper:::cleared()\n").await;
    assert_eq!((cleared[0].0.active, cleared[0].0.count, cleared[0].1.len(), cleared[0].0.page.as_str()), (-1, 0, 0, ""));
    console.answer("invisible(dev.off())\n").await;
    let mut closed = false;
    loop {
        match console.message().await.0 {
            Say::Notice(Notice::DeviceClosed(device)) => closed = device == first[0].0.device,
            Say::Ask(..) => break,
            _ => {}
        }
    }
    assert!(closed);
    house.stop().await;
}

#[tokio::test]
async fn a_promise_is_seen_without_being_evaluated() {
    let (house, mut console) = open().await;
    let code = "f <- function(x) function() x; g <- f({ cat('evaluated'); 1 }); helper:::waits(g); g(); helper:::waits(g)\n";
    assert_eq!(console.types(code).await, "[1] TRUE\nevaluated[1] 1\n[1] FALSE\n");
    house.stop().await;
}
