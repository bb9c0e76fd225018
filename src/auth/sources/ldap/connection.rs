//! Connections to a directory: how they are opened and encrypted, and what is asked over them.

use std::{sync::Arc, time::Duration};

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions, controls::RawControl};
use tokio_rustls::rustls::ClientConfig;

use super::answers::{Bound, PASSWORD_POLICY};
use crate::{
    auth::{authorities::trusting, sources::Unavailable},
    config,
};

/// The result code of a search that has found more than was asked for (RFC 4511, appendix A).
const SIZE_LIMIT_EXCEEDED: u32 = 4;

/// Where the directory is, and how to connect to it.
#[derive(Debug)]
pub(super) struct Connector {
    url: String,
    starttls: bool,
    tls: Option<Arc<ClientConfig>>,
    /// How long each step may take.
    time: Duration,
}

/// A connection to the directory; its clones are the same connection. It is closed when the last is dropped.
#[derive(Clone)]
pub(super) struct Connection {
    ldap: Ldap,
    url: Arc<str>,
    time: Duration,
}

impl Connector {
    /// # Errors
    /// A sentence that names the setting at fault.
    pub(super) fn new(settings: &config::ldap::Ldap) -> Result<Self, String> {
        let is_encrypted = settings.starttls || settings.url.starts_with("ldaps:");
        Ok(Self {
            url: settings.url.clone(),
            starttls: settings.starttls,
            tls: is_encrypted
                .then(|| trusting(&settings.ca).map(Arc::new))
                .transpose()
                .map_err(|fault| format!("auth.source {:?}: {fault}", settings.name))?,
            time: Duration::from_secs(settings.timeout_seconds),
        })
    }

    pub(super) async fn open(&self) -> Result<Connection, Unavailable> {
        let failed = |error: LdapError| Unavailable::silent(format!("{}: {}", self.url, error));
        let mut settings = LdapConnSettings::new().set_conn_timeout(self.time).set_starttls(self.starttls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let (driver, ldap) = LdapConnAsync::with_settings(settings, &self.url).await.map_err(failed)?;
        // It ends when the connection does.
        tokio::spawn(async move {
            if let Err(error) = driver.drive().await {
                tracing::debug!(%error, "a connection to a directory broke");
            }
        });
        Ok(Connection { ldap, url: self.url.as_str().into(), time: self.time })
    }
}

impl Connection {
    /// Whether the other end has closed it.
    pub(super) fn is_closed(&mut self) -> bool {
        self.ldap.is_closed()
    }

    /// The directory's certificate, if the connection is encrypted.
    pub(super) async fn certificate(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(self.time, self.ldap.get_peer_certificate()).await.ok()?.ok()?
    }

    /// Binds. What the directory says of a refusal is logged, because the client is not told of it.
    pub(super) async fn bind(&mut self, name: &str, password: &str) -> Result<Bound, Unavailable> {
        let policy = RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None };
        let asked = self.ldap.with_timeout(self.time).with_controls(policy).simple_bind(name, password).await;
        let result = asked.map_err(|error| self.failed("bind", &error))?;
        let bound = Bound::of(&result);
        match bound {
            Bound::Failed => Err(Unavailable::silent(format!("{}: bind: {result}", self.url))),
            Bound::Yes => Ok(bound),
            Bound::No | Bound::Barred(_) => {
                let says = format!("{} {}", result.rc, result.text.trim_end_matches('\0'));
                tracing::info!(directory = &*self.url, bind.name = name, says = says.trim_end(), "a directory refused a bind: {bound:?}");
                Ok(bound)
            }
        }
    }

    /// The entries below `base` that the filter finds, as many as `most`. References to other directories are not followed.
    pub(super) async fn search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
        most: usize,
    ) -> Result<Vec<SearchEntry>, Unavailable> {
        let what = format!("search below {base:?} for {filter}");
        let options = SearchOptions::new()
            .sizelimit(i32::try_from(most).unwrap_or(i32::MAX))
            .timelimit(i32::try_from(self.time.as_secs()).unwrap_or(i32::MAX));
        self.ldap.with_search_options(options).with_timeout(self.time);
        let mut stream = self.ldap.streaming_search(base, scope, filter, attributes).await.map_err(|error| self.failed(&what, &error))?;
        let mut found = Vec::new();
        while let Some(entry) = stream.next().await.map_err(|error| self.failed(&what, &error))? {
            if !entry.is_ref() && !entry.is_intermediate() && found.len() < most {
                found.push(SearchEntry::construct(entry));
            }
        }
        let result = stream.finish().await;
        match result.rc {
            0 | SIZE_LIMIT_EXCEEDED => Ok(found),
            _ => Err(Unavailable::silent(format!("{}: {what}: {result}", self.url))),
        }
    }

    fn failed(&self, what: &str, error: &LdapError) -> Unavailable {
        Unavailable::silent(format!("{}: {what}: {}", self.url, error))
    }
}
