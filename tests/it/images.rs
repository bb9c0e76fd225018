//! Images of sessions: snapshots, by the server without HTTP, and what saving one takes.

use std::{io::Cursor, os::unix::fs::PermissionsExt, sync::Arc};

use futures_util::TryStreamExt;
use offshoot::{
    app::{App, Failure, runs::Run, sessions::Session, snapshots::Snapshot},
    auth::Principal,
    config::Config,
    link::command::Ending,
};
use zip::ZipArchive;

use crate::harness::{Client, Indoors, PATIENCE, Server, points};

/// A server without listeners, and two of its users.
struct Desk {
    app: Arc<App>,
    ada: Principal,
    bob: Principal,
    folder: tempfile::TempDir,
}

impl Desk {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let indoors = Indoors::start(&["ada", "bob"], |config| {
            config.sessions.writable = vec![points().to_owned()];
            change(config);
        })
        .await;
        let (ada, bob) = (indoors.principal("ada"), indoors.principal("bob"));
        let Indoors { app, folder } = indoors;
        Self { app, ada, bob, folder }
    }

    async fn session(&self) -> Arc<Session> {
        self.app.session_open_idle(&self.ada, "", 0).await.unwrap()
    }

    /// Runs code, which has to succeed; returns what it prints.
    async fn prints(&self, session: &Arc<Session>, code: &str) -> String {
        let outcome = self.app.execute(session, Run { code, ..Run::default() }).await.unwrap();
        assert_eq!(outcome.executed.ending, Ending::Completed, "{}", outcome.console);
        outcome.console
    }

    /// Makes a snapshot, of which everything has to be there.
    async fn snapshot(&self, session: &Arc<Session>) -> Snapshot {
        let (snapshot, unsaved) = self.app.snapshot_create(session, &self.ada, None).await.unwrap();
        assert_eq!(unsaved, Vec::<String>::new());
        snapshot
    }

    async fn open(&self, snapshot: &Snapshot) -> Arc<Session> {
        self.app.snapshot_open(&self.ada, snapshot.id, "", 0).await.unwrap()
    }

    /// The contents in the store.
    fn contents(&self) -> usize {
        files(&self.folder.path().join("data/blobs/sha256")).len()
    }

    async fn stop(self) {
        self.app.stop(PATIENCE).await;
    }
}

/// All files below a folder, with their sizes.
fn files(folder: &std::path::Path) -> Vec<u64> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let below = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => files(&entry.path()),
        Ok(metadata) => vec![metadata.len()],
        Err(_) => Vec::new(),
    };
    entries.flatten().flat_map(below).collect()
}

#[tokio::test]
async fn snapshots_of_the_same_state_are_one_image_and_each_keeps_it() {
    let desk = Desk::start(|_| ()).await;
    let session = desk.session().await;
    desk.prints(&session, "x <- c(1.5, 2); library(lattice); dir.create('sub'); cat('n', file = 'sub/n.txt'); setwd('sub')").await;
    let (first, second) = (desk.snapshot(&session).await, desk.snapshot(&session).await);
    assert_eq!(first.image, second.image);
    assert_eq!(desk.contents(), 2);
    desk.prints(&session, "x <- 3").await;
    let third = desk.snapshot(&session).await;
    assert_ne!(first.image, third.image);
    let listed = desk.app.snapshot_list(&desk.ada).await.unwrap();
    assert_eq!(listed, [first.clone(), second.clone(), third.clone()]);
    desk.app.snapshot_remove(first.id, &desk.ada).await.unwrap();
    assert_eq!(desk.app.store().collect_blobs().await.unwrap(), 0);
    let opened = desk.open(&second).await;
    let state = "cat(x, 'package:lattice' %in% search(), basename(getwd()), readLines('n.txt', warn = FALSE))";
    assert_eq!(desk.prints(&opened, state).await, "1.5 2 TRUE sub n");
    desk.app.snapshot_remove(second.id, &desk.ada).await.unwrap();
    // The objects go; the file is in the other image as well.
    assert_eq!(desk.app.store().collect_blobs().await.unwrap(), 1);
    assert!(desk.app.store().image(&second.image).await.unwrap().is_none());
    assert_eq!(desk.prints(&desk.open(&third).await, "cat(x)").await, "3");
    desk.stop().await;
}

#[tokio::test]
async fn a_snapshot_comes_into_a_session_beside_what_is_there() {
    let desk = Desk::start(|_| ()).await;
    let session = desk.session().await;
    desk.prints(&session, "x <- 'saved'; y <- 'saved'; for (file in c('a', 'b')) cat('saved', file = file)").await;
    desk.prints(&session, "cat('#!/bin/sh\necho it runs', file = 'run'); Sys.chmod('run', '700')").await;
    let snapshot = desk.snapshot(&session).await;
    let other = desk.session().await;
    desk.prints(&other, "y <- 'own'; z <- 'own'; for (file in c('b', 'c')) cat('own', file = file)").await;
    assert_eq!(desk.app.snapshot_load(&other, &desk.ada, snapshot.id).await.unwrap(), Vec::<String>::new());
    let state = "cat(x, y, z, sapply(c('a', 'b', 'c'), readLines, warn = FALSE), system('./run', intern = TRUE))";
    assert_eq!(desk.prints(&other, state).await, "saved saved own saved saved own it runs");
    desk.stop().await;
}

#[tokio::test]
async fn packages_that_a_session_has_installed_come_back_with_its_snapshot() {
    let desk = Desk::start(|_| ()).await;
    let session = desk.session().await;
    let install = "source <- file.path(tempdir(), 'tiny'); dir.create(file.path(source, 'R'), recursive = TRUE)
        writeLines(c('Package: tiny', 'Version: 1.0', 'Title: T', 'Description: D.', 'License: MIT', 'Author: A', 'Maintainer: A <a@b.c>'),
            file.path(source, 'DESCRIPTION'))
        writeLines('export(one)', file.path(source, 'NAMESPACE'))
        writeLines('one <- function() 1', file.path(source, 'R', 'one.R'))
        install.packages(source, repos = NULL, type = 'source', quiet = TRUE)
        library(tiny)
        value <- one()
        rm(source)";
    desk.prints(&session, install).await;
    let snapshot = desk.snapshot(&session).await;
    desk.app.session_close(&session, &desk.ada);
    let opened = desk.open(&snapshot).await;
    let state = "cat('package:tiny' %in% search(), one() == value, packageVersion('tiny') == '1.0', dirname(find.package('tiny')) == .libPaths()[1])";
    assert_eq!(desk.prints(&opened, state).await, "TRUE TRUE TRUE TRUE");
    let fresh = desk.session().await;
    desk.app.snapshot_load(&fresh, &desk.ada, snapshot.id).await.unwrap();
    assert_eq!(desk.prints(&fresh, "detach('package:tiny'); library(tiny); cat(one())").await, "1");
    desk.stop().await;
}

#[tokio::test]
async fn a_user_has_so_many_snapshots_and_those_of_others_are_unknown() {
    let desk = Desk::start(|config| (config.snapshots.count, config.snapshots.mib) = (2, 1)).await;
    let session = desk.session().await;
    let first = desk.snapshot(&session).await;
    // Snapshots of the same content count once.
    desk.prints(&session, "x <- raw(6e5)").await;
    let second = desk.snapshot(&session).await;
    let refused = async || match desk.app.snapshot_create(&session, &desk.ada, Some("more")).await {
        Err(Failure::Invalid(sentence)) => sentence,
        other => panic!("{other:?}"),
    };
    assert!(refused().await.starts_with("You have 2 snapshots, and may have no more"));
    desk.app.snapshot_remove(first.id, &desk.ada).await.unwrap();
    let again = desk.snapshot(&session).await;
    assert_eq!(again.image, second.image);
    desk.app.snapshot_remove(again.id, &desk.ada).await.unwrap();
    desk.prints(&session, "x <- as.raw(rep(1, 6e5))").await;
    assert!(refused().await.contains("may take 1 MiB together"));
    // What was written for it is not left there.
    assert_eq!(desk.contents(), 1);
    assert!(matches!(desk.app.snapshot(second.id, &desk.bob).await, Err(Failure::Unknown(_))));
    assert!(matches!(desk.app.snapshot_remove(second.id, &desk.bob).await, Err(Failure::Unknown(_))));
    assert!(matches!(desk.app.snapshot_open(&desk.bob, second.id, "", 0).await, Err(Failure::Unknown(_))));
    assert!(desk.app.snapshot_zip(second.id, &desk.bob).await.is_err());
    assert_eq!(desk.app.snapshot_list(&desk.bob).await.unwrap(), []);
    desk.stop().await;
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_brought_back_leaves_no_session() {
    let desk = Desk::start(|_| ()).await;
    let session = desk.session().await;
    let snapshot = desk.snapshot(&session).await;
    std::fs::remove_dir_all(desk.folder.path().join("data/blobs/sha256")).unwrap();
    assert!(desk.app.snapshot_open(&desk.ada, snapshot.id, "", 0).await.is_err());
    assert_eq!(desk.app.session_list().len(), 1);
    desk.stop().await;
}

#[tokio::test]
async fn a_snapshot_is_downloaded_as_a_zip_file() {
    let desk = Desk::start(|_| ()).await;
    let session = desk.session().await;
    let code = "x <- 42; dir.create('sub'); cat('text', file = 'sub/größe.txt'); save(x, file = '.RData'); writeBin(raw(3e6), 'zeros')
        dir.create(file.path(.libPaths()[1], 'tiny')); cat('tiny', file = file.path(.libPaths()[1], 'tiny', 'DESCRIPTION'))";
    desk.prints(&session, code).await;
    let snapshot = desk.snapshot(&session).await;
    let (same, content) = desk.app.snapshot_zip(snapshot.id, &desk.ada).await.unwrap();
    assert_eq!(same, snapshot);
    let bytes = content.try_collect::<Vec<_>>().await.unwrap().concat();
    let mut archive = ZipArchive::new(Cursor::new(&bytes)).unwrap();
    let mut read = |name: &str| {
        let mut content = Vec::new();
        std::io::copy(&mut archive.by_name(name).unwrap(), &mut content).unwrap();
        content
    };
    assert_eq!(read("sub/größe.txt"), b"text");
    assert_eq!(read("zeros"), vec![0; 3_000_000]);
    assert_eq!(read("library/tiny/DESCRIPTION"), b"tiny");
    assert!(read(".RData").starts_with(b"RDX3") && read(".RData (2)").starts_with(b"\x1f\x8b"));
    // R takes it as well.
    std::fs::write(session.folder.join("work/s.zip"), &bytes).unwrap();
    std::fs::set_permissions(session.folder.join("work/s.zip"), PermissionsExt::from_mode(0o644)).unwrap();
    let taken = "rm(x); unzip('s.zip', exdir = 'out'); load('out/.RData'); cat(x, file.size('out/zeros'))";
    assert_eq!(desk.prints(&session, taken).await, "42 3e+06");
    desk.stop().await;
}

/// The pipe by which objects reach the store, in the hands of a session.
#[tokio::test]
async fn what_a_session_does_to_the_pipe_harms_no_snapshot() {
    let desk = Desk::start(|config| config.sessions.disk_mib = 64).await;
    for (what, code, whole) in [
        ("a value that cannot be computed", "delayedAssign('bad', stop('never'))", false),
        ("a process that keeps the pipe open", "makeActiveBinding('held', function() { system('sleep 1000 &'); 1 }, globalenv())", true),
        (
            "a process that writes into it until nobody reads it any more",
            "makeActiveBinding('full', function() {
                pipe <- file.path('../files', list.files('../files')[1])
                if (!file.exists('done')) { file.create('done'); system(paste('cat /dev/zero >', pipe)) }
                1
            }, globalenv())",
            true,
        ),
        ("too little room", "raw <- as.raw(rep(7, 80e6))", false),
    ] {
        let session = desk.session().await;
        desk.prints(&session, &format!("x <- 42; {code}")).await;
        let made = tokio::time::timeout(PATIENCE, desk.app.snapshot_create(&session, &desk.ada, Some(what))).await;
        let (snapshot, unsaved) =
            made.unwrap_or_else(|_| panic!("{what}: it never ends")).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(unsaved.is_empty(), whole, "{what}: {unsaved:?}");
        assert_eq!(desk.prints(&desk.open(&snapshot).await, "cat(x)").await, "42", "{what}");
        // Nothing is left of pipe and file.
        assert_eq!(std::fs::read_dir(session.folder.join("files")).unwrap().count(), 0, "{what}");
        desk.app.session_close(&session, &desk.ada);
    }
    // R dies before it has written anything.
    let session = desk.session().await;
    desk.prints(&session, "makeActiveBinding('value', function() tools::pskill(Sys.getpid(), 9), globalenv())").await;
    let refused = tokio::time::timeout(PATIENCE, desk.app.snapshot_create(&session, &desk.ada, None)).await.expect("it ends");
    assert!(matches!(refused, Err(Failure::Operation(_))), "{refused:?}");
    assert_eq!(desk.app.snapshot_list(&desk.ada).await.unwrap().len(), 4);
    desk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_workspace_is_saved_without_a_second_copy_in_memory_or_on_the_disk() {
    const SIZE: u64 = 300 << 20;
    let server = Server::start("[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    session.run(&format!("x <- raw({SIZE}); x[1] <- as.raw(1); y <- 1")).await;
    let before = server.peak();
    let saving = tokio::spawn({
        let session = session.clone();
        async move { session.post("project/save", &[("descr", "large")]).await.success() }
    });
    let run = server.data().join("run");
    let mut most = 0;
    while !saving.is_finished() {
        most = files(&run).into_iter().sum::<u64>().max(most);
        tokio::task::yield_now().await;
    }
    saving.await.unwrap();
    let grown = server.peak().saturating_sub(before) as u64 * 1024;
    assert!(grown < SIZE / 8, "the server had {grown} bytes more");
    assert!(most < SIZE / 8, "the folders of sessions had {most} bytes");
    assert!(files(&server.data().join("blobs/sha256")).into_iter().sum::<u64>() > SIZE);
}
