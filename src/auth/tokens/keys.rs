//! The keys that sign access tokens, and those that have signed some which may still be good.

use std::{
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use jsonwebtoken::{DecodingKey, EncodingKey};
use rsa::{
    PrivateKey,
    pkcs1::DecodeRsaPrivateKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding},
    traits::PublicKeyParts,
};
use sha2::{Digest, Sha256};

use crate::config;

/// The file of the key, in the data folder.
const FILE: &str = "token-key.pem";
/// The file of the key before it.
const FORMER: &str = "token-key-former.pem";
/// The length of a new key.
const BITS: usize = 2048;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no RSA key.
    #[error("{}: not the private key of RSA in PEM, without a password, of 2048 bits or more", .0.display())]
    NoKey(PathBuf),
    /// No key could be made.
    #[error("a key for tokens")]
    Made(#[source] rsa::Error),
}

/// Where keys are.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    data: PathBuf,
    named: Vec<PathBuf>,
    /// For how long tokens are good that the former key has signed.
    lifetime: Duration,
}

/// A key by which tokens are checked.
pub struct TrustedKey {
    /// Names the key, in the header of tokens: a hash of it.
    pub id: String,
    /// The key.
    pub key: DecodingKey,
    /// Until when there can be tokens that it has signed.
    pub until: Option<SystemTime>,
}

/// The keys in force.
pub struct Keys {
    /// The one that signs.
    pub signing: EncodingKey,
    /// All that have signed, the one that signs first.
    pub known: Vec<TrustedKey>,
}

impl KeyFiles {
    /// The keys that the settings name, or those of a data folder.
    #[must_use]
    pub fn of(settings: &config::Auth, data: &Path) -> Self {
        let lifetime = Duration::from_secs(settings.access_minutes * 60);
        Self { data: data.to_owned(), named: settings.keys.clone(), lifetime }
    }

    /// When the keys were last changed; `None` before there are any.
    #[must_use]
    pub fn changed(&self) -> Option<SystemTime> {
        let own = self.data.join(FILE);
        let files = if self.named.is_empty() { std::slice::from_ref(&own) } else { &self.named };
        files.iter().filter_map(|file| file.metadata().and_then(|metadata| metadata.modified()).ok()).max()
    }

    /// Reads the keys. If none are named and there is none, one is made, which takes up to a second of processor time.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn open(&self) -> Result<Keys, KeyError> {
        if !self.named.is_empty() {
            return Keys::read(self.named.iter().map(|file| (file.clone(), None)));
        }
        let file = self.data.join(FILE);
        if !file.exists() {
            self.write(&make()?)?;
        }
        let until = self.changed().and_then(|changed| changed.checked_add(self.lifetime));
        let former = Some(self.data.join(FORMER)).filter(|former| former.exists() && until.is_some_and(|until| SystemTime::now() < until));
        Keys::read([(file, None)].into_iter().chain(former.map(|former| (former, until))))
    }

    /// Has a new key sign from now on. What the one before has signed is good until it has run out.
    ///
    /// # Errors
    /// [`KeyError`]
    pub fn rotate(&self) -> Result<(), KeyError> {
        let pem = make()?;
        let (file, former) = (self.data.join(FILE), self.data.join(FORMER));
        if file.exists() {
            std::fs::copy(&file, &former).map_err(|source| KeyError::File { path: former, source })?;
        }
        self.write(&pem)
    }

    /// Whether the keys are named in the settings, so that others may have them as well.
    #[must_use]
    pub fn is_named(&self) -> bool {
        !self.named.is_empty()
    }

    fn write(&self, pem: &str) -> Result<(), KeyError> {
        let path = self.data.join(FILE);
        let failed = |source| KeyError::File { path: path.clone(), source };
        let new = self.data.join(format!("{FILE}.new"));
        let _ = std::fs::remove_file(&new);
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)
    }
}

impl Keys {
    /// Reads files, each with the time until when there can be tokens that its key has signed. The first key signs.
    fn read(files: impl Iterator<Item = (PathBuf, Option<SystemTime>)>) -> Result<Self, KeyError> {
        let (mut signing, mut known) = (None, Vec::new());
        for (path, until) in files {
            let pem = std::fs::read_to_string(&path).map_err(|source| KeyError::File { path: path.clone(), source })?;
            let wrong = || KeyError::NoKey(path.clone());
            let key = PrivateKey::from_pkcs8_pem(&pem).ok().or_else(|| PrivateKey::from_pkcs1_pem(&pem).ok()).ok_or_else(wrong)?;
            if key.size() * 8 < BITS {
                return Err(wrong());
            }
            signing = signing.or_else(|| EncodingKey::from_rsa_pem(pem.as_bytes()).ok());
            let (modulus, exponent) = (key.n_bytes(), key.e_bytes());
            let id = hex::encode(&Sha256::digest(&modulus)[..8]);
            known.push(TrustedKey { id, key: DecodingKey::from_rsa_raw_components(&modulus, &exponent), until });
        }
        let signing = signing.ok_or_else(|| KeyError::NoKey(PathBuf::new()))?;
        Ok(Self { signing, known })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.known.iter().map(|known| &known.id)).finish()
    }
}

/// A new key, in PEM.
fn make() -> Result<String, KeyError> {
    let key = PrivateKey::new(&mut getrandom::SysRng, BITS).map_err(KeyError::Made)?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| KeyError::Made(error.into()))?;
    Ok(pem.to_string())
}
