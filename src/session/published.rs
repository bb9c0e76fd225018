//! Files that have been given an address that nobody can guess: copies of what R wrote.

use std::{
    collections::HashMap,
    fs::File,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use uuid::Uuid;

use super::folder;

/// The files, in one folder of the server's. Each belongs to a login, and goes with it.
#[derive(Debug)]
pub struct Published {
    folder: PathBuf,
    entries: Mutex<HashMap<Uuid, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    name: String,
    login: Uuid,
}

impl Published {
    /// Files in `folder`, which is empty.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, entries: Mutex::default() }
    }

    /// Takes over files that a worker has copied into `from`, under their ids. Those that cannot be taken are
    /// left out of the answer. Blocks on the file system.
    pub fn take(&self, from: &std::path::Path, files: Vec<(Uuid, String)>, login: Uuid) -> Vec<Uuid> {
        let mut taken = Vec::new();
        for (id, name) in files {
            let file = id.to_string();
            if std::fs::rename(from.join(&file), self.folder.join(&file)).is_ok() {
                let entry = Entry { name, login };
                self.entries.lock().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
                taken.push(id);
            }
        }
        taken
    }

    /// Opens a file, and tells its name. Blocks on the file system.
    ///
    /// # Errors
    /// `NotFound` when there is none, or no longer; the system's.
    pub fn open(&self, id: Uuid) -> io::Result<(File, String)> {
        let entry = self.entries.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let entry = entry.ok_or(io::ErrorKind::NotFound)?;
        Ok((folder::open_file(&self.folder, &id.to_string())?, entry.name))
    }

    /// Removes the files of a login. Blocks on the file system.
    pub fn forget(&self, login: Uuid) {
        let gone: Vec<Uuid> = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.extract_if(|_, entry| entry.login == login).map(|(id, _)| id).collect()
        };
        for id in gone {
            if let Err(error) = std::fs::remove_file(self.folder.join(id.to_string())) {
                tracing::warn!(file.id = %id, %error, "a published file could not be removed");
            }
        }
    }
}
