//! Kernels that do not have what a wall needs.

use crate::{harness::Server, hostile::assert_works};

const LANDLOCK: [libc::c_long; 3] = [libc::SYS_landlock_create_ruleset, libc::SYS_landlock_add_rule, libc::SYS_landlock_restrict_self];

fn settings(sandbox: &str) -> String {
    format!("[sessions]\npool = 1\nsandbox = '{sandbox}'")
}

#[tokio::test]
async fn a_kernel_without_landlock_is_told_of_and_is_not_enough_if_the_sandbox_is_required() {
    let server = Server::try_without(&LANDLOCK, libc::ENOSYS, &settings("auto")).unwrap();
    assert_works(&server).await;
    let log = server.log();
    assert!(log.contains("the kernel has no Landlock (Linux 5.13), or forbids it: sessions reach all files of their user"), "{log}");
    let said = Server::try_without(&LANDLOCK, libc::ENOSYS, &settings("require")).err().unwrap();
    assert!(said.contains("sessions.sandbox is \"require\", and the kernel has no Landlock"), "{said}");
}

#[tokio::test]
async fn a_kernel_without_seccomp_is_told_of_and_is_not_enough_if_the_sandbox_is_required() {
    let calls = [libc::SYS_seccomp];
    let server = Server::try_without(&calls, libc::ENOSYS, &settings("auto")).unwrap();
    assert_works(&server).await;
    let log = server.log();
    assert!(log.contains("the kernel has no seccomp, or forbids it"), "{log}");
    let said = Server::try_without(&calls, libc::ENOSYS, &settings("require")).err().unwrap();
    assert!(said.contains("sessions.sandbox is \"require\", and the kernel has no seccomp"), "{said}");
    // A session that must not have a network would have one.
    let said = Server::try_without(&calls, libc::ENOSYS, "[sessions]\npool = 0\nnetwork = 'none'").map(drop);
    assert!(said.unwrap_err().contains("the network cannot be taken from a session here"), "a server without seccomp starts");
}

#[tokio::test]
async fn sessions_without_walls_are_told_of() {
    let server = Server::start(&settings("off"));
    assert_works(&server).await;
    assert!(server.log().contains("sessions.sandbox is off: sessions reach all that their user does"));
}
