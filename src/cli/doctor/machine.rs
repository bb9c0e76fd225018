//! The kernel, limits, the data folder and the clock.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::process::{PidfdFlags, Resource, getpid, getrlimit, pidfd_open};

use super::Findings;
use crate::{
    config::Config,
    server,
    system::{folder, users},
};

/// Space that the data folder should have.
const FREE_MIB: u64 = 1024;
/// By how much the clocks of this machine and of its file system may differ.
const SKEW: Duration = Duration::from_secs(5);

pub(super) fn examine(config: &Config, findings: &mut Findings) {
    kernel(findings);
    isolation(findings);
    users(config, findings);
    limits(config, findings);
    data(config, findings);
    clock(config, findings);
}

/// The system calls that sessions are started, watched and confined with.
fn kernel(findings: &mut Findings) {
    const SUBJECT: &str = "kernel";
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut missing = Vec::new();
    if pidfd_open(getpid(), PidfdFlags::empty()).is_err() {
        missing.push("process descriptors (pidfd_open)");
    }
    let sealed = rustix::fs::memfd_create(c"offshoot-doctor", rustix::fs::MemfdFlags::ALLOW_SEALING);
    if sealed.and_then(|memory| rustix::fs::fcntl_add_seals(memory, rustix::fs::SealFlags::SHRINK)).is_err() {
        missing.push("sealed memory (memfd_create)");
    }
    if !folder::can_be_opened() {
        missing.push("paths beneath a folder (openat2)");
    }
    if !Path::new(&format!("/proc/self/task/{}/children", getpid().as_raw_nonzero())).exists() {
        missing.push("/proc");
    }
    if missing.is_empty() {
        findings.good(SUBJECT, format!("Linux {release} has what sessions are held by"));
    } else {
        findings.error(
            SUBJECT,
            format!("Linux {release} lacks, or a sandbox forbids, {}", missing.join(", ")),
            "use Linux 5.6 or newer, mount /proc, allow these calls in the seccomp profile of the container, and do not set \
             RestrictSUIDSGID in a unit of systemd",
        );
    }
}

/// Which means of confining processes the kernel has. Sessions use no_new_privs, limits and users of their own; the
/// others are for the unit or the container that the server runs in.
fn isolation(findings: &mut Findings) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    let has = |field: &str| status.lines().any(|line| line.starts_with(field));
    let cgroup = read("/proc/self/cgroup").lines().find_map(|line| line.strip_prefix("0::").map(str::to_owned));
    let cgroup = cgroup.filter(|_| Path::new("/sys/fs/cgroup/cgroup.controllers").exists());
    let delegated = cgroup.as_ref().is_some_and(|own| {
        let folder = Path::new("/sys/fs/cgroup").join(own.trim_start_matches('/'));
        rustix::fs::access(folder.join("cgroup.subtree_control"), rustix::fs::Access::WRITE_OK).is_ok()
    });
    let features = [
        ("no_new_privs", has("NoNewPrivs:")),
        ("seccomp", has("Seccomp:")),
        ("Landlock", read("/sys/kernel/security/lsm").split(',').any(|module| module.trim() == "landlock")),
        ("user namespaces", read("/proc/sys/user/max_user_namespaces").trim().parse::<u64>().is_ok_and(|most| most > 0)),
        ("cgroup v2", cgroup.is_some()),
        ("a cgroup that the server may divide", delegated),
    ];
    let named = |there: bool| features.iter().filter(|feature| feature.1 == there).map(|feature| feature.0).collect::<Vec<_>>().join(", ");
    let absent = Some(named(false)).filter(|absent| !absent.is_empty()).map(|absent| format!("; not there: {absent}"));
    let said = format!("the kernel has {}{}", named(true), absent.unwrap_or_default());
    if features[0].1 {
        findings.good("isolation", said);
    } else {
        findings.error("isolation", said, "use Linux 3.5 or newer, and mount /proc: sessions are started with no_new_privs");
    }
}

fn users(config: &Config, findings: &mut Findings) {
    const SUBJECT: &str = "isolation";
    let folder = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
    // If the folder does not exist yet, the server makes it with the right permissions: what matters is where.
    let there = folder.ancestors().find(|folder| folder.exists());
    let obstacle = match config.sessions.user_range() {
        Err(error) => return findings.error(SUBJECT, error, "correct the setting"),
        Ok(None) => Some("sessions.users is empty".to_owned()),
        Ok(Some(_)) => there.and_then(users::obstacle).map(|obstacle| obstacle.to_string()),
    };
    let mend = "run the server as root, with a data folder that others can pass through (chmod o+x)";
    match obstacle {
        None => match users::conflict() {
            None => findings.good(SUBJECT, "each session has a user id of its own"),
            Some(conflict) => findings.warning(
                SUBJECT,
                conflict,
                "make the file writable (ReadWritePaths in the unit), or give each server other ids by sessions.users",
            ),
        },
        Some(obstacle) if ["", "auto"].contains(&config.sessions.users.as_str()) => {
            findings.warning(SUBJECT, format!("sessions run as the server does, and can read its store: {obstacle}"), mend);
        }
        Some(obstacle) => findings.error(SUBJECT, format!("sessions.users is set, and {obstacle}"), mend),
    }
}

fn limits(config: &Config, findings: &mut Findings) {
    let need = (server::descriptors_beside_connections(config.sessions.max) + config.http.connections) as u64;
    match getrlimit(Resource::Nofile).maximum {
        Some(most) if most < need => findings.warning(
            "open files",
            format!(
                "the limit is {most}; sessions.max = {} and http.connections = {} need {need}",
                config.sessions.max, config.http.connections
            ),
            format!("LimitNOFILE={need} in the unit, or ulimit -Hn {need}; or lower the two settings"),
        ),
        most => findings.good("open files", most.map_or("no limit".to_owned(), |most| format!("the limit is {most}"))),
    }
    let processes = getrlimit(Resource::Nproc).maximum;
    let need = config.sessions.max as u64 + 100;
    match processes {
        Some(most) if most < need && !rustix::process::geteuid().is_root() => findings.warning(
            "processes",
            format!("the limit is {most}; sessions.max = {} needs {need}", config.sessions.max),
            format!("LimitNPROC={need} in the unit, or ulimit -Hu {need}; or lower sessions.max"),
        ),
        _ => findings.good("processes", "the limit is wide enough"),
    }
    let memory = rustix::system::sysinfo();
    let mib = (memory.totalram as u64 * u64::from(memory.mem_unit)) >> 20;
    if config.sessions.memory_mib == 0 || config.sessions.memory_mib > mib {
        findings.warning(
            "memory",
            format!("one session may take all of the {mib} MiB that there are"),
            format!("set sessions.memory_mib below {mib}, so that R says \"cannot allocate\" before the kernel kills"),
        );
    } else {
        findings.good("memory", format!("{mib} MiB, of which one session may take {}", config.sessions.memory_mib));
    }
}

fn data(config: &Config, findings: &mut Findings) {
    const SUBJECT: &str = "data folder";
    let folder = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
    let shown = folder.display();
    // If the folder does not exist yet, the first start makes it: look at the nearest folder above that exists.
    let Some(place) = folder.ancestors().find(|folder| folder.exists()).map(Path::to_owned) else { return };
    let probe = place.join(format!(".offshoot-doctor-{}", getpid().as_raw_nonzero()));
    let written = File::create(&probe).and_then(|file| file.sync_all());
    let _ = std::fs::remove_file(&probe);
    if let Err(error) = written {
        return findings.error(SUBJECT, format!("{}: {error}", place.display()), format!("give the user of the server {shown}: chown"));
    }
    match rustix::fs::statvfs(&place).map(|space| (space.f_bavail * space.f_frsize) >> 20) {
        Err(error) => findings.warning(SUBJECT, format!("{shown}: {error}"), "look at the file system"),
        Ok(free) if free < FREE_MIB => {
            findings.warning(SUBJECT, format!("{shown} has {free} MiB left"), "make room, or put data on another file system");
        }
        Ok(free) if place != folder => findings.good(SUBJECT, format!("{shown} is made at the first start; {free} MiB are free")),
        Ok(free) => findings.good(SUBJECT, format!("{shown} can be written; {free} MiB are free")),
    }
    if rustix::fs::statfs(&place).is_ok_and(|system| NETWORKS.contains(&i128::from(system.f_type))) {
        findings.error(SUBJECT, format!("{shown} is on a network file system, on which SQLite loses data"), "put data on a local one");
    }
}

/// NFS and SMB (statfs(2)).
const NETWORKS: [i128; 3] = [0x6969, 0xff53_4d42, 0xfe53_4d42];

fn clock(config: &Config, findings: &mut Findings) {
    const SUBJECT: &str = "clock";
    let now = SystemTime::now();
    let built = std::env::current_exe().and_then(|program| program.metadata()?.modified());
    if built.is_ok_and(|built| built > now + SKEW) {
        return findings.error(
            SUBJECT,
            "it is earlier than the day on which this program was installed",
            "set it, and keep it right with NTP",
        );
    }
    let place: Option<PathBuf> = config.data.ancestors().find(|folder| folder.is_dir()).map(Path::to_owned);
    let probe = place.unwrap_or_else(std::env::temp_dir).join(format!(".offshoot-doctor-{}", getpid().as_raw_nonzero()));
    let written = File::create(&probe).and_then(|file| file.metadata()?.modified());
    let _ = std::fs::remove_file(&probe);
    match written {
        Ok(written) if written.duration_since(now).unwrap_or_else(|earlier| earlier.duration()) > SKEW => {
            findings.warning(SUBJECT, "it differs from that of the data folder's file system", "keep both right with NTP");
        }
        _ => findings.good(SUBJECT, jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S %Z").to_string()),
    }
}
