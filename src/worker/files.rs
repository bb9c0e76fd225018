//! Finds the files that an evaluation has written, and copies files that are to be published.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime},
};

use uuid::Uuid;

use crate::{
    link::command::{ChangedFile, PublishedFile},
    system::names,
};

/// Most levels of folders within folders. Files in deeper folders are not found.
const MAX_DEPTH: usize = 16;

/// The time between two ticks of the clock that the kernel takes times of files from, and more.
const TICK: Duration = Duration::from_millis(100);

/// A folder that is looked at again and again. As long as it is known to be empty, a look takes one system call.
#[derive(Debug)]
pub struct Watched {
    folder: PathBuf,
    /// The time of its last change when it was seen to be empty.
    empty: Cell<Option<SystemTime>>,
}

impl Watched {
    /// A folder that nobody has looked at yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, empty: Cell::new(None) }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at all regular files below the folder.
    #[must_use]
    pub fn look(&self) -> Listing {
        let changed = changed(&self.folder);
        if changed.is_some() && changed == self.empty.get() {
            return Listing::default();
        }
        let listing = Listing::of(&self.folder);
        // What changes within a tick after the last change may leave the time as it is.
        let is_settled = |changed: &SystemTime| changed.elapsed().is_ok_and(|since| since > TICK);
        self.empty.set(changed.filter(|changed| listing == Listing::default() && is_settled(changed)));
        listing
    }
}

/// When the entries of a folder, or its attributes, were changed last. Nobody can set this time.
fn changed(folder: &Path) -> Option<SystemTime> {
    let metadata = fs::metadata(folder).ok()?;
    let since = Duration::new(metadata.ctime().try_into().ok()?, metadata.ctime_nsec().try_into().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// The state of the files below a folder: enough to tell whether one was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    files: BTreeMap<PathBuf, State>,
    skipped: Vec<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Listing {
    /// Looks at all regular files below `folder`. Folders that cannot be read are left out.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let (mut files, mut skipped) = (BTreeMap::new(), Vec::new());
        let mut folders = vec![(PathBuf::new(), 0)];
        while let Some((relative, depth)) = folders.pop() {
            let Ok(entries) = fs::read_dir(folder.join(&relative)) else {
                skipped.push(relative);
                continue;
            };
            for entry in entries.flatten() {
                let path = relative.join(entry.file_name());
                // This is about the entry itself: links are not followed.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_dir() && depth < MAX_DEPTH {
                    folders.push((path, depth + 1));
                } else if metadata.is_file() {
                    let state = State {
                        inode: metadata.ino(),
                        size: metadata.size(),
                        modified: (metadata.mtime(), metadata.mtime_nsec()),
                        changed: (metadata.ctime(), metadata.ctime_nsec()),
                    };
                    files.insert(path, state);
                } else {
                    skipped.push(path);
                }
            }
        }
        Self { files, skipped }
    }

    /// The paths of all files, sorted, as [`names`] has them.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        self.files.keys().map(|path| names::shown(path)).collect()
    }

    /// What is no file or was not looked into: links, folders that are too deep.
    #[must_use]
    pub fn skipped(&self) -> Vec<String> {
        self.skipped.iter().map(|path| names::shown(path)).collect()
    }

    /// The files that were created or changed since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<ChangedFile> {
        let changed = self.files.iter().filter(|(path, state)| before.files.get(*path) != Some(state));
        changed
            .map(|(path, state)| ChangedFile { path: names::shown(path), created: !before.files.contains_key(path), size: state.size })
            .collect()
    }
}

/// Whether this is the name of a plot for which the code has opened no device, and which has got its name from us.
#[must_use]
pub fn is_unnamed_plot(name: &str) -> bool {
    let number = name.strip_prefix("unnamedplot").and_then(|rest| rest.strip_suffix(".png"));
    number.is_some_and(|number| number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a path does not lead out of the folder that it is relative to.
fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// Removes a file of the working folder; false when there is no such file.
#[must_use]
pub fn remove(work: &Path, name: &str) -> bool {
    let relative = names::meant(name);
    is_inside(&relative) && fs::remove_file(work.join(relative)).is_ok()
}

/// Copies a file of the working folder, as it is now; `None` when there is no such file. The copy keeps its
/// content when the code writes the file again.
#[must_use]
pub fn publish(work: &Path, published: &Path, name: &str) -> Option<PublishedFile> {
    let relative = names::meant(name);
    if !is_inside(&relative) {
        return None;
    }
    let id = Uuid::new_v4();
    // The file may be a named pipe. To open one without O_NONBLOCK waits for somebody who writes to it.
    let mut source = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(work.join(relative)).ok()?;
    if !source.metadata().ok()?.is_file() {
        return None;
    }
    let target = published.join(id.to_string());
    match File::options().write(true).create_new(true).mode(0o600).open(&target).and_then(|mut copy| io::copy(&mut source, &mut copy)) {
        Ok(size) => Some(PublishedFile { name: name.to_owned(), id, size }),
        Err(_) => {
            let _ = fs::remove_file(&target);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_folder_that_was_empty_is_seen_however_soon_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let watched = Watched::new(folder.path().to_owned());
        let file = folder.path().join("file");
        for round in 0..3 {
            // As fast as the clock of files cannot tell, and after the folder was known to be empty.
            for _ in 0..100 {
                assert_eq!(watched.look(), Listing::default());
                fs::write(&file, "").unwrap();
                assert_eq!(watched.look().paths(), ["file"], "round {round}");
                fs::remove_file(&file).unwrap();
            }
            while watched.empty.get().is_none() {
                assert_eq!(watched.look(), Listing::default());
            }
        }
    }

    #[test]
    fn created_and_changed_files_are_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("kept"), "1").unwrap();
        fs::write(folder.path().join("sub/grown"), "1").unwrap();
        let before = Listing::of(folder.path());
        assert_eq!(Listing::of(folder.path()).since(&before), []);
        fs::write(folder.path().join("sub/grown"), "12").unwrap();
        fs::write(folder.path().join("new"), "").unwrap();
        let changed = Listing::of(folder.path()).since(&before);
        let seen: Vec<_> = changed.iter().map(|file| (file.path.as_str(), file.created, file.size)).collect();
        assert_eq!(seen, [("new", true, 0), ("sub/grown", false, 2)]);
    }

    #[test]
    fn only_files_of_the_folder_are_published() {
        let folder = tempfile::tempdir().unwrap();
        let (work, published) = (folder.path().join("work"), folder.path().join("files"));
        fs::create_dir(&work).unwrap();
        fs::create_dir(&published).unwrap();
        fs::write(folder.path().join("secret"), "no").unwrap();
        fs::write(work.join("a b.txt"), "yes").unwrap();
        assert!(publish(&work, &published, "../secret").is_none());
        assert!(publish(&work, &published, "/etc/passwd").is_none());
        assert!(publish(&work, &published, "absent").is_none());
        let copy = publish(&work, &published, "a b.txt").unwrap();
        fs::write(work.join("a b.txt"), "other").unwrap();
        assert_eq!(fs::read(published.join(copy.id.to_string())).unwrap(), b"yes");
    }

    #[test]
    fn unnamed_plots_have_their_pattern() {
        assert!(is_unnamed_plot("unnamedplot001.png") && is_unnamed_plot("unnamedplot1000.png"));
        assert!(!is_unnamed_plot("unnamedplot.png") && !is_unnamed_plot("sub/unnamedplot001.png"));
    }
}
