//! Logins and cookies.

use offshoot::auth::password;

use crate::{
    harness::{Client, PASSWORD, Server, descendants, eventually},
    hostile::add_user,
};

#[tokio::test]
async fn passwords_are_taken_plain_or_as_digests() {
    let client = Client::new(Server::shared());
    let digest = password::digest(PASSWORD);
    for sent in [PASSWORD, &digest, &digest.to_uppercase()] {
        let reply = client.post("/r/user/login", &[("username", "admin"), ("password", sent)]).await;
        let cookie = reply.success()["cookie"].as_str().unwrap().to_owned();
        assert!(cookie.len() == 32 && cookie.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        assert_eq!(reply.headers["set-cookie"], format!("JSESSIONID={cookie}; Path=/deployr; HttpOnly; SameSite=Lax").as_str());
    }
    let wrong = password::digest("wrong");
    for (user, sent, status) in [
        ("admin", "wrong", 401),
        ("admin", wrong.as_str(), 401),
        ("nobody", PASSWORD, 401),
        ("admin", "", 400),
        ("", PASSWORD, 400),
        ("testuser", PASSWORD, 401),
    ] {
        let reply = client.post("/r/user/login", &[("username", user), ("password", sent)]).await;
        assert_eq!(reply.status, status, "{user} {sent}");
        assert!(!reply.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn plain_passwords_can_be_switched_off() {
    let server = Server::start("[sessions]\npool = 0\n[revodeployr]\nplain_passwords = false");
    let client = Client::new(&server);
    assert_eq!(client.post("/r/user/login", &[("username", "admin"), ("password", PASSWORD)]).await.status, 401);
    client.post("/r/user/login", &[("username", "admin"), ("password", &password::digest(PASSWORD))]).await.success();
}

#[tokio::test]
async fn a_logout_ends_sessions_and_files() {
    let server = Server::shared();
    let client = Client::admin(server).await;
    let witness = Client::admin(server).await.session().await;
    let session = client.session().await;
    let plot = session.run("plot(1)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    assert_eq!(client.fetch(&plot).await.status, 200);
    client.post("/r/user/logout", &[]).await.success();
    assert_eq!(client.fetch(&plot).await.status, 404);
    for call in ["/r/user/whoami", "/r/session/ping"] {
        assert_eq!(client.get(call, &[("session", &session.id)]).await.status, 401);
    }
    assert_eq!(client.post("/r/user/logout", &[]).await.status, 401);
    // Another login of the same user is not affected, and cannot get the session back.
    assert_eq!(witness.value("1").await["value"], 1);
    assert_eq!(witness.client.get("/r/session/ping", &[("session", &session.id)]).await.status, 400);
}

#[tokio::test]
async fn a_login_ends_unused_and_a_busy_one_does_not() {
    let server = Server::start("[sessions]\npool = 0\n[revodeployr]\nlogin_seconds = 3");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    session.prints("Sys.sleep(7); cat('done')").await;
    eventually("the login ends", || server.log().contains("login ended unused"));
    assert_eq!(client.get("/r/user/whoami", &[]).await.status, 401);
}

#[tokio::test]
async fn logging_in_again_with_a_cookie() {
    let server = Server::shared();
    add_user(server, "again");
    let client = Client::admin(server).await;
    let reply = client.post("/r/user/login", &[("username", "admin"), ("password", PASSWORD)]).await;
    assert_ne!(reply.success()["cookie"], client.cookie());
    let reply = client.post("/r/user/login", &[("username", "again"), ("password", PASSWORD)]).await;
    assert_eq!(reply.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_leaves_no_session_that_was_just_being_opened() {
    let server = Server::start("[sessions]\npool = 0");
    server.script("wait", "Sys.sleep(600)", "authenticated").await;
    for _ in 0..10 {
        let client = Client::admin(&server).await;
        let runs: Vec<_> = (0..4)
            .map(|_| tokio::spawn(client.request(reqwest::Method::POST, "/r/script/execute").form(&[("rscript", "wait")]).send()))
            .collect();
        eventually("one of them begins", || !descendants(server.zygote()).is_empty());
        client.post("/r/user/logout", &[]).await.success();
        for run in runs {
            assert!(!run.await.unwrap().unwrap().status().is_success());
        }
    }
    eventually("all of them end", || descendants(server.zygote()).is_empty());
}
