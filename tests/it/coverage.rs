//! Every route has a golden exchange that succeeds, for each of its methods and in each of its formats, and a request without credentials.
//! The lists of routes without them are empty, and have to stay so.

use std::{fs, path::Path};

use offshoot::api::{mlserver, revodeployr, rock, rtvs};

/// Methods and paths of a dialect's table. HEAD is not listed: it belongs to GET, and has the same answer without the content.
fn routes_of_revodeployr() -> Vec<(&'static str, &'static str)> {
    use revodeployr::{call::Methods, routes::ROUTES};
    let methods = |methods| match methods {
        Methods::Read => ["GET", "POST"].as_slice(),
        Methods::Change => &["POST"],
        Methods::File => &["GET"],
    };
    ROUTES.iter().flat_map(|route| methods(route.call.methods).iter().map(|method| (*method, route.call.path))).collect()
}

fn routes_of_rock() -> Vec<(&'static str, &'static str)> {
    rock::routes::ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect()
}

fn routes_of_mlserver() -> Vec<(&'static str, &'static str)> {
    mlserver::routes::ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect()
}

fn routes_of_rtvs() -> Vec<(&'static str, &'static str)> {
    rtvs::routes::ROUTES.iter().map(|route| (route.method.as_str(), route.path)).collect()
}

/// The snapshots of a dialect, without the lines that insta adds.
fn snapshots(dialect: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(dialect).join("snapshots");
    let files =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|is| is == "snap"));
    files.map(|file| fs::read_to_string(file).unwrap().splitn(3, "---\n").nth(2).unwrap().to_owned()).collect()
}

/// Whether a path belongs to a route.
fn is_of(path: &str, route: &str) -> bool {
    let (path, route): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
    path.len() == route.len() && path.iter().zip(route).all(|(part, of_route)| of_route.starts_with('{') || *part == of_route)
}

/// An exchange of a golden file.
struct Exchange<'a> {
    method: &'a str,
    path: &'a str,
    /// The format, which is the first parameter of a request if the dialect has several.
    format: Option<&'a str>,
    succeeds: bool,
}

impl<'a> Exchange<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut lines = text.lines();
        let (method, path) = lines.next()?.split_once(' ')?;
        let path = path.split('?').next()?;
        let succeeds = lines
            .clone()
            .any(|line| matches!(line, "101 Switching Protocols" | "200 OK" | "201 Created" | "202 Accepted" | "204 No Content"));
        Some(Self { method, path, format: lines.next().and_then(|line| line.strip_prefix("format=")), succeeds })
    }
}

/// The routes without a golden exchange in one of these formats.
fn without_golden_exchange(dialect: &str, routes: &[(&str, &str)], formats: &[Option<&str>]) -> Vec<String> {
    let snapshots = snapshots(dialect);
    let exchanges: Vec<_> = snapshots.iter().flat_map(|text| text.split("--------\n")).filter_map(Exchange::parse).collect();
    let has_one = |method, route, format: Option<&str>| {
        exchanges.iter().any(|is| is.succeeds && is.method == method && is_of(is.path, route) && (format.is_none() || format == is.format))
    };
    let wanted = routes.iter().flat_map(|&(method, route)| formats.iter().map(move |&format| (method, route, format)));
    let missing = wanted.filter(|&(method, route, format)| !has_one(method, route, format));
    missing.map(|(method, route, format)| format!("{method} {route} {}", format.unwrap_or_default())).collect()
}

#[test]
fn no_route_is_without_a_golden_exchange() {
    let none: [String; 0] = [];
    assert_eq!(without_golden_exchange("revodeployr", &routes_of_revodeployr(), &[Some("json"), Some("xml")]), none);
    assert_eq!(without_golden_exchange("rock", &routes_of_rock(), &[None]), none);
    assert_eq!(without_golden_exchange("mlserver", &routes_of_mlserver(), &[None]), none);
    assert_eq!(without_golden_exchange("rtvs", &routes_of_rtvs(), &[None]), none);
    // The search finds missing exchanges.
    assert_eq!(without_golden_exchange("rock", &[("PUT", "/"), ("GET", "/r/session/{id}/nothing")], &[None]).len(), 2);
    assert_eq!(without_golden_exchange("revodeployr", &[("GET", "/r/user/whoami")], &[Some("json"), Some("yaml")]).len(), 1);
}

/// The routes without a request that has no credentials. A dialect has a snapshot of all such requests.
fn without_try(dialect: &str, snapshot: &str, routes: &[(&str, &str)]) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(dialect).join("snapshots").join(snapshot);
    let tried = fs::read_to_string(file).unwrap();
    let heads = routes.iter().filter(|(method, _)| *method == "GET").map(|(_, path)| ("HEAD", *path));
    let routes = routes.iter().copied().chain(heads).map(|(method, path)| format!("{method} {path}"));
    routes.filter(|route| !tried.lines().any(|line| line.strip_prefix(route).is_some_and(|status| status.starts_with(' ')))).collect()
}

#[test]
fn no_route_is_without_a_try_without_credentials() {
    let none: [String; 0] = [];
    assert_eq!(without_try("revodeployr", "without_login.snap", &routes_of_revodeployr()), none);
    assert_eq!(without_try("rock", "rock_without_credentials.snap", &routes_of_rock()), none);
    assert_eq!(without_try("mlserver", "mlserver_without_credentials.snap", &routes_of_mlserver()), none);
    assert_eq!(without_try("rtvs", "rtvs_without_credentials.snap", &routes_of_rtvs()), none);
    assert_eq!(without_try("rock", "rock_without_credentials.snap", &[("PUT", "/r/session/{id}")]), ["PUT /r/session/{id}"]);
}
