//! Bearers of tokens of an issuer outside.

use axum::http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use offshoot::store::accounts::AccountChange;
use reqwest::Method;
use serde_json::{Value, json};

use super::issuer::{DOCUMENT, Issuer, KEYS, Says, SigningKey};
use crate::{
    authentication::{admin, statuses},
    harness::{Client, Reply, Server, read, until, write_certificates},
};

const NO_SESSIONS: &str = "[sessions]\npool = 0\n";

async fn whoami(server: &Server, token: &str) -> Reply {
    read(Client::new(server).request(Method::GET, "/r/user/whoami").bearer_auth(token)).await
}

#[tokio::test]
async fn whoever_has_a_token_has_an_account_in_every_dialect() {
    let issuer = Issuer::start().await;
    let server = Server::start(&format!("{NO_SESSIONS}{}", issuer.settings("x")));
    let store = server.store().await;
    let token = issuer.token(json!({}));
    // The first requests come at once, and make one account.
    let (one, other) = tokio::join!(statuses(&server, &token), statuses(&server, &token));
    assert_eq!((one, other), ([200; 3], [200; 3]));
    let told = whoami(&server, &token).await.success();
    assert_eq!((&told["identity"]["username"], &told["identity"]["displayname"]), (&json!("ada"), &json!("Ada L.")), "{told}");
    // What is remembered asks nobody.
    assert_eq!(issuer.asked(), 1);
    // Another name is the same person, and the groups of the newest token count.
    let later = jiff::Timestamp::now().as_second() + 10;
    let renamed = issuer.token(json!({ "preferred_username": "countess", "groups": "readers", "iat": later }));
    assert_eq!(statuses(&server, &renamed).await, [200, 403, 403]);
    assert_eq!(whoami(&server, &renamed).await.success()["identity"]["username"], "ada");
    assert_eq!(store.account("ada").await.unwrap().unwrap().roles, ["BASIC_USER"]);
    // An older one, which was not seen yet, does not give them back.
    assert_eq!(statuses(&server, &issuer.token(json!({ "jti": "another" }))).await, [200, 403, 403]);
    // Nobody gets the account of somebody else by its name.
    for name in ["ada", "admin"] {
        let reply = whoami(&server, &issuer.token(json!({ "sub": "id-of-another", "preferred_username": name }))).await;
        assert_eq!(reply.status, 403);
        assert!(reply.text().contains("you cannot have an account here"), "{}", reply.text());
    }
    // Who is disabled here is so at once.
    store.account_change("ada", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    until("ada is disabled", async || statuses(&server, &token).await[1] == 401).await;
    let new = issuer.token(json!({ "jti": "new" }));
    assert_eq!((statuses(&server, &new).await, statuses(&server, &renamed).await), ([403, 401, 403], [403, 401, 403]));
    store.close().await;
}

#[tokio::test]
async fn a_token_that_is_not_for_this_server_or_not_of_its_issuer_is_refused() {
    let issuer = Issuer::start().await;
    let server = Server::start(&format!("{NO_SESSIONS}{}", issuer.settings("x")));
    let (first, now) = (SigningKey::first(), jiff::Timestamp::now().as_second());
    let header = |algorithm| Header { kid: Some(first.id.to_owned()), ..Header::new(algorithm) };
    let good = issuer.claims(json!({}));
    let encode = |value: &Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    let unsigned = format!("{}.{}.", encode(&json!({ "alg": "none", "typ": "JWT", "kid": first.id })), encode(&good));
    let with_public_key =
        |secret: &[u8]| jsonwebtoken::encode(&header(Algorithm::HS256), &good, &EncodingKey::from_secret(secret).unwrap());
    let modulus = first.published()["n"].as_str().unwrap().to_owned();
    let critical = format!("{}.{}", encode(&json!({ "alg": "RS256", "kid": first.id, "crit": ["x"], "x": 1 })), encode(&good));
    let refused = [
        ("expired", issuer.token(json!({ "exp": now - 120 }))),
        ("not yet good", issuer.token(json!({ "nbf": now + 120 }))),
        ("for another", issuer.token(json!({ "aud": ["somebody", "else"] }))),
        ("for nobody", issuer.token(json!({ "aud": null }))),
        ("without an end", issuer.token(json!({ "exp": null }))),
        ("of nobody", issuer.token(json!({ "sub": null }))),
        ("of another issuer", issuer.token(json!({ "iss": format!("{}/", issuer.address) }))),
        ("of no issuer", issuer.token(json!({ "iss": null }))),
        ("by another algorithm", first.sign_with(header(Algorithm::RS512), &good)),
        ("by another algorithm of the same family", first.sign_with(header(Algorithm::PS256), &good)),
        ("of another kind", first.sign_with(Header { typ: Some("logout+jwt".to_owned()), ..header(Algorithm::RS256) }, &good)),
        ("by another key of the same name", SigningKey::second().sign_with(header(Algorithm::RS256), &good)),
        ("not signed", unsigned),
        ("signed with the public key as a secret", with_public_key(&first.pem).unwrap()),
        ("signed with its modulus as a secret", with_public_key(modulus.as_bytes()).unwrap()),
        (
            "with a header that has to be understood",
            first.sign(&good).replacen(first.sign(&good).rsplit_once('.').unwrap().0, &critical, 1),
        ),
        ("cut off", issuer.token(json!({})).rsplit_once('.').unwrap().0.to_owned()),
    ];
    for (what, token) in &refused {
        assert_eq!(statuses(&server, token).await, [401; 3], "{what}");
    }
    assert!(whoami(&server, &refused[0].1).await.text().contains("The token has expired"));
    // Clocks may differ by a minute, and one key needs no name.
    for (what, token) in [
        ("just expired", issuer.token(json!({ "exp": now - 20 }))),
        ("good in a moment", issuer.token(json!({ "nbf": now + 20 }))),
        ("for several", issuer.token(json!({ "aud": ["somebody", "offshoot"] }))),
        ("without the name of its key", first.sign_with(Header::new(Algorithm::RS256), &good)),
    ] {
        assert_eq!(statuses(&server, &token).await, [200; 3], "{what}");
    }
}

#[tokio::test]
async fn nobody_can_make_the_server_ask_an_issuer_all_the_time() {
    let issuer = Issuer::start().await;
    let server = Server::start(&format!("{NO_SESSIONS}{}", issuer.settings("x")));
    let begun = std::time::Instant::now();
    let with_key = |number: usize| {
        let header = Header { kid: Some(format!("unknown-{number}")), ..Header::new(Algorithm::RS256) };
        SigningKey::first().sign_with(header, &issuer.claims(json!({})))
    };
    let tokens: Vec<_> = (0..60).map(with_key).collect();
    let asked = tokens.iter().map(|token| whoami(&server, token));
    for reply in futures_util::future::join_all(asked).await {
        assert_eq!(reply.status, 401, "{}", reply.text());
    }
    // At the beginning, and then every five seconds at most.
    let most = 1 + usize::try_from(begun.elapsed().as_secs() / 5).unwrap();
    assert!((1..=most).contains(&issuer.asked()), "{} times, and not {most}", issuer.asked());
    assert_eq!(statuses(&server, &issuer.token(json!({}))).await, [200; 3]);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_asked_is_no_fault_of_the_client() {
    let [failing, another, huge, silent, good, without] = [
        Issuer::start().await,
        Issuer::start().await,
        Issuer::start().await,
        Issuer::start().await,
        Issuer::start().await,
        Issuer::start().await,
    ];
    failing.says(KEYS, Says::Status(StatusCode::INTERNAL_SERVER_ERROR));
    another.says(DOCUMENT, Says::Json(good.document()));
    huge.says(KEYS, Says::TooMuch);
    silent.says(DOCUMENT, Says::Nothing);
    without.says(KEYS, Says::Json(json!({ "keys": [{ "kty": "oct", "kid": "first", "k": "AAAA" }, { "kty": "new" }, 7] })));
    let all = [("failing", &failing), ("another", &another), ("huge", &huge), ("silent", &silent), ("good", &good), ("without", &without)];
    let settings: String = all.iter().map(|(name, issuer)| issuer.settings(name)).collect();
    let server = Server::start(&format!("{NO_SESSIONS}{settings}"));
    for (name, issuer) in all.iter().filter(|(name, _)| *name != "good") {
        let token = issuer.token(json!({ "preferred_username": name }));
        assert_eq!(statuses(&server, &token).await, [503; 3], "{name}");
        assert!(server.log().contains("an issuer of tokens cannot be asked"), "{}", server.log());
    }
    // Others go on, and so does this one as soon as it can.
    assert_eq!(statuses(&server, &good.token(json!({}))).await, [200; 3]);
    assert_eq!(statuses(&server, &admin(&server).await.access).await, [200; 3]);
    failing.publishes(&[SigningKey::first()]);
    let token = failing.token(json!({ "preferred_username": "bob" }));
    until("the issuer is asked again", async || statuses(&server, &token).await == [200; 3]).await;
}

#[tokio::test]
async fn an_issuer_can_change_its_keys_while_the_server_runs() {
    let issuer = Issuer::start().await;
    let server = Server::start(&format!("{NO_SESSIONS}{}", issuer.settings("x")));
    assert_eq!(statuses(&server, &issuer.token(json!({}))).await, [200; 3]);
    let token = SigningKey::second().sign(&issuer.claims(json!({})));
    assert_eq!(statuses(&server, &token).await, [401; 3]);
    issuer.publishes(&[SigningKey::second()]);
    until("the new key is known", async || statuses(&server, &token).await == [200; 3]).await;
    assert_eq!(statuses(&server, &issuer.token(json!({ "jti": "not seen yet" }))).await, [401; 3]);
}

#[tokio::test]
async fn of_an_issuer_for_many_tenants_those_may_come_that_are_named() {
    let issuer = Issuer::start().await;
    let named = format!("{}/{{tenantid}}/v2.0", issuer.address);
    issuer.says(DOCUMENT, Says::Json(json!({ "issuer": named, "jwks_uri": format!("{}{KEYS}", issuer.address) })));
    let (mut shared, mut of_another) = (SigningKey::first().published(), SigningKey::second().published());
    shared["issuer"] = named.clone().into();
    of_another["issuer"] = format!("{}/t2/v2.0", issuer.address).into();
    issuer.says(KEYS, Says::Json(json!({ "keys": [shared, of_another] })));
    let settings = issuer.settings("x").replace(&format!("'{}'", issuer.address), &format!("'{named}'"));
    let server = Server::start(&format!("{NO_SESSIONS}{settings}discovery = '{}{DOCUMENT}'\ntenants = ['t1', 't3']\n", issuer.address));
    let claims = |tenant: &str, of: &str| issuer.claims(json!({ "iss": format!("{}/{of}/v2.0", issuer.address), "tid": tenant }));
    let first = |tenant, of| SigningKey::first().sign(&claims(tenant, of));
    assert_eq!(statuses(&server, &first("t1", "t1")).await, [200; 3]);
    for (what, token) in [
        ("another tenant", first("t2", "t2")),
        ("a tenant in the name of another", first("t1", "t3")),
        ("the words of the document", first("t1", "{tenantid}")),
        ("the key of another tenant", SigningKey::second().sign(&claims("t1", "t1"))),
    ] {
        assert_eq!(statuses(&server, &token).await, [401; 3], "{what}");
    }
}

#[tokio::test]
async fn an_issuer_is_believed_by_https_only_if_the_authority_of_the_settings_has_signed_its_certificate() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let issuer = Issuer::start_encrypted(folder.path()).await;
    write_certificates(other.path());
    let settings = issuer.settings("x").replace("timeout_seconds = 1", "timeout_seconds = 10");
    let with = |more: &str| Server::start(&format!("{NO_SESSIONS}{settings}{more}\n"));
    let ca = |folder: &tempfile::TempDir| format!("ca = '{}'", folder.path().join("ca.pem").display());
    assert_eq!(statuses(&with(&ca(&folder)), &issuer.token(json!({}))).await, [200; 3]);
    assert_eq!(issuer.asked(), 1);
    // Neither the machine trusts that authority nor another one does.
    for untrusting in [String::new(), ca(&other)] {
        let server = with(&untrusting);
        assert_eq!(statuses(&server, &issuer.token(json!({}))).await, [503; 3], "{untrusting}");
        assert!(server.log().contains("invalid peer certificate"), "{}", server.log());
    }
    // Nor is a certificate for another name one of this issuer.
    let named = settings.replace("127.0.0.1", "localhost");
    let server = Server::start(&format!("{NO_SESSIONS}{named}{}\n", ca(&folder)));
    let token = issuer.token(json!({ "iss": issuer.address.replace("127.0.0.1", "localhost") }));
    assert_eq!(statuses(&server, &token).await, [503; 3]);
    assert_eq!(issuer.asked(), 1);
}
