//! Every route of every dialect, with credentials that are not good.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use offshoot::{
    api::{revodeployr, rock},
    auth::tokens::{keys::Keys, personal},
    store::accounts::AccountChange,
};
use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{Pair, admin, login, revoke};
use crate::harness::{Client, PASSWORD, Rock, Server, read, token_key, until};

/// The key of all servers, and what it is called.
fn signing() -> (EncodingKey, String) {
    let settings = offshoot::config::Auth { keys: vec![token_key().to_owned()], ..Default::default() };
    let Keys { signing, known } = offshoot::auth::tokens::keys::KeyFiles::of(&settings, std::path::Path::new("/")).open().unwrap();
    (signing, known[0].id.clone())
}

/// A token with these claims, laid over those of one that is good.
fn token(pair: &Pair, claims: Value, algorithm: Algorithm, key: &EncodingKey) -> String {
    let mut all = pair.claims();
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let header = Header { kid: Some(signing().1), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, &all, key).unwrap()
}

/// A token that says that it is not signed.
fn unsigned(pair: &Pair) -> String {
    let encode = |value: &Value| base64_simd::URL_SAFE_NO_PAD.encode_to_string(value.to_string());
    format!("{}.{}.", encode(&json!({ "alg": "none", "typ": "JWT", "kid": signing().1 })), encode(&pair.claims()))
}

#[tokio::test]
async fn no_route_takes_credentials_that_are_not_good() {
    let server = Server::start("[sessions]\npool = 0");
    let pair = admin(&server).await;
    let (key, _) = signing();
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let sign = |claims: Value| token(&pair, claims, Algorithm::RS512, &key);
    // What is signed here is good as long as it says nothing else than the server does.
    assert_eq!(super::statuses(&server, &sign(json!({}))).await, [200; 3]);
    let another = tempfile::tempdir().unwrap();
    let another = offshoot::auth::tokens::keys::KeyFiles::of(&offshoot::config::Auth::default(), another.path()).open().unwrap();
    let public = std::fs::read(token_key()).unwrap();
    let revoked = admin(&server).await;
    assert_eq!(revoke(&server, &revoked).await.status, 200);
    server.account("gone", &["POWER_USER", "ADMINISTRATOR"]).await;
    let disabled = Pair::of(&login(&server, "gone", PASSWORD).await);
    let store = server.store().await;
    store.account_change("gone", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    let (expired, expired_text) = personal::make("admin", "expired", None, Some(1));
    store.personal_token_add(&expired).await.unwrap();
    until("the account is disabled", async || super::statuses(&server, &disabled.access).await[1] == 401).await;
    let bearers = [
        ("an expired one", sign(json!({ "exp": now - 1 }))),
        ("one without an end", token_without(&pair, "exp", &key)),
        ("one of another key", token(&pair, json!({}), Algorithm::RS512, &another.signing)),
        ("one of another audience", sign(json!({ "aud": "somebody" }))),
        ("one of another issuer", sign(json!({ "iss": "somebody" }))),
        ("one for an account that was made at another time", sign(json!({ "born": 1 }))),
        ("one for nobody", sign(json!({ "sub": "nobody" }))),
        ("one with another signature", token(&pair, json!({}), Algorithm::HS256, &EncodingKey::from_secret(&public).unwrap())),
        ("one that is not signed", unsigned(&pair)),
        ("one without its signature", pair.access.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("a revoked one", revoked.access.clone()),
        ("one of a disabled account", disabled.access.clone()),
        ("a refresh token", pair.refresh.clone()),
        ("a personal one that has expired", expired_text),
        ("a personal one that is none", "offshoot_x".to_owned()),
        ("no token", "x".to_owned()),
    ];
    let basic = |name: &str, password: &str| format!("Basic {}", base64_simd::STANDARD.encode_to_string(format!("{name}:{password}")));
    let authorizations: Vec<_> = bearers
        .into_iter()
        .map(|(what, token)| (what, format!("Bearer {token}")))
        .chain([("a name without a password", basic("admin", "")), ("a broken one", "Basic !".to_owned())])
        .collect();
    let (client, rock) = (Client::new(&server), Rock::nobody(&server));
    for (what, authorization) in &authorizations {
        for route in &rock::routes::ROUTES {
            // A wrong password has clients wait after a while.
            if what.contains("password") && route.path != "/rserver" {
                continue;
            }
            let path = route.path.replace("{id}", "00000000-0000-4000-8000-000000000001").replace(['{', '}'], "");
            let reply = read(rock.request(route.method.clone(), &path).header(AUTHORIZATION, authorization)).await;
            assert_eq!(reply.status, 401, "{what}: {} {path}: {}", route.method, reply.text());
        }
        if !authorization.starts_with("Bearer") {
            continue;
        }
        for route in &revodeployr::routes::ROUTES {
            let method = if route.call.methods == revodeployr::call::Methods::Change { Method::POST } else { Method::GET };
            // The address of a published file is its own proof, and whoever has it need not be anybody.
            if route.call.methods == revodeployr::call::Methods::File {
                continue;
            }
            let path = route.call.path.replace(['{', '}'], "");
            let reply = read(client.request(method, &path).header(AUTHORIZATION, authorization)).await;
            // This dialect says so of a disabled account in any case.
            let expected = if what.contains("disabled") { 403 } else { 401 };
            assert_eq!(reply.status, expected, "{what}: {path}: {}", reply.text());
        }
        let reply = read(rock.request(Method::GET, "/metrics").header(AUTHORIZATION, authorization)).await;
        assert!([401, 403].contains(&reply.status.as_u16()), "{what}: {}", reply.text());
    }
    store.close().await;
}

/// A token without one of the claims.
fn token_without(pair: &Pair, claim: &str, key: &EncodingKey) -> String {
    let mut claims = pair.claims();
    claims.as_object_mut().unwrap().remove(claim);
    jsonwebtoken::encode(&Header { kid: Some(signing().1), ..Header::new(Algorithm::RS256) }, &claims, key).unwrap()
}
