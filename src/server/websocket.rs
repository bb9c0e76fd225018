//! WebSockets (RFC 6455): the handshake, and messages both ways until one side ends.
//!
//! The handshake is looser than the standard where that is harmless: clients of .NET write some headers twice into one. Browsers name the
//! page that connects, which [`crate::auth::Gate`] has checked before.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sha1::{Digest, Sha1};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::CapacityError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};
use tokio_util::sync::CancellationToken;

use super::upgrade::{LastHeard, Upgradable, Upgraded};

/// What the server's answer to a key is made with (RFC 6455, section 1.3).
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// How often the server asks whether the other end is still there.
const BEAT: Duration = Duration::from_secs(30);
/// After how long without any word from it, the other end is taken for gone.
const SILENCE: Duration = Duration::from_secs(100);
/// How long the server waits for the other end to say that it has seen the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why a request is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHandshake {
    /// It does not ask for a WebSocket at all.
    #[error("a WebSocket connection is expected here")]
    Plain,
    /// It asks for one in a wrong way: a sentence.
    #[error("{0}")]
    Wrong(&'static str),
}

/// A request for a WebSocket that can be answered.
#[derive(Debug)]
pub struct Handshake {
    connection: Upgradable,
    accept: HeaderValue,
    protocol: Option<&'static str>,
}

impl Handshake {
    /// Reads a request. `protocol` is the sub-protocol that is spoken here. A client need not name any, but may not name only others.
    ///
    /// # Errors
    /// [`NoHandshake`]
    pub fn of(request: &mut Request, protocol: &'static str) -> Result<Self, NoHandshake> {
        if !is_wanted(request.headers()) || request.method() != Method::GET {
            return Err(NoHandshake::Plain);
        }
        let headers = request.headers();
        if !words(headers, &header::SEC_WEBSOCKET_VERSION).any(|version| version == "13") {
            return Err(NoHandshake::Wrong("Sec-WebSocket-Version has to be 13."));
        }
        let key = words(headers, &header::SEC_WEBSOCKET_KEY).next().filter(|key| is_key(key));
        let key = key.ok_or(NoHandshake::Wrong("Sec-WebSocket-Key has to be 16 bytes in base64."))?;
        let accept = HeaderValue::try_from(accept(key)).map_err(|_| NoHandshake::Plain)?;
        let offered: Vec<_> = words(headers, &header::SEC_WEBSOCKET_PROTOCOL).collect();
        let is_offered = offered.contains(&protocol);
        if !is_offered && !offered.is_empty() {
            return Err(NoHandshake::Wrong("Sec-WebSocket-Protocol does not have the one that is spoken here."));
        }
        let connection = Upgradable::of(request).ok_or(NoHandshake::Wrong("A WebSocket needs HTTP/1.1."))?;
        Ok(Self { connection, accept, protocol: is_offered.then_some(protocol) })
    }

    /// The answer, after which the connection is this WebSocket. Messages of more than `limit` bytes end it.
    pub fn answer<F: Future<Output = ()> + Send + 'static>(
        self,
        limit: usize,
        next: impl FnOnce(WebSocket) -> F + Send + 'static,
    ) -> Response {
        let Self { connection, accept, protocol } = self;
        connection.then(move |stream, stopping| async move {
            let heard = stream.heard();
            let limits = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
            let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(limits)).await;
            next(WebSocket { stream, heard, stopping }).await;
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        if let Some(protocol) = protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        response
    }
}

/// Whether a request asks for a WebSocket.
#[must_use]
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let has = |name: &HeaderName, word: &str| words(headers, name).any(|found| found.eq_ignore_ascii_case(word));
    has(&header::CONNECTION, "upgrade") && has(&header::UPGRADE, "websocket")
}

/// The words of a header that is a list, which may also be there several times.
pub fn words<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

fn is_key(key: &str) -> bool {
    key.len() == 24 && base64_simd::STANDARD.decode_to_vec(key).is_ok_and(|key| key.len() == 16)
}

fn accept(key: &str) -> String {
    base64_simd::STANDARD.encode_to_string(Sha1::new().chain_update(key).chain_update(MAGIC).finalize())
}

/// What is sent by a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// A message of bytes.
    Bytes(Bytes),
    /// The end, with a status (RFC 6455, section 7.4) and a reason.
    Close(u16, &'static str),
}

/// How a WebSocket has ended.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// The server has said so.
    #[error("the server has closed the connection")]
    Server,
    /// The server stops.
    #[error("the server stops")]
    Stopping,
    /// The client has said so.
    #[error("the client has closed the connection")]
    Client,
    /// The client has gone without a word, or has broken the protocol.
    #[error("the connection has broken: {0}")]
    Broken(Box<Error>),
    /// The client does not answer any more.
    #[error("the client has not been heard of for {} s", SILENCE.as_secs())]
    Silent,
    /// A message is too large.
    #[error("a message of the client is larger than allowed")]
    TooLarge,
    /// A message is text.
    #[error("a message of the client is text, and not bytes")]
    Text,
}

/// A WebSocket, after the handshake.
#[derive(Debug)]
pub struct WebSocket {
    stream: WebSocketStream<Upgraded>,
    heard: LastHeard,
    stopping: CancellationToken,
}

impl WebSocket {
    /// Carries messages both ways until one side ends. The end of `outgoing` is the server's (status 1000), after all that was sent before.
    /// While nobody takes from `incoming`, nothing is received.
    pub async fn carry(self, mut outgoing: mpsc::Receiver<SocketMessage>, incoming: mpsc::Sender<Bytes>) -> Ending {
        let Self { stream, heard, stopping } = self;
        let (mut to, mut from) = stream.split();
        let reading = async {
            loop {
                match from.next().await {
                    Some(Ok(Message::Binary(bytes))) => {
                        // If nobody takes messages any more, the other direction is about to end as well.
                        if incoming.send(bytes).await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                    Some(Ok(Message::Text(_))) => return Ending::Text,
                    Some(Ok(_)) => {}
                    None | Some(Err(Error::ConnectionClosed)) => return Ending::Client,
                    Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => return Ending::TooLarge,
                    Some(Err(error)) => return Ending::Broken(Box::new(error)),
                }
            }
        };
        let silence = async {
            let mut look = interval(BEAT / 3);
            while heard.elapsed() < SILENCE {
                look.tick().await;
            }
            Ending::Silent
        };
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.reset();
        let writing = async {
            loop {
                let next = tokio::select! {
                    next = outgoing.recv() => next.unwrap_or(SocketMessage::Close(1000, "")),
                    _ = beat.tick() => {
                        match to.send(Message::Ping(Bytes::new())).await {
                            Ok(()) => continue,
                            Err(error) => return (Ending::Broken(Box::new(error)), None),
                        }
                    }
                    () = stopping.cancelled() => return (Ending::Stopping, Some((1001, "the server stops"))),
                };
                match next {
                    SocketMessage::Bytes(bytes) => {
                        let sent = tokio::select! {
                            sent = to.send(Message::Binary(bytes)) => sent,
                            () = stopping.cancelled() => return (Ending::Stopping, Some((1001, "the server stops"))),
                        };
                        if let Err(error) = sent {
                            return (Ending::Broken(Box::new(error)), None);
                        }
                    }
                    SocketMessage::Close(code, reason) => return (Ending::Server, Some((code, reason))),
                }
            }
        };
        let (ending, farewell) = tokio::select! {
            ending = reading => {
                let farewell = match ending {
                    Ending::Text => Some((1003, "messages are bytes")),
                    Ending::TooLarge => Some((1009, "the message is too large")),
                    _ => None,
                };
                (ending, farewell)
            }
            ended = writing => ended,
            ending = silence => (ending, None),
        };
        // What the client still sends does not count.
        let leaving = async {
            if let Some((code, reason)) = farewell {
                to.send(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))).await?;
            }
            while from.next().await.transpose()?.is_some() {}
            Ok::<(), Error>(())
        };
        if farewell.is_some() || matches!(ending, Ending::Client) {
            let _ = timeout(FAREWELL, leaving).await;
        }
        ending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn the_answer_to_a_key_is_that_of_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake_is_told() {
        const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        const WANTED: [(&str, &str); 2] = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        let no = |headers: &[(&str, &str)]| Handshake::of(&mut request(headers), "one").unwrap_err();
        assert_eq!(no(&[]), NoHandshake::Plain);
        assert_eq!(no(&[("upgrade", "websocket")]), NoHandshake::Plain);
        assert_eq!(no(&[("connection", "upgrade"), ("upgrade", "h2c")]), NoHandshake::Plain);
        let with = |more: &[(&'static str, &'static str)]| no(&[&WANTED[..], more].concat()).to_string();
        assert!(with(&[KEY]).contains("Version"));
        assert!(with(&[KEY, ("sec-websocket-version", "8")]).contains("Version"));
        assert!(with(&[("sec-websocket-version", "13"), ("sec-websocket-key", "short")]).contains("Key"));
        assert!(with(&[KEY, ("sec-websocket-version", "13"), ("sec-websocket-protocol", "two, three")]).contains("Protocol"));
        // All is well but the connection, which is none here; headers may be doubled.
        for (version, protocol) in [("13", "one"), ("13, 13", "one, one"), ("8, 13", "two,one")] {
            assert!(with(&[KEY, ("sec-websocket-version", version), ("sec-websocket-protocol", protocol)]).contains("HTTP/1.1"));
        }
    }
}
