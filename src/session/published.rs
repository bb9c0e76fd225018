//! Files with addresses that nobody can guess: copies of files that R wrote, and files that stay in working folders.

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

/// The files. Each belongs to a login, and is removed with it.
#[derive(Debug)]
pub struct Published {
    folder: PathBuf,
    /// The most bytes that the copies of a login may take.
    most: u64,
    /// The secret key from which addresses of files in working folders are made.
    key: [u8; 32],
    entries: Mutex<HashMap<Uuid, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The path in the working folder.
    name: String,
    login: Uuid,
    session: Uuid,
    /// The session's folder, for a file that stays there; `None` for a copy.
    live: Option<PathBuf>,
    /// The user who has to own the file; `None` for a file that the server has written, and if sessions have no users.
    ids: Option<(u32, u32)>,
    /// The size of a worker's copy, in bytes.
    size: u64,
    /// When the file was made, which tells the newest of several with one name.
    made: Instant,
}

/// The least that a copy counts, in bytes. It turns the limit on bytes into a limit on the number of copies as well.
const ENTRY: u64 = 4096;

impl Entry {
    /// How much the file counts to the limit; only copies that workers made do.
    fn weight(&self) -> u64 {
        if self.live.is_some() { 0 } else { self.size.max(ENTRY) }
    }
}

impl Published {
    /// Keeps copies in `folder`, which is empty. The copies of a login may take `most` bytes; 0 is no limit.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(folder: PathBuf, most: u64) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self { folder, most: if most == 0 { u64::MAX } else { most }, key, entries: Mutex::default() })
    }

    /// Takes over files that a session's worker has copied, and gives them new names, because those that the worker gave cannot be trusted.
    /// Files that cannot be taken are missing in the result. Blocks on the file system.
    pub fn take(&self, session: &Session, files: Vec<PublishedFile>, login: Uuid) -> Vec<PublishedFile> {
        let Ok(from) = Folder::open(&session.folder, Path::new(folders::FILES), session.ids) else { return Vec::new() };
        let used: u64 = self.entries().values().filter(|entry| entry.login == login).map(Entry::weight).sum();
        let mut left = self.most.saturating_sub(used);
        let taken = |file: PublishedFile| {
            let id = Uuid::new_v4();
            let size = from.give_away(&file.id.to_string(), left, &self.folder, &id.to_string()).ok()?;
            let name = file.name.clone();
            let entry = Entry { name, login, session: session.id, live: None, ids: None, size, made: Instant::now() };
            left = left.saturating_sub(entry.weight());
            self.entries().insert(id, entry);
            Some(PublishedFile { id, size, ..file })
        };
        files.into_iter().filter_map(taken).collect()
    }

    /// Makes an empty copy, which the caller writes. Blocks on the file system.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn create(&self, session: Uuid, name: &str, login: Uuid) -> io::Result<(Uuid, File)> {
        let id = Uuid::new_v4();
        let file = File::options().write(true).create_new(true).mode(0o600).open(self.folder.join(id.to_string()))?;
        self.entries().insert(id, Entry { name: name.to_owned(), login, session, live: None, ids: None, size: 0, made: Instant::now() });
        Ok((id, file))
    }

    /// Whether a file belongs to a login.
    #[must_use]
    pub fn is_of(&self, id: Uuid, login: Uuid) -> bool {
        self.entries().get(&id).is_some_and(|entry| entry.login == login)
    }

    /// An address for a file of the working folder, with whatever content the file has when somebody reads it. The same file always gets
    /// the same address.
    pub fn live(&self, session: &Session, path: &str, login: Uuid) -> Uuid {
        let id = self.live_id(session, path, login);
        self.entries().entry(id).or_insert_with(|| Entry {
            name: path.to_owned(),
            login,
            session: session.id,
            live: Some(session.folder.clone()),
            ids: session.ids,
            size: 0,
            made: Instant::now(),
        });
        id
    }

    /// Addresses for all files of the working folder. Files that have gone lose theirs.
    pub fn live_all(&self, session: &Session, paths: &[String], login: Uuid) -> Vec<Uuid> {
        let ids: Vec<_> = paths.iter().map(|path| self.live(session, path, login)).collect();
        let there: HashSet<_> = ids.iter().collect();
        self.entries()
            .retain(|id, entry| entry.live.is_none() || entry.session != session.id || entry.login != login || there.contains(id));
        ids
    }

    /// The identity of such an address. Without the key, nobody can guess it.
    fn live_id(&self, session: &Session, path: &str, login: Uuid) -> Uuid {
        let mut hash = Blake2sMac256::new(&self.key.into());
        hash.update(session.id.as_bytes());
        hash.update(login.as_bytes());
        hash.update(path.as_bytes());
        let digest: [u8; 32] = hash.finalize().into_bytes().into();
        Uuid::new_v8(digest.first_chunk().copied().unwrap_or_default())
    }

    /// The copies that a session has made, sorted by name; only the newest of each name.
    #[must_use]
    pub fn of_session(&self, session: Uuid) -> Vec<(String, Uuid)> {
        let entries = self.entries();
        let mut made: Vec<_> = entries.iter().filter(|(_, entry)| entry.session == session && entry.live.is_none()).collect();
        made.sort_by_key(|(_, entry)| (&entry.name, std::cmp::Reverse(entry.made)));
        made.dedup_by_key(|(_, entry)| &entry.name);
        made.into_iter().map(|(id, entry)| (entry.name.clone(), *id)).collect()
    }

    /// Opens a file. Returns also its path in the working folder. Blocks on the file system.
    ///
    /// # Errors
    /// `Missing` when there is no such file, or not any more; the others of [`FileError`]
    pub fn open(&self, id: Uuid) -> Result<(File, String), FileError> {
        let entry = self.entries().get(&id).cloned().ok_or(FileError::Missing)?;
        let file = match &entry.live {
            None => Folder::open(&self.folder, Path::new("."), entry.ids)?.read(&id.to_string())?,
            Some(session) => Folder::open(session, Path::new(folders::WORK), entry.ids)?.read(&entry.name)?,
        };
        Ok((file, entry.name))
    }

    /// Removes the copies with this name that a session made; false when there are none. Blocks on the file system.
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
