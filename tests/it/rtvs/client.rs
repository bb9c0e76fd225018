//! A client of remote workspaces: the calls of the broker, and the pipe to an R.

use std::{collections::VecDeque, sync::OnceLock};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use offshoot::api::rtvs::message::{Message, NOTIFICATION, REQUEST};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Error, Message as Frame, client::IntoClientRequest, http, protocol::WebSocketConfig},
};

use crate::harness::{PASSWORD, PATIENCE, Reply, Server, http as client_of_http, read, until};

/// The settings of a server with remote workspaces, on a listener that is the second of its addresses.
const SETTINGS: &str = "[rtvs]\nlisten = ['127.0.0.1:0']\n";

/// A server with remote workspaces and these settings, which are those of `[rtvs]` up to the first other section.
pub fn server_with(further: &str) -> Server {
    Server::start_listening(&format!("{SETTINGS}{further}"), &["127.0.0.1:0"], 1)
}

/// The server for all tests of remote workspaces that need no settings of their own.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::keep_listening(SETTINGS, 1))
}

/// Somebody who makes calls of the broker.
#[derive(Clone)]
pub struct Broker {
    http: reqwest::Client,
    /// `http://127.0.0.1:port`
    pub base: String,
    name: Option<String>,
    password: String,
}

impl Broker {
    /// The administrator of a test server, who may run code.
    pub fn admin(server: &Server) -> Self {
        Self::named(server, "admin")
    }

    /// Somebody with this name, and the password of all accounts.
    pub fn named(server: &Server, name: &str) -> Self {
        let http = client_of_http().build().unwrap();
        Self { http, base: server.addresses[1].clone(), name: Some(name.to_owned()), password: PASSWORD.to_owned() }
    }

    /// Somebody without credentials.
    pub fn nobody(server: &Server) -> Self {
        Self { name: None, ..Self::named(server, "") }
    }

    /// The same with another password.
    pub fn with_password(self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.name {
            Some(name) => request.basic_auth(name, Some(&self.password)),
            None => request,
        }
    }

    pub async fn call(&self, method: Method, path: &str) -> Reply {
        read(self.request(method, path)).await
    }

    /// Begins a session.
    pub async fn begin(&self, id: &str, body: Value) -> Reply {
        read(self.request(Method::PUT, &format!("/sessions/{id}")).json(&body)).await
    }

    /// The identities of the sessions.
    pub async fn sessions(&self) -> Vec<String> {
        let listed = self.call(Method::GET, "/sessions").await.document();
        listed.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    }

    /// The request of a handshake.
    pub fn handshake(&self, id: &str) -> http::Request<()> {
        let mut request = format!("{}/sessions/{id}/pipe", self.base.replace("http://", "ws://")).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", "Microsoft.R.Host".parse().unwrap());
        if let Some(name) = &self.name {
            let token = base64_simd::STANDARD.encode_to_string(format!("{name}:{}", self.password));
            headers.insert("authorization", format!("Basic {token}").parse().unwrap());
        }
        request
    }

    /// Connects to a session that has begun.
    pub async fn pipe(&self, id: &str) -> Result<Client, Error> {
        self.pipe_with(self.handshake(id)).await
    }

    /// Connects with this request.
    pub async fn pipe_with(&self, request: http::Request<()>) -> Result<Client, Error> {
        let stream = TcpStream::connect(self.base.trim_start_matches("http://")).await.unwrap();
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, answer) = client_async_with_config(request, stream, Some(config)).await?;
        assert_eq!(answer.headers()["sec-websocket-protocol"], "Microsoft.R.Host");
        Ok(Client { socket, last: 0, earlier: VecDeque::new() })
    }
}

/// How an evaluation has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// "OK", or how the code is wrong; `None` if it was cancelled.
    pub status: Option<String>,
    pub error: Option<String>,
    pub value: Value,
    pub blob: Bytes,
}

/// The client's end of a pipe.
pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
    /// The id of the last message.
    last: u64,
    /// Messages that came before those that somebody has waited for.
    earlier: VecDeque<Message>,
}

impl Client {
    /// Begins an interactive session of the administrator's, and connects to it.
    pub async fn connect(server: &Server, id: &str) -> Self {
        let broker = Broker::admin(server);
        let begun = broker.begin(id, json!({ "IsInteractive": true })).await;
        assert_eq!(begun.status, 200, "{} {:?}", begun.text(), begun.headers);
        broker.pipe(id).await.unwrap()
    }

    /// The same, and waits for R's first prompt, whose id is returned.
    pub async fn at_prompt(server: &Server, id: &str) -> (Self, u64) {
        let mut client = Self::connect(server, id).await;
        let prompt = client.prompt().await;
        (client, prompt.id)
    }

    /// Sends a message; returns its id.
    pub async fn send(&mut self, name: &str, arguments: Value, blob: &[u8]) -> u64 {
        let request = if name.starts_with('!') { NOTIFICATION } else { REQUEST };
        self.send_as(request, name, arguments, blob).await
    }

    /// Answers the question with this id; `name` is that of its message.
    pub async fn reply(&mut self, question: u64, name: &str, arguments: Value) -> u64 {
        self.send_as(question, &name.replacen('?', ":", 1), arguments, b"").await
    }

    /// Answers a prompt.
    pub async fn answer(&mut self, prompt: u64, text: &str) -> u64 {
        self.reply(prompt, "?>", json!([text])).await
    }

    async fn send_as(&mut self, request: u64, name: &str, arguments: Value, blob: &[u8]) -> u64 {
        self.last += 2;
        // The original writes JSON over several lines.
        let json = serde_json::to_string_pretty(&arguments).unwrap();
        let message = Message { id: self.last, request, name: name.to_owned(), json, blob: Bytes::copy_from_slice(blob) };
        self.send_bytes(message.to_bytes()).await;
        self.last
    }

    /// Sends bytes that may be no message.
    pub async fn send_bytes(&mut self, bytes: Bytes) {
        self.socket.send(Frame::Binary(bytes)).await.unwrap();
    }

    /// The next message; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<Message> {
        match self.earlier.pop_front() {
            Some(message) => Some(message),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Option<Message> {
        let next = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Frame::Binary(bytes))) => return Some(Message::parse(&bytes).unwrap()),
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => return None,
                    // The server asks whether this end is still there.
                    Some(Ok(_)) => {}
                }
            }
        };
        timeout(PATIENCE, next).await.expect("the server says something")
    }

    /// The status with which the server closes the connection, after whatever it says before.
    pub async fn closed(mut self) -> Option<u16> {
        let closed = async {
            loop {
                match self.socket.next().await {
                    Some(Ok(Frame::Close(frame))) => return frame.map(|frame| frame.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        };
        timeout(PATIENCE, closed).await.expect("the server ends the connection")
    }

    /// The next message that `is_wanted`. Those before it are left for [`Self::next`].
    pub async fn wait_for(&mut self, is_wanted: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.earlier.iter().position(&is_wanted) {
            return self.earlier.remove(at).unwrap();
        }
        loop {
            let message = self.receive().await.expect("the connection is open");
            if is_wanted(&message) {
                return message;
            }
            self.earlier.push_back(message);
        }
    }

    /// The next message with this name.
    pub async fn named(&mut self, name: &str) -> Message {
        self.wait_for(|message| message.name == name).await
    }

    /// The next prompt.
    pub async fn prompt(&mut self) -> Message {
        self.named("?>").await
    }

    /// Waits until everything was stopped. What R has asked and told before that is forgotten, and replies are not.
    pub async fn cancelled(&mut self) {
        self.named("!CanceledAll").await;
        self.earlier.retain(|message| message.name.starts_with(':'));
    }

    /// Has everything stopped. Returns the prompt after that.
    pub async fn stop_all(&mut self) -> u64 {
        self.send("!//", json!([]), b"").await;
        self.cancelled().await;
        self.prompt().await.id
    }

    /// The content of a blob.
    pub async fn blob(&mut self, id: &Value) -> Bytes {
        self.ask("?ReadBlob", json!([id, 0, -1]), b"").await.blob
    }

    /// Answers a prompt, and waits for the next one. Returns it with what R has printed between the two: output, and errors.
    pub async fn interact(&mut self, prompt: u64, text: &str) -> (Message, String, String) {
        self.interact_with(prompt, "?>", json!([text])).await
    }

    /// The same with the answer to any question.
    pub async fn interact_with(&mut self, question: u64, name: &str, arguments: Value) -> (Message, String, String) {
        self.earlier.retain(|message| !["!", "!!"].contains(&message.name.as_str()));
        self.reply(question, name, arguments).await;
        let next = self.prompt().await;
        let (mut output, mut errors) = (String::new(), String::new());
        for message in std::mem::take(&mut self.earlier) {
            let arguments: Value = serde_json::from_str(&message.json).unwrap();
            match message.name.as_str() {
                "!" => output.push_str(arguments[0].as_str().unwrap()),
                "!!" => errors.push_str(arguments[0].as_str().unwrap()),
                _ => self.earlier.push_back(message),
            }
        }
        (next, output, errors)
    }

    /// Sends a request, and waits for its reply.
    pub async fn ask(&mut self, name: &str, arguments: Value, blob: &[u8]) -> Message {
        let id = self.send(name, arguments, blob).await;
        let reply = self.wait_for(|message| message.request == id).await;
        assert_eq!(reply.name, name.replacen('?', ":", 1));
        reply
    }

    /// Evaluates code.
    pub async fn eval(&mut self, code: &str, flags: &str) -> Evaluated {
        evaluated(&self.ask(&format!("?={flags}"), json!([code]), b"").await)
    }

    /// The value of an expression.
    pub async fn value(&mut self, code: &str) -> Value {
        let evaluated = self.eval(code, "").await;
        assert_eq!((evaluated.status.as_deref(), evaluated.error), (Some("OK"), None), "{code}");
        evaluated.value
    }

    /// The process id of R.
    pub async fn pid(&mut self) -> i32 {
        i32::try_from(self.value("Sys.getpid()").await.as_i64().unwrap()).unwrap()
    }
}

/// What the reply to an evaluation says.
pub fn evaluated(reply: &Message) -> Evaluated {
    let arguments: Vec<Value> = serde_json::from_str(&reply.json).unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match arguments.as_slice() {
        [Value::Null] => Evaluated { status: None, error: None, value: Value::Null, blob: reply.blob.clone() },
        [status, error, value] => Evaluated { status: text(status), error: text(error), value: value.clone(), blob: reply.blob.clone() },
        _ => panic!("{reply:?}"),
    }
}

/// Waits until a process has ended.
pub async fn until_dead(pid: i32) {
    until("R has ended", async || !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
}
