//! A tiny issuer, for what a real one does not do.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use offshoot::auth::tokens::keys::KeyFiles;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

use crate::harness::write_certificates;

/// Where the document of every issuer is.
pub const DOCUMENT: &str = "/.well-known/openid-configuration";
pub const KEYS: &str = "/keys";
/// Where it gives tokens for codes.
pub const TOKENS: &str = "/tokens";

/// How an issuer answers at one of its addresses.
#[derive(Clone)]
pub enum Says {
    Json(Value),
    Status(StatusCode),
    /// More than anybody wants to read, without an end.
    TooMuch,
    Nothing,
}

/// A key of an issuer, and what it is called.
pub struct SigningKey {
    pub id: &'static str,
    pub key: EncodingKey,
    pub pem: Vec<u8>,
}

impl SigningKey {
    fn make(id: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = KeyFiles::of(&offshoot::config::Auth::default(), folder.path());
        let key = files.open().unwrap().signing;
        Self { id, key, pem: std::fs::read(folder.path().join("token-key.pem")).unwrap() }
    }

    /// The same for all tests, because to make one takes a while.
    pub fn first() -> &'static Self {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(|| Self::make("first"))
    }

    /// Another one.
    pub fn second() -> &'static Self {
        static KEY: OnceLock<SigningKey> = OnceLock::new();
        KEY.get_or_init(|| Self::make("second"))
    }

    /// As it is published.
    pub fn published(&self) -> Value {
        let mut key = serde_json::to_value(Jwk::from_encoding_key(&self.key, Algorithm::RS256).unwrap()).unwrap();
        key["kid"] = self.id.into();
        key["use"] = "sig".into();
        key
    }

    /// Signs a token.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::RS256) }, claims)
    }

    pub fn sign_with(&self, header: Header, claims: &Value) -> String {
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

struct Inner {
    answers: Mutex<HashMap<&'static str, Says>>,
    /// How often it was asked for its keys.
    asked: AtomicUsize,
}

/// An issuer, which runs as long as the test.
pub struct Issuer {
    pub address: String,
    inner: Arc<Inner>,
}

impl Issuer {
    /// An issuer that publishes the first key.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self::at(format!("http://{}", listener.local_addr().unwrap()));
        let router = issuer.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// One that is asked by HTTPS. Its certificate, and that of the authority, are in this folder.
    pub async fn start_encrypted(folder: &std::path::Path) -> Self {
        write_certificates(folder);
        let certificates = CertificateDer::pem_file_iter(folder.join("own.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
        let config = builder.unwrap().with_no_client_auth().with_single_cert(certificates, key).unwrap();
        let listener = Encrypted(TcpListener::bind("127.0.0.1:0").await.unwrap(), TlsAcceptor::from(Arc::new(config)));
        let issuer = Self::at(format!("https://{}", listener.0.local_addr().unwrap()));
        let router = issuer.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn at(address: String) -> Self {
        let issuer = Self { address, inner: Arc::new(Inner { answers: Mutex::default(), asked: AtomicUsize::new(0) }) };
        issuer.says(DOCUMENT, Says::Json(issuer.document()));
        issuer.publishes(&[SigningKey::first()]);
        issuer
    }

    fn router(&self) -> Router {
        let router = Router::new().route(DOCUMENT, get(document)).route(KEYS, get(keys)).route(TOKENS, post(tokens));
        router.with_state(Arc::clone(&self.inner))
    }

    /// Its document.
    pub fn document(&self) -> Value {
        json!({ "issuer": self.address, "jwks_uri": format!("{}{KEYS}", self.address) })
    }

    /// Its document, with addresses for logins by a browser.
    pub fn document_with_login(&self) -> Value {
        let mut document = self.document();
        document["authorization_endpoint"] = format!("{}/authorization_endpoint", self.address).into();
        document["token_endpoint"] = format!("{}{TOKENS}", self.address).into();
        document
    }

    pub fn says(&self, path: &'static str, says: Says) {
        self.inner.answers.lock().unwrap().insert(path, says);
    }

    pub fn publishes(&self, keys: &[&SigningKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.published()).collect();
        self.says(KEYS, Says::Json(json!({ "keys": keys })));
    }

    /// How often it was asked for its keys.
    pub fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::SeqCst)
    }

    /// What a good token for ada says, with these claims laid over it; those that are null are left out.
    pub fn claims(&self, over: Value) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({
            "iss": self.address, "sub": "id-of-ada", "aud": "offshoot", "iat": now, "exp": now + 600,
            "preferred_username": "ada", "name": "Ada L.", "groups": ["ops"],
        });
        claims.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    /// A token that the first key has signed.
    pub fn token(&self, over: Value) -> String {
        SigningKey::first().sign(&self.claims(over))
    }

    /// The settings of a server that takes its tokens.
    pub fn settings(&self, name: &str) -> String {
        format!(
            "[[auth.issuer]]\nname = '{name}'\nissuer = '{}'\naudience = ['offshoot']\nroles_claim = 'groups'\ntimeout_seconds = 1\n\
             roles = {{ ops = ['ADMINISTRATOR', 'POWER_USER'], readers = ['BASIC_USER'] }}\n",
            self.address
        )
    }
}

async fn document(State(inner): State<Arc<Inner>>) -> axum::response::Response {
    say(&inner, DOCUMENT).await
}

async fn keys(State(inner): State<Arc<Inner>>) -> axum::response::Response {
    inner.asked.fetch_add(1, Ordering::SeqCst);
    say(&inner, KEYS).await
}

async fn tokens(State(inner): State<Arc<Inner>>) -> axum::response::Response {
    say(&inner, TOKENS).await
}

async fn say(inner: &Inner, path: &str) -> axum::response::Response {
    let says = inner.answers.lock().unwrap()[path].clone();
    match says {
        Says::Json(value) => axum::Json(value).into_response(),
        Says::Status(status) => status.into_response(),
        Says::TooMuch => {
            let parts = futures_util::stream::repeat_with(|| Ok::<_, std::convert::Infallible>(vec![b' '; 65_536]));
            axum::body::Body::from_stream(parts).into_response()
        }
        Says::Nothing => std::future::pending().await,
    }
}

/// A listener for HTTPS.
struct Encrypted(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (connection, address) = self.0.accept().await.unwrap();
            // Some clients do not believe who we are, and go away.
            if let Ok(connection) = self.1.accept(connection).await {
                return (connection, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}
