//! The start page, and the answers for programs at the same addresses.

use offshoot::store::policies::Policy;
use reqwest::{Method, header};

use crate::harness::{Client, PASSWORD, Reply, Rock, Server, read};

/// The header `Accept` of Chromium and Firefox for a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn ask(server: &Server, method: Method, path: &str, accept: Option<&str>) -> Reply {
    let request = Rock::nobody(server).request(method, path);
    read(match accept {
        Some(accept) => request.header(header::ACCEPT, accept),
        None => request,
    })
    .await
}

fn text(reply: &Reply, name: header::HeaderName) -> &str {
    reply.headers[name].to_str().unwrap()
}

async fn page(server: &Server, path: &str) -> String {
    let reply = ask(server, Method::GET, path, Some(BROWSER)).await;
    assert_eq!((reply.status.as_u16(), text(&reply, header::CONTENT_TYPE)), (200, "text/html; charset=utf-8"), "{path}");
    reply.text().to_owned()
}

/// Makes the server read its policies now, by a login of an account that it does not know yet.
async fn read_policies(server: &Server) {
    server.account("new", &[]).await;
    Client::login(server, "new", PASSWORD).await;
}

#[tokio::test]
async fn a_browser_is_shown_what_the_server_is() {
    let server = Server::shared();
    let reply = ask(server, Method::GET, "/", Some(BROWSER)).await;
    let policy = reply.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!((text(&reply, header::CACHE_CONTROL), text(&reply, header::VARY)), ("no-store", "Accept"));
    let page = page(server, "/").await;
    for part in [
        "Ready for sessions.".to_owned(),
        concat!("Offshoot ", env!("CARGO_PKG_VERSION"), ", R 4.").to_owned(),
        format!("<code>{}/deployr/r/</code>", server.address),
        format!("<code>{}/r/sessions</code>", server.address),
        format!("{}/r/_eval", server.address),
    ] {
        assert!(page.contains(&part), "no {part} in {page}");
    }
    // The page loads nothing from elsewhere and runs nothing, and only demonstrations show passwords.
    for part in ["<script", "<link", "<img", "url(", "secret", "user:password"] {
        assert!(!page.contains(part), "{part} in {page}");
    }
    assert_eq!(self::page(server, "/_start").await, page);
}

#[tokio::test]
async fn a_program_is_answered_as_ever() {
    let server = Rock::server();
    let expected = ask(server, Method::GET, "/_info", None).await;
    let rockr = "application/json, text/xml, application/xml, */*";
    for accept in
        [None, Some("*/*"), Some(""), Some(rockr), Some("application/json"), Some("application/octet-stream"), Some("text/plain, */*")]
    {
        let reply = ask(server, Method::GET, "/", accept).await;
        assert_eq!((reply.status, text(&reply, header::CONTENT_TYPE)), (expected.status, text(&expected, header::CONTENT_TYPE)));
        assert_eq!(reply.document(), expected.document(), "{accept:?}");
        assert!(!reply.headers.contains_key(header::VARY) && !reply.headers.contains_key(header::CONTENT_SECURITY_POLICY));
    }
    // A request that changes something never gets the page.
    assert_eq!(ask(server, Method::POST, "/", Some(BROWSER)).await.status, 405);
}

#[tokio::test]
async fn head_is_answered_without_the_page() {
    let server = Server::shared();
    let page = page(server, "/").await;
    let reply = ask(server, Method::HEAD, "/", Some(BROWSER)).await;
    assert_eq!((reply.status.as_u16(), text(&reply, header::CONTENT_TYPE)), (200, "text/html; charset=utf-8"));
    assert_eq!(reply.headers[header::CONTENT_LENGTH], page.len().to_string().as_str());
    assert!(reply.body.is_empty());
}

#[tokio::test]
async fn the_context_is_a_place_of_its_own() {
    let server = Server::shared();
    let page = page(server, "/").await;
    for path in ["/deployr", "/deployr/"] {
        assert_eq!(self::page(server, path).await, page);
        let calls = Client::new(server);
        let reply = read(calls.raw(Method::GET, &format!("{}{path}", server.address))).await;
        let response = reply.success();
        assert_eq!((&response["call"], &response["calls"]["/r/user/login"]["value"]), (&"/".into(), &"POST".into()));
        let xml = ask(server, Method::GET, &format!("{path}?format=xml"), None).await;
        assert!(xml.text().contains(r#"<call name="/r/user/login" value="POST"/>"#), "{}", xml.text());
        let wrong = ask(server, Method::DELETE, path, None).await;
        assert_eq!((wrong.status.as_u16(), text(&wrong, header::ALLOW)), (405, "GET, HEAD, POST"));
    }
    assert_eq!(ask(server, Method::GET, "/deployrs", None).await.status, 404);
}

#[tokio::test]
async fn other_contexts_are_named_and_none_is_too() {
    let server = Server::start("[sessions]\npool = 0\n[revodeployr]\ncontext = '/old/name'\nweb_context = 'https://r.example.org'");
    let page = page(&server, "/old/name/").await;
    assert!(page.contains("<code>https://r.example.org/old/name/r/</code>"), "{page}");
    assert_eq!(ask(&server, Method::GET, "/deployr", Some(BROWSER)).await.status, 404);
    let server = Server::start("[sessions]\npool = 0\n[revodeployr]\ncontext = ''\n[rock]\nsecurity = false");
    let page = self::page(&server, "/").await;
    assert!(page.contains("revodeployr.context is empty") && !page.contains("/deployr"), "{page}");
    assert!(page.contains("rock.security is off") && !page.contains("-u NAME"), "{page}");
    assert_eq!(ask(&server, Method::GET, "/deployr", None).await.status, 404);
}

#[tokio::test]
async fn what_others_have_written_is_no_markup() {
    let server = Server::start("[sessions]\npool = 0");
    let store = server.store().await;
    store.policy_put(Policy::ServerName, "<b>R & D</b>").await.unwrap();
    read_policies(&server).await;
    let page = page(&server, "/").await;
    assert!(!page.contains("<b>") && page.contains("R &#38; D"), "{page}");
}

#[tokio::test]
async fn it_is_shown_to_those_who_may_ask() {
    let server = Server::start("[sessions]\npool = 0");
    let store = server.store().await;
    store.policy_put(Policy::AnonymousHttps, "true").await.unwrap();
    read_policies(&server).await;
    let refused = ask(&server, Method::GET, "/", Some(BROWSER)).await;
    assert_eq!((refused.status.as_u16(), refused.text()), (403, "This server takes such requests by HTTPS only.\n"));
    assert_eq!(ask(&server, Method::GET, "/deployr", None).await.status, 403);
}
