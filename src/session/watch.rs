//! Enforces limits that the kernel does not: on the resources that all processes of a session take together, and on the size of its
//! folders.
//!
//! Sessions that are running something are checked each second, and the others every few seconds. A session that exceeds a limit is ended
//! without asking R, because its code could refuse.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{Session, Sessions, tombstone::Cause};
use crate::{
    link::messages::folder,
    system::{
        leftovers::{self, Held},
        memory::{self, Inherited},
        processes, strays,
        tree::{self, Size},
    },
};

/// The time between two checks.
const TICK: Duration = Duration::from_secs(1);
/// After this many checks, the sessions that run nothing are checked as well.
const ALL: u64 = 10;
/// After a look through a session's folders, this many times its duration passes before the next. So a session that fills its folders costs
/// only a fraction of a processor.
const RATIO: u32 = 20;

/// Memory that may belong to the zygote or the server instead of the session, in bytes.
const UNCERTAIN: u64 = 32 << 20;

/// Checks sessions until the server stops.
pub(super) async fn run(sessions: Sessions) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut watch = Watch::default();
    for turn in 1_u64.. {
        tokio::select! {
            _ = tick.tick() => {}
            () = sessions.stopped() => return,
        }
        let all = turn.is_multiple_of(ALL);
        let live: Vec<_> = sessions.all().into_iter().filter(|session| is_limited(session)).collect();
        if live.is_empty() || !(all || live.iter().any(|session| session.is_busy())) {
            continue;
        }
        let zygote = sessions.zygote_pid();
        let looked = tokio::task::spawn_blocking(move || {
            let exceeded = watch.examine(&live, zygote, all);
            (watch, exceeded)
        });
        let exceeded;
        (watch, exceeded) = looked.await.unwrap_or_else(|error| {
            tracing::error!(%error, "sessions could not be looked after");
            Default::default()
        });
        for (session, what) in exceeded {
            tracing::warn!(session.id = %session.id, user.name = session.owner, what, "session is ended");
            sessions.condemn(&session, Cause::Exceeded(what));
        }
    }
}

fn is_limited(session: &Session) -> bool {
    session.limits.memory.is_some() || session.limits.disk.is_some()
}

/// When the slow checks were made or are due.
#[derive(Default)]
struct Watch {
    /// The next look through each session's folders.
    folders: HashMap<Uuid, Instant>,
    /// The next look through the folders that are open to everybody; its last result is in `held`.
    shared: Option<Instant>,
    held: HashMap<u32, Held>,
}

impl Watch {
    /// The sessions that exceed a limit, and which.
    fn examine(&mut self, sessions: &[Arc<Session>], zygote: i32, all: bool) -> Vec<(Arc<Session>, String)> {
        let live: HashSet<Uuid> = sessions.iter().map(|session| session.id).collect();
        self.folders.retain(|id, _| live.contains(id));
        let members = members(sessions, zygote);
        let inherited = Inherited::from(zygote);
        let users: HashSet<u32> = sessions.iter().filter_map(|session| session.user).collect();
        let held = self.held(&users, sessions.iter().filter_map(|session| session.limits.disk).max().unwrap_or(u64::MAX));
        let mut exceeded = Vec::new();
        for session in sessions {
            let pids = members.get(&session.pid).map_or(&[][..], Vec::as_slice);
            if !(all || session.is_busy() || pids.len() > 1) {
                continue;
            }
            let elsewhere = session.user.and_then(|user| held.get(&user)).copied().unwrap_or_default();
            if let Some(what) = self.excess(session, pids, inherited, elsewhere) {
                exceeded.push((Arc::clone(session), what));
            }
        }
        exceeded
    }

    /// How much each user has in folders that are open to everybody.
    fn held(&mut self, users: &HashSet<u32>, most: u64) -> HashMap<u32, Held> {
        let begun = Instant::now();
        if users.is_empty() {
            self.held.clear();
        } else if self.shared.is_none_or(|due| due <= begun) {
            self.held = leftovers::held(users, most);
            self.shared = Some(Instant::now() + begun.elapsed() * RATIO);
        }
        self.held.clone()
    }

    /// The limit that a session exceeds, if any.
    fn excess(&mut self, session: &Session, pids: &[i32], inherited: Inherited, elsewhere: Held) -> Option<String> {
        let most = session.limits.memory.unwrap_or(u64::MAX);
        // The kernel limits what a single process maps beyond what the zygote had. This check is less exact, so it allows some more before it
        // ends a session.
        let enough = most.saturating_add(most / 8).saturating_add(UNCERTAIN).saturating_add(inherited.unused());
        let taken = memory::taken(pids, inherited, enough.saturating_sub(elsewhere.memory));
        if taken.memory.saturating_add(elsewhere.memory) > enough {
            return Some(format!("its processes and its shared memory took more than {} MiB of memory together", most >> 20));
        }
        let most = session.limits.disk?;
        let outside = taken.removed_files.saturating_add(elsewhere.disk);
        let begun = Instant::now();
        let due = self.folders.entry(session.id).or_insert(begun);
        if *due > begun && outside <= most {
            return None;
        }
        let size = tree::size(&session.folder, most.saturating_sub(outside));
        *due = Instant::now() + begun.elapsed() * RATIO;
        match size {
            Size::Bytes(_) if outside <= most => None,
            Size::Deep => Some(format!("its folders were deeper than {}", tree::DEPTH)),
            Size::Bytes(_) | Size::More => Some(format!("its files took more than {} MiB together", most >> 20)),
        }
    }
}

/// The processes of each session, by its worker. If the session has a user, they are those of the user. Otherwise they are those below the
/// worker, and those that have become children of the zygote and name the session in their environment.
fn members(sessions: &[Arc<Session>], zygote: i32) -> HashMap<i32, Vec<i32>> {
    let mut members: HashMap<i32, Vec<i32>> = HashMap::new();
    let by_user: HashMap<u32, i32> = sessions.iter().filter_map(|session| Some((session.user?, session.pid))).collect();
    let parents = if by_user.len() == sessions.len() { HashMap::new() } else { processes::parents() };
    let workers: HashSet<i32> = sessions.iter().map(|session| session.pid).collect();
    let says_whose = |pid: i32| {
        let is_of = |session: &&Arc<Session>| strays::has(pid, folder::VARIABLE, session.folder.join(folder::WORK).as_os_str());
        sessions.iter().find(is_of).map(|session| session.pid)
    };
    let mut known: HashMap<i32, Option<i32>> = HashMap::new();
    for pid in processes::all() {
        let worker = match processes::user_of(pid).and_then(|user| by_user.get(&user)) {
            Some(&worker) => Some(worker),
            None => {
                let above = || std::iter::successors(Some(pid), |pid| parents.get(pid).copied()).take(parents.len());
                let stray = || above().find(|pid| parents.get(pid) == Some(&zygote));
                let worker = above().find(|pid| workers.contains(pid));
                worker.or_else(|| stray().and_then(|stray| *known.entry(stray).or_insert_with(|| says_whose(stray))))
            }
        };
        if let Some(worker) = worker {
            members.entry(worker).or_default().push(pid);
        }
    }
    members
}
