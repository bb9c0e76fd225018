//! `/login`: tokens for a name and a password, the next ones, and their end (contract, Authentication).

use std::sync::Arc;

use axum::{
    Json,
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    api::{
        body::{self, Limit},
        form::Form,
        mlserver::error::Error,
    },
    app::App,
    auth::{
        Offered,
        origin::client_address,
        tokens::{Given, Signature},
    },
    server::requests::Notes,
};

/// Clients of R Server have seen tokens with this signature.
const SIGNATURE: Signature = Signature::Rs512;

#[derive(Deserialize)]
struct LoginRequest {
    username: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenewTokenRequest {
    refresh_token: String,
}

#[derive(Serialize)]
struct AccessTokenResponse {
    token_type: &'static str,
    access_token: String,
    expires_in: u64,
    expires_on: i64,
    refresh_token: String,
}

/// `POST /login`
pub(in super::super) async fn login(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let (notes, address) = (Notes::of(&request), client_address(request.extensions()));
    let LoginRequest { username, password } = read(&app, request, r#"{"username": "...", "password": "..."}"#).await?;
    let account = app.accounts().check(&username, Offered::password(&password), address).await?;
    notes.user(&account.name);
    Ok(answer(app.tokens().give(&account, SIGNATURE).await?))
}

/// `POST /login/refreshToken`
pub(in super::super) async fn refresh(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let notes = Notes::of(&request);
    let RenewTokenRequest { refresh_token } = read(&app, request, r#"{"refreshToken": "..."}"#).await?;
    let given = app.tokens().refresh(&refresh_token, SIGNATURE).await?;
    notes.user(&given.account);
    Ok(answer(given))
}

/// `DELETE /login/refreshToken?refreshToken=...`
pub(in super::super) async fn revoke(app: Arc<App>, request: Request) -> Result<Response, Error> {
    let mut query = Form::new(app.settings().http.form_fields);
    query.add(request.uri().query().unwrap_or_default().as_bytes())?;
    let refresh_token = query.get("refreshToken")?.ok_or_else(|| Error::invalid("The query has no parameter refreshToken."))?;
    app.tokens().revoke(refresh_token).await?;
    Ok(StatusCode::OK.into_response())
}

/// Reads a body of JSON, of whose members only those that are known count.
async fn read<T: DeserializeOwned>(app: &App, request: Request, form: &str) -> Result<T, Error> {
    let http = &app.settings().http;
    let (head, body) = request.into_parts();
    let body = body::read(http, Limit::AnonymousKib(http.anonymous_form_kib), &head.headers, body).await?;
    serde_json::from_slice(&body).map_err(|error| Error::invalid(format!("The body has to be {form}: {error}.")))
}

fn answer(given: Given) -> Response {
    let body = AccessTokenResponse {
        token_type: "Bearer",
        access_token: given.access_token,
        expires_in: given.access_seconds,
        expires_on: given.access_expires,
        refresh_token: given.refresh_token,
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
