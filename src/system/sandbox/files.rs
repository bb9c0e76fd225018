//! The files that a process may reach, by Landlock (landlock(7)).
//!
//! Landlock looks at files when they are opened, made, removed or renamed. It does not look at those who ask for a file's attributes, or
//! change its mode or its times: that is for [`super::private`].

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};

/// The version whose rights to files are asked for. Of these, a kernel refuses what it knows.
const FILES: ABI = ABI::V9;
/// The first version that keeps signals and abstract sockets within.
const SCOPES: ABI = ABI::V6;
/// The first version that knows ports of TCP.
const PORTS: ABI = ABI::V4;

/// What a process may do in a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Read files, list folders and run programs.
    Read,
    /// Everything but to make devices.
    Change,
    /// Read, write and control devices.
    UseDevices,
}

impl May {
    fn rights(self) -> BitFlags<AccessFs> {
        match self {
            Self::Read => AccessFs::from_read(FILES),
            Self::Change => AccessFs::from_all(FILES) & !make_bitflags!(AccessFs::{MakeChar | MakeBlock}),
            Self::UseDevices => make_bitflags!(AccessFs::{ReadFile | WriteFile | ReadDir | IoctlDev}),
        }
    }
}

/// What a process may use TCP for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tcp {
    /// Everything.
    All,
    /// To connect, and not to listen.
    Connect,
    /// Nothing.
    None,
}

/// The places that a process may reach. Each is held open: the kernel forgets a file of `/proc` that nobody holds, and its next one would
/// not be in the territory.
#[derive(Debug, Default)]
pub struct Territory {
    places: Vec<(OwnedFd, BitFlags<AccessFs>)>,
}

/// A place that cannot be made a part of a territory.
#[derive(Debug, thiserror::Error)]
#[error("{}", path.display())]
pub struct PlaceError {
    path: PathBuf,
    source: io::Error,
}

/// The kernel did not accept a territory.
#[derive(Debug, thiserror::Error)]
#[error("files that may be reached")]
pub struct ConfineError(#[from] RulesetError);

/// What the kernel can keep a process from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Reaching files outside its territory.
    pub files: bool,
    /// Signalling processes and connecting to abstract sockets outside.
    pub scopes: bool,
}

/// What this kernel can keep a process from.
#[must_use]
pub fn known() -> Known {
    let ruleset = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let is_there = |asked: Result<Ruleset, RulesetError>| asked.and_then(Ruleset::create).is_ok();
    Known {
        files: is_there(ruleset().handle_access(AccessFs::from_all(ABI::V1))),
        scopes: is_there(ruleset().scope(Scope::from_all(SCOPES))),
    }
}

/// A territory that one process can be kept in. To prepare it takes longer than to use it.
#[derive(Debug)]
pub struct Enclosure {
    ruleset: RulesetCreated,
    tcp: Tcp,
}

impl Enclosure {
    fn add(mut self, territory: &Territory) -> Result<Self, ConfineError> {
        for (place, rights) in &territory.places {
            self.ruleset = self.ruleset.add_rule(PathBeneath::new(place, *rights))?;
        }
        Ok(self)
    }

    /// Keeps this process, for good, within the territory and this other one.
    ///
    /// # Errors
    /// [`ConfineError`].
    pub fn confine(self, own: &Territory) -> Result<(), ConfineError> {
        self.add(own)?.ruleset.restrict_self()?;
        Ok(())
    }

    /// The uses of TCP that it leaves.
    #[must_use]
    pub fn tcp(&self) -> Tcp {
        self.tcp
    }
}

impl Territory {
    /// Adds a file, or a folder with all that is in it now and later. Links are followed. What is not there, or may not be reached anyhow,
    /// adds nothing.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn add(&mut self, path: &Path, may: May) -> Result<(), PlaceError> {
        let failed = |source: rustix::io::Errno| PlaceError { path: path.to_owned(), source: source.into() };
        let place = match open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(place) => place,
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::ACCESS | rustix::io::Errno::LOOP) => {
                return Ok(());
            }
            Err(error) => return Err(failed(error)),
        };
        let is_folder = FileType::from_raw_mode(fstat(&place).map_err(failed)?.st_mode) == FileType::Directory;
        let rights = if is_folder { may.rights() } else { may.rights() & AccessFs::from_file(FILES) };
        self.places.push((place, rights));
        Ok(())
    }

    /// Prepares to keep a process within this territory, and from these uses of TCP. What the kernel does not know is left out. What is
    /// refused will not be told to the kernel's audit log, which a process could fill.
    ///
    /// # Errors
    /// [`ConfineError`].
    pub fn enclose(&self, tcp: Tcp) -> Result<Enclosure, ConfineError> {
        let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(FILES))?.scope(Scope::from_all(SCOPES))?;
        ruleset = match tcp {
            Tcp::All => ruleset,
            Tcp::Connect => ruleset.handle_access(AccessNet::BindTcp)?,
            Tcp::None => ruleset.handle_access(AccessNet::from_all(PORTS))?,
        };
        let enclosure = Enclosure { ruleset: ruleset.create()?.log_same_exec(false)?, tcp };
        enclosure.add(self)
    }

    /// Adds a folder with all that is in it, except these places.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn add_around(&mut self, folder: &Path, except: &[PathBuf], may: May) -> Result<(), PlaceError> {
        if except.iter().any(|except| except == folder) {
            return Ok(());
        }
        if !except.iter().any(|except| except.starts_with(folder)) {
            return self.add(folder, may);
        }
        let entries = std::fs::read_dir(folder).map_err(|source| PlaceError { path: folder.to_owned(), source })?;
        entries.flatten().try_for_each(|entry| self.add_around(&entry.path(), except, may))
    }

    /// The first of its descriptors, which hold the places.
    pub fn into_descriptors(self, count: usize) -> impl Iterator<Item = OwnedFd> {
        self.places.into_iter().map(|(place, _)| place).take(count)
    }
}
