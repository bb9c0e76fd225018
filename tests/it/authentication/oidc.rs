//! Issuers outside (OpenID Connect): a real provider, and people who log in there by their browser.

mod bearers;
mod browser;
pub mod issuer;
mod provider;

use offshoot::store::accounts::AccountChange;
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::statuses;
use crate::harness::{Client, Reply, Server, http, program, read};
use issuer::Issuer;
use provider::{Browser, Provider};

fn location(reply: &Reply) -> &str {
    reply.headers[header::LOCATION].to_str().unwrap()
}

#[tokio::test]
async fn a_program_is_let_in_with_a_token_of_a_real_provider() {
    let Some(mut provider) = Provider::start() else { return };
    let server = provider.server();
    let form = [("grant_type", "client_credentials"), ("resource", "https://r.example.org/api")];
    let request = http().build().unwrap().post(format!("{}/token", provider.address)).form(&form);
    let answer: Value = read(request.basic_auth("offshoot", Some("a+secret+of+the+tests"))).await.document();
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(statuses(&server, token).await, [200; 3]);
    let told = read(Client::new(&server).request(Method::GET, "/r/user/whoami").bearer_auth(token)).await.success();
    assert_eq!((&told["identity"]["username"], &told["identity"]["displayname"]), (&json!("program@example.org"), &json!("The program")));
}

#[tokio::test]
async fn somebody_logs_in_by_their_browser_and_out_again() {
    let Some(mut provider) = Provider::start() else { return };
    let server = provider.server();
    let mut browser = Browser::new(&server);
    let page = read(Client::new(&server).raw(Method::GET, &server.address).header(header::ACCEPT, "text/html")).await;
    assert!(
        page.text().contains(&format!(r#"<a href="{}/oidc/provider/login">Log in with provider</a>"#, server.address)),
        "{}",
        page.text()
    );
    let back = browser.log_in("/oidc/provider/login?return=/deployr/r/user/whoami", "ada").await;
    // Whoever has not begun the login cannot finish it: neither another browser, nor this one with another state.
    for (mut other, address) in [(Browser::new(&server), back.clone()), (Browser::new(&server), back.replace("state=", "state=x"))] {
        let reply = other.send(Method::GET, &address, &[]).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("This login was not begun in this browser"), "{}", reply.text());
        assert!(!reply.headers.contains_key(header::SET_COOKIE));
    }
    let reply = browser.send(Method::GET, &back, &[]).await;
    assert_eq!((reply.status.as_u16(), location(&reply)), (303, "/deployr/r/user/whoami"), "{}", reply.text());
    let cookies: Vec<_> = reply.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect();
    assert!(cookies[0].starts_with("JSESSIONID=") && cookies[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookies:?}");
    assert_eq!(cookies[1], "offshoot-login=; Path=/oidc/provider/callback; Max-Age=0; HttpOnly; SameSite=Lax");
    let told = browser.send(Method::GET, "/deployr/r/user/whoami", &[]).await.success();
    assert_eq!((&told["identity"]["username"], &told["identity"]["displayname"]), (&json!("ada@example.org"), &json!("The ada")));
    let store = server.store().await;
    let account = store.account("ada@example.org").await.unwrap().unwrap();
    assert_eq!((account.source.as_str(), account.subject.as_deref()), ("provider", Some("ada")));
    assert_eq!(account.roles, ["ADMINISTRATOR", "POWER_USER"]);
    // It counts once.
    assert_eq!(browser.send(Method::GET, &back, &[]).await.status, 400);
    assert_eq!(browser.send(Method::GET, "/r/user/whoami", &[]).await.status, 200);
    browser.send(Method::POST, "/r/user/logout", &[]).await.success();
    assert_eq!(browser.send(Method::GET, "/r/user/whoami", &[]).await.status, 401);
    // Who is disabled here is told so, although the provider lets them in.
    store.account_change("ada@example.org", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    let mut again = Browser::new(&server);
    let back = again.log_in("/oidc/provider/login", "ada").await;
    let reply = again.send(Method::GET, &back, &[]).await;
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("<p>The account is disabled.</p>"), "{}", reply.text());
    store.close().await;
}

#[tokio::test]
async fn who_changes_their_mind_at_the_provider_reads_so() {
    let Some(mut provider) = Provider::start() else { return };
    let server = provider.server();
    let mut browser = Browser::new(&server);
    let form = browser.go("/oidc/provider/login", "/oidc/provider/callback").await;
    let address =
        form.text().split("href=\"").find_map(|part| part.split('"').next().filter(|link| link.ends_with("/abort"))).unwrap().to_owned();
    let reply = browser.go(&address, "/").await;
    assert_eq!(reply.status, 403);
    assert!(reply.text().contains("The issuer provider did not log you in: End-User aborted interaction"), "{}", reply.text());
    assert!(reply.text().contains(r#"<a href="/oidc/provider/login">Log in again</a>"#), "{}", reply.text());
}

#[tokio::test]
async fn a_login_leads_nowhere_but_to_this_server_and_its_issuer() {
    let issuer = Issuer::start().await;
    issuer.says(issuer::DOCUMENT, issuer::Says::Json(issuer.document_with_login()));
    let settings = |more: &str| format!("{more}[sessions]\npool = 0\n{}client_id = 'offshoot'\n", issuer.settings("x"));
    let server = Server::start(&settings("[revodeployr]\nweb_context = 'https://r.example.org/deployr'\n"));
    let get = async |path: &str| Browser::new(&server).send(Method::GET, path, &[]).await;
    for path in ["//evil.example.org", "/\\evil.example.org", "https://evil.example.org", "/%09/evil.example.org", "/%0d%0aX:y", "a", ""] {
        let path = path.replace('\\', "%5C");
        let reply = get(&format!("/oidc/x/login?return={path}")).await;
        // An empty parameter is an absent one.
        assert_eq!(reply.status, if path.is_empty() { 303 } else { 400 }, "{path}: {}", reply.text());
    }
    let reply = get("/oidc/x/login?return=/a").await;
    let address: reqwest::Url = location(&reply).parse().unwrap();
    let parameters: std::collections::HashMap<_, _> = address.query_pairs().into_owned().collect();
    assert!(address.as_str().starts_with(&format!("{}/authorization_endpoint?", issuer.address)));
    // The address is that of the settings, whatever the client has called the server.
    assert_eq!(parameters["redirect_uri"], "https://r.example.org/oidc/x/callback");
    assert_eq!((parameters["response_type"].as_str(), parameters["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(parameters["scope"], "openid profile");
    assert!(["state", "nonce", "code_challenge"].iter().all(|name| parameters[*name].len() >= 43), "{parameters:?}");
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/oidc/x/callback; Max-Age=600; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
    for path in ["/oidc/y/login", "/oidc/local/login"] {
        assert_eq!(get(path).await.status, 404, "{path}");
    }
    for path in ["/oidc/x/callback", "/oidc/x/callback?code=a&state=b", "/oidc/x/callback?error=<script>&state=", "/oidc/y/callback"] {
        let reply = get(path).await;
        assert!(reply.status == 400 && !reply.text().contains("<script>"), "{path}: {}", reply.text());
    }
    // Its tokens work without its being asked for more than its keys.
    assert_eq!(statuses(&server, &issuer.token(json!({}))).await, [200; 3]);
    // An issuer without addresses for logins is one that cannot be asked.
    issuer.says(issuer::DOCUMENT, issuer::Says::Json(issuer.document()));
    let server = Server::start(&settings(""));
    let reply = Browser::new(&server).send(Method::GET, "/oidc/x/login", &[]).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
}

#[tokio::test]
async fn the_doctor_looks_at_each_issuer() {
    let issuer = Issuer::start().await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let with = |more: &str| format!("{}{more}", issuer.settings("x"));
    for (settings, expected) in [
        (with(""), format!("ok       issuer: x: {}/.well-known/openid-configuration names its keys, for RS256", issuer.address)),
        (with("algorithms = ['ES256']"), "ERROR    issuer: x: it publishes no key for ES256".to_owned()),
        (with("client_id = 'y'"), "ERROR    issuer: x: its document has no addresses for logins".to_owned()),
        (with("ca = '/nowhere'"), "ERROR    issuer: x: auth.issuer x: ca: /nowhere".to_owned()),
        (with("").replace(&issuer.address, &gone), format!("ERROR    issuer: x: {gone}/.well-known/openid-configuration: ")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("offshoot.toml");
        std::fs::write(&file, format!("{settings}\n")).unwrap();
        let doctor = async || {
            let mut command = tokio::process::Command::from(program(env!("CARGO_BIN_EXE_offshoot")));
            let data = folder.path().join("data");
            command.arg("doctor").arg("--config").arg(&file).arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
            String::from_utf8(command.output().await.unwrap().stdout).unwrap()
        };
        let said = doctor().await;
        assert!(said.contains(&expected), "{expected} is not in {said}");
    }
}
