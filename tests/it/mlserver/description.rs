//! docs/r-server.openapi.json describes what the server does.

use std::collections::BTreeSet;

use offshoot::api::mlserver::routes::ROUTES;
use serde_json::Value;

use super::clients::{Exchange, check};

const GOLDEN: [&str; 4] = [
    include_str!("snapshots/mlserver_login.snap"),
    include_str!("snapshots/mlserver_sessions.snap"),
    include_str!("snapshots/mlserver_services.snap"),
    include_str!("snapshots/mlserver_batches.snap"),
];

fn description() -> Value {
    serde_json::from_str(include_str!("../../../docs/r-server.openapi.json")).unwrap()
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let description = description();
    let methods = |path: &Value| -> Vec<String> { path.as_object().unwrap().keys().filter(|key| *key != "parameters").cloned().collect() };
    let paths = description["paths"].as_object().unwrap().iter();
    let described: BTreeSet<_> =
        paths.flat_map(|(path, at)| methods(at).into_iter().map(move |method| format!("{} {path}", method.to_uppercase()))).collect();
    let routes: BTreeSet<_> = ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(described, routes);
}

#[test]
fn the_description_is_valid_and_golden_exchanges_are_as_it_says() {
    let exchanges: Vec<Exchange> = GOLDEN.iter().flat_map(|golden| exchanges(golden)).collect();
    assert!(exchanges.len() > 50 && exchanges.iter().filter(|exchange| exchange.answer.is_some()).count() > 30, "{exchanges:#?}");
    check(&description(), &exchanges);
}

/// The exchanges of a snapshot.
fn exchanges(golden: &str) -> Vec<Exchange> {
    // What the snapshot has for numbers that differ each time.
    let golden = golden.replace(":[seconds since 1970]", ":0").replace(":[bytes]", ":0").replace("[time]", "2026-01-01T00:00:00.000000");
    let (_, golden) = golden.trim_start_matches("---\n").split_once("---\n").unwrap();
    golden.split("--------").filter(|exchange| !exchange.trim().is_empty()).map(|told| exchange(told.trim())).collect()
}

fn exchange(told: &str) -> Exchange {
    let lines: Vec<&str> = told.lines().collect();
    let is_status = |line: &&str| line.len() > 3 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit) && line.as_bytes()[3] == b' ';
    let answer_at = lines.iter().position(is_status).expect(told);
    let (request, answer) = lines.split_at(answer_at);
    let (method, path) = request[0].split_once(' ').unwrap();
    let blank = answer.iter().position(|line| line.is_empty()).unwrap_or(answer.len());
    let content_type = answer[..blank].iter().find_map(|line| line.strip_prefix("content-type: ")?.split(';').next());
    let body = answer[blank..].concat();
    Exchange {
        method: method.to_owned(),
        path: route(path).to_owned(),
        request: serde_json::from_str(&request[1..].concat()).ok(),
        status: answer[0][..3].parse().unwrap(),
        content_type: content_type.map(str::to_owned),
        answer: (content_type == Some("application/json")).then(|| serde_json::from_str(&body).expect(&body)),
    }
}

/// The path of the route that a path has.
fn route(path: &str) -> &'static str {
    let segments: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    let fits = |route: &str| {
        let wanted: Vec<&str> = route.split('/').collect();
        wanted.len() == segments.len() && wanted.iter().zip(&segments).all(|(wanted, segment)| wanted.starts_with('{') || wanted == segment)
    };
    ROUTES.iter().find(|route| fits(route.path)).expect(path).path
}
