//! The calls, as a table. A row has a path, a method, and the function that carries it out.

use std::{fmt, sync::Arc};

use axum::{
    extract::Request,
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::future::BoxFuture;

use super::{calls::login, error::Error};
use crate::{
    app::App,
    auth::origin::{check_origin, client_address, is_https},
    server::requests::Notes,
};

/// Carries out a call.
pub type Handler = fn(Arc<App>, Request) -> BoxFuture<'static, Result<Response, Error>>;

/// One call.
#[derive(Clone)]
pub struct Route {
    /// Its path, in axum's notation.
    pub path: &'static str,
    /// Its method.
    pub method: Method,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)
    }
}

/// A function of [`super::calls`] as a [`Handler`].
macro_rules! handler {
    ($function:path) => {
        |app, request| Box::pin($function(app, request))
    };
}

const fn post(path: &'static str, handler: Handler) -> Route {
    Route { path, method: Method::POST, handler }
}

const fn delete(path: &'static str, handler: Handler) -> Route {
    Route { path, method: Method::DELETE, handler }
}

/// All calls. Those with the same path stand together.
pub static ROUTES: [Route; 6] = [
    post("/login", handler!(login::login)),
    post("/login/refreshToken", handler!(login::refresh)),
    delete("/login/refreshToken", handler!(login::revoke)),
    post("/user/login", handler!(login::login)),
    post("/user/login/refreshToken", handler!(login::refresh)),
    delete("/user/login/refreshToken", handler!(login::revoke)),
];

/// Answers a request for `path`, whose calls are in the table.
pub async fn dispatch(app: Arc<App>, path: &'static str, request: Request) -> Response {
    carry_out(app, path, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn carry_out(app: Arc<App>, path: &'static str, request: Request) -> Result<Response, Error> {
    Notes::of(&request).call("mlserver", path);
    let address = client_address(request.extensions());
    check_origin(&app.rules().now(), address, is_https(request.headers()), true).map_err(|error| Error::forbidden(error.to_string()))?;
    let of_path = || ROUTES.iter().filter(|route| route.path == path);
    let Some(route) = of_path().find(|route| route.method == request.method()) else {
        let deletes = of_path().any(|route| route.method == Method::DELETE);
        return Err(Error::wrong_method(if deletes { "POST, DELETE" } else { "POST" }));
    };
    (route.handler)(app, request).await
}
