//! Every route of the table, without a login, and with every method.

use std::fmt::Write;

use offshoot::api::revodeployr::{
    call::{Methods, Requirement},
    routes::ROUTES,
};
use reqwest::Method;

use crate::harness::{Client, Server, read};

/// A path of the table with its placeholders filled in.
fn example(path: &str) -> String {
    path.replace("{id}", "FILE-00000000-0000-4000-8000-000000000000").replace("{name}", "plot.png")
}

/// The status of every open route for an unknown client that sends nothing. The test fails for a route that needs no login and is not here,
/// so that somebody decides what the route may reveal.
const OPEN: &[(&str, u16)] = &[
    ("/r/user/login", 400),
    ("/r/file/get/{id}/{name}", 404),
    ("/r/repository/get/binary/{id}", 404),
    ("/r/repositoryget/binary/{id}", 404),
    ("/r/script/list", 200),
    // The script is missing. Scripts that are not for everybody are refused; see `roles`.
    ("/r/script/execute", 400),
    ("/r/execute/script", 400),
    ("/r/session/execute/script", 400),
    ("/script/summary/{id}", 404),
];

/// The methods of a route, and the header `Allow` for them.
fn allowed(methods: Methods) -> (&'static [Method], &'static str) {
    match methods {
        Methods::Read => (&[Method::GET, Method::HEAD, Method::POST], "GET, HEAD, POST"),
        Methods::Change => (&[Method::POST], "POST"),
        Methods::File => (&[Method::GET, Method::HEAD], "GET, HEAD"),
    }
}

#[tokio::test]
async fn every_route_has_been_tried_without_a_login() {
    let client = Client::new(Server::shared());
    let mut tried = String::new();
    for (method, route) in ROUTES.iter().flat_map(|route| allowed(route.call.methods).0.iter().map(move |method| (method, route))) {
        let expected = match route.call.access {
            Requirement::Login(_) => 401,
            Requirement::Open | Requirement::Entrance => {
                OPEN.iter()
                    .find(|(path, _)| *path == route.call.path)
                    .unwrap_or_else(|| panic!("{} is open: say so in OPEN", route.call.path))
                    .1
            }
        };
        for cookie in [None, Some("00000000000000000000000000000000"), Some("' OR 1=1")] {
            let client = cookie.map_or_else(|| client.clone(), |cookie| client.with_cookie(cookie));
            for format in ["json", "xml"] {
                let reply = read(client.request(method.clone(), &format!("{}?format={format}", example(route.call.path)))).await;
                assert_eq!(reply.status, expected, "{method} {} {format}", route.call.path);
                let expected_type = format!("application/{format}; charset=utf-8");
                assert_eq!(reply.headers["content-type"], expected_type.as_str());
            }
        }
        writeln!(tried, "{method} {} {expected}", route.call.path).unwrap();
    }
    // The snapshot shows what a new route tells an unknown client; `coverage` checks that no route is missing.
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("without_login", tried);
    });
}

#[tokio::test]
async fn every_route_takes_its_own_methods_only() {
    let client = Client::admin(Server::shared()).await;
    for route in &ROUTES {
        let (allowed, header) = allowed(route.call.methods);
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            if route.call.path == "/r/user/logout" && method == Method::POST {
                continue; // It works, and would end the login that this test uses.
            }
            let reply = read(client.request(method.clone(), &example(route.call.path))).await;
            if allowed.contains(&method) {
                assert_ne!(reply.status, 405, "{method} {}", route.call.path);
            } else {
                assert_eq!(reply.status, 405, "{method} {}", route.call.path);
                assert_eq!(reply.headers["allow"], header);
            }
        }
    }
}
