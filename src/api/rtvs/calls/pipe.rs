//! The pipe: a WebSocket between a client and its R (contract a.5).

use std::sync::Arc;

use axum::response::Response;

use crate::{
    api::rtvs::{
        PROTOCOL,
        access::{has_credentials, identify},
        broker::{Broker, Connected, Key},
        error::Error,
        journal::Journal,
        relay::{Course, Parting, relay},
        request::Incoming,
    },
    auth::origin::client_address,
    server::websocket::{Handshake, WebSocket},
};

/// GET /sessions/{id}/pipe
pub async fn connect(mut incoming: Incoming) -> Result<Response, Error> {
    let Incoming { broker, id, notes, request, .. } = &mut incoming;
    // Looked at before who it is, as clients of the original see it so.
    let handshake = Handshake::of(request, PROTOCOL)?;
    let connected = if has_credentials(request.headers()) {
        let caller = identify(&broker.app, request.headers(), request.extensions()).await?;
        notes.user(caller.principal.name());
        broker.connect(&caller.owner(), id)?
    } else {
        broker.connect_by_id(id, client_address(request.extensions()))?
    };
    notes.user(&connected.key.0.account);
    notes.session(connected.session.id);
    let limit = usize::try_from(broker.app.settings().rtvs.message_mib << 20).unwrap_or(usize::MAX);
    let leaving = Leaving { broker: Arc::clone(broker), key: connected.key.clone(), serial: connected.serial };
    Ok(handshake.answer(limit, move |socket| talk(leaving, connected, socket)))
}

/// Talks until one side ends, and forgets the session then.
async fn talk(leaving: Leaving, connected: Connected, socket: WebSocket) {
    let Connected { session, wish, host, pages, .. } = connected;
    let (user, name) = (leaving.key.0.account.clone(), leaving.key.1.clone());
    let journal = Journal::open(&leaving.broker.app.settings().rtvs, &name, session.pid);
    let mut course = Course { app: Arc::clone(&leaving.broker.app), idle: wish.idle, pages, journal };
    tracing::info!(session.id = %session.id, user.name = user, "a client has connected to its session");
    let parting = relay(socket, host, &mut course).await;
    course.journal.end(&parting);
    if let Parting::Fault(fault) = parting {
        tracing::warn!(session.id = %session.id, user.name = user, %fault, "a session ends, as its client and R cannot go on");
    } else {
        tracing::info!(session.id = %session.id, user.name = user, why = %parting, "a session and its client have parted");
    }
}

/// A client that is connected to its session. When this is dropped, the session is forgotten: also if the client has gone before the answer.
struct Leaving {
    broker: Arc<Broker>,
    key: Key,
    serial: u64,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.broker.left(&self.key, self.serial);
    }
}
