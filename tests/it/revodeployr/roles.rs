//! Which role may make which calls.

use offshoot::{
    api::revodeployr::{
        call::{Methods, Requirement},
        routes::ROUTES,
    },
    auth::Permission,
};
use reqwest::Method;

use crate::harness::{Client, PASSWORD, Server, read, until};

/// The calls that bring the caller's own code into R: according to the contract (section 7), and because R data can contain code.
const CODE: [&str; 3] = ["/r/session/execute/code", "/r/session/object/upload", "/r/repository/object/upload"];

#[tokio::test]
async fn each_role_may_make_its_calls_and_no_others() {
    let server = Server::start("[sessions]\npool = 1");
    let store = server.store().await;
    let listed = ["/r/user/whoami".to_owned(), "/r/script/list".to_owned()];
    store.role_put("lister", None, Some(&listed)).await.unwrap();
    store.role_put("label", None, None).await.unwrap();
    let everything: fn(&str) -> bool = |_| true;
    let no_code: fn(&str) -> bool = |path| !CODE.contains(&path);
    let only_listed: fn(&str) -> bool = |path| path == "/r/user/whoami";
    let rows = [
        ("power", "POWER_USER", everything),
        ("basic", "BASIC_USER", no_code),
        ("none", "", no_code),
        ("administrator", "ADMINISTRATOR", no_code),
        ("scripts", "SCRIPT_MANAGER", no_code),
        ("packages", "PACKAGE_MANAGER", no_code),
        ("label", "label", no_code),
        ("lister", "lister", only_listed),
    ];
    for (name, role, allowed) in rows {
        let roles: Vec<_> = [role].into_iter().filter(|role| !role.is_empty()).collect();
        server.account(name, &roles).await;
        let client = Client::login(&server, name, PASSWORD).await;
        for route in ROUTES.iter().filter(|route| route.call.path != "/r/user/logout") {
            let Requirement::Login(needs) = route.call.access else { continue };
            assert_eq!(needs == Permission::Code, CODE.contains(&route.call.path), "{}", route.call.path);
            let method = if route.call.methods == Methods::Change { Method::POST } else { Method::GET };
            let status = read(client.request(method, route.call.path)).await.status;
            assert_eq!(status != 403, allowed(route.call.path), "{name} {}: {status}", route.call.path);
            assert_ne!(status, 401);
        }
    }
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_missed_within_a_moment() {
    let server = Server::start("[sessions]\npool = 1");
    server.account("fallen", &["POWER_USER"]).await;
    let client = Client::login(&server, "fallen", PASSWORD).await;
    let session = client.session().await;
    session.run("1").await;
    let store = server.store().await;
    let change = |roles: Option<&str>, enabled| offshoot::store::accounts::AccountChange {
        roles: roles.map(|role| vec![role.to_owned()]),
        enabled,
        ..Default::default()
    };
    store.account_change("fallen", &change(Some("BASIC_USER"), None)).await.unwrap();
    until("the role is missed", async || session.execute("1", &[]).await.status == 403).await;
    session.get("ping", &[]).await.success();
    // The account is disabled, too.
    store.account_change("fallen", &change(None, Some(false))).await.unwrap();
    until("the account is", async || session.get("ping", &[]).await.status == 401).await;
}

/// R data can contain functions that replace those that a script calls.
#[tokio::test]
async fn a_role_without_code_cannot_bring_it_as_a_file() {
    let server = Server::start("[sessions]\npool = 1");
    server.script("means", "mean(1:3)", "authenticated").await;
    server.account("basic", &["BASIC_USER"]).await;
    let coder = Client::admin(&server).await.session().await;
    coder.run("mean <- function(...) system('true'); save(mean, file = 'm.rData')").await;
    let data = coder.get("file/download", &[("name", "m.rData")]).await.body;
    let basic = Client::login(&server, "basic", PASSWORD).await;
    let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::bytes(data).file_name("m.rData"));
    let sent = read(basic.request(Method::POST, "/r/repository/file/upload").multipart(form)).await.success();
    let id = sent["files"]["m.rData"]["value"].as_str().unwrap();
    for id in [id.to_owned(), id.replace("CFILE", "CBNRY")] {
        let reply = basic.post("/r/script/execute", &[("rscript", "means"), ("preload", &id)]).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (400, Some("The file \"m.rData\" is not an R object.")));
        assert_eq!(basic.session().await.post("object/load", &[("id", &id)]).await.status, 400);
    }
    basic.post("/r/script/execute", &[("rscript", "means")]).await.success();
}
