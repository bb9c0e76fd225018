//! R at its own prompt, by the pipe of a remote workspace over TLS on the loopback address, beside the process of R that is started for each
//! session elsewhere. `cargo bench --bench prompt` starts the server itself, and prints figures.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints figures, or fails")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use base64_simd::STANDARD;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use offshoot::api::rtvs::message::{Message, NOTIFICATION, REQUEST};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message as Frame, client::IntoClientRequest, protocol::WebSocketConfig},
};

const PASSWORD: &str = "Linden-7-Kraehen";
/// Sessions that are open at once.
const SESSIONS: usize = 100;

fn main() {
    // Cargo also asks benches without its test harness for their tests.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let server = Server::start();
    report("start of R, to the first prompt", median((0..15).map(|_| start_of_r()).collect()));
    report("from PUT to the first prompt", {
        let mut times = Vec::new();
        for number in 0..30 {
            let begun = Instant::now();
            let mut client = server.open(&format!("start-{number}")).await;
            client.named("?>").await;
            times.push(begun.elapsed());
            drop(client);
            // Meanwhile the pool fills up again.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        median(times)
    });
    let mut client = server.open("one").await;
    let mut prompt = client.named("?>").await.id;
    report("from prompt to prompt, 1", {
        let mut times = Vec::new();
        for _ in 0..2_000 {
            let begun = Instant::now();
            client.reply(prompt, ":>", r#"["1\n"]"#).await;
            prompt = client.named("?>").await.id;
            times.push(begun.elapsed());
        }
        median(times)
    });
    report("an evaluation at the prompt, 1", {
        let mut times = Vec::new();
        for _ in 0..2_000 {
            times.push(client.evaluation("1").await);
        }
        median(times)
    });
    client.reply(prompt, ":>", r#"["while (TRUE) {}\n"]"#).await;
    client.named("!+").await;
    let mut times = Vec::new();
    for _ in 0..200 {
        times.push(client.evaluation("1").await);
    }
    times.sort();
    report("an evaluation while R computes", times[times.len() / 2]);
    report("  the slowest of 200", times[times.len() - 1]);
    let begun = Instant::now();
    client.send(NOTIFICATION, "!//", "[]").await;
    client.named("!CanceledAll").await;
    report("everything is stopped", begun.elapsed());
    prompt = client.named("?>").await.id;
    report("a plot of 480 x 480, from line to PNG", {
        client.ask("?=0", r#"["attach(list(ide = rtvs:::graphics.ide.new)); options(device = 'ide')"]"#).await;
        client.reply(prompt, ":>", r#"["plot(0:10)\n"]"#).await;
        let size = client.named("?PlotDeviceCreate").await;
        client.reply(size.id, ":PlotDeviceCreate", "[480,480,72]").await;
        let mut times = Vec::new();
        loop {
            prompt = client.named("?>").await.id;
            if times.len() == 50 {
                break;
            }
            let begun = Instant::now();
            client.reply(prompt, ":>", r#"["plot(0:10)\n"]"#).await;
            assert!(client.named("!Plot").await.blob.starts_with(b"\x89PNG"));
            times.push(begun.elapsed());
        }
        median(times)
    });
    let mut clients = Vec::new();
    for number in 0..SESSIONS {
        let mut client = server.open(&format!("many-{number}")).await;
        client.named("?>").await;
        clients.push((client.pid().await, client));
    }
    let memory: u64 = clients.iter().map(|(pid, _)| proportional_memory(*pid)).sum();
    println!("{:<44} {:>10.2} MiB", format!("memory of each of {SESSIONS} sessions"), memory as f64 / 1024.0 / SESSIONS as f64);
    println!("{:<44} {:>10.2} MiB", "  of a process of R", memory_of_r());
}

fn report(what: &str, took: Duration) {
    println!("{what:<44} {:>10.3} ms", took.as_secs_f64() * 1e3);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn r() -> Child {
    Command::new("R").args(["--interactive", "--no-save", "--no-readline"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// The time until a process of R is at its prompt.
fn start_of_r() -> Duration {
    let begun = Instant::now();
    let mut child = r();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut read = Vec::new();
    while !read.ends_with(b"\n> ") {
        let piece = output.fill_buf().unwrap();
        assert!(!piece.is_empty(), "R is at its prompt");
        read.extend_from_slice(piece);
        let length = piece.len();
        output.consume(length);
    }
    let took = begun.elapsed();
    child.kill().unwrap();
    child.wait().unwrap();
    took
}

fn memory_of_r() -> f64 {
    let mut child = r();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("Type 'q()'") {
        line.clear();
        assert!(output.read_line(&mut line).unwrap() > 0);
    }
    let memory = proportional_memory(i32::try_from(child.id()).unwrap()) as f64 / 1024.0;
    child.kill().unwrap();
    child.wait().unwrap();
    memory
}

/// Memory of a process in KiB; what it shares with others counts by its part.
fn proportional_memory(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap().trim().trim_end_matches(" kB").parse().unwrap()
}

struct Server {
    child: Child,
    address: String,
    tls: TlsConnector,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

type Encrypted = TlsStream<TcpStream>;

impl Server {
    fn start() -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let [certificate, private] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&certificate, key.cert.pem()).unwrap();
        std::fs::write(&private, key.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(&private, PermissionsExt::from_mode(0o600)).unwrap();
        let config = folder.path().join("offshoot.toml");
        let settings = format!(
            "[rtvs]\nlisten = ['https://127.0.0.1:0']\n[rtvs.tls]\ncertificate = '{}'\nkey = '{}'\n",
            certificate.display(),
            private.display()
        );
        std::fs::write(&config, settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config).arg("--data").arg(folder.path().join("data"));
        command.env("OFFSHOOT_ADMIN_PASSWORD", PASSWORD).env("OFFSHOOT_LOG_LEVEL", "warn").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("remote workspaces on https://").map(str::to_owned)).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(key.cert.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = TlsConnector::from(Arc::new(tls.with_root_certificates(roots).with_no_client_auth()));
        Self { child, address, tls, _folder: folder }
    }

    async fn connect(&self) -> Encrypted {
        let stream = TcpStream::connect(&self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        self.tls.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    /// Begins a session, and connects to it.
    async fn open(&self, id: &str) -> Client {
        let credentials = STANDARD.encode_to_string(format!("admin:{PASSWORD}"));
        let body = r#"{"IsInteractive":true}"#;
        let mut stream = self.connect().await;
        let request = format!(
            "PUT /sessions/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        let mut request = format!("ws://localhost/sessions/{id}/pipe").into_client_request().unwrap();
        request.headers_mut().insert("Authorization", format!("Basic {credentials}").parse().unwrap());
        request.headers_mut().insert("Sec-WebSocket-Protocol", "Microsoft.R.Host".parse().unwrap());
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let (socket, _) = client_async_with_config(request, self.connect().await, Some(config)).await.unwrap();
        Client { socket, last: 0 }
    }
}

struct Client {
    socket: WebSocketStream<Encrypted>,
    last: u64,
}

impl Client {
    async fn send(&mut self, request: u64, name: &str, json: &str) -> u64 {
        self.last += 2;
        let message = Message { id: self.last, request, name: name.to_owned(), json: json.to_owned(), blob: Bytes::new() };
        self.socket.send(Frame::Binary(message.to_bytes())).await.unwrap();
        self.last
    }

    async fn reply(&mut self, question: u64, name: &str, json: &str) {
        self.send(question, name, json).await;
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Frame::Binary(bytes) = self.socket.next().await.unwrap().unwrap() {
                return Message::parse(&bytes).unwrap();
            }
        }
    }

    async fn named(&mut self, name: &str) -> Message {
        loop {
            let message = self.next().await;
            if message.name == name {
                return message;
            }
        }
    }

    async fn ask(&mut self, name: &str, json: &str) -> Message {
        let id = self.send(REQUEST, name, json).await;
        loop {
            let message = self.next().await;
            if message.request == id {
                return message;
            }
        }
    }

    async fn evaluation(&mut self, code: &str) -> Duration {
        let begun = Instant::now();
        self.ask("?=", &format!("[\"{code}\"]")).await;
        begun.elapsed()
    }

    async fn pid(&mut self) -> i32 {
        let reply = self.ask("?=", r#"["Sys.getpid()"]"#).await;
        reply.json.trim_matches(['[', ']']).rsplit(',').next().unwrap().trim().parse().unwrap()
    }
}
