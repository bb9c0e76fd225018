//! What sessions leave for the time after them, or for others, and what sessions of one R share.

use std::collections::HashSet;

use super::{SETTINGS, attacks::TOOLS};
use crate::{
    harness::Client,
    hostile::Way,
    revodeployr::projects::{load, only},
};

#[tokio::test]
async fn start_up_files_are_read_by_no_later_session() {
    for way in Way::all() {
        let server = way.start(SETTINGS);
        let client = Client::admin(&server).await;
        let first = client.session().await;
        let plant = "for (f in c('~/.Rprofile', '.Rprofile', '/tmp/.Rprofile')) try(suppressWarnings(writeLines('planted <- TRUE; Sys.setenv(PLANTED = \"by a profile\")', f)), silent = TRUE)
             for (f in c('~/.Renviron', '.Renviron')) writeLines('PLANTED=by an environment', f)
             planted <- TRUE; save.image(); save.image('~/.RData')
             dir.create(Sys.getenv('R_LIBS_USER'), showWarnings = FALSE, recursive = TRUE); writeLines('x', file.path(Sys.getenv('R_LIBS_USER'), 'planted'))";
        first.run(plant).await;
        let check = "x <- c(exists('planted'), nzchar(Sys.getenv('PLANTED')), file.exists(c('~/.Rprofile', '.Renviron', '/tmp/.Rprofile', file.path(Sys.getenv('R_LIBS_USER'), 'planted'))),
             nzchar(system2(file.path(R.home('bin'), 'Rscript'), c('-e', shQuote('cat(Sys.getenv(\"PLANTED\"))')), stdout = TRUE)))";
        // Beside the first, and after it.
        let nothing = serde_json::json!([false, false, false, false, false, false]);
        let found = client.session().await.execute(check, &[("robjects", "x")]).await.success();
        assert_eq!(found["robjects"]["x"]["value"].as_array().unwrap()[..6], nothing.as_array().unwrap()[..], "{way:?}: {found}");
        first.close().await;
        let found = client.session().await.execute(check, &[("robjects", "x")]).await.success();
        assert_eq!(found["robjects"]["x"]["value"].as_array().unwrap()[..6], nothing.as_array().unwrap()[..], "{way:?}: {found}");
    }
}

#[tokio::test]
async fn what_runs_at_the_end_of_a_session_is_within_its_walls() {
    for way in Way::all() {
        let server = way.start(SETTINGS);
        let client = Client::admin(&server).await;
        let (victim, attacker) = (client.session().await, client.session().await);
        victim.run("writeLines('secret', 'secret.txt')").await;
        let other = victim.value("getwd()").await["value"].as_str().unwrap().to_owned();
        attacker.run(TOOLS).await;
        let attack =
            format!("try(writeLines('x', '{other}/planted'), silent = TRUE); try(file.remove('{other}/secret.txt'), silent = TRUE)");
        attacker
            .run(&format!(
                ".Last <- function() {{ {attack} }}; reg.finalizer(globalenv(), function(e) {{ {attack} }}, onexit = TRUE)
                 system('(trap \"\" TERM INT HUP; sleep 1; rm -f {other}/secret.txt) >/dev/null 2>&1 &')"
            ))
            .await;
        attacker.close().await;
        crate::harness::eventually("the session is over", || server.session_folders() == 1);
        assert_eq!(victim.prints("cat(list.files())").await, "secret.txt", "{way:?}");
    }
}

#[tokio::test]
async fn a_saved_promise_is_evaluated_within_the_walls_of_who_opens_it() {
    for way in Way::all() {
        let server = way.start(SETTINGS);
        let client = Client::admin(&server).await;
        let victim = client.session().await;
        victim.run("writeLines('secret', 'secret.txt')").await;
        let other = victim.value("getwd()").await["value"].as_str().unwrap().to_owned();
        let attacker = client.session().await;
        let attack = format!("file.remove('{other}/secret.txt')");
        attacker
            .run(&format!(
                "makeActiveBinding('trap', function() {{ {attack}; 1 }}, globalenv()); delayedAssign('promise', {attack}); f <- function(x = {attack}) x"
            ))
            .await;
        let (_, id) = only(&attacker.post("project/save", &[("descr", "trap")]).await.success());
        let opened = load(&client, &id).await;
        assert_eq!(opened.value("suppressWarnings(c(f(), isTRUE(promise)))").await["value"], serde_json::json!([false, false]));
        opened.run("suppressWarnings(mget(ls()))").await;
        assert_eq!(victim.prints("cat(list.files())").await, "secret.txt", "{way:?}");
    }
}

#[tokio::test]
async fn sessions_of_one_r_draw_and_name_things_differently() {
    for way in Way::all() {
        let server = way.start(SETTINGS);
        let client = Client::admin(&server).await;
        let mut seen = HashSet::new();
        for _ in 0..3 {
            let session = client.session().await;
            let own = session
                .prints("cat(runif(2), basename(tempfile()), basename(tempdir()), basename(dirname(getwd())), Sys.getpid(), sep = '\\n')")
                .await;
            for drawn in own.lines().filter(|drawn| *drawn != "tmp") {
                assert!(seen.insert(drawn.to_owned()), "{way:?}: {drawn} twice");
            }
        }
    }
}
