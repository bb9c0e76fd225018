//! Who has logged in: cookies, kept in memory.

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
    /// Names the login within the server; not the cookie.
    pub id: Uuid,
    /// The account's name.
    pub user: String,
    /// The name to show.
    pub display_name: String,
    /// Whether sessions are saved when they end.
    autosave: AtomicBool,
    /// Set while a logout is under way.
    closing: AtomicBool,
    used: Mutex<Instant>,
}

impl Login {
    /// Whether this is nobody's: something to hang files and objects on, for callers without an account.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user.is_empty()
    }

    /// Whether sessions are saved when they end.
    #[must_use]
    pub fn autosaves(&self) -> bool {
        self.autosave.load(Ordering::Acquire)
    }

    /// Says whether they are.
    pub fn set_autosave(&self, autosave: bool) {
        self.autosave.store(autosave, Ordering::Release);
    }

    /// Whether a logout is under way.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Begins the logout; false when another has.
    #[must_use]
    pub fn begin_closing(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    fn is_over(&self, lifetime: Duration) -> bool {
        !lifetime.is_zero() && self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= lifetime
    }
}

/// All logins, by cookie.
#[derive(Debug, Default)]
pub struct Logins {
    table: Mutex<HashMap<String, Arc<Login>>>,
}

impl Logins {
    /// The login of that identity.
    #[must_use]
    pub fn find(&self, id: Uuid) -> Option<Arc<Login>> {
        self.table().values().find(|login| login.id == id).cloned()
    }

    /// Remembers somebody; `user` is empty for nobody in particular. Returns the cookie: 32 hexadecimal digits in upper case, 128 bits.
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
        let login = Arc::new(Login {
            id: Uuid::new_v4(),
            user: user.to_owned(),
            display_name: display_name.to_owned(),
            autosave: AtomicBool::new(autosave),
            closing: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
        });
        self.table().insert(cookie.clone(), Arc::clone(&login));
        Ok((cookie, login))
    }

    /// The login of a cookie, marked as used. It ends when it has not been used for `lifetime`; zero is for ever.
    #[must_use]
    pub fn get(&self, cookie: &str, lifetime: Duration) -> Option<Arc<Login>> {
        let login = self.table().get(cookie).cloned()?;
        if login.is_over(lifetime) {
            return None;
        }
        *login.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Some(login)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// Whether nobody has logged in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets a login.
    pub fn remove(&self, id: Uuid) {
        self.table().retain(|_, login| login.id != id);
    }

    /// Takes out the logins that have ended unused. One for which `is_busy` says so has not.
    pub fn take_expired(&self, lifetime: Duration, is_busy: impl Fn(&Login) -> bool) -> Vec<Arc<Login>> {
        self.take(|login| login.is_over(lifetime) && !is_busy(login))
    }

    /// Takes out logins.
    pub fn take(&self, which: impl Fn(&Login) -> bool) -> Vec<Arc<Login>> {
        self.table().extract_if(|_, login| which(login)).map(|(_, login)| login).collect()
    }

    fn table(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Login>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
