//! Folders that are hard to remove.

use rustix::process::Signal;

use super::{Way, assert_works};
use crate::harness::{Client, eventually};

/// Makes nested folders, whose path is far too long for any system call.
const DEEP: &str =
    "stopifnot(system2('perl', c('-e', shQuote('for (1..DEPTH) { mkdir \"d\" and chdir \"d\" or die }; open(F, \">file\")'))) == 0)";

/// A folder in memory, if there is one: some disks take milliseconds to remove each folder.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    folder
}

/// Without a limit on files, which would end the session too early.
const SETTINGS: &str = "[sessions]\npool = 0\ndisk_mib = 0";

#[tokio::test]
async fn a_tree_of_15000_folders_does_not_end_the_server() {
    for way in Way::all() {
        let server = way.start_in(folder(), SETTINGS);
        let session = Client::admin(&server).await.session().await;
        session.run(&DEEP.replace("DEPTH", "15000")).await;
        session.close().await;
        eventually("the tree is removed", || server.session_folders() == 0);
        assert_works(&server).await;
    }
}

#[tokio::test]
async fn a_deep_tree_and_folders_without_permissions_do_not_keep_a_server_from_starting() {
    for way in Way::all() {
        let mut server = way.start_in(folder(), SETTINGS);
        let client = Client::admin(&server).await;
        let (deep, closed) = (client.session().await, client.session().await);
        deep.run(&DEEP.replace("DEPTH", "20000")).await;
        closed.run("dir.create('a/b', recursive = TRUE); writeLines('x', 'a/b/c'); Sys.chmod(c('a/b', 'a', '.'), '0555', FALSE)").await;
        server.signal(Signal::KILL);
        server.wait();
        assert!(server.session_folders() >= 2);
        let next = way.start_in(server.into_folder(), "[sessions]\npool = 0");
        assert_works(&next).await;
        eventually("what was left is removed", || next.session_folders() == 0);
    }
}

#[tokio::test]
async fn a_session_that_is_closed_leaves_nothing_whatever_the_permissions_of_its_folders() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 0");
        let session = Client::admin(&server).await.session().await;
        session
            .run("dir.create('a/b', recursive = TRUE); file.create('a/f', 'a/b/f'); Sys.chmod(c('a/b', 'a', '.', '..'), '0000', FALSE)")
            .await;
        session.close().await;
        eventually("everything is removed", || server.session_folders() == 0);
    }
}

#[tokio::test]
async fn a_session_that_makes_a_tree_that_is_too_deep_is_ended() {
    let server = Way::all()[0].start_in(folder(), "[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    let reply = session.execute(&format!("{}; Sys.sleep(60)", DEEP.replace("DEPTH", "300")), &[]).await;
    assert_eq!(reply.status, 502);
    assert!(reply.text().contains("its folders were deeper than 250"), "{}", reply.text());
    eventually("the tree is removed", || server.session_folders() == 0);
}
