//! `/login`: tokens for a name and a password, the next ones, and their end (contract, Authentication).

use axum::{http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};

use crate::{
    api::mlserver::{answer, error::Error, request::Incoming},
    auth::{
        Offered,
        tokens::{Given, Signature},
    },
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
pub async fn login(incoming: &mut Incoming) -> Result<Response, Error> {
    let LoginRequest { username, password } = incoming.read_json(r#"{"username": "...", "password": "..."}"#).await?;
    let account = incoming.app.accounts().check(&username, Offered::password(&password), incoming.address).await?;
    incoming.notes.user(&account.name);
    Ok(tokens(incoming.app.tokens().give(&account, SIGNATURE).await?))
}

/// `POST /login/refreshToken`
pub async fn refresh(incoming: &mut Incoming) -> Result<Response, Error> {
    let RenewTokenRequest { refresh_token } = incoming.read_json(r#"{"refreshToken": "..."}"#).await?;
    let given = incoming.app.tokens().refresh(&refresh_token, SIGNATURE).await?;
    incoming.notes.user(&given.account);
    Ok(tokens(given))
}

/// `DELETE /login/refreshToken?refreshToken=...`
pub async fn revoke(incoming: &mut Incoming) -> Result<Response, Error> {
    let refresh_token = incoming.query.get("refreshToken")?.ok_or_else(|| Error::invalid("The query has no parameter refreshToken."))?;
    incoming.app.tokens().revoke(refresh_token).await?;
    Ok(answer::empty(StatusCode::OK))
}

fn tokens(given: Given) -> Response {
    let body = AccessTokenResponse {
        token_type: "Bearer",
        access_token: given.access_token,
        expires_in: given.access_seconds,
        expires_on: given.access_expires,
        refresh_token: given.refresh_token,
    };
    answer::json(StatusCode::OK, &body)
}
