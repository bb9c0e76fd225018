//! Files that have been given an address that nobody can guess: copies of what R wrote, and files of working
//! folders as they are.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use blake2::{
    Blake2sMac256,
    digest::{KeyInit, Mac},
};
use uuid::Uuid;

use super::Session;
use crate::{
    link::{command::PublishedFile, messages::folder as folders},
    system::folder::{FileError, Folder},
};

/// The files. Each belongs to a login, and goes with it.
#[derive(Debug)]
pub struct Published {
    folder: PathBuf,
    /// What the copies of a login may take, in bytes.
    most: u64,
    /// Makes the addresses of files in working folders: nobody else has it.
    key: [u8; 32],
    entries: Mutex<HashMap<Uuid, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The path in the working folder.
    name: String,
    login: Uuid,
    session: Uuid,
    /// The session's folder, if the file is still there; `None` for a copy.
    live: Option<PathBuf>,
    /// Whose file it has to be; `None` for one that the server has written, and where sessions have no users.
    user: Option<u32>,
    /// Of a copy that a worker has made, in bytes.
    size: u64,
    /// So that the newest of a name is known.
    made: Instant,
}

/// What a copy takes at the least, in bytes: a bound on their size is one on their number.
const ENTRY: u64 = 4096;

impl Entry {
    /// What it counts to the limit; nothing for one that is no copy of a worker's.
    fn weight(&self) -> u64 {
        if self.live.is_some() { 0 } else { self.size.max(ENTRY) }
    }
}

impl Published {
    /// Copies are kept in `folder`, which is empty; those of a login may take `most` bytes, 0 for no limit.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(folder: PathBuf, most: u64) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { folder, most: if most == 0 { u64::MAX } else { most }, key, entries: Mutex::default() })
    }

    /// Takes over files that a session's worker has copied, and gives them names of the server's: what a worker calls
    /// them is not to be trusted. Those that cannot be taken are left out of the answer. Blocks on the file system.
    pub fn take(&self, session: &Session, files: Vec<PublishedFile>, login: Uuid) -> Vec<PublishedFile> {
        let Ok(from) = Folder::open(&session.folder, Path::new(folders::FILES), session.user) else { return Vec::new() };
        let used: u64 = self.entries().values().filter(|entry| entry.login == login).map(Entry::weight).sum();
        let mut left = self.most.saturating_sub(used);
        let taken = |file: PublishedFile| {
            let id = Uuid::new_v4();
            let size = from.give_away(&file.id.to_string(), left, &self.folder, &id.to_string()).ok()?;
            let name = file.name.clone();
            let entry = Entry { name, login, session: session.id, live: None, user: None, size, made: Instant::now() };
            left = left.saturating_sub(entry.weight());
            self.entries().insert(id, entry);
            Some(PublishedFile { id, size, ..file })
        };
        files.into_iter().filter_map(taken).collect()
    }

    /// A new copy, for the caller to write. Blocks on the file system.
    ///
    /// # Errors
    /// The system's.
    pub fn create(&self, session: Uuid, name: &str, login: Uuid) -> io::Result<(Uuid, File)> {
        let id = Uuid::new_v4();
        let file = File::options().write(true).create_new(true).mode(0o600).open(self.folder.join(id.to_string()))?;
        self.entries().insert(id, Entry { name: name.to_owned(), login, session, live: None, user: None, size: 0, made: Instant::now() });
        Ok((id, file))
    }

    /// Whether a file belongs to a login.
    #[must_use]
    pub fn is_of(&self, id: Uuid, login: Uuid) -> bool {
        self.entries().get(&id).is_some_and(|entry| entry.login == login)
    }

    /// An address for a file of the working folder, as it is whenever somebody asks for it. It is always the same.
    pub fn live(&self, session: &Session, path: &str, login: Uuid) -> Uuid {
        let id = self.live_id(session, path, login);
        self.entries().entry(id).or_insert_with(|| Entry {
            name: path.to_owned(),
            login,
            session: session.id,
            live: Some(session.folder.clone()),
            user: session.user,
            size: 0,
            made: Instant::now(),
        });
        id
    }

    /// The same for all files of the working folder: those that are not there any more have no address either.
    pub fn live_all(&self, session: &Session, paths: &[String], login: Uuid) -> Vec<Uuid> {
        let ids: Vec<_> = paths.iter().map(|path| self.live(session, path, login)).collect();
        let there: HashSet<_> = ids.iter().collect();
        self.entries()
            .retain(|id, entry| entry.live.is_none() || entry.session != session.id || entry.login != login || there.contains(id));
        ids
    }

    /// Nobody can guess it who does not have the key.
    fn live_id(&self, session: &Session, path: &str, login: Uuid) -> Uuid {
        let mut hash = Blake2sMac256::new(&self.key.into());
        hash.update(session.id.as_bytes());
        hash.update(login.as_bytes());
        hash.update(path.as_bytes());
        let digest: [u8; 32] = hash.finalize().into_bytes().into();
        Uuid::new_v8(digest.first_chunk().copied().unwrap_or_default())
    }

    /// The copies of what a session made, the newest of each name, by name.
    #[must_use]
    pub fn of_session(&self, session: Uuid) -> Vec<(String, Uuid)> {
        let entries = self.entries();
        let mut made: Vec<_> = entries.iter().filter(|(_, entry)| entry.session == session && entry.live.is_none()).collect();
        made.sort_by_key(|(_, entry)| (&entry.name, std::cmp::Reverse(entry.made)));
        made.dedup_by_key(|(_, entry)| &entry.name);
        made.into_iter().map(|(id, entry)| (entry.name.clone(), *id)).collect()
    }

    /// Opens a file, and tells its path in the working folder. Blocks on the file system.
    ///
    /// # Errors
    /// `Missing` when there is none, or no longer; the others of [`FileError`]
    pub fn open(&self, id: Uuid) -> Result<(File, String), FileError> {
        let entry = self.entries().get(&id).cloned().ok_or(FileError::Missing)?;
        let file = match &entry.live {
            None => Folder::open(&self.folder, Path::new("."), entry.user)?.read(&id.to_string())?,
            Some(session) => Folder::open(session, Path::new(folders::WORK), entry.user)?.read(&entry.name)?,
        };
        Ok((file, entry.name))
    }

    /// Removes the copies of that name that a session made; false when there are none. Blocks on the file
    /// system.
    pub fn remove(&self, session: Uuid, name: &str) -> bool {
        self.remove_those(|entry| entry.session == session && entry.live.is_none() && entry.name == name)
    }

    /// Removes the files of a login. Blocks on the file system.
    pub fn forget(&self, login: Uuid) {
        self.remove_those(|entry| entry.login == login);
    }

    fn remove_those(&self, which: impl Fn(&Entry) -> bool) -> bool {
        let gone: Vec<_> = self.entries().extract_if(|_, entry| which(entry)).collect();
        for (id, _) in gone.iter().filter(|(_, entry)| entry.live.is_none()) {
            if let Err(error) = std::fs::remove_file(self.folder.join(id.to_string())) {
                tracing::warn!(file.id = %id, %error, "a published file could not be removed");
            }
        }
        !gone.is_empty()
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
