//! Plots without a named device become PNG files.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Client, Server, Session, png_size, skipped, until};

async fn plots(session: &Session, code: &str, files: &str) -> Vec<(String, Vec<u8>)> {
    let response = session.execute(code, &[("files", files)]).await.success();
    assert_eq!(response["files"], response["objects"]);
    let mut found = Vec::new();
    for (name, file) in response["files"].as_object().unwrap() {
        let reply = session.client.fetch(file["value"].as_str().unwrap()).await;
        assert_eq!(reply.status, 200);
        found.push((name.clone(), reply.body));
    }
    found
}

/// The fonts of the machine are read before the fork.
#[tokio::test]
async fn a_font_that_is_installed_while_the_server_runs_is_drawn() {
    const FONTS: [&str; 2] = ["/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"];
    if FONTS.iter().any(|font| !std::path::Path::new(font).exists()) {
        skipped("the fonts of Debian's fonts-dejavu-core are not here");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("fonts")).unwrap();
    std::fs::copy(FONTS[0], path("fonts/first.ttf")).unwrap();
    for open in [folder.path().to_owned(), path("fonts").into()] {
        std::fs::set_permissions(open, PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::fs::write(
        path("fonts.conf"),
        format!("<fontconfig><dir>{}</dir><cachedir>{}</cachedir></fontconfig>", path("fonts"), path("cache")),
    )
    .unwrap();
    let server = Server::start(&format!("[r]\nenvironment = {{ FONTCONFIG_FILE = '{}' }}", path("fonts.conf")));
    let client = Client::admin(&server).await;
    let code = "png('text.png'); plot.new(); text(0.5, 0.5, 'Text', family = 'DejaVu Sans Mono'); invisible(dev.off()); cat(tools::md5sum('text.png'))";
    let early = client.session().await;
    // Also in a folder that is a session's own otherwise, it can be read again.
    assert_eq!(early.prints("cat(file.access(Sys.getenv('FONTCONFIG_FILE'), 4))").await, "0");
    let before = early.prints(code).await;
    assert_eq!(client.session().await.prints(code).await, before);
    // As packages do it: of a file that is still being written, fontconfig remembers that it is no font.
    std::fs::copy(FONTS[1], path("second.ttf")).unwrap();
    std::fs::rename(path("second.ttf"), path("fonts/second.ttf")).unwrap();
    until("an open session draws with the new font", async || early.prints(code).await != before).await;
    let after = early.prints(code).await;
    assert!(!after.contains("Fontconfig"), "{after}");
    until("a new session draws with the new font", async || client.session().await.prints(code).await == after).await;
}

/// R tells a forked child that it should not open a device. Sessions are forked, but nobody shares a window with them.
#[tokio::test]
async fn a_device_without_a_display_fails_as_in_rscript() {
    let session = Client::admin(Server::shared()).await.session().await;
    let code = "tell <- function(w) { cat(conditionMessage(w), ''); invokeRestart('muffleWarning') }; \
                tryCatch(withCallingHandlers(X11(), warning = tell), error = function(e) cat(conditionMessage(e)))";
    let run = format!("cat(system2(file.path(R.home('bin'), 'Rscript'), c('-e', shQuote({code:?})), stdout = TRUE))");
    let by_rscript = session.prints(&run).await;
    assert!(!by_rscript.contains("forked child") && !by_rscript.is_empty(), "{by_rscript}");
    assert_eq!(session.prints(code).await, by_rscript);
}

#[tokio::test]
async fn unnamed_plots_are_numbered_anew_for_each_execution() {
    let session = Client::admin(Server::shared()).await.session().await;
    let names = |plots: &[(String, Vec<u8>)]| plots.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let first = plots(&session, "plot(1:3); hist(c(1, 2, 2)); plot(lm(dist ~ speed, cars), which = 1:2)", "").await;
    assert_eq!(names(&first), ["unnamedplot001.png", "unnamedplot002.png", "unnamedplot003.png", "unnamedplot004.png"]);
    assert!(first.iter().all(|(_, bytes)| png_size(bytes) == (480, 480)));
    let second = plots(&session, "plot(3:1)", "").await;
    assert_eq!(names(&second), ["unnamedplot001.png"]);
    assert_ne!(first[0].1, second[0].1);
    assert!(plots(&session, "x <- 1", "").await.is_empty());
    assert_eq!(session.value("length(dev.list())").await["value"], 0);
}

#[tokio::test]
async fn plots_are_all_there_when_the_code_closes_devices_and_opens_more() {
    let session = Client::admin(Server::shared()).await.session().await;
    for (code, count) in [
        ("plot(1); dev.off(); plot(2); hist(c(1, 2)); dev.off(); barplot(1:3)", 4),
        ("plot(1); dev.new(); plot(2)", 2),
        ("draw <- function() for (i in 1:3) { plot(i); dev.off() }; draw()", 3),
        ("plot(1); graphics.off(); lattice::xyplot(1 ~ 1) |> print()", 2),
        ("for (i in 1:12) { plot(i); dev.off() }", 12),
    ] {
        let found = plots(&session, code, "").await;
        let names: Vec<_> = (1..=count).map(|number| format!("unnamedplot{number:03}.png")).collect();
        assert_eq!(found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names, "{code}");
        let different: std::collections::HashSet<_> = found.iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(different.len(), count, "{code}");
    }
    // In the order in which they were drawn.
    let last = plots(&session, "for (i in 1:12) { plot.new(); text(.5, .5, i, cex = 9); dev.off() }", "").await.pop().unwrap();
    assert_eq!(plots(&session, "plot.new(); text(.5, .5, 12, cex = 9)", "").await[0].1, last.1);
    assert_eq!(session.value("list.files(all.files = TRUE, pattern = '^[.]unnamed')").await["value"], serde_json::json!([]));
}

#[tokio::test]
async fn an_earlier_plot_keeps_its_address_and_content() {
    let session = Client::admin(Server::shared()).await.session().await;
    let address = session.run("plot(1:3)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    let before = session.client.fetch(&address).await.body;
    session.run("plot(3:1)").await;
    assert_eq!(session.client.fetch(&address).await.body, before);
    session.close().await;
    assert_eq!(session.client.fetch(&address).await.body, before);
}

#[tokio::test]
async fn grid_and_lattice_plot_as_base_graphics_do() {
    let session = Client::admin(Server::shared()).await.session().await;
    let code = "library(lattice); print(xyplot(dist ~ speed, cars)); grid::grid.newpage(); grid::grid.circle(); plot(1)";
    let found = plots(&session, code, "").await;
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(_, bytes)| png_size(bytes) == (480, 480)));
}

#[tokio::test]
async fn ggplot2_plots_too() {
    let session = Client::admin(Server::shared()).await.session().await;
    let code = "library(ggplot2); print(ggplot(mtcars, aes(wt, mpg)) + geom_point()); p <- ggplot(cars, aes(speed, dist)) + \
                geom_smooth(method = 'lm', formula = y ~ x); print(p); ggsave('saved.png', p, width = 2, height = 2, dpi = 100)";
    let found = plots(&session, code, "saved.png").await;
    let sizes: Vec<_> = found.iter().map(|(name, bytes)| (name.as_str(), png_size(bytes))).collect();
    assert_eq!(sizes, [("saved.png", (200, 200)), ("unnamedplot001.png", (480, 480)), ("unnamedplot002.png", (480, 480))]);
}

#[tokio::test]
async fn named_devices_do_what_they_do_in_r() {
    let session = Client::admin(Server::shared()).await.session().await;
    let code = "png('myplot.png', width = 300, height = 250); plot(rnorm(100)); invisible(dev.off()); pdf('a b.pdf'); plot(1); invisible(dev.off())";
    let found = plots(&session, code, "myplot.png, a b.pdf, absent.png").await;
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a b.pdf", "myplot.png"]);
    assert!(found[0].1.starts_with(b"%PDF"));
    assert_eq!(png_size(&found[1].1), (300, 250));
    // A file that was not requested is not published; open devices stay open from one execution to the next.
    assert!(plots(&session, "png('open.png'); plot(1)", "").await.is_empty());
    let found = plots(&session, "lines(1); invisible(dev.off())", "open.png").await;
    assert_eq!(png_size(&found[0].1), (480, 480));
}

#[tokio::test]
async fn a_plot_of_code_that_fails_is_there() {
    let session = Client::admin(Server::shared()).await.session().await;
    let response = session.execute("plot(1); stop('after')", &[]).await.json();
    let address = response["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    assert_eq!(png_size(&session.client.fetch(&address).await.body), (480, 480));
}

#[tokio::test]
async fn plots_stay_with_the_session_when_its_code_goes_elsewhere() {
    let session = Client::admin(Server::shared()).await.session().await;
    let found = plots(&session, "old <- setwd(tempdir()); plot(1); setwd(old)", "").await;
    assert_eq!(found.len(), 1);
}
