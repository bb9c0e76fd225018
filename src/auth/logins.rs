//! Logins and their cookies, kept in memory.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use uuid::Uuid;

/// Somebody who has logged in.
#[derive(Debug)]
pub struct Login {
    /// Names the login within the server. It is not the cookie.
    pub id: Uuid,
    /// The account's name.
    pub user: String,
    /// The name for display.
    pub display_name: String,
    /// Whether sessions are saved when the login ends.
    autosave: AtomicBool,
    /// Set while a logout is under way.
    closing: AtomicBool,
    /// Sessions of earlier logins that were not brought back when this one began.
    stale: Mutex<Vec<Uuid>>,
    used: Mutex<Instant>,
}

impl Login {
    /// Whether the login has no account. Files and objects of such callers need a login to belong to.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user.is_empty()
    }

    /// Whether sessions are saved when the login ends.
    #[must_use]
    pub fn autosaves(&self) -> bool {
        self.autosave.load(Ordering::Acquire)
    }

    /// Sets whether sessions are saved when the login ends.
    pub fn set_autosave(&self, autosave: bool) {
        self.autosave.store(autosave, Ordering::Release);
    }

    /// Sessions of earlier logins that were not brought back when this one began.
    #[must_use]
    pub fn stale(&self) -> Vec<Uuid> {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets [`Self::stale`].
    pub fn set_stale(&self, sessions: Vec<Uuid>) {
        *self.stale.lock().unwrap_or_else(PoisonError::into_inner) = sessions;
    }

    /// Whether a logout is under way.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Begins the logout; false when it has begun already.
    #[must_use]
    pub fn begin_closing(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    fn begun(user: &str, display_name: &str, autosave: bool) -> Self {
        Self {
            id: Uuid::new_v4(),
            user: user.to_owned(),
            display_name: display_name.to_owned(),
            autosave: AtomicBool::new(autosave),
            closing: AtomicBool::new(false),
            stale: Mutex::default(),
            used: Mutex::new(Instant::now()),
        }
    }

    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_over(&self, lifetime: Duration) -> bool {
        !lifetime.is_zero() && self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= lifetime
    }
}

/// How a login is found again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Cookie(String),
    /// By what the token belongs to that each request carries.
    Token(Uuid),
}

/// All logins.
#[derive(Debug, Default)]
pub struct Logins {
    table: Mutex<HashMap<Key, Arc<Login>>>,
}

impl Logins {
    /// The login with this identity.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Arc<Login>> {
        self.table().values().find(|login| login.id == id).cloned()
    }

    /// Adds a login; `user` is empty for a caller without an account. Returns also the cookie: 128 bits as 32 hexadecimal digits in upper
    /// case.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn create(&self, user: &str, display_name: &str, autosave: bool) -> Result<(String, Arc<Login>), getrandom::Error> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let cookie = random.iter().fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02X}");
            text
        });
        let login = Arc::new(Login::begun(user, display_name, autosave));
        self.table().insert(Key::Cookie(cookie.clone()), Arc::clone(&login));
        Ok((cookie, login))
    }

    /// The login of a token, marked as used; it begins with the first request that carries the token.
    #[must_use]
    pub fn of_token(&self, token: Uuid, user: &str, display_name: &str) -> Arc<Login> {
        let mut table = self.table();
        let begun = || Arc::new(Login::begun(user, display_name, false));
        let login = Arc::clone(table.entry(Key::Token(token)).or_insert_with(begun));
        drop(table);
        login.touch();
        login
    }

    /// The login that a cookie belongs to, marked as used. A login ends when it has not been used for `lifetime`; zero is for ever.
    #[must_use]
    pub fn get(&self, cookie: &str, lifetime: Duration) -> Option<Arc<Login>> {
        let login = self.table().get(&Key::Cookie(cookie.to_owned())).cloned()?;
        if login.is_over(lifetime) {
            return None;
        }
        login.touch();
        Some(login)
    }

    /// All logins.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Login>> {
        self.table().values().cloned().collect()
    }

    /// How many logins there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// Whether there is no login.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes a login.
    pub fn remove(&self, id: Uuid) {
        self.table().retain(|_, login| login.id != id);
    }

    /// Removes and returns the logins that nobody has used for `lifetime`, except those for which `is_busy` is true.
    pub fn take_expired(&self, lifetime: Duration, is_busy: impl Fn(&Login) -> bool) -> Vec<Arc<Login>> {
        self.take(|login| login.is_over(lifetime) && !is_busy(login))
    }

    /// Removes and returns the logins that `which` selects.
    pub fn take(&self, which: impl Fn(&Login) -> bool) -> Vec<Arc<Login>> {
        self.table().extract_if(|_, login| which(login)).map(|(_, login)| login).collect()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Login>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
