//! Proxies, required HTTPS, CORS, and compression.

use offshoot::store::{Store, policies::Policy};
use reqwest::Method;

use crate::harness::{Client, PASSWORD, Reply, Server, program, read, until};

async fn set(server: &Server, policies: &[(Policy, &str)]) {
    let store = Store::open(&server.data()).await.unwrap();
    for (policy, value) in policies {
        store.policy_put(*policy, value).await.unwrap();
    }
    store.close().await;
}

/// The address of a plot, for a client whose request has these headers.
async fn plot_address(client: &Client, session: &str, headers: &[(&str, &str)]) -> String {
    let mut request = client.request(Method::POST, "/r/session/execute/code").form(&[("session", session), ("code", "plot(1)")]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let files = read(request).await.success()["files"].take();
    files["unnamedplot001.png"]["value"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn addresses_in_answers_are_those_that_a_trusted_proxy_tells() {
    const FORWARDED: [(&str, &str); 2] = [("x-forwarded-proto", "https"), ("x-forwarded-host", "r.example.org")];
    for (trusted, starts_with) in [("127.0.0.0/8", "https://r.example.org/deployr/"), ("10.0.0.1", "http://127.0.0.1:")] {
        let server = Server::start(&format!("[sessions]\npool = 0\n[http]\ntrusted_proxies = ['{trusted}']"));
        let client = Client::admin(&server).await;
        let session = client.session().await;
        let address = plot_address(&client, &session.id, &FORWARDED).await;
        assert!(address.starts_with(starts_with), "{address}");
    }
}

async fn login(server: &Server, headers: &[(&str, &str)]) -> Reply {
    let mut request = Client::new(server).request(Method::POST, "/r/user/login").form(&[("username", "admin"), ("password", PASSWORD)]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    read(request).await
}

#[tokio::test]
async fn https_can_be_required_of_logins_and_of_others() {
    let server = Server::start("[sessions]\npool = 0\n[http]\ntrusted_proxies = ['127.0.0.1']");
    let client = Client::new(&server);
    set(&server, &[(Policy::AuthenticatedHttps, "true")]).await;
    until("logins are refused", async || login(&server, &[]).await.status == 403).await;
    assert_eq!(login(&server, &[]).await.json()["error"], "This server takes such requests by HTTPS only.");
    login(&server, &[("x-forwarded-proto", "https")]).await.success();
    client.get("/r/script/list", &[]).await.success();
    set(&server, &[(Policy::AuthenticatedHttps, "false"), (Policy::AnonymousHttps, "true")]).await;
    until("others are refused", async || client.get("/r/script/list", &[]).await.status == 403).await;
    until("logins are not", async || login(&server, &[]).await.status == 200).await;
}

#[tokio::test]
async fn pages_of_the_origins_that_are_configured_may_call() {
    let server = Server::start("[sessions]\npool = 0\n[http]\ncors_origins = ['https://app.example.org']");
    let client = Client::new(&server);
    for (origin, allowed) in [("https://app.example.org", Some("https://app.example.org")), ("https://evil.example.org", None)] {
        let preflight = client.request(Method::OPTIONS, "/r/user/login").header("origin", origin);
        let preflight = read(preflight.header("access-control-request-method", "POST")).await;
        let header = |name: &str| preflight.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("access-control-allow-origin").as_deref(), allowed);
        let answer = read(client.request(Method::POST, "/r/user/login").header("origin", origin)).await;
        assert_eq!(answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap()), allowed);
    }
    let plain = Client::new(Server::shared());
    let answer = read(plain.request(Method::POST, "/r/user/login").header("origin", "https://app.example.org")).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn large_answers_are_compressed_for_clients_that_ask_and_small_ones_are_not() {
    let session = Client::admin(Server::shared()).await.session().await;
    session.run("small <- 1; large <- numeric(1e5); png('plot.png', 2000, 2000); plot(rnorm(1e5)); dev.off()").await;
    let get = |name: &'static str, encoding: &'static str| {
        let query = [("session", session.id.clone()), ("name", name.to_owned())];
        let request = session.client.request(Method::GET, "/r/session/object/get").query(&query);
        read(request.header("accept-encoding", encoding))
    };
    let encoding = |reply: &Reply| reply.headers.get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
    let (plain, compressed) = (get("large", "identity").await, get("large", "gzip, br").await);
    assert_eq!((encoding(&plain), encoding(&compressed)), (None, Some("gzip".to_owned())));
    assert!(compressed.body.len() * 10 < plain.body.len(), "{}", compressed.body.len());
    assert_eq!(gunzip(&compressed.body), plain.body);
    assert_eq!(encoding(&get("small", "gzip").await), None);
    let query = [("session", session.id.as_str()), ("name", "plot.png")];
    let file = read(session.client.request(Method::GET, "/r/session/file/download").query(&query).header("accept-encoding", "gzip")).await;
    assert!(file.status == 200 && file.body.len() > 64 << 10, "{} {}", file.status, file.body.len());
    assert_eq!(encoding(&file), None);
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::{io::Write, process::Stdio};
    let mut child = program("gunzip").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), bytes.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output.stdout
}
