//! Control groups, if the kernel has them and the tests' user may make one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{Client, Server, eventually, skipped};

/// A delegated group, which is removed at the end.
struct Delegated(PathBuf);

impl Delegated {
    fn make() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/mounts").ok()?;
        let root = mounts.lines().find_map(|line| line.split(' ').nth(1).filter(|_| line.split(' ').nth(2) == Some("cgroup2")))?;
        let group = Path::new(root).join(format!("offshoot-tests-{}", std::process::id()));
        // Not every machine has these controllers.
        let _ = fs::write(Path::new(root).join("cgroup.subtree_control"), "+pids");
        fs::create_dir(&group).ok()?;
        let group = Self(group);
        rustix::fs::setxattr(&group.0, "user.delegate", b"1", rustix::fs::XattrFlags::empty()).ok()?;
        Some(group)
    }

    fn of_sessions(&self) -> usize {
        let entries = fs::read_dir(&self.0).unwrap().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("member-")).count()
    }

    fn limits_processes(&self) -> bool {
        fs::read_to_string(self.0.join("cgroup.controllers")).unwrap_or_default().contains("pids")
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("server"));
        let _ = fs::remove_dir(&self.0);
    }
}

#[tokio::test]
async fn a_session_with_a_group_of_its_own_leaves_no_process_wherever_it_hides() {
    let Some(group) = Delegated::make() else {
        skipped("there is no control group to be made here");
        return;
    };
    let mut server = Server::start_in_group("[sessions]\npool = 1\nusers = ''\nprocesses = 12", &group.0);
    assert!(server.log().contains("sessions have control groups of their own"), "{}", server.log());
    eventually("the pool is filled", || group.of_sessions() == 1);
    let client = Client::admin(&server).await;
    let (one, other) = (client.session().await, client.session().await);
    // Without the variable that names the session, and in a process group and session of its own.
    one.run("system('setsid env -i sleep 1000 > /dev/null 2>&1 &'); invisible(parallel:::mcfork())").await;
    let sleeps = || {
        server
            .processes_of_r()
            .into_iter()
            .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() == "sleep\n")
            .count()
    };
    eventually("it runs", || sleeps() == 1);
    if group.limits_processes() {
        let many = "p <- list(); r <- try(for (i in 1:20) p[[i]] <- parallel::mcparallel(Sys.sleep(1e6)), silent = TRUE); cat(class(r))";
        assert_eq!(one.prints(many).await, "try-error");
        // Processes of one session do not count to another.
        assert_eq!(other.prints("cat(unlist(parallel::mclapply(1:3, identity, mc.cores = 3)))").await, "1 2 3");
    } else {
        skipped("the machine's control groups do not count processes");
    }
    one.close().await;
    eventually("it has ended", || sleeps() == 0);
    eventually("its group is gone", || group.of_sessions() == 2);
    server.signal(rustix::process::Signal::TERM);
    assert!(server.wait().success());
    assert_eq!(group.of_sessions(), 0);
}
