//! What loading a package leaves in a process, so far as it belongs to that process and to no other: a session that is
//! forked later would have it from the zygote.
//!
//! Whether a random generator in C has been given a seed cannot be asked, and what a token is made of cannot be seen. But
//! two processes that load the same package then differ in it. So the package is loaded in two, and all that it has
//! brought is compared: the variables of its shared libraries with the memory that these lead to, the values in its
//! namespace, options, environment variables.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::libraries::{self, Memory};
use crate::r::{
    self,
    exec::RError,
    state::{Mentions, Sought},
};

/// Set by R in any case, and by us for each session.
const OURS: [&str; 2] = ["R_SESSION_TMPDIR", "TMPDIR"];

/// The descriptors that are looked at. New ones get the lowest numbers that are free.
const DESCRIPTORS: usize = 256;

/// What there was before.
#[derive(Debug)]
pub struct Before {
    namespaces: BTreeSet<String>,
    libraries: BTreeSet<PathBuf>,
    descriptors: [bool; DESCRIPTORS],
    files: BTreeSet<PathBuf>,
}

/// What has come.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Traces {
    /// Each thing that is kept, with a digest of its value. Things of one name have one digest together.
    kept: BTreeMap<String, u64>,
    /// Things in which each session can put its own temporary folder.
    pub folder_in: BTreeSet<String>,
    /// Things for which a session can do nothing.
    pub obstacles: BTreeSet<String>,
    /// Whether a library asks for the time, which may become a seed that is another one in the next second.
    pub asks_time: bool,
}

/// The temporary folder of this process, as it is looked for.
pub fn temporary_folder() -> Sought {
    let path = r::init::temporary_folder();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let whole = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
    let paths = BTreeSet::from([path, whole]);
    Sought { name, paths: paths.into_iter().map(|path| path.to_string_lossy().into_owned()).collect() }
}

/// The namespaces that have come.
///
/// # Errors
/// R's.
pub fn come_since(before: &BTreeSet<String>) -> Result<Vec<String>, RError> {
    Ok(r::state::namespaces()?.into_iter().filter(|name| !before.contains(name)).collect())
}

impl Before {
    /// What there is now.
    ///
    /// # Errors
    /// R's.
    pub fn now() -> Result<Self, RError> {
        Ok(Self {
            namespaces: r::state::namespaces()?.into_iter().collect(),
            libraries: libraries::all().into_iter().map(|library| library.path).collect(),
            descriptors: descriptors(),
            files: entries(&r::init::temporary_folder()),
        })
    }

    /// What has come since.
    ///
    /// # Errors
    /// R's.
    pub fn traces(&self) -> Result<Traces, RError> {
        let sought = temporary_folder();
        let mut traces = Traces::default();
        self.in_libraries(&sought, &mut traces);
        let state = r::state::look(&come_since(&self.namespaces)?, &sought)?;
        if !state.complete {
            traces.obstacles.insert("more values than are looked through".to_owned());
        }
        for variable in state.variables {
            traces.add(variable.name, variable.digest, variable.mentions);
        }
        for (name, value) in std::env::vars_os().filter(|(name, _)| !OURS.iter().any(|ours| name == ours)) {
            let mut hasher = DefaultHasher::new();
            let mentions = sought.mentions(value.as_bytes());
            if mentions == Mentions::Not {
                value.hash(&mut hasher);
            }
            traces.add(format!("environment variable {}", name.to_string_lossy()), hasher.finish(), mentions);
        }
        let open = descriptors();
        for number in (0..DESCRIPTORS).filter(|&number| open[number] && !self.descriptors[number]) {
            let target = fs::read_link(descriptor(number)).unwrap_or_default();
            // Pipes and sockets have no name, only a number.
            let target = target.to_string_lossy();
            let kind = target.split_once(":[").map_or(&*target, |(kind, _)| kind);
            traces.obstacles.insert(format!("open {kind}"));
        }
        let temporary = r::init::temporary_folder();
        for file in entries(&temporary).difference(&self.files) {
            traces.obstacles.insert(format!("file {} in the temporary folder", file.display()));
            let path = temporary.join(file);
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        Ok(traces)
    }

    fn in_libraries(&self, sought: &Sought, traces: &mut Traces) {
        let Ok(memory) = Memory::own() else { return };
        for library in libraries::all().iter().filter(|library| !self.libraries.contains(&library.path)) {
            let name = format!("variables of {}", library.path.file_name().unwrap_or_default().display());
            let content = memory.content(library, &sought.name);
            traces.asks_time |= asks_time(&library.path);
            traces.add(name, content.digest, if content.mentions { Mentions::Part } else { Mentions::Not });
        }
    }
}

impl Traces {
    fn add(&mut self, name: String, digest: u64, mentions: Mentions) {
        match mentions {
            Mentions::Not => {}
            Mentions::Path => {
                self.folder_in.insert(name.clone());
            }
            Mentions::Part => {
                self.obstacles.insert(format!("the temporary folder in {name}"));
            }
        }
        let all = self.kept.entry(name).or_default();
        *all = all.wrapping_add(digest);
    }

    /// The things that are others in another process.
    #[must_use]
    pub fn differing(&self, other: &Self) -> BTreeSet<String> {
        let names = self.kept.keys().chain(other.kept.keys());
        names.filter(|&name| self.kept.get(name) != other.kept.get(name)).cloned().collect()
    }
}

/// Whether a library refers to time(2) or its like: the names of all functions that it calls are in its file.
fn asks_time(library: &Path) -> bool {
    fs::read(library).is_ok_and(|bytes| memchr::memmem::find(&bytes, b"time\0").is_some())
}

/// Which descriptors are open. The answer takes no memory from the heap: the two processes that are compared have not as
/// many, and from then on would have everything at other addresses.
fn descriptors() -> [bool; DESCRIPTORS] {
    std::array::from_fn(|number| fs::symlink_metadata(descriptor(number)).is_ok())
}

fn descriptor(number: usize) -> String {
    format!("/proc/self/fd/{number}")
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| PathBuf::from(entry.file_name())).collect()
}
