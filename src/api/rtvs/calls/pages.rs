//! Pages of web servers that R has started, such as its help and Shiny, fetched for a client on another machine (contract a.6).
//!
//! The target has to be a web server on this machine that belongs to a session of the caller's. Nothing that says who calls is passed on.

use std::{net::SocketAddr, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::Response,
};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional, net::TcpStream, time::timeout};

use crate::{
    api::rtvs::{
        access::{has_credentials, identify},
        error::Error,
        pages::local_port,
        request::Incoming,
    },
    auth::origin::{FORWARDED_PROTO, client_address},
    server::{
        upgrade::Upgradable,
        websocket::{is_wanted, words},
    },
    with_sources,
};

/// The header with the address of the page.
pub const TARGET: HeaderName = HeaderName::from_static("rtvs-requested-url");
/// The beginning of the headers between a client and the broker.
const OURS: &str = "rtvs-";
/// Headers that belong to one connection (RFC 9110, section 7.6.1).
const OF_CONNECTION: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// How long R may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Any method at /remoteuri
pub async fn fetch(incoming: Incoming) -> Result<Response, Error> {
    let Incoming { broker, notes, mut request, .. } = incoming;
    let headers = request.headers();
    let caller = if has_credentials(headers) {
        let caller = identify(&broker.app, headers, request.extensions()).await?;
        notes.user(caller.principal.name());
        Some(caller)
    } else if broker.app.settings().rtvs.pages_by_address {
        None
    } else {
        return Err(Error::Unauthenticated);
    };
    let target = headers.get(&TARGET).and_then(|target| target.to_str().ok()).unwrap_or_default();
    let (Some(port), Ok(uri)) = (local_port(target), target.parse::<Uri>()) else {
        return Err(Error::invalid("RTVS-Requested-URL has to be the address of a page on this machine, such as http://127.0.0.1:8080/."));
    };
    let sessions = broker.with_pages(caller.as_ref(), client_address(request.extensions()), port);
    let Some(server) = broker.app.session_web_server(sessions, port).await else {
        return Err(Error::Other(StatusCode::NOT_FOUND, "No R session of yours has a web server at this address.".to_owned()));
    };
    let tunnel = if is_wanted(headers) { Upgradable::of(&mut request) } else { None };
    pass_on(request, &uri, server, tunnel).await.map_err(|error| {
        tracing::debug!(error = with_sources(&*error), port, "a page of R's cannot be fetched");
        Error::Other(StatusCode::BAD_GATEWAY, "The web server of R does not answer.".to_owned())
    })
}

/// Sends a request to a web server of R's, and returns its answer. If both sides agree on it, the connection becomes a tunnel.
async fn pass_on(
    request: Request,
    uri: &Uri,
    server: SocketAddr,
    tunnel: Option<Upgradable>,
) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let stream = timeout(PATIENCE, TcpStream::connect(server)).await??;
    let (mut sender, connection) = handshake::<_, Body>(TokioIo::new(stream)).await?;
    // It ends with the answer, or becomes a tunnel.
    tokio::spawn(connection.with_upgrades());
    let (head, body) = request.into_parts();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut passed = Request::builder().method(head.method).uri(path).body(body)?;
    *passed.headers_mut() = without_ours(&head.headers);
    let headers = passed.headers_mut();
    headers.remove(header::AUTHORIZATION);
    headers.remove(FORWARDED_PROTO);
    if let Some(authority) = uri.authority() {
        headers.insert(header::HOST, HeaderValue::from_str(authority.as_str())?);
    }
    if tunnel.is_some() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let mut protocols: Vec<_> = words(&head.headers, &header::SEC_WEBSOCKET_PROTOCOL).collect();
        protocols.dedup();
        if !protocols.is_empty() {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(&protocols.join(", "))?);
        }
    }
    let mut answer = sender.send_request(passed).await?;
    let agreed = hyper::upgrade::on(&mut answer);
    let (head, body) = answer.into_parts();
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = head.status;
    *response.headers_mut() = without_ours(&head.headers);
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let tunnel = tunnel.ok_or("the web server of R changes the protocol, and nobody has asked for that")?;
        for name in [header::CONNECTION, header::UPGRADE] {
            if let Some(value) = head.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        *response.body_mut() = Body::empty();
        tunnel.then(move |mut client, stopping| async move {
            let Ok(server) = agreed.await else { return };
            let mut server = TokioIo::new(server);
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                () = stopping.cancelled() => {}
            }
        });
    }
    Ok(response)
}

/// Headers without those of the connection, and those that only the broker and its client are to see.
fn without_ours(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<_> = words(headers, &header::CONNECTION).map(str::to_ascii_lowercase).collect();
    let is_ours = |name: &HeaderName| {
        let name = name.as_str();
        OF_CONNECTION.contains(&name) || name.starts_with(OURS) || named.iter().any(|named| named == name)
    };
    headers.iter().filter(|(name, _)| !is_ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_and_of_the_broker_are_not_passed_on() {
        let headers: HeaderMap = [
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("rtvs-requested-url", "http://127.0.0.1:1/"),
            ("te", "trailers"),
            ("cookie", "a=b"),
            ("cookie", "c=d"),
            ("accept", "*/*"),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        let left: Vec<_> = without_ours(&headers).into_iter().map(|(_, value)| value).collect();
        assert_eq!(left, ["a=b", "c=d", "*/*"]);
    }
}
