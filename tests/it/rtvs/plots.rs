//! What is drawn is shown in the client's window: the table of what the original's own tests assert (contract, section h).

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::timeout;

use super::{
    client::{Broker, shared, until_dead},
    start::started,
    window::{USUAL, Window, pictures, places},
};
use crate::harness::{Size, drawn_by_r, png_pixels, png_size, skipped};

/// The size into which windows are resized.
const LARGER: Size = Size { width: 600, height: 600, ..USUAL };

const RESIZE: &str = "rtvs:::graphics.ide.resize(rtvs:::graphics.ide.getactivedeviceid(), 600, 600, 96)";

/// The page of each of these scripts, in this size, as R's own `png()` draws it.
fn by_png(codes: &[&str], size: Size) -> Vec<Vec<u8>> {
    let only = |mut pages: Vec<Vec<u8>>| {
        assert_eq!(pages.len(), 1);
        pages.remove(0)
    };
    drawn_by_r(codes, &[size]).into_iter().map(|mut sizes| only(sizes.remove(0).unwrap())).collect()
}

/// Fails by saying which pictures differ. What they consist of helps nobody.
#[track_caller]
fn assert_same(shown: &[&[u8]], expected: &[impl AsRef<[u8]>]) {
    let same: Vec<bool> = shown.iter().zip(expected).map(|(shown, expected)| *shown == expected.as_ref()).collect();
    assert!(shown.len() == expected.len() && same.iter().all(|same| *same), "{} of {}: {same:?}", shown.len(), expected.len());
}

/// R smooths edges, where it draws into pictures by Cairo, so that the line takes the upper half of one row of pixels and the lower
/// half of the next. On the systems on which the original was tested it does not.
#[tokio::test]
async fn a_line_is_where_it_was_drawn() {
    let mut window = Window::open("line").await;
    let code = "library(grid)\ngrid.newpage()\ngrid.segments(.01, .1, .99, .1)";
    let shown = window.types(code).await;
    assert_eq!((shown.len(), shown[0].size()), (1, (360, 360)));
    assert_same(&pictures(&shown), &by_png(&[code], USUAL));
    let white = |pixel: &[u8; 3]| *pixel == [255; 3];
    let drawn = |picture: &[u8]| {
        let pixels = png_pixels(picture);
        let places = (0..360).flat_map(|y| (0..360).map(move |x| (x, y)));
        places.filter(|(x, y)| !white(&pixels[*y][*x])).map(|(x, y)| (x, y, pixels[y][x])).collect::<Vec<_>>()
    };
    let (left, right, row) = (3, 356, 323);
    let smooth = drawn(&shown[0].picture);
    assert!(smooth.iter().all(|(x, y, _)| (left..=right).contains(x) && (row..=row + 1).contains(y)), "{smooth:?}");
    for x in left..=right {
        assert!(smooth.iter().any(|(at, y, _)| (*at, *y) == (x, row)), "{x}");
    }
    // Only pixels with their middle in the line.
    let sharp = window.types(&format!("X11.options(antialias = 'none')\n{code}")).await;
    assert_eq!(sharp.len(), 1);
    let black: Vec<_> = (left + 1..right).map(|x| (x, row, [0; 3])).collect();
    assert_eq!(drawn(&sharp[0].picture), black);
}

#[tokio::test]
async fn each_plot_is_a_message_of_its_own() {
    let mut window = Window::open("each").await;
    let code = "plot(0:10)\nplot(5:15)";
    let expected = by_png(&["plot(0:10)", "plot(5:15)"], USUAL);
    let by_lines = window.types_lines(code).await;
    assert_eq!(places(&by_lines), [(0, 1), (1, 2)]);
    assert_same(&pictures(&by_lines), &expected);
    let at_once = window.types(code).await;
    assert_eq!(places(&at_once), [(2, 3), (3, 4)]);
    assert_same(&pictures(&at_once), &expected);
    let pages: std::collections::BTreeSet<_> = by_lines.iter().chain(&at_once).map(|shown| &shown.page).collect();
    assert_eq!(pages.len(), 4);
    assert!(by_lines.iter().chain(&at_once).all(|shown| shown.device == by_lines[0].device));
    // Clients have a copy, by this name. The session has none.
    assert_eq!(window.value(&format!("file.exists('{}')", by_lines[0].path)).await, false);
    let rasters = [
        "library(grid); red <- matrix(hcl(0, 80, seq(50, 80, 10)), nrow = 4, ncol = 5)\ngrid.newpage()\ngrid.raster(red)",
        "grid.newpage()\ngrid.raster(red, interpolate = FALSE)",
    ];
    for (number, code) in rasters.iter().enumerate() {
        let shown = window.types(code).await;
        assert_eq!(places(&shown), [(4 + i64::try_from(number).unwrap(), 5 + i64::try_from(number).unwrap())]);
    }
}

#[tokio::test]
async fn plots_are_those_of_png() {
    let mut window = Window::open("png").await;
    let mut codes = vec!["plot(cars)", "hist(cars$speed, main = 'Été 日本')", "pie(1:5)"];
    for (package, code) in [
        ("lattice", "print(lattice::xyplot(dist ~ speed, cars, type = c('p', 'r')))"),
        ("ggplot2", "print(ggplot2::ggplot(mtcars, ggplot2::aes(wt, mpg, colour = factor(cyl))) + ggplot2::geom_point())"),
    ] {
        if window.client.value(&format!("requireNamespace('{package}', quietly = TRUE)")).await == true {
            codes.push(code);
        } else {
            skipped(&format!("the R package {package} is not installed"));
        }
    }
    for (code, expected) in codes.iter().zip(by_png(&codes, USUAL)) {
        let shown = window.types(code).await;
        assert!(shown.len() == 1 && shown[0].picture == expected, "{code}: {}", shown.len());
    }
}

#[tokio::test]
async fn a_page_is_shown_if_the_code_wants_no_recording_of_it() {
    let mut window = Window::open("inhibit").await;
    let shown = window.types("dev.new()\ndev.control('inhibit')\nplot(4:6)").await;
    assert_same(&pictures(&shown), &by_png(&["plot(4:6)"], USUAL));
    let more = window.types("abline(h = 5)").await;
    assert_same(&pictures(&more), &by_png(&["plot(4:6); abline(h = 5)"], USUAL));
    assert_eq!(places(&more), [(0, 1)]);
    // That is grid's own way to say so.
    let draw = "library(grid); grid.newpage(); grid.circle()";
    let shown = window.types(&format!("graphics.off()\nlibrary(grid); engine.display.list(FALSE)\n{draw}")).await;
    assert_same(&pictures(&shown), &by_png(&[draw], USUAL));
}

/// R looks for its client while it draws, and sends what there is of a page.
#[tokio::test]
async fn a_page_that_is_sent_while_r_draws_it_is_recorded_once() {
    let mut window = Window::open("meanwhile").await;
    window.sends_after("-1").await;
    let draw = "library(grid); grid.newpage(); for (i in 1:200) grid.text(i, i / 200, i / 200)";
    let shown = window.types(&format!("recorded <- sapply(1:5, function(i) {{ {draw}; length(recordPlot()[[1]]) }})")).await;
    assert_eq!(window.client.value("length(unique(recorded))").await, 1);
    assert_same(&[&shown.last().unwrap().picture], &by_png(&[draw], USUAL));
}

/// When R cleans up after an error, it records from then on what it draws, also within a call that is recorded itself.
#[tokio::test]
async fn an_error_of_the_client_while_grid_draws_leaves_the_recording_as_it_is() {
    let (mut client, prompt) = started("failing").await;
    let grob = "drawDetails.slow <- function(x, recording) { if (wait) cat('draws'); while (wait) {}; grid.rect(); grid.circle() }";
    let draw =
        |wait| format!("grid.newpage(); wait <- {wait}; grid.draw(grob(cl = 'slow')); recorded <- c(recorded, length(recordPlot()[[1]]))");
    let code = format!("library(grid); recorded <- c()\n{grob}\n{}\n{}\n", draw("FALSE"), draw("TRUE"));
    client.answer(prompt, &code).await;
    let question = client.named("?PlotDeviceCreate").await;
    client.reply(question.id, &question.name, json!([360, 360, 96])).await;
    client.wait_for(|message| message.name == "!" && message.json.contains("draws")).await;
    for wrong in ["stop('wrong')", "recordGraphics(stop('wrong'), list(), globalenv())"] {
        assert!(client.eval(wrong, "").await.error.is_some(), "{wrong}");
    }
    // Here, R ends only the finalizer.
    assert_eq!(client.eval("local(reg.finalizer(new.env(), function(gone) stop('wrong'))); gc()[[1]]", "").await.error, None);
    assert_eq!(client.eval("wait <- FALSE", "0").await.error, None);
    client.prompt().await;
    assert_eq!(client.value("list(length(recorded), length(unique(recorded)))").await, json!([2, 1]));
}

#[tokio::test]
async fn pages_have_the_size_of_the_window() {
    let mut window = Window::open("size").await;
    for (size, code) in [(Size { width: 480, height: 480, resolution: 72 }, "plot(c(1:10))"), (LARGER, "plot(0:10)")] {
        window.size = size;
        let shown = window.types(&format!("graphics.off()\n{code}")).await;
        assert_eq!((shown.len(), shown[0].size(), shown[0].place), (1, (size.width, size.height), (0, 1)));
        assert_same(&pictures(&shown), &by_png(&[code], size));
    }
    assert_eq!(window.closed.len(), 1);
}

#[tokio::test]
async fn a_page_is_drawn_again_in_another_size() {
    let (small, large) = (by_png(&["plot(0:10)"], USUAL), by_png(&["plot(0:10)"], LARGER));
    let mut window = Window::open("resize").await;
    let pictures_of_r = "length(list.files(tempdir(), '[.]png$', all.files = TRUE))";
    let at_once = window.types(&format!("plot(0:10)\n{RESIZE}")).await;
    assert_same(&pictures(&at_once), &large);
    window.types("graphics.off()").await;
    assert_eq!(window.value(pictures_of_r).await, 0);
    let by_lines = window.types_lines(&format!("plot(0:10)\n{RESIZE}")).await;
    assert_same(&pictures(&by_lines), &[&small[0], &large[0]]);
    assert_eq!((by_lines[0].page.as_str(), by_lines[0].place), (by_lines[1].page.as_str(), by_lines[1].place));
    // The device draws into a file, and nothing else is left.
    assert_eq!(window.value(pictures_of_r).await, 1);
    window.types("graphics.off()").await;
    assert_eq!(window.value(pictures_of_r).await, 0);
    assert_eq!(window.closed, [at_once[0].device.clone(), by_lines[0].device.clone()]);
}

#[tokio::test]
async fn several_plots_on_a_page_are_shown_as_they_come_and_are_all_drawn_again() {
    let all = "par(mfrow = c(2, 2))\nplot(0:1)\nplot(1:2)\nplot(2:3)\nplot(3:4)";
    let until = |lines: usize| all.lines().take(lines).collect::<Vec<_>>().join("\n");
    let begun: Vec<_> = (2..=5).map(until).collect();
    let mut expected = by_png(&begun.iter().map(String::as_str).collect::<Vec<_>>(), USUAL);
    expected.extend(by_png(&[all], LARGER));
    let mut window = Window::open("several").await;
    let by_lines = window.types_lines(&format!("{all}\n{RESIZE}")).await;
    assert_eq!(places(&by_lines), [(0, 1); 5]);
    assert_same(&pictures(&by_lines), &expected);
    window.types("graphics.off()").await;
    let mut at_once = window.types(all).await;
    at_once.extend(window.types(RESIZE).await);
    assert_same(&pictures(&at_once), &expected[3..]);
}

#[tokio::test]
async fn earlier_pages_are_turned_back_to_and_cleared() {
    let mut window = Window::open("previous").await;
    let previous = "rtvs:::graphics.ide.previousplot(rtvs:::graphics.ide.getactivedeviceid())";
    let shown = window.types_lines(&format!("plot(0:10)\nplot(5:15)\n{previous}")).await;
    assert_eq!(places(&shown), [(0, 1), (1, 2), (0, 2)]);
    assert!(shown[2].page == shown[0].page && shown[2].picture == shown[0].picture && shown[1].picture != shown[0].picture);
    // There is none before the first.
    assert_eq!(window.types(previous).await, []);
    let next = window.types("rtvs:::graphics.ide.nextplot(rtvs:::graphics.ide.getactivedeviceid())").await;
    assert!(places(&next) == [(1, 2)] && next[0].picture == shown[1].picture);
    let select = format!("rtvs:::graphics.ide.selectplot('{}', '{}')", shown[0].device, shown[0].page);
    assert!(window.types(&select).await == shown[2..]);
    let cleared = window.types("rtvs:::graphics.ide.clearplots(rtvs:::graphics.ide.getactivedeviceid())").await;
    assert_eq!(places(&cleared), [(-1, 0)]);
    assert_eq!((cleared[0].path.as_str(), cleared[0].picture.len()), ("", 0));
    assert_eq!(uuid::Uuid::parse_str(&cleared[0].page).unwrap(), uuid::Uuid::nil());
}

#[tokio::test]
async fn pages_are_removed_and_another_is_shown() {
    let mut window = Window::open("remove").await;
    let three = "plot(0:10)\nplot(0:20)\nplot(0:30)";
    let device = "device <- rtvs:::graphics.ide.getactivedeviceid()";
    let previous = "rtvs:::graphics.ide.previousplot(device)";
    let remove = "rtvs:::graphics.ide.removeplot(device, rtvs:::graphics.ide.getactiveplotid(device))";
    for (code, expected, last) in [
        // Which page is shown after the first, the one in the middle, the last and the only one.
        (format!("{three}\n{device}\n{previous}\n{previous}\n{remove}"), vec![(0, 1), (1, 2), (2, 3), (1, 3), (0, 3), (0, 2)], Some(1)),
        (format!("{three}\n{device}\n{previous}\n{remove}"), vec![(0, 1), (1, 2), (2, 3), (1, 3), (1, 2)], Some(2)),
        (format!("{three}\n{device}\n{remove}"), vec![(0, 1), (1, 2), (2, 3), (1, 2)], Some(1)),
        (format!("plot(0:10)\n{device}\n{remove}"), vec![(0, 1), (-1, 0)], None),
    ] {
        let shown = window.types_lines(&code).await;
        assert_eq!(places(&shown), expected, "{code}");
        let picture = last.map(|page: usize| shown[page].picture.clone()).unwrap_or_default();
        assert!(shown.last().unwrap().picture == picture, "{code}");
        window.types("graphics.off()").await;
    }
}

#[tokio::test]
async fn a_page_that_is_turned_back_to_has_the_new_size() {
    let codes = ["plot(0:10)", "plot(5:15)"];
    let (small, large) = (by_png(&codes, USUAL), by_png(&codes, LARGER));
    let mut window = Window::open("older").await;
    let previous = "rtvs:::graphics.ide.previousplot(rtvs:::graphics.ide.getactivedeviceid())";
    let shown = window.types_lines(&format!("{}\n{RESIZE}\n{previous}", codes.join("\n"))).await;
    assert_same(&pictures(&shown), &[&small[0], &small[1], &large[1], &large[0]]);
    assert_eq!(places(&shown), [(0, 1), (1, 2), (1, 2), (0, 2)]);
}

/// Width and height of a picture, by the headers of these formats.
fn size_of(format: &str, picture: &[u8]) -> (u32, u32) {
    let little = |at: usize| u32::from_le_bytes(picture[at..at + 4].try_into().unwrap());
    match format {
        "png" => png_size(picture),
        "bmp" => {
            assert!(picture.starts_with(b"BM"));
            (little(18), little(22))
        }
        "jpeg" => {
            // Segments with their lengths, until the one with the size.
            let two = |at: usize| u32::from(u16::from_be_bytes([picture[at], picture[at + 1]]));
            let mut at = 2;
            while !(0xffc0..=0xffc2).contains(&two(at)) {
                at += 2 + two(at + 2) as usize;
            }
            (two(at + 7), two(at + 5))
        }
        _ => {
            // The entries of a directory, each with its tag and with its value at the end.
            assert!(picture.starts_with(b"II*\0"));
            let directory = little(4) as usize;
            let entries = usize::from(picture[directory]);
            let value = |tag: u32| {
                (0..entries).map(|entry| directory + 2 + 12 * entry).find(|at| little(*at) & 0xffff == tag).map(|at| little(at + 8))
            };
            (value(256).unwrap(), value(257).unwrap())
        }
    }
}

#[tokio::test]
async fn a_page_is_exported_and_nothing_else_is_shown() {
    let exported = Size { width: 480, height: 480, ..USUAL };
    let mut window = Window::open("export").await;
    let pages = window.types("plot(0:10)\nplot(10:20)").await;
    let (device, first) = (&pages[1].device, &pages[0].page);
    for format in ["png", "bmp", "jpeg", "tiff"] {
        if window.value(&format!("capabilities('{}')[[1]]", if format == "bmp" { "png" } else { format })).await == false {
            skipped(&format!("R was built without {format}"));
            continue;
        }
        let id = window.value(&format!("rtvs:::export_to_image('{device}', '{first}', {format}, 480, 480, 96)")).await;
        let picture = window.blob(&id).await;
        assert_eq!(size_of(format, &picture), (480, 480), "{format}");
        if format == "png" {
            assert_same(&[&picture], &by_png(&["plot(0:10)"], exported));
        }
    }
    // The last is what early clients send, which name no device.
    let mut pdfs = vec![("pdf, 7, 7, 'special'", "504 504"), ("pdf, 7, 7, 'a4'", "595 84"), ("7, 7", "504 504")];
    if window.value("capabilities('cairo')[[1]]").await == true {
        pdfs.push(("cairo_pdf, 7, 7", "504 504"));
    } else {
        skipped("R was built without Cairo");
    }
    for (arguments, size) in pdfs {
        let id = window.value(&format!("rtvs:::export_to_pdf('{device}', '{first}', {arguments})")).await;
        let pdf = window.blob(&id).await;
        assert!(pdf.starts_with(b"%PDF-") && pdf.trim_ascii_end().ends_with(b"%%EOF"), "{arguments}");
        if !arguments.starts_with("cairo") {
            assert!(String::from_utf8_lossy(&pdf).contains(&format!("/MediaBox [0 0 {size}")), "{arguments}");
        }
    }
    // The page that was shown is still so.
    assert_eq!(window.value(&format!("rtvs:::graphics.ide.getactiveplotid('{device}')")).await, pages[1].page.as_str());
}

#[tokio::test]
async fn places_are_asked_for_until_the_user_has_had_enough() {
    let mut window = Window::open("locator").await;
    window.clicks.extend([[10.0, 10.0], [100.0, 50.0], [290.0, 90.0]]);
    assert_eq!(window.types("plot(0:10)\nplaces <- locator()").await.len(), 1);
    let places = window.value("as.list(c(places$x, places$y))").await;
    let expected = [-2.4801, 1.5538, 10.0697, 14.4476, 12.0916, 9.7356];
    let found: Vec<f64> = serde_json::from_value(places).unwrap();
    assert!(found.len() == 6 && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-4), "{found:?}");
    window.types("none <- locator()").await;
    assert_eq!(window.value("is.null(none)").await, true);
}

#[tokio::test]
async fn places_are_asked_for_by_grid_as_well() {
    let mut window = Window::open("grid-locator").await;
    window.clicks.extend([[90.0, 90.0], [180.0, 342.0]]);
    let code = "library(grid)\ngrid.newpage()\npushViewport(viewport(width = .5, height = .5))\n\
                places <- list(grid.locator('npc'), grid.locator('inches'), grid.locator())";
    assert_eq!(window.types(code).await.len(), 1);
    // From the lower left corner of the viewport, which has its middle in that of the page.
    let places = window.value("as.list(unname(c(unlist(lapply(places[1:2], lapply, as.numeric)), is.null(places[[3]]))))").await;
    let found: Vec<f64> = serde_json::from_value(places).unwrap();
    let expected = [0.0, 1.0, 90.0 / 96.0, -72.0 / 96.0, 1.0];
    assert!(found.len() == 5 && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{found:?}");
}

#[tokio::test]
async fn what_is_drawn_can_be_stopped() {
    let (mut client, prompt) = started("stopped").await;
    // A device that the client has not got to yet.
    client.answer(prompt, "plot(1)\n").await;
    let question = client.named("?PlotDeviceCreate").await;
    let prompt = client.stop_all().await;
    client.reply(question.id, &question.name, json!([360, 360, 96])).await;
    // A page that R has sent in the midst of its work.
    client.answer(prompt, "plot(1); repeat {}\n").await;
    let question = client.named("?PlotDeviceCreate").await;
    client.reply(question.id, &question.name, json!([360, 360, 96])).await;
    let shown = client.named("!Plot").await;
    assert_eq!(png_size(&shown.blob), (360, 360));
    let prompt = client.stop_all().await;
    // And one that nobody has looked at.
    client.answer(prompt, "plot(1)\n").await;
    let prompt = client.stop_all().await;
    let shown = Window::of(client, prompt).types("plot(2)").await;
    assert_eq!(shown.last().unwrap().size(), (360, 360));
}

#[tokio::test]
async fn a_session_ends_while_a_plot_is_looked_at() {
    let (mut client, prompt) = started("looked-at").await;
    let pid = client.pid().await;
    client.answer(prompt, "plot(1)\n").await;
    let question = client.named("?PlotDeviceCreate").await;
    client.reply(question.id, &question.name, json!([360, 360, 96])).await;
    client.named("!Plot").await;
    assert_eq!(client.eval("x <- 1", "").await.value, 1);
    client.send("?=", json!(["x <- 1"]), b"").await;
    client.send("?=0", json!(["q()"]), b"").await;
    let end = async {
        assert_eq!(client.closed().await, Some(1000));
        Broker::admin(shared()).call(Method::DELETE, "/sessions/looked-at").await;
        until_dead(pid).await;
    };
    timeout(Duration::from_secs(20), end).await.expect("it ends");
}
