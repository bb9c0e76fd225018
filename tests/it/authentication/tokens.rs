//! Access and refresh tokens, and tokens for programs.

use reqwest::Method;
use serde_json::json;

use super::{Pair, admin, keys, login, post, refresh, revoke, statuses};
use crate::{
    cli::Administrator,
    harness::{Client, PASSWORD, Rock, Server, read, until},
};

#[tokio::test]
async fn an_access_token_is_good_in_every_dialect_and_its_sessions_are_its_owners() {
    let server = Server::shared();
    let pair = admin(server).await;
    assert_eq!(statuses(server, &pair.access).await, [200; 3]);
    let with = |method: Method, path: &str| Client::new(server).request(method, path).bearer_auth(&pair.access);
    let reply = read(with(Method::POST, "/r/session/create")).await;
    let session = reply.success()["session"].as_str().unwrap().to_owned();
    let form = [("session", session.as_str()), ("code", "x <- 6 * 7"), ("robjects", "x")];
    let reply = read(with(Method::POST, "/r/session/execute/code").form(&form)).await;
    assert_eq!(reply.success()["robjects"]["x"]["value"], 42.0);
    // The same token has the same login, whoever sends it; another login of the same account has other sessions.
    assert_eq!(read(with(Method::GET, "/r/user/live")).await.success()["live"], json!([session]));
    let form = [("session", session.as_str())];
    assert_eq!(read(with(Method::POST, "/r/session/close").form(&form)).await.success()["success"], true);
    // The answers of the login are for nobody else.
    let reply = login(server, "admin", PASSWORD).await;
    assert_eq!(reply.headers["cache-control"], "no-store");
    let answer = reply.document();
    assert_eq!(answer["expires_in"], 3600);
    let (now, expires) = (jiff::Timestamp::now().as_second(), answer["expires_on"].as_i64().unwrap());
    assert!((now + 3500..=now + 3600).contains(&expires));
    let header = jsonwebtoken::decode_header(Pair::of(&reply).access).unwrap();
    assert_eq!(header.alg, jsonwebtoken::Algorithm::RS512);
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_its_second_use_ends_the_whole_chain() {
    let server = Server::shared();
    let first = admin(server).await;
    let second = Pair::of(&refresh(server, &first).await);
    // The next pair takes the place of the one before.
    assert_eq!((statuses(server, &first.access).await, statuses(server, &second.access).await), ([401; 3], [200; 3]));
    let third = Pair::of(&refresh(server, &second).await);
    let reply = refresh(server, &first).await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.document(), json!({ "message": "The refresh token is not valid, or has expired; log in again.", "link": "" }));
    assert_eq!((statuses(server, &third.access).await, refresh(server, &third).await.status.as_u16()), ([401; 3], 401));
    let reply = read(Client::new(server).request(Method::GET, "/r/user/whoami").bearer_auth(&third.access)).await;
    assert!(reply.text().contains("The token was replaced or revoked; log in again."), "{}", reply.text());
}

#[tokio::test]
async fn what_is_revoked_is_good_no_more_and_other_logins_go_on() {
    let server = Server::shared();
    let (one, other) = (admin(server).await, admin(server).await);
    assert_eq!(revoke(server, &one).await.status, 200);
    assert_eq!((statuses(server, &one.access).await, statuses(server, &other.access).await), ([401; 3], [200; 3]));
    for _ in 0..2 {
        assert_eq!([revoke(server, &one).await, refresh(server, &one).await].map(|reply| reply.status.as_u16()), [401; 2]);
    }
    for path in ["/login", "/user/login"] {
        assert_eq!(post(server, path, json!({ "username": "admin", "password": PASSWORD, "more": 1 })).await.status, 200);
        assert_eq!(post(server, path, json!({ "username": "admin" })).await.status, 400);
        assert_eq!(post(server, path, json!({ "username": "admin", "password": "wrong" })).await.status, 401);
    }
}

#[tokio::test]
async fn a_new_password_ends_the_tokens_of_the_old_one() {
    let server = Server::start("[sessions]\npool = 0");
    server.account("ada", &["POWER_USER"]).await;
    let pair = Pair::of(&login(&server, "ada", PASSWORD).await);
    let administrator = Administrator::of(&server);
    administrator.reads(&["user", "passwd", "ada", "--password-stdin"], "another one\n");
    until("the token is good no more", async || statuses(&server, &pair.access).await[0] == 401).await;
    assert_eq!(refresh(&server, &pair).await.status, 401);
    // One who is made anew under the name of one who was removed does not get what that one had.
    let pair = Pair::of(&login(&server, "ada", "another one").await);
    administrator.does(&["user", "remove", "ada"]);
    administrator.reads(&["user", "add", "ada", "--role", "POWER_USER", "--password-stdin"], "another one\n");
    until("the account is another one", async || statuses(&server, &pair.access).await[0] == 401).await;
    assert_eq!(refresh(&server, &pair).await.status, 401);
}

#[tokio::test]
async fn a_new_key_signs_and_what_the_old_one_has_signed_is_good_until_it_has_run_out() {
    let server = Server::start_with("[sessions]\npool = 0\n[auth]\nkeys = []", &[("OFFSHOOT_AUTH_KEYS", "")]);
    let pair = admin(&server).await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&server.data().join("token-key.pem").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let former = keys(&server).open().unwrap();
    Administrator::of(&server).does(&["token", "rotate-key"]);
    let now = keys(&server).open().unwrap();
    assert_eq!((former.known.len(), now.known.len()), (1, 2));
    until("the new key signs", async || {
        jsonwebtoken::decode_header(admin(&server).await.access).unwrap().kid.as_ref() == Some(&now.known[0].id)
    })
    .await;
    assert_eq!(statuses(&server, &pair.access).await, [200; 3]);
    // A key that was rotated away twice is unknown.
    Administrator::of(&server).does(&["token", "rotate-key"]);
    let kept = keys(&server).open().unwrap();
    assert!(kept.known.iter().all(|known| known.id != former.known[0].id));
}

#[tokio::test]
async fn a_token_for_a_program_is_good_as_a_bearer_and_as_a_password_until_it_is_revoked() {
    let server = Server::start("[sessions]\npool = 0");
    server.account("ada", &["POWER_USER", "PACKAGE_MANAGER"]).await;
    let administrator = Administrator::of(&server);
    let all = administrator.does(&["token", "create", "ada", "nightly"]).trim().to_owned();
    let few = administrator.does(&["token", "create", "ada", "packages", "--role", "PACKAGE_MANAGER", "--days", "1"]).trim().to_owned();
    let rock = |token: &str, path: &str| Rock::nobody(&server).request(Method::POST, path).bearer_auth(token);
    until("the server has heard of them", async || statuses(&server, &few).await[1] == 200).await;
    assert_eq!(read(rock(&all, "/r/sessions")).await.status, 201);
    assert_eq!(read(rock(&few, "/r/sessions")).await.status, 403);
    let basic = |name: &str| Rock::on(&server, name).with_password(&all);
    assert_eq!(basic("ada").get("/r/sessions").await.status, 200);
    assert_eq!(basic("admin").get("/r/sessions").await.status, 401);
    until("its use is noted", async || administrator.does(&["token", "list"]).lines().filter(|line| !line.ends_with('-')).count() == 3)
        .await;
    let listed = administrator.does(&["token", "list", "ada"]);
    assert!(!listed.contains(&all) && listed.contains("nightly") && listed.contains("PACKAGE_MANAGER"), "{listed}");
    let refused = |arguments: &[&str], expected: &str| assert!(administrator.fails(arguments).contains(expected));
    refused(&["token", "create", "ada", "nightly"], "the token \"nightly\" is there already");
    refused(&["token", "create", "nobody", "x"], "there is no account \"nobody\"");
    refused(&["token", "create", "ada", "x", "--role", "ADMINISTRATOR"], "the account ada does not have the role ADMINISTRATOR");
    refused(&["token", "revoke", "ada", "x"], "x");
    administrator.does(&["token", "revoke", "ada", "nightly"]);
    until("it is good no more", async || statuses(&server, &all).await[0] == 401).await;
    assert_eq!(basic("ada").get("/r/sessions").await.status, 401);
    // A role that the account loses, its tokens lose as well.
    administrator.does(&["user", "change", "ada", "--role", "POWER_USER"]);
    until("nothing is left of it", async || statuses(&server, &few).await[0] == 401).await;
}
