//! How this dialect introduces itself: on the start page, and to a program that requests its context.

use axum::{extract::Request, http::HeaderMap, response::Response};

use super::{
    call::Methods,
    envelope::{Answer, Entry, Group},
    error::Error,
    identifiers, request,
    routes::ROUTES,
};
use crate::{
    api::{
        address,
        introduction::{BaseAddress, Introduction},
    },
    app::App,
    auth::origin::{check_origin, client_address, is_https},
    server::requests::Notes,
};

/// The API as this server offers it. On a demonstration server the example works unchanged, because its passwords are known.
#[must_use]
pub fn introduce(app: &App, headers: &HeaderMap, is_demonstration: bool) -> Introduction {
    let base = identifiers::base(&app.settings().revodeployr, app.web_context().as_deref(), headers);
    let login = if is_demonstration { "-d username=testuser -d password=secret" } else { "-d username=NAME -d password=PASSWORD" };
    let mut places = vec![BaseAddress { address: format!("{}/r/", address(headers)), what: "the same, at the root" }];
    let has_context = !app.settings().revodeployr.context.is_empty();
    if has_context {
        places.insert(0, BaseAddress { address: format!("{base}/r/"), what: "all calls" });
    } else {
        places[0].what = "all calls";
    }
    Introduction {
        name: "RevoDeployR 1.x",
        about: "R sessions, scripts that are called by their name, and a repository, for clients of the R Web Services API; in JSON or XML.",
        places,
        note: (!has_context).then_some("It has no address of its own beside the root: revodeployr.context is empty."),
        example: format!(
            "API={base}/r\n\
             curl -s -c cookies {login} $API/user/login\n\
             SESSION=$(curl -s -b cookies -X POST $API/session/create | grep -o 'LIVE-[0-9a-f-]*')\n\
             curl -s -b cookies -d session=$SESSION \\\n  --data-urlencode 'code=print(summary(cars$speed))' $API/session/execute/code"
        ),
    }
}

/// Whether a request is for the context itself, which is not a call.
#[must_use]
pub fn is_context(app: &App, path: &str) -> bool {
    let context = &app.settings().revodeployr.context;
    !context.is_empty() && path.strip_suffix('/').unwrap_or(path) == context
}

/// Lists the calls and their methods, in an ordinary answer.
pub async fn calls(app: &App, request: Request) -> Response {
    const METHODS: Methods = Methods::Read;
    Notes::of(&request).call("revodeployr", "/");
    let (request, body) = request.into_parts();
    let format = request::format_of(app, &request, body).await;
    let refused = check_origin(&app.rules().now(), client_address(&request.extensions), is_https(&request.headers), false).err();
    if let Some(refused) = refused {
        return Error::forbidden(refused.to_string()).answer("/", format);
    }
    if !METHODS.allows(&request.method) {
        return Error::wrong_method(METHODS.allow()).answer("/", format);
    }
    let entries = ROUTES.iter().map(|route| Entry::new(route.call.path, route.call.methods.allow())).collect();
    let calls = Group { json: "calls", xml: ("calls", "call"), entries };
    Answer { groups: vec![calls], ..Answer::default() }.render("/", format)
}
