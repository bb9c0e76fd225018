//! Things that remain under a user id on the machine when its last process has ended, outside the user's own folders. The next user with
//! the same id would find them.

use std::{
    collections::{HashMap, HashSet},
    ffi::{c_int, c_long},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, WaitOptions, waitpid};

use super::{
    processes,
    tree::{self, BLOCK, Size},
};

/// Folders in which everybody may make files.
const SHARED: [&str; 7] = ["/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock", "/run/shm", "/var/crash"];
/// The one of these folders that is in memory.
const MEMORY: &str = "/dev/shm";
/// The mode bits of folders in which everybody may make files, and nobody may touch those of others.
const SHARED_MODE: u32 = 0o1002;

/// keyctl(2): the special keyrings, and the operations on them. `libc` has no names for these.
mod keys {
    use std::ffi::c_long;

    pub(super) const PROCESS_KEYRING: c_long = -2;
    pub(super) const USER_KEYRING: c_long = -4;
    pub(super) const USER_SESSION_KEYRING: c_long = -5;
    pub(super) const CLEAR: c_long = 7;
    pub(super) const GET_PERSISTENT: c_long = 22;
}

/// Removes the System V objects and the keys of these users. Returns the files and folders that they have left in places that are open to
/// everybody, because removing these can take long. None of the users may have a process.
#[must_use]
pub fn clear(users: &HashSet<u32>) -> Vec<PathBuf> {
    clear_ipc(users);
    clear_keys(users);
    let mut left = Vec::new();
    for path in SHARED {
        look_into(Path::new(path), &mut |user, path, _| {
            if users.contains(&user) {
                left.push(path.to_owned());
            }
        });
    }
    left
}

/// How much users have in places that are open to everybody, in bytes: in memory, and on disks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// System V segments, and files in memory.
    pub memory: u64,
    /// Other files.
    pub disk: u64,
}

/// How much each of these users has. Counting a folder stops at `most` bytes.
#[must_use]
pub fn held(users: &HashSet<u32>, most: u64) -> HashMap<u32, Held> {
    let mut held: HashMap<u32, Held> = HashMap::new();
    for path in SHARED {
        let is_memory = path == MEMORY;
        look_into(Path::new(path), &mut |user, path, metadata| {
            if users.contains(&user) {
                let own = metadata.blocks() * BLOCK;
                let bytes = match metadata.is_dir().then(|| tree::size(path, most)) {
                    None => own,
                    Some(Size::Bytes(bytes)) => own + bytes,
                    Some(Size::More | Size::Deep) => most.saturating_add(1),
                };
                let of_user = held.entry(user).or_default();
                let sum = if is_memory { &mut of_user.memory } else { &mut of_user.disk };
                *sum = sum.saturating_add(bytes);
            }
        });
    }
    for Ipc { users: [_, maker], resident, .. } in ipc("shm").filter(|object| users.contains(&object.users[1])) {
        held.entry(maker).or_default().memory += resident;
    }
    held
}

/// The users that have a process, or anything that [`clear`] removes except keyrings: the kernel makes keyrings for a user as soon as
/// somebody asks for them, and keeps them.
#[must_use]
pub fn owners() -> HashSet<u32> {
    let mut owners = HashSet::new();
    for path in SHARED {
        look_into(Path::new(path), &mut |user, _, _| {
            owners.insert(user);
        });
    }
    for kind in IPC {
        owners.extend(ipc(kind).flat_map(|object| object.users));
    }
    owners.extend(processes::all().filter_map(processes::user_of));
    owners
}

/// Calls `each` with the owner of each entry of a folder that is open to everybody, and with those of entries of such folders in it.
fn look_into(folder: &Path, each: &mut impl FnMut(u32, &Path, &fs::Metadata)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // The metadata is that of the entry itself, because links are not followed.
        let Ok(metadata) = entry.metadata() else { continue };
        each(metadata.uid(), &entry.path(), &metadata);
        // Only folders of the system, because others could be exchanged for a link.
        if metadata.is_dir() && metadata.uid() == 0 && metadata.mode() & SHARED_MODE == SHARED_MODE {
            look_into(&entry.path(), each);
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The kinds of System V objects, as proc(5) names them in `/proc/sysvipc`.
const IPC: [&str; 3] = ["shm", "msg", "sem"];

/// A System V object.
struct Ipc {
    id: c_int,
    /// Its owner and its creator.
    users: [u32; 2],
    /// The memory that it takes, in bytes; 0 if it is not shared memory.
    resident: u64,
}

/// The System V objects of one kind.
fn ipc(kind: &str) -> impl Iterator<Item = Ipc> {
    let table = read(&format!("/proc/sysvipc/{kind}"));
    let mut lines = table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap_or_default();
    let number = |fields: &[String], column: &str| fields.get(names.iter().position(|name| name == column)?)?.parse::<u64>().ok();
    let object = |fields: Vec<String>| {
        let user = |column| u32::try_from(number(&fields, column)?).ok();
        Some(Ipc {
            // By position, because the name of the second column is not always that of the kind.
            id: fields.get(1)?.parse().ok()?,
            users: [user("uid")?, user("cuid")?],
            resident: number(&fields, "rss").unwrap_or(0),
        })
    };
    lines.filter_map(object).collect::<Vec<_>>().into_iter()
}

/// Removes System V objects.
fn clear_ipc(users: &HashSet<u32>) {
    for (kind, remove) in IPC.into_iter().zip([remove_memory as fn(c_int), remove_queue, remove_semaphores]) {
        ipc(kind).filter(|object| object.users.iter().any(|user| users.contains(user))).for_each(|object| remove(object.id));
    }
}

fn remove_memory(id: c_int) {
    // SAFETY: this command takes no structure.
    unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
}

fn remove_queue(id: c_int) {
    // SAFETY: this command takes no structure.
    unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
}

fn remove_semaphores(id: c_int) {
    // SAFETY: this command takes no further argument.
    unsafe { libc::semctl(id, 0, libc::IPC_RMID) };
}

/// Clears the keyrings of users. A child process becomes each user in turn, because nobody else can reach them.
fn clear_keys(users: &HashSet<u32>) {
    let with_keys: Vec<u32> = with_keys(&read("/proc/key-users")).filter(|user| users.contains(user)).collect();
    if with_keys.is_empty() {
        return;
    }
    // SAFETY: this process has one thread; the child makes system calls on itself, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        with_keys.into_iter().for_each(clear_keys_of);
        // SAFETY: always allowed; no exit handler may run.
        unsafe { libc::_exit(0) };
    }
    if let Some(child) = Pid::from_raw(child) {
        let _ = rustix::io::retry_on_intr(|| waitpid(Some(child), WaitOptions::empty()));
    }
}

fn clear_keys_of(user: u32) {
    // SAFETY: plain system calls. The saved user id is root's, so that the process can become the next user.
    unsafe {
        let clear = |keyring: c_long| libc::syscall(libc::SYS_keyctl, keys::CLEAR, keyring);
        if libc::setresuid(user, user, 0) != 0 {
            return;
        }
        clear(keys::USER_KEYRING);
        clear(keys::USER_SESSION_KEYRING);
        let persistent = libc::syscall(libc::SYS_keyctl, keys::GET_PERSISTENT, c_long::from(user), keys::PROCESS_KEYRING);
        if persistent > 0 {
            clear(persistent);
        }
        libc::setresuid(0, 0, 0);
    }
}

/// The users in `/proc/key-users`: `   0: 9 8/8 7/1000000 142/25000000`.
fn with_keys(text: &str) -> impl Iterator<Item = u32> {
    text.lines().filter_map(|line| line.split(':').next()?.trim().parse().ok())
}

/// Kills all processes of a user; false when some are left.
#[must_use]
pub fn kill(user: u32) -> bool {
    if !processes::has_any(user) {
        return true;
    }
    processes::kill_all_of(user);
    processes::kill_each_of(user);
    !processes::has_any(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_with_keys_are_read() {
        let text = "    0:    12 11/11 9/1000000 180/25000000\n50007:     2 2/2 2/200 40/20000\nnone\n";
        assert_eq!(with_keys(text).collect::<Vec<_>>(), [0, 50_007]);
    }
}
