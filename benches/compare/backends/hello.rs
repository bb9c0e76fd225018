//! A bare axum route, in this process: what an answer over HTTP costs when there is nothing to do for it.

use anyhow::{Result, ensure};

use super::{Backend, Session, refuse};
use crate::{
    data::{Form, Object},
    http::Client,
};

pub(super) struct Hello {
    address: String,
    /// Ends the server when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

impl Hello {
    pub(super) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?.to_string();
        let routes = axum::Router::new().route("/answer", axum::routing::post(|| async { "2" }));
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
        runtime.spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { address, _runtime: runtime })
    }
}

impl Backend for Hello {
    fn open(&self) -> Result<Box<dyn Session>> {
        Ok(Box::new(Connection(Client::connect(&self.address)?)))
    }
}

struct Connection(Client);

impl Session for Connection {
    fn answer(&mut self) -> Result<()> {
        let answer = self.0.post("/answer", "", b"1+1")?;
        ensure!(answer == b"2", "not the answer: {}", String::from_utf8_lossy(&answer));
        Ok(())
    }

    fn fetch(&mut self, _object: &Object, _form: Form) -> Result<Vec<u8>> {
        refuse("has no R")
    }

    fn plot(&mut self) -> Result<Vec<u8>> {
        refuse("has no R")
    }

    fn model(&mut self) -> Result<Vec<u8>> {
        refuse("has no R")
    }
}
