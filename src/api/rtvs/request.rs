//! A request as the calls see it.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{access::Visitor, broker::Broker, error::Error};
use crate::{
    api::body::{self, Limit},
    server::requests::Notes,
};

/// The largest body that is read into memory, in MiB.
const BODY: u64 = 1;

/// A request whose sender may make it, and whose body has not been read yet.
#[derive(Debug)]
pub struct Incoming {
    /// The sessions, and the core.
    pub broker: Arc<Broker>,
    /// Who sends it; `None` where nobody has asked.
    pub caller: Option<Visitor>,
    /// The identity in the path; empty if there is none.
    pub id: String,
    /// What is noted of the request.
    pub notes: Notes,
    /// The request itself.
    pub request: Request,
}

impl Incoming {
    /// Who sends it.
    ///
    /// # Errors
    /// 401 where that is not known.
    pub fn caller(&self) -> Result<&Visitor, Error> {
        self.caller.as_ref().ok_or(Error::Unauthenticated)
    }

    /// Reads a body of JSON: an object, whose keys are returned in lower case. Without a body, it is empty.
    ///
    /// # Errors
    /// 400, 408, 413, 415.
    pub async fn json(&mut self) -> Result<Map<String, Value>, Error> {
        let kind = self.request.headers().get(header::CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or("?").to_ascii_lowercase());
        let kind = kind.as_deref().map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        let is_json = |kind: &str| ["application/json", "text/json"].contains(&kind) || kind.ends_with("+json");
        if kind.as_deref().is_some_and(|kind| !is_json(kind)) {
            return Err(Error::MediaType);
        }
        let content = std::mem::take(self.request.body_mut());
        let content = body::read(&self.broker.app.settings().http, Limit::Mib(BODY), self.request.headers(), content).await?;
        let content = content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&content).trim_ascii();
        if content.is_empty() {
            return Ok(Map::new());
        }
        // What has no type is taken for what it should be only if there is nothing.
        if kind.is_none() {
            return Err(Error::MediaType);
        }
        let object: Map<String, Value> =
            serde_json::from_slice(content).map_err(|error| Error::invalid(format!("The body has to be an object in JSON: {error}.")))?;
        Ok(object.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect())
    }
}

/// An answer in JSON.
pub fn answer(value: &impl Serialize) -> Response {
    let content = serde_json::to_string(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], content).into_response()
}
