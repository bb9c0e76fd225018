//! The page that tells developers how to call a script (guide, chapter 8). It never shows the source.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};

use crate::{
    api::revodeployr::{error::Error, identifiers, request::Incoming},
    app::{
        App, Failure,
        scripts::{Access, Parameter, Script},
    },
};

#[derive(Template)]
#[template(path = "script.html")]
struct Page<'a> {
    server: &'a str,
    script: &'a Script,
    tables: [Table<'a>; 2],
    audience: String,
    endpoint: String,
    example: String,
    identifier: String,
    changed: String,
}

/// A table of inputs or of outputs.
struct Table<'a> {
    title: &'static str,
    parameters: &'a [Parameter],
    /// The text when there are none.
    none: &'static str,
}

/// `/script/summary/SCRPT-...`, for callers who may run the script.
pub(in super::super) async fn page(app: &Arc<App>, incoming: &Incoming) -> Result<Response, Error> {
    let unknown = || Error::not_found("There is no such script, or you may not run it; some need a login.");
    let id = identifiers::parse("SCRPT", incoming.path.rsplit('/').next().unwrap_or_default()).ok_or_else(unknown)?;
    let script = app.script(&id.to_string(), incoming.caller()?).await.map_err(|failure| match failure {
        Failure::Unknown(_) | Failure::Forbidden(_) => unknown(),
        other => other.into(),
    })?;
    let server = app.server_name();
    let endpoint = format!("{}/r/script/execute", incoming.base(app));
    let page = Page {
        server: &server,
        audience: audience(&script.access),
        example: example(&endpoint, &script),
        identifier: identifiers::script(script.id),
        changed: jiff::Timestamp::from_microsecond(script.changed)
            .map(|changed| changed.strftime("%Y-%m-%d %H:%M UTC").to_string())
            .unwrap_or_default(),
        endpoint,
        tables: [
            Table { title: "Inputs", parameters: &script.inputs, none: "It reads no inputs." },
            Table { title: "Outputs", parameters: &script.outputs, none: "It declares none; ask for R objects by their names." },
        ],
        script: &script,
    };
    let mut response = Html(page.render().map_err(|error| Error::internal(&error))?).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn audience(access: &Access) -> String {
    match access {
        Access::Private => "Administrators and script managers.".to_owned(),
        Access::Roles(roles) => format!("Users with one of these roles: {}.", roles.join(", ")),
        Access::Authenticated => "Every user who has logged in.".to_owned(),
        Access::Trusted => "Every user; and without a login, callers from addresses that the server trusts.".to_owned(),
        Access::Anonymous => "Everybody, also without a login.".to_owned(),
    }
}

/// A request that works as it is, with an example for each input.
fn example(endpoint: &str, script: &Script) -> String {
    let base = endpoint.trim_end_matches("/r/script/execute");
    let mut lines = Vec::new();
    if !matches!(script.access, Access::Anonymous | Access::Trusted) {
        lines.push(format!("curl -s -c cookies -d 'format=json' -d 'username=NAME' -d 'password=PASSWORD' {base}/r/user/login"));
    }
    let cookie = if lines.is_empty() { "" } else { " -b cookies" };
    lines.push(format!("curl -s{cookie} {endpoint} \\"));
    lines.push("  -d 'format=json' \\".to_owned());
    lines.push(format!("  --data-urlencode {}", quoted(&format!("rscript={}", script.name))));
    if !script.inputs.is_empty() {
        let value = |input: &Parameter| input.example.clone().unwrap_or_else(|| example_value(&input.kind));
        let inputs: serde_json::Map<_, _> = script.inputs.iter().map(|input| (input.name.clone(), value(input))).collect();
        let inputs = serde_json::Value::from(inputs).to_string().replace("{server}", base);
        continued(&mut lines, &format!("  --data-urlencode {}", quoted(&format!("inputs={inputs}"))));
    }
    if !script.outputs.is_empty() {
        let outputs: Vec<_> = script.outputs.iter().map(|output| output.name.as_str()).collect();
        continued(&mut lines, &format!("  --data-urlencode {}", quoted(&format!("robjects={}", outputs.join(",")))));
    }
    lines.join("\n")
}

fn continued(lines: &mut Vec<String>, line: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(" \\");
    }
    lines.push(line.to_owned());
}

/// The text quoted as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A value of this type in the type model, for an input that has no example of its own.
fn example_value(kind: &str) -> serde_json::Value {
    use serde_json::json;
    match kind.trim().to_ascii_lowercase().as_str() {
        "logical" | "boolean" => json!({"type": "primitive", "value": true}),
        "character" | "string" | "text" => json!({"type": "primitive", "value": "text"}),
        "vector" => json!({"type": "vector", "value": [1, 2, 3]}),
        "date" => json!({"type": "date", "format": "%Y-%m-%d", "value": "2026-01-31"}),
        "factor" => json!({"type": "factor", "value": ["low", "high"], "levels": ["low", "high"]}),
        "matrix" => json!({"type": "matrix", "value": [[1, 2], [3, 4]]}),
        "list" => json!({"type": "list", "value": {"a": {"type": "primitive", "value": 1}}}),
        "dataframe" | "data.frame" => json!({"type": "dataframe", "value": {"a": {"type": "vector", "value": [1, 2, 3]}}}),
        _ => json!({"type": "primitive", "value": 1}),
    }
}
