//! The walls around a session: what [`crate::system::sandbox`] gives, for the places that R needs.
//!
//! Everything that can be prepared is prepared in the zygote, before there are sessions. System calls are refused in the zygote already: its
//! children inherit that, and setting a filter takes as long as forking does.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    places,
    trial::{Trial, TrialError},
};
use crate::{
    link::messages::{Fork, Network, Sandbox, Walls, Wanted, folder},
    r::exec::RError,
    system::sandbox::{
        calls::{self, Filter, FilterError},
        files::{self, ConfineError, Enclosure, May, PlaceError, Tcp, Territory},
        private::{self, Own, PrivateError, Shown, View},
    },
    with_sources,
};

/// Why there is no wall where there has to be one.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Some are missing.
    #[error("sessions.sandbox is \"require\", and {}", .0.join("; "))]
    Missing(Vec<String>),
    /// A place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Files.
    #[error(transparent)]
    Files(#[from] ConfineError),
    /// System calls.
    #[error(transparent)]
    Calls(#[from] FilterError),
    /// Namespaces, or rights.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// A session was to have less network, and may make any system call.
    #[error("sessions.network: the network cannot be taken from a session here, as sessions.sandbox is off or the kernel has no seccomp")]
    Network,
    /// R does not say where it is.
    #[error(transparent)]
    R(#[from] RError),
    /// No child could be made to try namespaces.
    #[error("trial of namespaces")]
    Trial(#[source] io::Error),
}

/// When a session gets its namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// While it still is root.
    AsRoot,
    /// When it is its user, by a namespace of users.
    AsUser,
}

/// The walls around each session, prepared.
#[derive(Debug)]
pub struct Prepared {
    wanted: Sandbox,
    /// Tells the places of R.
    of_r: fn() -> Result<Vec<PathBuf>, RError>,
    /// Whether each session has a user of its own.
    own_users: bool,
    walls: Walls,
    territory: Territory,
    /// For the next session that is forked.
    next: Option<Enclosure>,
    /// When the folder of settings was last changed: what is added to it is not in the territory.
    settings: Option<SystemTime>,
    namespaces: Option<Moment>,
    view: View,
    /// For sessions that have made their namespaces as users.
    filter: Option<Filter>,
}

/// What a process in the sandbox has for itself.
#[derive(Debug)]
pub struct Quarters {
    /// The folder that it sees.
    pub folder: PathBuf,
    /// The folders in it whose files it may change.
    pub own: Vec<PathBuf>,
    /// The one that it has instead of common folders.
    pub common: PathBuf,
    /// Its network.
    pub network: Network,
    /// Whether its user has other processes, if processes have users of their own otherwise.
    pub has_company: bool,
}

/// What a confined process has to do with descriptors.
#[derive(Debug, Default)]
pub struct Confined {
    /// These have to stay open as long as it lives.
    pub held: Vec<OwnedFd>,
    /// To be given to whoever makes its connections, if it makes none itself.
    pub connections: Option<OwnedFd>,
}

impl From<&Fork> for Quarters {
    fn from(spec: &Fork) -> Self {
        Self {
            folder: spec.folder.clone(),
            own: folder::ALL
                .map(|name| spec.folder.join(name))
                .into_iter()
                .chain(spec.person.iter().map(|person| person.home.clone()))
                .collect(),
            common: spec.folder.join(folder::COMMON),
            network: spec.limits.network,
            has_company: spec.person.is_some(),
        }
    }
}

impl Prepared {
    /// Prepares the walls that are wanted, as far as there are any. System calls are refused to this process from now on.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn new(wanted: Sandbox, own_users: bool) -> Result<Self, SandboxError> {
        Self::prepare(wanted, own_users, places::of_r)
    }

    /// Prepares the walls around a program that this process becomes, if it has no R in it.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn around_program(wanted: Sandbox) -> Result<Self, SandboxError> {
        Self::prepare(wanted, false, || Ok(Vec::new()))
    }

    fn prepare(wanted: Sandbox, own_users: bool, of_r: fn() -> Result<Vec<PathBuf>, RError>) -> Result<Self, SandboxError> {
        let mut prepared = Self {
            of_r,
            own_users,
            walls: Walls::default(),
            territory: Territory::default(),
            next: None,
            settings: None,
            namespaces: None,
            view: View::default(),
            filter: None,
            wanted,
        };
        if prepared.wanted.wanted != Wanted::None {
            prepared.try_walls()?;
        }
        prepared.allows(prepared.wanted.network)?;
        if prepared.wanted.wanted == Wanted::All && !prepared.walls.missing.is_empty() {
            return Err(SandboxError::Missing(prepared.walls.missing));
        }
        Ok(prepared)
    }

    /// Checks that a session can have this network, and no more.
    fn allows(&self, network: Network) -> Result<(), SandboxError> {
        if network == Network::Full || self.walls.calls { Ok(()) } else { Err(SandboxError::Network) }
    }

    /// The walls that there are.
    #[must_use]
    pub fn walls(&self) -> &Walls {
        &self.walls
    }

    /// Finds out which walls the system gives, and prepares them.
    fn try_walls(&mut self) -> Result<(), SandboxError> {
        let mut missing = Vec::new();
        let known = files::known();
        if !known.files {
            missing.push("the kernel has no Landlock (Linux 5.13), or forbids it: sessions reach all files of their user".to_owned());
        }
        if !known.scopes && !self.own_users {
            missing.push("the kernel's Landlock knows no signals (Linux 6.12): sessions can end others, and the server".to_owned());
        }
        match self.try_namespaces()? {
            Ok(moment) => self.namespaces = Some(moment),
            // For them, the attributes of files have owners.
            Err(_) if self.own_users => {}
            Err(reason) => missing.push(format!(
                "namespaces are not allowed here ({reason}): sessions can change the mode of files of their user whose paths they know"
            )),
        }
        let calls = match self.refuse_calls() {
            Ok(()) => true,
            Err(FilterError::Set(error)) => {
                missing.push(format!("the kernel has no seccomp, or forbids it ({error}): sessions may make any system call"));
                false
            }
            Err(error) => return Err(error.into()),
        };
        self.walls = Walls { files: known.files, scopes: known.scopes, calls, private: self.namespaces.is_some(), missing };
        if self.namespaces == Some(Moment::AsUser) && calls {
            self.filter = Some(Filter::of_namespaces()?);
        }
        self.prepare_places()
    }

    /// When a session may have namespaces, or why it may not.
    fn try_namespaces(&self) -> Result<Result<Moment, String>, SandboxError> {
        let own_users = self.own_users;
        let tried = |moment| {
            let trial = Trial::prepare(move || {
                if moment == Moment::AsUser && own_users {
                    // Any user is as good as another.
                    super::user::become_user(Some((NOBODY, NOBODY)), &[]).map_err(|error| with_sources(&error))?;
                }
                private::enter(&View::default(), None).map_err(|error| with_sources(&error))
            });
            match trial.map_err(SandboxError::Trial)?.run::<()>() {
                Ok(()) => Ok(Ok(moment)),
                Err(TrialError::System(error)) => Err(SandboxError::Trial(error)),
                Err(error) => Ok(Err(error.to_string())),
            }
        };
        if private::is_privileged()
            && let Ok(moment) = tried(Moment::AsRoot)?
        {
            return Ok(Ok(moment));
        }
        tried(Moment::AsUser)
    }

    /// Refuses system calls to this process and to all that it starts.
    fn refuse_calls(&self) -> Result<(), FilterError> {
        Filter::of_code()?.set()?;
        match self.namespaces {
            // Without being root, a session cannot make these, nor mount anything.
            Some(Moment::AsRoot) => Filter::of_namespaces_but_of_root()?.set()?,
            // These calls are refused to each session when it has made its own.
            Some(Moment::AsUser) => {}
            None => {
                Filter::of_namespaces()?.set()?;
                Filter::of_system_v()?.set()?;
            }
        }
        if !self.own_users {
            Filter::of_same_user()?.set()?;
        }
        Ok(())
    }

    /// Where each session may read, and how it sees the rest.
    fn prepare_places(&mut self) -> Result<(), SandboxError> {
        let canonical = |path: &PathBuf| path.canonicalize().ok();
        let mut hidden: Vec<_> = self.wanted.hidden.iter().filter_map(canonical).collect();
        if !self.own_users {
            hidden.extend(places::private_settings());
        }
        // With its own view, a session does not see what is hidden.
        let around = if self.namespaces.is_some() { Vec::new() } else { hidden.clone() };
        if self.namespaces.is_some() {
            hidden.push(places::SOCKETS.into());
        }
        let of_r = (self.of_r)()?;
        let readable = places::readable(of_r.into_iter().chain(self.wanted.readable.iter().cloned()));
        let writable: Vec<_> = self.wanted.writable.iter().filter_map(canonical).collect();
        self.view = View::default();
        let gone = || hidden.iter().map(PathBuf::as_path).chain(places::COMMON.map(Path::new));
        let is_gone = |place: &PathBuf| gone().any(|gone| place.starts_with(gone));
        for (places, may_change) in [(&readable, false), (&writable, true)] {
            let shown = places.iter().filter(|place| is_gone(place));
            self.view.shown.extend(shown.map(|place| Shown { place: place.clone(), may_change }));
        }
        self.settings = around.iter().any(|place| place.starts_with(places::SETTINGS)).then(places::settings_changed).flatten();
        self.territory = Territory::default();
        for place in &readable {
            self.territory.add_around(place, &around, May::Read)?;
        }
        for place in &writable {
            self.territory.add(place, May::Change)?;
        }
        for device in places::DEVICES.iter().chain(places::TERMINALS.iter().filter(|_| self.own_users)) {
            self.territory.add(Path::new(device), May::UseDevices)?;
        }
        self.view.common = places::COMMON.into_iter().map(PathBuf::from).filter(|common| common.is_dir()).collect();
        self.view.hidden = hidden;
        self.next = None;
        Ok(())
    }

    /// Prepares for the session that will be forked next, while nobody waits: it is likely to have the same network as this one, which has
    /// used up what was prepared for it.
    pub fn prepare_next(&mut self, network: Network) {
        // Without it, the session prepares this itself, and tells what is wrong.
        self.next = if self.wanted.wanted == Wanted::None { None } else { self.territory.enclose(tcp(network)).ok() };
    }

    /// Makes the next session find what is new among the settings of the system, and its fonts if they `have_changed`.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn refresh(&mut self, have_changed: bool) -> Result<(), SandboxError> {
        let have_settings_changed = self.settings.is_some() && self.settings != places::settings_changed();
        let is_wanted = self.wanted.wanted != Wanted::None && (have_changed || have_settings_changed);
        if is_wanted { self.prepare_places() } else { Ok(()) }
    }

    /// Gives this process its namespaces. To be called both before and after it becomes its user: `is_user` tells which.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn separate(&self, quarters: &Quarters, is_user: bool) -> Result<(), SandboxError> {
        let moment = if is_user { Moment::AsUser } else { Moment::AsRoot };
        if self.namespaces != Some(moment) {
            return Ok(());
        }
        let own = Own { folder: &quarters.folder, common: &quarters.common };
        Ok(private::enter(&self.view, Some(own))?)
    }

    /// Whether a limit on processes counts those of this session only: they have a user of their own, in this namespace or everywhere.
    #[must_use]
    pub fn counts_processes(&self) -> bool {
        self.own_users || self.namespaces == Some(Moment::AsUser)
    }

    /// Keeps this process within its territory, with the network that it may have.
    ///
    /// # Errors
    /// [`SandboxError`].
    pub fn confine(&mut self, quarters: &Quarters) -> Result<Confined, SandboxError> {
        let network = quarters.network;
        self.allows(network)?;
        if self.wanted.wanted == Wanted::None {
            return Ok(Confined::default());
        }
        let mut own = Territory::default();
        for name in places::OWN {
            own.add(&Path::new("/proc/self").join(name), May::Read)?;
        }
        for folder in &quarters.own {
            own.add(folder, May::Change)?;
        }
        if !self.own_users {
            private::give_up_rights()?;
        }
        if quarters.has_company && self.own_users && self.walls.calls {
            Filter::of_same_user()?.set()?;
        }
        let prepared = self.next.take().filter(|next| next.tcp() == tcp(network));
        let enclosure = prepared.map_or_else(|| self.territory.enclose(tcp(network)), Ok)?;
        enclosure.confine(&own)?;
        if let Some(filter) = &self.filter {
            filter.set()?;
        }
        let connections = match network {
            Network::Full => None,
            Network::Outbound => {
                Filter::of_all_but_tcp()?.set()?;
                Some(calls::make_connections_elsewhere()?)
            }
            Network::None => {
                Filter::of_sockets(self.walls.private)?.set()?;
                None
            }
        };
        Ok(Confined { held: own.into_descriptors(places::OWN.len()).collect(), connections })
    }
}

fn tcp(network: Network) -> Tcp {
    match network {
        Network::Full => Tcp::All,
        Network::Outbound => Tcp::Connect,
        Network::None => Tcp::None,
    }
}

/// A user without any rights.
const NOBODY: u32 = 65534;
