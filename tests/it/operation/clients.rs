//! Clients that are slow, many, or gone.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::harness::{Client, Rock, Server, descendants, eventually};

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address.split("://").nth(1).unwrap()).unwrap()
}

/// Whether the server closes a connection, after any answer.
fn is_closed(mut stream: TcpStream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// How many connections and shared memories the server holds. The files of the store are not counted, because their number varies.
fn descriptors(server: &Server) -> usize {
    server.descriptors().iter().filter(|name| ["socket:", "/memfd:"].iter().any(|start| name.to_string_lossy().starts_with(start))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_and_idle_connections_end_and_others_are_served_meanwhile() {
    let settings = "[sessions]\npool = 0\n[http]\nhead_seconds = 2\n[tls]\nself_signed = true";
    let server = Server::start_listening(settings, &["127.0.0.1:0", "https://127.0.0.1:0"], 0);
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let before = descriptors(&server);
    let mut slow = Vec::new();
    for start in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut stream = connect(&server);
        stream.write_all(start.as_bytes()).unwrap();
        slow.push(stream);
    }
    // No handshake, and an incomplete one.
    for start in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = TcpStream::connect(server.addresses[1].split("://").nth(1).unwrap()).unwrap();
        stream.write_all(start).unwrap();
        slow.push(stream);
    }
    // Sending byte after byte does not extend the time.
    let mut trickling = connect(&server);
    let trickle = std::thread::spawn(move || {
        while trickling.write_all(b"a").is_ok() {
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    });
    assert_eq!(session.value("1 + 1").await["value"], 2);
    for stream in slow {
        assert!(is_closed(stream));
    }
    trickle.join().unwrap();
    session.run("x <- 1").await;
    eventually("their descriptors are closed", || descriptors(&server) <= before);
    // An operation may take longer than the head of a request.
    session.run("Sys.sleep(3)").await;
}

#[tokio::test]
async fn an_upload_that_comes_to_a_halt_is_given_up() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0\n[http]\nform_seconds = 1"));
    let session = Rock::on(&server, "user").open().await;
    let mut stream = connect(&server);
    let head = "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc";
    let request = format!(
        "POST {}/_upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\n\
         Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: 1000000\r\n\r\n{head}",
        session.path
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive in time"), "{answer}");
    assert_eq!(session.value("list.files()").await, serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_in_the_middle_of_a_large_answer_leaves_nothing() {
    let server = Server::start("[sessions]\npool = 0\n[http]\nstall_seconds = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    // More than 100 MB as JSON.
    session.run("x <- rep(123456789.123456, 6e6)").await;
    let before = descriptors(&server);
    let request = format!(
        "GET /deployr/r/session/object/get?session={}&name=x HTTP/1.1\r\nHost: localhost\r\nCookie: JSESSIONID={}\r\n\r\n",
        session.id,
        client.cookie()
    );
    let ask = || {
        let mut stream = connect(&server);
        stream.write_all(request.as_bytes()).unwrap();
        let mut start = vec![0; 100_000];
        stream.read_exact(&mut start).unwrap();
        assert!(start.starts_with(b"HTTP/1.1 200"));
        stream
    };
    drop(ask());
    eventually("the answer is given up", || server.log().contains("\"aborted\":true"));
    // A client that stays connected and stops reading.
    let stalled = ask();
    eventually("the answer is given up", || server.log().matches("\"aborted\":true").count() == 2);
    let mapped = || {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).unwrap_or_default();
        maps.lines().filter(|line| line.contains("memfd:")).count()
    };
    eventually("no answer stays in memory", || mapped() == 0);
    eventually("no descriptor stays open", || descriptors(&server) <= before);
    drop(stalled);
    assert_eq!(session.value("length(x)").await["value"], 6_000_000);
    session.close().await;
    eventually("the worker ends", || descendants(server.zygote()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_idle_connections_leave_others_served() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).unwrap();
    // Each connection takes a descriptor here and one in the server.
    let count = usize::try_from(hard.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).saturating_sub(1000).min(5000);
    let server = Server::start("[sessions]\npool = 0\nmax = 100\n[http]\nhead_seconds = 120");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let is_transparent = server.is_transparent();
    let before = descriptors(&server);
    let mut idle = Vec::new();
    while idle.len() < count {
        // At most as many at a time as the kernel queues for the server; the kernel makes others wait for seconds.
        idle.extend((0..500.min(count - idle.len())).map(|_| connect(&server)));
        eventually("they are accepted", || !is_transparent || descriptors(&server) >= before + idle.len());
    }
    assert_eq!(session.value("1 + 1").await["value"], 2);
    let another = Client::admin(&server).await;
    another.session().await.run("x <- 1").await;
    drop(idle);
    eventually("all are closed", || descriptors(&server) < before + 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_allowed_wait_their_turn() {
    let server = Server::start("[sessions]\npool = 0\n[http]\nconnections = 3");
    let mut first: Vec<_> = (0..3).map(|_| connect(&server)).collect();
    let ask = |stream: &mut TcpStream| stream.write_all(b"GET /_check HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let is_answered = |stream: &mut TcpStream| {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).is_ok() && &answer == b"HTTP/1.1 204"
    };
    for stream in &mut first {
        ask(stream);
        assert!(is_answered(stream));
    }
    let mut waiting = connect(&server);
    ask(&mut waiting);
    waiting.set_nonblocking(true).unwrap();
    for stream in &mut first[1..] {
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).unwrap();
        ask(stream);
        assert!(is_answered(stream));
    }
    assert_eq!(waiting.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(first.remove(0));
    waiting.set_nonblocking(false).unwrap();
    assert!(is_answered(&mut waiting));
}
