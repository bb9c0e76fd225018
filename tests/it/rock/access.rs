//! Who may make which call: the matrix of the contract, and every route without credentials.

use std::fmt::Write;

use offshoot::api::rock::{
    access::Privilege,
    routes::{ROUTES, Route},
};
use reqwest::{Method, StatusCode, header};

use crate::harness::{Reply, Rock, Server, read, until};

/// A path of the table. Its placeholders name things that do not exist.
fn example(path: &str) -> String {
    let path = path.replace("{id}", "00000000-0000-4000-8000-000000000000");
    path.replace("{command}", "1").replace("{number}", "1").replace("{name}", "absent")
}

/// The matrix of the contract (section 2, target): administrator, manager, user.
const MATRIX: &[(&str, &str, [bool; 3])] = &[
    ("GET", "/", [true, true, true]),
    ("GET", "/_info", [true, true, true]),
    ("GET", "/_check", [true, true, true]),
    ("GET", "/rserver", [true, true, false]),
    ("PUT", "/rserver", [true, true, false]),
    ("DELETE", "/rserver", [true, true, false]),
    ("GET", "/rserver/_log", [true, true, false]),
    ("GET", "/rserver/_version", [true, true, false]),
    ("GET", "/rserver/packages", [true, true, false]),
    ("PUT", "/rserver/packages", [true, true, false]),
    ("POST", "/rserver/packages", [true, true, false]),
    ("DELETE", "/rserver/packages", [true, true, false]),
    ("GET", "/rserver/packages/_datashield", [true, true, false]),
    ("GET", "/rserver/package/{name}", [true, true, false]),
    ("DELETE", "/rserver/package/{name}", [true, true, false]),
    ("GET", "/r/sessions", [true, true, true]),
    ("POST", "/r/sessions", [true, false, true]),
    ("DELETE", "/r/sessions", [true, true, false]),
    ("GET", "/r/session/{id}", [true, true, true]),
    ("DELETE", "/r/session/{id}", [true, true, true]),
    ("POST", "/r/session/{id}/_assign", [true, false, true]),
    ("POST", "/r/session/{id}/_eval", [true, false, true]),
    ("POST", "/r/session/{id}/_upload", [true, false, true]),
    ("GET", "/r/session/{id}/_download", [true, false, true]),
    ("GET", "/r/session/{id}/commands", [true, false, true]),
    ("GET", "/r/session/{id}/command/{command}", [true, false, true]),
    ("DELETE", "/r/session/{id}/command/{command}", [true, false, true]),
    ("GET", "/r/session/{id}/command/{command}/result", [true, false, true]),
    ("POST", "/r/session/{id}/_interrupt", [true, false, true]),
    ("GET", "/r/session/{id}/_console", [true, false, true]),
    ("GET", "/r/session/{id}/_plots", [true, false, true]),
    ("GET", "/r/session/{id}/_plots/{number}", [true, false, true]),
    ("POST", "/r/_eval", [true, false, true]),
];

#[tokio::test]
async fn roles_may_do_what_the_contract_says() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\n[r]\nrepositories = ['file:///nowhere']"));
    let callers = ["administrator", "manager", "user"].map(|name| Rock::on(&server, name));
    assert_eq!(MATRIX.len(), ROUTES.len(), "every route is in the matrix");
    for route in &ROUTES {
        let (_, _, allowed) = MATRIX
            .iter()
            .find(|(method, path, _)| route.method == *method && route.path == *path)
            .unwrap_or_else(|| panic!("{} {}: say in MATRIX who may call it", route.method, route.path));
        for (caller, allowed) in callers.iter().zip(allowed) {
            let reply = read(caller.request(route.method.clone(), &example(route.path))).await;
            let refused = reply.status == StatusCode::FORBIDDEN;
            assert_eq!(!refused, *allowed, "{} {}: {}", route.method, route.path, reply.status);
            assert_ne!(reply.status, StatusCode::UNAUTHORIZED);
            if refused {
                assert_eq!(reply.document()["key"], "AccessDeniedException");
            }
            read(callers[0].request(Method::PUT, "/rserver")).await;
        }
    }
}

#[tokio::test]
async fn accounts_without_a_role_of_this_api_may_do_nothing_here() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    add_without_role(&server, "basic").await;
    let basic = Rock::on(&server, "basic").with_password(crate::harness::PASSWORD);
    for route in ROUTES.iter().filter(|route| route.access != Privilege::Public) {
        let reply = read(basic.request(route.method.clone(), &example(route.path))).await;
        assert_eq!(reply.status, 403, "{} {}", route.method, route.path);
    }
}

/// Adds an account that may not run its own code.
async fn add_without_role(server: &Server, name: &str) {
    use offshoot::store::{Store, accounts::AccountChange};
    crate::hostile::add_user(server, name);
    let store = Store::open(&server.data()).await.unwrap();
    let change = AccountChange { roles: Some(vec!["BASIC_USER".to_owned()]), ..AccountChange::default() };
    store.account_change(name, &change).await.unwrap();
    store.close().await;
}

fn assert_unauthorized(reply: &Reply, message: &str, what: &str) {
    assert_eq!(reply.status, 401, "{what}");
    assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Basic realm=\"RockRealm\"");
    assert_eq!(reply.headers[header::CONTENT_TYPE], "application/json");
    if !reply.body.is_empty() {
        assert_eq!(reply.text(), format!("{{\"status\":\"401\",\"key\":\"UnAuthorized\",\"message\":\"{message}\"}}\n"));
    }
}

#[tokio::test]
async fn every_route_has_been_tried_without_credentials() {
    let nobody = Rock::nobody(Rock::server());
    let mut tried = String::new();
    let methods = |route: &Route| std::iter::once(route.method.clone()).chain((route.method == Method::GET).then_some(Method::HEAD));
    for (method, route) in ROUTES.iter().flat_map(|route| methods(route).map(move |method| (method, route))) {
        let what = format!("{method} {}", route.path);
        let reply = read(nobody.request(method, &example(route.path))).await;
        if route.access == Privilege::Public {
            assert!(reply.status.is_success(), "{what}: {}", reply.status);
        } else {
            assert_unauthorized(&reply, "Full authentication is required to access this resource", &what);
        }
        writeln!(tried, "{what} {}", reply.status.as_u16()).unwrap();
    }
    // The snapshot shows what a new route tells an unknown client; `coverage` checks that no route is missing.
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("rock_without_credentials", tried);
    });
}

#[tokio::test]
async fn wrong_credentials_are_refused_everywhere() {
    let impostor = Rock::by("user").with_password("wrong");
    // Only a few of each kind, because more would have to wait.
    for (method, path) in [(Method::GET, "/"), (Method::GET, "/_check"), (Method::POST, "/r/sessions"), (Method::GET, "/rserver")] {
        let reply = read(impostor.request(method.clone(), path)).await;
        assert_unauthorized(&reply, "Bad credentials", &format!("{method} {path}"));
    }
    let nobody = Rock::nobody(Rock::server());
    for value in ["Basic", "Basic !!", "Basic dXNlcg==", "Bearer ", "\u{fc}"] {
        let reply = read(nobody.request(Method::GET, "/").header(header::AUTHORIZATION, value)).await;
        assert_unauthorized(&reply, "Bad credentials", value);
    }
    let stranger = Rock::by("stranger");
    assert_unauthorized(&stranger.get("/r/sessions").await, "Bad credentials", "stranger");
    assert_eq!(Rock::by("user").get("/r/sessions").await.status, 200);
}

#[tokio::test]
async fn a_remembered_password_is_forgotten_when_the_account_changes() {
    use offshoot::{
        auth::password,
        store::{Store, accounts::AccountChange},
    };
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let user = Rock::on(&server, "user");
    assert_eq!(user.get("/r/sessions").await.status, 200);
    assert_eq!(user.get("/r/sessions").await.status, 200);
    // Another process changes the account, and the server notices it.
    let store = Store::open(&server.data()).await.unwrap();
    let change = AccountChange { password_hash: Some(password::hash("another")), ..AccountChange::default() };
    store.account_change("user", &change).await.unwrap();
    until("the server has heard of it", async || user.get("/r/sessions").await.status == 401).await;
    let user = user.with_password("another");
    assert_eq!(user.get("/r/sessions").await.status, 200);
    let change = AccountChange { enabled: Some(false), ..AccountChange::default() };
    store.account_change("user", &change).await.unwrap();
    until("the server has heard of it", async || user.get("/r/sessions").await.status == 401).await;
    assert_eq!(user.get("/").await.document()["message"], "User is disabled");
    store.close().await;
}

#[tokio::test]
async fn every_path_takes_its_own_methods_only() {
    let administrator = Rock::by("administrator");
    let mut paths: Vec<_> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    for path in paths {
        for method in [Method::PATCH, Method::OPTIONS, Method::TRACE] {
            let reply = read(administrator.request(method.clone(), &example(path))).await;
            assert_eq!(
                (reply.status.as_u16(), &reply.document()["key"]),
                (405, &"HttpRequestMethodNotSupportedException".into()),
                "{path}"
            );
            for route in ROUTES.iter().filter(|route| route.path == path) {
                assert!(reply.headers[header::ALLOW].to_str().unwrap().contains(route.method.as_str()), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn checks_come_in_their_order() {
    let (administrator, other, manager) = (Rock::by("administrator"), Rock::by("other"), Rock::by("manager"));
    let session = Rock::by("user").open().await;
    let foreign = session.by(&other);
    // The role is checked before the session and the body.
    assert_eq!(manager.script(&format!("{}/_eval", session.path), "").await.status, 403);
    assert_eq!(manager.script("/r/session/absent/_eval", "1").await.status, 403);
    // The body and the parameters are checked before the session.
    assert_eq!(administrator.script("/r/session/absent/_eval", "").await.status, 400);
    assert_eq!(administrator.script("/r/session/absent/_eval?async=perhaps", "1").await.status, 400);
    assert_eq!(read(administrator.request(Method::POST, "/r/session/absent/_assign?s=x").body("1")).await.status, 415);
    // Whether the session exists is checked before its owner.
    assert_eq!(other.script("/r/session/absent/_eval", "1").await.status, 404);
    for reply in [foreign.eval("1").await, foreign.get("").await, foreign.delete("").await, foreign.get("/commands").await] {
        assert_eq!(reply.status, 403);
        assert_eq!(reply.document()["message"], "R session is not owned by authenticated user");
    }
    // An administrator may do everything; a manager may see and close sessions.
    assert_eq!(session.by(&administrator).value("1").await, 1);
    assert_eq!(session.by(&manager).get("").await.status, 200);
    assert_eq!(session.by(&manager).delete("").await.status, 204);
    assert_eq!(session.get("").await.status, 404);
}

#[tokio::test]
async fn ip_filters_and_https_are_asked_for_here_as_well() {
    use offshoot::store::{Store, filters::IpFilter, policies::Policy};
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\n"));
    let client = Rock::on(&server, "user");
    let anybody = Rock::nobody(&server);
    let status = async |client: &Rock| client.get("/_info").await.status.as_u16();
    assert_eq!((status(&client).await, status(&anybody).await), (200, 200));
    let store = Store::open(&server.data()).await.unwrap();
    store.filter_put(&IpFilter { name: "elsewhere".into(), address: "192.0.2.0/24".into() }).await.unwrap();
    for (policy, value, expected) in [
        (Policy::AuthenticatedIpFilter, "elsewhere", (403, 200)),
        (Policy::AnonymousIpFilter, "elsewhere", (200, 403)),
        (Policy::AuthenticatedHttps, "true", (403, 200)),
        (Policy::AnonymousHttps, "true", (200, 403)),
    ] {
        store.policy_put(policy, value).await.unwrap();
        until("the policy holds", async || (status(&client).await, status(&anybody).await) == expected).await;
        store.policy_remove(policy).await.unwrap();
        until("it is gone", async || (status(&client).await, status(&anybody).await) == (200, 200)).await;
    }
}
