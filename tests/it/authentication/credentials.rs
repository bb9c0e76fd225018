//! Credentials that are not good, of every kind.

use std::sync::atomic::{AtomicUsize, Ordering};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use offshoot::{
    auth::tokens::{
        keys::{KeyFiles, Keys},
        personal,
    },
    config,
    store::accounts::AccountChange,
};
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::{
    Pair, admin, login,
    oidc::issuer::{Issuer, SigningKey},
    revoke, statuses,
};
use crate::harness::{PASSWORD, Server, token_key, until};

/// Accounts whose passwords are guessed: more than one, because too many wrong passwords for one have all who guess wait.
const GUESSED: [&str; 4] = ["ann", "bob", "cyd", "dan"];

/// Makes a name and a password, for the request with this number.
type MakePassword = fn(usize) -> (String, String);

/// What a request offers as a proof of who sends it.
pub enum Proof {
    Nothing,
    /// The header `Authorization`.
    Header(String),
    /// A name and a password, made anew for each request.
    Password(MakePassword),
}

/// A kind of credentials that are not good.
pub struct Bad {
    pub what: &'static str,
    pub proof: Proof,
    /// Whether it is of an account that was disabled, which some dialects say.
    pub is_disabled: bool,
}

impl Bad {
    fn new(what: &'static str, proof: Proof) -> Self {
        Self { what, proof, is_disabled: false }
    }

    fn bearer(what: &'static str, token: impl AsRef<str>) -> Self {
        Self::new(what, Proof::Header(format!("Bearer {}", token.as_ref())))
    }

    fn disabled(self) -> Self {
        Self { is_disabled: true, ..self }
    }

    /// Puts the proof into a request, which comes from an address where nobody has guessed before: the server trusts what it reads of that,
    /// see [`TRUSTING`].
    pub fn put(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let request = from_elsewhere(request);
        match &self.proof {
            Proof::Nothing => request,
            Proof::Header(header) => request.header(AUTHORIZATION, header),
            Proof::Password(make) => {
                let (name, password) = make(next());
                request.basic_auth(name, Some(password))
            }
        }
    }

    /// Whether it says anything to a dialect that takes no passwords.
    pub fn is_password(&self) -> bool {
        matches!(self.proof, Proof::Password(_))
    }
}

/// Settings by which a server believes the addresses of [`Bad::put`].
pub const TRUSTING: &str = "[http]\ntrusted_proxies = ['127.0.0.1']\n";

fn next() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// The request, from an address of its own.
pub fn from_elsewhere(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    let number = u32::try_from(next()).unwrap();
    request.header("x-forwarded-for", std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string())
}

/// Passwords that are none, by requests in their order.
const PASSWORDS: [(&str, MakePassword); 5] = [
    ("a wrong password", |number| (GUESSED[number % GUESSED.len()].to_owned(), format!("wrong-{number}"))),
    ("the password of nobody", |number| (format!("nobody-{number}"), PASSWORD.to_owned())),
    ("a name without a password", |number| (GUESSED[number % GUESSED.len()].to_owned(), String::new())),
    ("a digest in the place of the password", |number| {
        (GUESSED[number % GUESSED.len()].to_owned(), offshoot::auth::password::digest(PASSWORD))
    }),
    ("a token of a program that is none, as a password", |number| ("admin".to_owned(), format!("offshoot_{number}"))),
];

/// The key of all servers, and what it is called.
fn signing() -> (EncodingKey, String) {
    let settings = config::Auth { keys: vec![token_key().to_owned()], ..Default::default() };
    let Keys { signing, known } = KeyFiles::of(&settings, std::path::Path::new("/")).open().unwrap();
    (signing, known[0].id.clone())
}

/// A token of this server that says what a good one does, with these claims laid over it; those that are null are left out.
struct Forger {
    claims: Value,
    key: EncodingKey,
    id: String,
}

impl Forger {
    fn of(pair: &Pair) -> Self {
        let (key, id) = signing();
        Self { claims: pair.claims(), key, id }
    }

    fn claims(&self, over: Value) -> Value {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }

    fn sign_with(&self, over: Value, algorithm: Algorithm, key: &EncodingKey) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(algorithm) };
        jsonwebtoken::encode(&header, &self.claims(over), key).unwrap()
    }

    fn sign(&self, over: Value) -> String {
        self.sign_with(over, Algorithm::RS512, &self.key)
    }
}

/// A token that says that it is not signed.
fn unsigned(key: &str, claims: &Value) -> String {
    let encode = |value: &Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    format!("{}.{}.", encode(&json!({ "alg": "none", "typ": "JWT", "kid": key })), encode(claims))
}

/// All kinds, for a server with the settings [`TRUSTING`] and this issuer.
pub async fn all(server: &Server, issuer: &Issuer) -> Vec<Bad> {
    for name in GUESSED {
        server.account(name, &["POWER_USER", "ADMINISTRATOR"]).await;
    }
    let passwords = PASSWORDS.map(|(what, make)| Bad::new(what, Proof::Password(make)));
    let header = |what, header: &str| Bad::new(what, Proof::Header(header.to_owned()));
    let mut all = vec![
        Bad::new("nothing", Proof::Nothing),
        header("a broken name and password", "Basic !"),
        header("another kind of credentials", "Negotiate YWRtaW4="),
    ];
    all.extend(passwords);
    // It is disabled below.
    all.push(Bad::new("the password of a disabled account", Proof::Password(|_| ("gone".to_owned(), PASSWORD.to_owned()))).disabled());
    all.extend(of_this_server(server).await);
    all.extend(of_an_issuer(server, issuer).await);
    all
}

/// Tokens of this server, or such as look like them.
async fn of_this_server(server: &Server) -> Vec<Bad> {
    let pair = admin(server).await;
    let now = jiff::Timestamp::now().as_second();
    let forger = Forger::of(&pair);
    // What is signed here is good as long as it says nothing else than the server does.
    assert_eq!(statuses(server, &forger.sign(json!({}))).await, [200; 3]);
    let another = tempfile::tempdir().unwrap();
    let another = KeyFiles::of(&config::Auth::default(), another.path()).open().unwrap();
    let public = EncodingKey::from_secret(&std::fs::read(token_key()).unwrap()).unwrap();
    let revoked = admin(server).await;
    assert_eq!(revoke(server, &revoked).await.status, 200);
    server.account("gone", &["POWER_USER", "ADMINISTRATOR"]).await;
    let disabled = Pair::of(&login(server, "gone", PASSWORD).await);
    let store = server.store().await;
    store.account_change("gone", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    let (expired, expired_text) = personal::make("admin", "expired", None, Some(1));
    store.personal_token_add(&expired).await.unwrap();
    let (of_disabled, of_disabled_text) = personal::make("gone", "disabled", None, None);
    store.personal_token_add(&of_disabled).await.unwrap();
    store.close().await;
    until("the account is disabled", async || statuses(server, &disabled.access).await[1] == 401).await;
    vec![
        Bad::bearer("an expired token", forger.sign(json!({ "exp": now - 1 }))),
        Bad::bearer("a token without an end", forger.sign(json!({ "exp": null }))),
        Bad::bearer("a token of another key", forger.sign_with(json!({}), Algorithm::RS512, &another.signing)),
        Bad::bearer("a token of another audience", forger.sign(json!({ "aud": "somebody" }))),
        Bad::bearer("a token of another issuer", forger.sign(json!({ "iss": "somebody" }))),
        Bad::bearer("a token for an account that was made at another time", forger.sign(json!({ "born": 1 }))),
        Bad::bearer("a token for nobody", forger.sign(json!({ "sub": "nobody" }))),
        Bad::bearer("a token that is signed with what is public", forger.sign_with(json!({}), Algorithm::HS256, &public)),
        Bad::bearer("a token that is not signed", unsigned(&forger.id, &forger.claims)),
        Bad::bearer("a token without its signature", pair.access.rsplit_once('.').unwrap().0.to_owned() + "."),
        Bad::bearer("a revoked token", &revoked.access),
        Bad::bearer("a token of a disabled account", &disabled.access).disabled(),
        Bad::bearer("a refresh token", &pair.refresh),
        Bad::bearer("an expired token of a program", expired_text),
        Bad::bearer("a token of a program of a disabled account", of_disabled_text).disabled(),
        Bad::bearer("a token of a program that is none", "offshoot_x"),
        Bad::bearer("no token", "x"),
    ]
}

/// Tokens of an issuer outside, or such as look like them.
async fn of_an_issuer(server: &Server, issuer: &Issuer) -> Vec<Bad> {
    let (first, now) = (SigningKey::first(), jiff::Timestamp::now().as_second());
    let good = issuer.claims(json!({}));
    assert_eq!(statuses(server, &first.sign(&good)).await, [200; 3]);
    let header = |algorithm| Header { kid: Some(first.id.to_owned()), ..Header::new(algorithm) };
    let public = EncodingKey::from_secret(&first.pem).unwrap();
    let of_disabled = issuer.token(json!({ "sub": "id-of-eve", "preferred_username": "eve" }));
    assert_eq!(statuses(server, &of_disabled).await, [200; 3]);
    let store = server.store().await;
    store.account_change("eve", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    store.close().await;
    until("the account is disabled", async || statuses(server, &of_disabled).await[1] == 401).await;
    vec![
        Bad::bearer("an issuer's expired token", issuer.token(json!({ "exp": now - 120 }))),
        Bad::bearer("an issuer's token with another key of the same name", SigningKey::second().sign_with(header(Algorithm::RS256), &good)),
        Bad::bearer("an issuer's token with an unknown key", SigningKey::second().sign(&good)),
        Bad::bearer("an issuer's token for another audience", issuer.token(json!({ "aud": "somebody" }))),
        Bad::bearer("a token of an unknown issuer", issuer.token(json!({ "iss": "https://id.example.org" }))),
        Bad::bearer("an issuer's token in the name of this server", issuer.token(json!({ "iss": "offshoot" }))),
        Bad::bearer("an issuer's token that is not signed", unsigned(first.id, &good)),
        Bad::bearer(
            "an issuer's token that is signed with what is public",
            jsonwebtoken::encode(&header(Algorithm::HS256), &good, &public).unwrap(),
        ),
        Bad::bearer("an issuer's token of a disabled account", of_disabled).disabled(),
    ]
}
