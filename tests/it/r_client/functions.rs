//! The functions of the package: its own tests, and the examples of its help pages.

use crate::{harness::Server, r_client::Client};

#[tokio::test(flavor = "multi_thread")]
async fn the_packages_own_tests_pass() {
    let server = Server::start("");
    let Some(client) = Client::of(&server).await else { return };
    let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/r-client/offshoot/tests/testthat");
    let code = format!(
        "results <- as.data.frame(testthat::test_dir('{tests}', package = 'offshoot', load_package = 'installed',
            reporter = 'check', stop_on_failure = FALSE))
         cat('bad:', sum(results$failed, results$error, results$skipped, results$warning), 'of', sum(results$nb), '\\n')"
    );
    let (_, told) = client.evaluates(&code).await;
    assert!(told.contains("bad: 0 of 3"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_help_pages_run() {
    let server = Server::start("");
    let Some(client) = Client::of(&server).await else { return };
    let code = "token <- jsonlite::fromJSON(rawToChar(curl::curl_fetch_memory(
            paste0(Sys.getenv('OFFSHOOT_SERVER'), '/login'),
            curl::new_handle(postfields = jsonlite::toJSON(list(username = 'ada', password = Sys.getenv('OFFSHOOT_PASSWORD')), auto_unbox = TRUE))
        )$content))$access_token
        Sys.setenv(OFFSHOOT_TOKEN = token)
        for (package in c('offshoot', 'mrsdeploy')) {
            library(package, character.only = TRUE)
            for (page in tools::Rd_db(package)) {
                tools::Rd2ex(page, 'example.R')
                if (file.exists('example.R')) source('example.R', echo = TRUE)
                unlink('example.R')
            }
        }
        stopifnot(setequal(getNamespaceExports('offshoot'), getNamespaceExports('mrsdeploy')))
        cat('all have run\n')";
    let (status, told) = client.evaluates(code).await;
    assert!(status.success() && told.contains("all have run"), "{told}");
    assert!(told.contains("0.6418125"), "with a server: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vignette_shows_what_r_prints() {
    let server = Server::start("");
    let Some(client) = Client::of(&server).await else { return };
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/r-client/offshoot/vignettes/offshoot.Rhtml");
    let made = client.folder.path().join("offshoot.Rhtml");
    // Some versions of knitr put plots beside the source.
    let copy = client.folder.path().join("offshoot.Rhtml.orig");
    std::fs::copy(format!("{source}.orig"), &copy).unwrap();
    let code = format!("knitr::knit({copy:?}, 'offshoot.Rhtml', quiet = TRUE)");
    let (status, told) = client.evaluates(&code).await;
    assert!(status.success(), "{told}");
    // Above is what knitr has of its own.
    let body = |file: &std::path::Path| {
        let text = std::fs::read_to_string(file).unwrap();
        // Some versions escape quotes in what is printed.
        text[text.find("<body>").unwrap()..].replace("&quot;", "\"")
    };
    assert_eq!(body(&made), body(source.as_ref()), "make r-docs writes the vignette");
}
