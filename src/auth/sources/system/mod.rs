//! Accounts of the operating system, by PAM.

mod health;
pub mod pam;

use std::{ffi::CString, io, net::IpAddr, path::PathBuf, process::Stdio, time::Duration};

use nix::unistd::{Group, User, getgrouplist};
use tokio::{io::AsyncWriteExt, process::Command};

use pam::{Question, Reply};

use super::{Person, Unavailable, Verdict, roles_of, turns::Questions};
use crate::{auth::hashing::Full, config::auth::System};

/// The word that has this program ask PAM.
const WORD: &str = "pam";
/// How long that may take. Some modules wait after a wrong password.
const TIME: Duration = Duration::from_secs(30);
/// How many questions there may be at the same time.
const AT_ONCE: usize = 8;
/// The most groups of somebody that count.
const GROUPS: usize = 1000;

/// Somebody with an account of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixUser {
    /// The name.
    pub name: String,
    /// The user id.
    pub user: u32,
    /// The id of the first group.
    pub group: u32,
    /// The ids of all groups.
    pub groups: Vec<u32>,
    /// The home folder.
    pub home: PathBuf,
}

/// The accounts of this machine.
#[derive(Debug)]
pub struct OperatingSystem {
    settings: System,
    program: PathBuf,
    questions: Questions,
}

impl OperatingSystem {
    /// The accounts that these settings let in.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn new(settings: &System) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err(format!(
                "auth.source: {}: only a server that runs as root can ask for accounts of the operating system",
                settings.name
            ));
        }
        let program = std::env::current_exe().map_err(|error| format!("auth.source: {}: {error}", settings.name))?;
        Ok(Self { settings: settings.clone(), program, questions: Questions::new(AT_ONCE) })
    }

    /// What they are called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Whether sessions run as these users.
    #[must_use]
    pub fn is_run_as(&self) -> bool {
        self.settings.run_as_user
    }

    /// Asks whether this is somebody's name and password, for a client at this address.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn check(&self, name: &str, password: &str, address: IpAddr) -> Result<Verdict, Unavailable> {
        let _turn = self.questions.turn(address).await.map_err(|Full| Unavailable::Full)?;
        let name_to_know = name.to_owned();
        let is_known = tokio::task::spawn_blocking(move || user(&name_to_know)).await.map_err(unavailable)?.map_err(unavailable)?.is_some();
        // Asked in any case, so that a name that does not exist takes as long.
        let question = Question { service: self.settings.service.clone(), name: name.to_owned(), password: password.to_owned() };
        match self.ask(&question).await? {
            Reply::Accepted(name) => self.person(name).await,
            Reply::Refused(reason) if is_known => {
                tracing::info!(user.name = name, reason, "PAM refuses");
                Ok(Verdict::Refused)
            }
            Reply::Refused(_) => Ok(Verdict::Unknown),
            Reply::Failed(reason) => Err(Unavailable::Silent(reason)),
        }
    }

    async fn ask(&self, question: &Question) -> Result<Reply, Unavailable> {
        let mut program = Command::new(&self.program);
        program.arg(WORD).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let asked = async {
            let mut program = program.spawn()?;
            let mut input = program.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
            input.write_all(&serde_json::to_vec(question)?).await?;
            drop(input);
            let output = program.wait_with_output().await?;
            Ok::<Reply, io::Error>(serde_json::from_slice(&output.stdout)?)
        };
        tokio::time::timeout(TIME, asked).await.map_err(|_| Unavailable::Silent("PAM takes too long".to_owned()))?.map_err(unavailable)
    }

    async fn person(&self, name: String) -> Result<Verdict, Unavailable> {
        let settings = self.settings.clone();
        let found = move || {
            let Some(user) = user(&name)? else { return Ok(Verdict::Unknown) };
            if user.uid.is_root() {
                return Ok(Verdict::Excluded("root cannot use this server".to_owned()));
            }
            let groups = groups_of(&user)?;
            let groups: Vec<String> = groups.iter().filter_map(|group| Group::from_gid(*group).ok()??.name.into()).collect();
            if !settings.allowed_group.is_empty() && !groups.contains(&settings.allowed_group) {
                return Ok(Verdict::Excluded(format!("only members of the group {} may use this server", settings.allowed_group)));
            }
            let full_name = user.gecos.to_str().unwrap_or_default().split(',').next().unwrap_or_default().trim().to_owned();
            Ok(Verdict::Known(Person {
                subject: user.name,
                display_name: Some(full_name).filter(|name| !name.is_empty()),
                roles: roles_of(&groups, &settings.roles, &settings.default_roles),
                groups,
            }))
        };
        tokio::task::spawn_blocking(found).await.map_err(unavailable)?.map_err(|error: nix::Error| unavailable(error))
    }
}

/// The account of the operating system with this name.
///
/// # Errors
/// When the system cannot tell.
pub async fn unix_user(name: &str) -> Result<Option<UnixUser>, Unavailable> {
    let name = name.to_owned();
    let found = move || {
        let Some(user) = user(&name)?.filter(|user| !user.uid.is_root()) else { return Ok(None) };
        let groups = groups_of(&user)?.iter().take(GROUPS).map(|group| group.as_raw()).collect();
        Ok(Some(UnixUser { name: user.name, user: user.uid.as_raw(), group: user.gid.as_raw(), groups, home: user.dir }))
    };
    tokio::task::spawn_blocking(found).await.map_err(unavailable)?.map_err(|error: nix::Error| unavailable(error))
}

fn user(name: &str) -> nix::Result<Option<User>> {
    // A name with a null is nobody's.
    if name.contains('\0') {
        return Ok(None);
    }
    if_any(User::from_name(name))
}

/// What was looked for by its name, if there is such a one.
fn if_any<T>(found: nix::Result<Option<T>>) -> nix::Result<Option<T>> {
    match found {
        // So some systems say that there is nobody of that name (getpwnam(3), Errors).
        Err(nix::Error::ENOENT | nix::Error::ESRCH | nix::Error::EBADF | nix::Error::EPERM) => Ok(None),
        found => found,
    }
}

fn groups_of(user: &User) -> nix::Result<Vec<nix::unistd::Gid>> {
    getgrouplist(&CString::new(user.name.as_str()).map_err(|_| nix::Error::EINVAL)?, user.gid)
}

fn unavailable(error: impl std::fmt::Display) -> Unavailable {
    Unavailable::Silent(error.to_string())
}
