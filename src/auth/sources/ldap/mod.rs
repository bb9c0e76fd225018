//! Accounts of a directory, by LDAP (RFC 4511).
//!
//! Users are found in one of three ways. With `search_base`, the bind account searches for the entry, over a connection that is kept, and
//! the entry's name and the password are tried over one of their own. With `user_dn`, the user binds at once and reads their own entry. If
//! that is no distinguished name, the user also searches for the entry, and then binds as that, because the two could be two people.

mod answers;
mod connection;
mod dn;
mod groups;
mod health;

use std::{
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use ldap3::{Scope, SearchEntry, dn_escape, ldap_escape};
use tokio::time::timeout;

use super::{Bar, Person, Unavailable, Verdict, turns::Questions};
use crate::config::{Secret, ldap::Ldap};
use answers::Bound;
use connection::{Connection, Connector};
use groups::RoleTable;

/// A connection of the bind account that was not used for so long is not used again: a firewall may have forgotten it.
const KEPT: Duration = Duration::from_mins(1);
/// How many questions there may be at the same time.
const AT_ONCE: usize = 32;
/// The longest name that somebody may have, in bytes.
const NAME: usize = 256;
/// An attribute that says that the account is locked (draft-behera-ldap-password-policy, section 5.3.3).
const LOCKED_TIME: &str = "pwdAccountLockedTime";
/// Its value if only an administrator can unlock it.
const LOCKED_FOR_EVER: &str = "000001010000Z";

/// A directory.
#[derive(Debug)]
pub struct Directory {
    settings: Ldap,
    connector: Connector,
    roles: RoleTable,
    questions: Questions,
    kept: Kept,
}

/// The connection of the bind account.
#[derive(Default)]
struct Kept(Mutex<Option<(Connection, Instant)>>);

/// A user's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    dn: String,
    subject: String,
    display_name: Option<String>,
    /// The groups that it names itself.
    groups: Vec<String>,
    /// Since when it is locked, if it says so.
    locked: Option<String>,
}

impl Directory {
    /// The directory of these settings.
    ///
    /// # Errors
    /// A sentence that names the setting at fault.
    pub fn new(settings: &Ldap) -> Result<Self, String> {
        Ok(Self {
            connector: Connector::new(settings)?,
            roles: RoleTable::new(settings),
            settings: settings.clone(),
            questions: Questions::new(AT_ONCE),
            kept: Kept::default(),
        })
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Asks whether this is somebody's name and password, for a client at this address.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn check(&self, name: &str, password: &str, address: IpAddr) -> Result<Verdict, Unavailable> {
        if name.is_empty() || name.len() > NAME {
            return Ok(Verdict::Unknown);
        }
        let time = self.time();
        let turn = timeout(time, self.questions.turn(address)).await;
        let _turn = turn.ok().and_then(Result::ok).ok_or(Unavailable::Full)?;
        // The library panics at answers that no directory gives.
        let asked = timeout(time, AssertUnwindSafe(self.ask(name, password)).catch_unwind()).await;
        let answer = asked.unwrap_or_else(|_| Ok(Err(self.silent(format!("no answer within {} seconds", time.as_secs())))));
        let answer = answer.unwrap_or_else(|_| Err(self.silent("what it answers is not LDAP")));
        if answer.is_err() {
            self.kept.forget();
        }
        answer
    }

    /// How long all steps may take together.
    fn time(&self) -> Duration {
        Duration::from_secs(2 * self.settings.timeout_seconds)
    }

    fn silent(&self, what: impl std::fmt::Display) -> Unavailable {
        Unavailable::silent(format!("{}: {what}", self.settings.url))
    }

    async fn ask(&self, name: &str, password: &str) -> Result<Verdict, Unavailable> {
        if self.settings.user_dn.is_empty() {
            self.search_and_bind(name, password).await
        } else {
            self.bind_and_search(name, password).await
        }
    }

    async fn search_and_bind(&self, name: &str, password: &str) -> Result<Verdict, Unavailable> {
        let filter = self.user_filter(name);
        let search =
            async |mut connection: Connection| self.entries(&mut connection, &self.settings.search_base, Scope::Subtree, &filter).await;
        let found = self.as_bind_account(search).await?;
        let is_known = !found.is_empty();
        let entry = self.only(found, name)?;
        let mut connection = self.connector.open().await?;
        let Some(entry) = entry else {
            // A name that does not exist must not be known by the time that the answer takes.
            let nobody = format!("cn={},{}", uuid::Uuid::new_v4(), self.settings.search_base);
            let _ = connection.bind(&nobody, password).await;
            return Ok(if is_known { Verdict::Refused } else { Verdict::Unknown });
        };
        match connection.bind(&entry.dn, password).await? {
            Bound::Yes => {}
            Bound::Barred(bar) => return Ok(Verdict::Barred(bar)),
            Bound::No | Bound::Failed => {
                if let Some(since) = &entry.locked {
                    tracing::info!(source = self.name(), user.dn = entry.dn, since, "this account is locked in the directory");
                }
                return Ok(Verdict::Refused);
            }
        }
        let search = async |mut connection: Connection| groups::find(&self.settings, &mut connection, &entry).await;
        let groups = self.as_bind_account(search).await?;
        Ok(self.verdict(entry, groups))
    }

    async fn bind_and_search(&self, name: &str, password: &str) -> Result<Verdict, Unavailable> {
        let (template, by_dn) = (&self.settings.user_dn, self.settings.binds_by_dn());
        let user = if by_dn { filled(template, &[("{name}", dn_escape(name))]) } else { filled(template, &[("{name}", name.into())]) };
        let mut connection = self.connector.open().await?;
        match connection.bind(&user, password).await? {
            Bound::Yes => {}
            Bound::Barred(bar) => return Ok(Verdict::Barred(bar)),
            // Whether there is such a name, a directory does not say.
            Bound::No | Bound::Failed => return Ok(Verdict::Unknown),
        }
        let found = if by_dn {
            self.entries(&mut connection, &user, Scope::Base, "(objectClass=*)").await?
        } else {
            self.entries(&mut connection, &self.settings.search_base, Scope::Subtree, &self.user_filter(name)).await?
        };
        let is_known = !found.is_empty();
        let Some(entry) = self.only(found, name)? else {
            let fault = "bound, but cannot read the own entry: let users do that, or have a bind account search";
            return if is_known { Ok(Verdict::Refused) } else { Err(self.silent(format!("{user} {fault}"))) };
        };
        if !by_dn && connection.bind(&entry.dn, password).await? != Bound::Yes {
            tracing::error!(
                source = self.name(),
                user.name = user,
                user.dn = entry.dn,
                "user_dn and user_filter find two different people"
            );
            return Ok(Verdict::Refused);
        }
        let groups = groups::find(&self.settings, &mut connection, &entry).await?;
        Ok(self.verdict(entry, groups))
    }

    fn user_filter(&self, name: &str) -> String {
        filled(&self.settings.user_filter, &[("{name}", ldap_escape(name))])
    }

    /// At most two entries of users.
    async fn entries(&self, connection: &mut Connection, base: &str, scope: Scope, filter: &str) -> Result<Vec<SearchEntry>, Unavailable> {
        let Ldap { name_attribute, display_name_attribute, group_attribute, .. } = &self.settings;
        let wanted = [name_attribute.as_str(), display_name_attribute, group_attribute, LOCKED_TIME];
        let attributes: Vec<_> = wanted.into_iter().filter(|name| !name.is_empty()).collect();
        connection.search(base, scope, filter, &attributes, 2).await
    }

    /// The user whose entry was found, unless there are several.
    fn only(&self, found: Vec<SearchEntry>, name: &str) -> Result<Option<Entry>, Unavailable> {
        if let [one, other, ..] = found.as_slice() {
            tracing::error!(
                source = self.name(),
                user.name = name,
                "a name is that of more than one entry, and is refused: {} and {}",
                one.dn,
                other.dn
            );
            return Ok(None);
        }
        // A bind with an empty name is one by nobody, and succeeds.
        let Some(entry) = found.into_iter().next().filter(|entry| !entry.dn.is_empty()) else { return Ok(None) };
        let values = |wanted: &str| {
            let found = entry.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, values)| values.clone()).unwrap_or_default()
        };
        // Of several values, the order is not defined (RFC 4511, section 4.1.7).
        let first = |wanted: &str| values(wanted).into_iter().min();
        let attribute = &self.settings.name_attribute;
        let subject = first(attribute).ok_or_else(|| self.silent(format!("{} has no {attribute}: see name_attribute", entry.dn)))?;
        Ok(Some(Entry {
            subject,
            display_name: first(&self.settings.display_name_attribute),
            groups: values(&self.settings.group_attribute),
            locked: first(LOCKED_TIME),
            dn: entry.dn,
        }))
    }

    /// What is to be said of somebody whose password is right.
    fn verdict(&self, entry: Entry, groups: Vec<String>) -> Verdict {
        // Another time may be over: only the directory knows for how long it locks accounts.
        if entry.locked.as_deref() == Some(LOCKED_FOR_EVER) {
            return Verdict::Barred(Bar::Locked);
        }
        let roles = self.roles.roles(&groups);
        Verdict::Known(Person { subject: entry.subject, display_name: entry.display_name, groups, roles })
    }

    /// Does something over the connection of the bind account. If that turns out to be broken, over a new one.
    async fn as_bind_account<T, F: Future<Output = Result<T, Unavailable>>>(
        &self,
        work: impl Fn(Connection) -> F,
    ) -> Result<T, Unavailable> {
        if let Some(connection) = self.kept.get() {
            match work(connection).await {
                Ok(done) => return Ok(done),
                Err(error) => tracing::debug!(source = self.name(), %error, "the connection of the bind account is made again"),
            }
        }
        let mut connection = self.connector.open().await?;
        self.bind_as_account(&mut connection).await?;
        let done = work(connection.clone()).await?;
        self.kept.keep(connection);
        Ok(done)
    }

    /// Binds as the account that searches, if there is one.
    async fn bind_as_account(&self, connection: &mut Connection) -> Result<(), Unavailable> {
        let Ldap { bind_dn, bind_password, bind_password_file: file, .. } = &self.settings;
        if bind_dn.is_empty() {
            return Ok(());
        }
        let mut password = bind_password.clone();
        if !file.as_os_str().is_empty() {
            let path = file.clone();
            let read = tokio::task::spawn_blocking(move || Secret::first_line(&path)).await.unwrap_or_else(|error| Err(error.into()));
            password = read.map_err(|error| self.silent(format!("bind_password_file: {}: {error}", file.display())))?;
        }
        if password.expose().is_empty() {
            return Err(self.silent("the bind account has an empty password, which is none"));
        }
        match connection.bind(bind_dn, password.expose()).await? {
            Bound::Yes => Ok(()),
            refused => Err(self.silent(format!("the bind account {bind_dn} is refused: {refused:?}"))),
        }
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Kept")
    }
}

impl Kept {
    fn get(&self) -> Option<Connection> {
        let mut kept = self.lock();
        let (connection, used) = kept.as_mut().filter(|(_, used)| used.elapsed() < KEPT)?;
        *used = Instant::now();
        Some(connection.clone()).filter(|_| !connection.is_closed())
    }

    fn keep(&self, connection: Connection) {
        *self.lock() = Some((connection, Instant::now()));
    }

    fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Connection, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A template with its holes filled. What is filled in is not looked at again, so that a name may look like a hole.
fn filled(template: &str, holes: &[(&str, std::borrow::Cow<'_, str>)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let hole = holes.iter().find(|(hole, _)| rest.starts_with(hole));
        let (part, length) = hole.map_or((&rest[..first.len_utf8()], first.len_utf8()), |(hole, value)| (value.as_ref(), hole.len()));
        text.push_str(part);
        rest = &rest[length..];
    }
    text
}
