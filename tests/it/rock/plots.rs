//! Recorded plots beside what R's own `png()` draws. `make plots-check` compares several hundred.

use reqwest::{Method, header};

use crate::harness::{Rock, Size, drawn_by_r, read};

const USUAL: Size = Size { width: 800, height: 600, resolution: 72 };
const RESIZED: Size = Size { width: 500, height: 700, resolution: 72 };
const OTHER: Size = Size { width: 500, height: 700, resolution: 100 };

/// Code that does not measure by itself. `legend()` and `polygon()` measure, and do so again whenever a page is drawn.
const PLAIN: [&str; 24] = [
    "plot(cars, main = 'speed, distance'); abline(lm(dist ~ speed, cars), col = 2, lty = 2); lines(lowess(cars))",
    "hist(rnorm(100), col = 'grey'); boxplot(count ~ spray, InsectSprays, col = 2:7); barplot(VADeaths, legend.text = FALSE)",
    "par(mfrow = c(2, 2), oma = c(0, 0, 2, 0)); plot(cars); qqnorm(cars$dist); qqline(cars$dist); plot(density(cars$dist)); mtext('outer', outer = TRUE)",
    "layout(matrix(c(1, 1, 2, 3), 2)); plot(1:3); curve(sin, 0, 7); image(volcano, col = terrain.colors(30))",
    "layout(1:2); plot(1)",
    "par(mfrow = c(1, 2)); layout(1)",
    "strwidth('no page yet'); par(las = 1)",
    "plot.new()",
    "plot(1); persp(volcano, theta = 30); contour(volcano)",
    "plot(1); par(new = TRUE); plot(2, axes = FALSE, col = 'red')",
    "par(ask = TRUE); plot(1); plot(2)",
    "par(mfrow = c(20, 20)); plot(1)",
    "plot(1); stop('half-way'); plot(2)",
    "split.screen(c(1, 2)); screen(1); plot(1); screen(2); plot(2); erase.screen(1); close.screen(all.screens = TRUE)",
    "plot(1:9); legend('topright', c('one', 'quite a long label', '\u{20ac}'), lty = 1:3, title = 'lines', bg = 'grey90')",
    "plot(1:9, log = 'y'); f <- function(...) legend(2, 5, ...); f(legend = expression(a^2, b), fill = 1:2, density = 20); polygon(c(2, 4, 8), c(1, 5, 3), density = 9)",
    "palette('R4'); plot(1:8, col = 1:8, pch = 19, bg = 'white'); palette('default')",
    "plot(1, main = '\u{20ac} \u{1f600} \u{65e5}\u{672c} \u{15}', xlab = expression(x[i]^2 / sqrt(alpha)), family = 'serif', font.lab = 4)",
    "par(bg = 'lightblue'); plot(1); par(bg = 'transparent'); plot(2)",
    "plot(1); get('legend', parent.env(asNamespace('stats')))('top', 'imported', lwd = 1); plot(ecdf(cars$dist))",
    "library(grid); grid.rect(width = 0.5); grid.newpage(); grid.newpage(); grid.text('grid', gp = gpar(fontfamily = 'mono'))",
    "library(grid); pushViewport(viewport(layout = grid.layout(2, 2))); pushViewport(viewport(layout.pos.col = 2)); grid.circle(); plot(1)",
    "library(lattice); xyplot(mpg ~ wt, mtcars, groups = gear, auto.key = TRUE); print(densityplot(~ mpg, mtcars))",
    "library(ggplot2); ggplot(mtcars, aes(wt, mpg, colour = factor(cyl))) + geom_point() + facet_wrap(~ gear); qplot(mpg, data = mtcars, bins = 9)",
];

/// Code that measures text or the device to find out where to draw.
const MEASURING: [&str; 7] = [
    "library(lattice); xyplot(mpg ~ wt | factor(cyl), mtcars)",
    "par(mfrow = c(2, 2), oma = c(0, 0, 2, 0)); plot(lm(dist ~ speed, cars))",
    "pairs(iris)",
    "coplot(lat ~ long | depth, quakes)",
    "mosaicplot(Titanic, color = TRUE); pie(c(a = 1, b = 2, c = 3)); dotchart(VADeaths)",
    "plot(1:9); w <- strwidth('measured'); text(5, 5, 'measured'); rect(5 - w / 2, 4, 5 + w / 2, 6)",
    "filled.contour(volcano); stars(mtcars[1:9, 1:7], key.loc = c(8, 2)); sunflowerplot(iris[, 3:4])",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plots_are_those_of_png_in_the_size_that_the_evaluation_is_told() {
    let examples = [PLAIN.as_slice(), MEASURING.as_slice()].concat();
    let drawn = drawn_by_r(&examples, &[USUAL, OTHER]);
    for (example, expected) in examples.iter().zip(&drawn) {
        for (size, expected) in [USUAL, OTHER].into_iter().zip(expected) {
            let expected = expected.as_ref().unwrap();
            let session = Rock::by("user").open().await;
            let pages = session.draw(example, size).await;
            assert_eq!(pages.len(), expected.len(), "pages of {example}");
            assert!(pages == *expected, "{example}: not as png() draws it at {size:?}");
            session.delete("").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plots_whose_code_measures_nothing_are_those_of_png_in_any_size() {
    let drawn = drawn_by_r(&PLAIN, &[RESIZED, OTHER]);
    for (example, expected) in PLAIN.iter().zip(&drawn) {
        let session = Rock::by("user").open().await;
        session.draw(example, USUAL).await;
        // These packages lay a plot out in centimetres, by the text as it is in the first resolution.
        let sizes = if example.contains("library") { 1 } else { 2 };
        for (size, expected) in [RESIZED, OTHER].into_iter().zip(expected).take(sizes) {
            for (expected, number) in expected.as_ref().unwrap().iter().zip(1..) {
                assert!(
                    session.plot(number, Some(size)).await == *expected,
                    "{example}: page {number} at {size:?} is not as png() draws it"
                );
            }
        }
        session.delete("").await;
    }
}

#[tokio::test]
async fn text_in_any_script_and_family_is_drawn_without_warnings() {
    let session = Rock::by("user").open().await;
    for text in ["\u{20ac}", "\u{1f600}", "\u{65e5}\u{672c}\u{8a9e}", "\u{627}\u{644}", "e\u{301}\u{2192}"] {
        for family in ["", "sans", "Times", "Nobody has this one"] {
            session.value(&format!("options(warn = 2); plot(1, main = '{text}', family = '{family}'); NULL")).await;
            assert_eq!(session.get("/_console").await.text(), "", "{text} in {family}");
            session.plot(1, Some(OTHER)).await;
        }
    }
}

#[tokio::test]
async fn pictures_have_the_background_of_the_device() {
    let session = Rock::by("user").open().await;
    session.value("plot(1); NULL").await;
    let request = session.client.request(Method::GET, &format!("{}/_plots/1", session.path)).header(header::ACCEPT, "image/svg+xml");
    let svg = read(request).await.text().to_owned();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let white = document.descendants().find(|node| {
        let fill = node.attribute("fill").or(node.attribute("style")).unwrap_or_default();
        // Newer versions of cairo paint beyond the edges.
        let width = node.attribute("width").and_then(|width| width.parse::<f64>().ok());
        node.has_tag_name("rect") && fill.contains("rgb(100%") && width.is_some_and(|width| width >= 800.0)
    });
    assert!(white.is_some(), "{}", svg.get(..2000).unwrap_or(&svg));
}

#[tokio::test]
async fn more_plots_than_are_kept_are_told_of_and_leave_nothing() {
    let session = Rock::by("user").open().await;
    for (code, told) in [
        ("for (i in 1:200) plot.new()", ""),
        ("for (i in 1:203) { plot.new(); if (i %in% c(9, 203)) dev.off() }", "Only the first 200 plots are kept, and 3 are not\n"),
    ] {
        session.eval(code).await;
        assert_eq!(session.get("/_console").await.text(), told, "{code}");
        assert_eq!(session.plots().await, 200);
        let files = "c(list.files(tempdir(), all.files = TRUE, no.. = TRUE), list.files('.', all.files = TRUE, no.. = TRUE))";
        assert_eq!(session.value(files).await, serde_json::json!([]));
    }
}

#[tokio::test]
async fn a_plot_of_which_r_has_no_recording_is_there_as_it_was_drawn() {
    let session = Rock::by("user").open().await;
    session.value("dev.new(); dev.control('inhibit'); plot(1); NULL").await;
    assert_eq!(session.plots().await, 1);
    session.plot(1, Some(USUAL)).await;
    let refused = session.get("/_plots/1?width=400").await;
    assert_eq!(refused.status, 400);
    let message = refused.document()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("there is only the PNG of 800 by 600 pixels"), "{message}");
}

#[tokio::test]
async fn pages_that_begin_without_a_hook_of_r_do_not_take_the_place_of_others() {
    let session = Rock::by("user").open().await;
    session.value("plot(1); p <- recordPlot(); persp(volcano); replayPlot(p); NULL").await;
    assert_eq!(session.plots().await, 3);
    for size in [None, Some(OTHER)] {
        let [first, second, third] = [session.plot(1, size).await, session.plot(2, size).await, session.plot(3, size).await];
        assert!(first == third && first != second, "{size:?}");
    }
}

#[tokio::test]
async fn looking_at_a_plot_leaves_the_palette_and_the_random_numbers_as_they_are() {
    let session = Rock::by("user").open().await;
    session.value("plot(1:3, col = 1:3); palette(c('red', 'blue')); set.seed(1); seed <- .Random.seed; NULL").await;
    session.plot(1, Some(OTHER)).await;
    let same = "c(identical(palette(), c('red', 'blue')), identical(seed, .Random.seed), is.null(dev.list()))";
    assert_eq!(session.value(same).await, serde_json::json!([true, true, true]));
}

#[tokio::test]
async fn sizes_of_plots_are_checked_before_anything_runs() {
    let session = Rock::by("user").open().await;
    for query in ["width=9", "height=10001", "resolution=x", "width=-1"] {
        let reply = session.client.script(&format!("{}/_eval?{query}", session.path), "ran <- TRUE").await;
        assert_eq!(reply.status, 400, "{query}");
    }
    assert_eq!(session.value("exists('ran')").await, false);
}
