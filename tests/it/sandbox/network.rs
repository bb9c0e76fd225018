//! Sessions with and without a network.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::net::UnixListener,
    process::{Child, Stdio},
};

use offshoot::{config::NetworkMode, store::boundaries::Boundary};

use super::attacks::TOOLS;
use crate::{
    harness::{Client, PASSWORD, Server, Session, is_root_for, program, skipped},
    hostile::Way,
};

/// Ways to the outside, which are TRUE if they lead there; `PORT` is a port of this machine's that somebody listens at.
const WAYS: [(&str, &str); 9] = [
    ("a connection of R's", "works({ close(socketConnection(port = PORT, open = 'r+', timeout = 2)); TRUE })"),
    ("a server of R's", "works({ close(serverSocket(0L)); TRUE })"),
    ("a page", "works({ readLines(url('http://127.0.0.1:PORT/'), 1); TRUE })"),
    (
        "a program",
        "by_perl('socket(S, PF_INET, SOCK_STREAM, 6) && connect(S, pack_sockaddr_in(PORT, inet_aton(\"127.0.0.1\"))) or exit 1')",
    ),
    ("a program by the newer protocol", "by_perl('socket(S, PF_INET6, SOCK_STREAM, 6) or exit 1')"),
    ("datagrams", "by_perl('socket(S, PF_INET, SOCK_DGRAM, 17) or exit 1')"),
    ("raw packets", "by_perl('socket(S, PF_INET, SOCK_RAW, 1) or exit 1') || by_perl('socket(S, 17, SOCK_DGRAM, 0) or exit 1')"),
    ("the kernel's own sockets", "by_perl('socket(S, 16, SOCK_RAW, 0) or exit 1') || by_perl('socket(S, 40, SOCK_STREAM, 0) or exit 1')"),
    ("a socket of the system", "connects('SOCKET')"),
];

/// The ways that lead to the outside from a session.
async fn open_ways(session: &Session, port: u16, socket: &str) -> Vec<&'static str> {
    session.run(TOOLS).await;
    let mut open = Vec::new();
    for (what, code) in WAYS {
        let code = code.replace("PORT", &port.to_string()).replace("SOCKET", socket);
        if session.value(&format!("local({{ {code} }})")).await["value"] == true {
            open.push(what);
        }
    }
    open
}

#[tokio::test]
async fn a_session_without_a_network_has_no_way_to_the_outside() {
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 1\nnetwork = 'none'");
        let session = Client::admin(&server).await.session().await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir_in("/run").ok();
        let socket = folder.as_ref().map(|folder| folder.path().join("socket"));
        let _listening = socket.as_ref().map(|socket| {
            let listening = UnixListener::bind(socket).unwrap();
            std::fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
            std::fs::set_permissions(folder.as_ref().unwrap().path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            listening
        });
        let socket = socket.map(|socket| socket.display().to_string()).unwrap_or_default();
        let open = open_ways(&session, listener.local_addr().unwrap().port(), &socket).await;
        assert!(open.is_empty(), "{way:?}: {open:?}");
        // What needs no network works.
        assert_eq!(session.value("parallel::mclapply(1:2, sqrt, mc.cores = 2)[[2]] == sqrt(2)").await["value"], true);
        assert_eq!(session.value("system('echo x | cat', intern = TRUE)").await["value"], "x");
    }
}

#[tokio::test]
async fn a_boundary_gives_or_takes_the_network() {
    let server = Server::start("[sessions]\npool = 1");
    let store = server.store().await;
    for (name, network) in [("closed", NetworkMode::None), ("open", NetworkMode::Full)] {
        store.boundary_put(&Boundary { name: name.into(), cpu_seconds: 0, memory_mib: 0, network: Some(network) }).await.unwrap();
        server.account(name, &["POWER_USER"]).await;
        let change = offshoot::store::accounts::AccountChange { boundary: Some(Some(name.into())), ..Default::default() };
        store.account_change(name, &change).await.unwrap();
        server.script(name, "open <- tryCatch({ close(serverSocket(0L)); TRUE }, error = function(e) FALSE)", "anonymous").await;
        let change =
            offshoot::store::scripts::ScriptChange { boundary: Some(Some(name.into())), author: "admin".into(), ..Default::default() };
        store.script_put(name, &change).await.unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connects = format!(
        "tryCatch({{ close(socketConnection(port = {port}, timeout = 2)); TRUE }}, error = function(e) FALSE, warning = function(w) FALSE)"
    );
    for (name, expected) in [("closed", false), ("open", true)] {
        let session = Client::login(&server, name, PASSWORD).await.session().await;
        assert_eq!(session.value(&connects).await["value"], expected, "{name}");
        // A run of nobody's has the boundary of its script.
        let reply = Client::new(&server).post("/r/script/execute", &[("rscript", name), ("robjects", "open")]).await.success();
        assert_eq!(reply["robjects"]["open"]["value"], expected, "{name}: {reply}");
    }
}

/// A machine beside this one: a namespace of the kernel's with an address of its own, and a program that listens there. Removed when dropped.
struct Neighbour {
    name: String,
    listener: Child,
}

impl Neighbour {
    /// The addresses of this machine and of the neighbour, on the wire between the two.
    const ADDRESSES: [&str; 2] = ["10.213.77.1", "10.213.77.2"];
    const PORT: u16 = 7_000;

    /// `None` if none can be made here.
    fn new() -> Option<Self> {
        let name = format!("offshoot{}", std::process::id());
        let [own, other] = Self::ADDRESSES;
        let steps = format!(
            "ip netns add {name} && ip link add offshoot-a type veth peer name offshoot-b netns {name} && ip address add {own}/30 dev offshoot-a && \
             ip link set offshoot-a up && ip -n {name} address add {other}/30 dev offshoot-b && ip -n {name} link set offshoot-b up"
        );
        if !program("sh").args(["-c", &steps]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            let _ = program("ip").args(["netns", "delete", &name]).stderr(Stdio::null()).status();
            return None;
        }
        let listen = format!(
            "socket(S, PF_INET, SOCK_STREAM, 6) && setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1) && bind(S, pack_sockaddr_in({}, INADDR_ANY)) && listen(S, 9) or die; \
             $| = 1; print \"here\\n\"; while (accept(C, S)) {{ close(C) }}",
            Self::PORT
        );
        let mut listener = program("ip");
        listener.args(["netns", "exec", &name, "perl", "-MSocket", "-e", &listen]).stdout(Stdio::piped());
        let mut listener = listener.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(listener.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        Some(Self { name, listener })
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.listener.kill();
        let _ = self.listener.wait();
        let _ = program("ip").args(["netns", "delete", &self.name]).status();
    }
}

#[tokio::test]
async fn an_outbound_session_reaches_other_machines_and_not_this_one() {
    if !is_root_for("sessions that reach other machines only") {
        return;
    }
    let Some(_neighbour) = Neighbour::new() else {
        skipped("no namespace of the network can be made here");
        return;
    };
    let server = match Server::try_start("[sessions]\npool = 1\nnetwork = 'outbound'") {
        Ok(server) => server,
        Err(said) => {
            assert!(said.contains("sessions cannot have the network \"outbound\" here, as nft"), "{said}");
            skipped("nftables cannot be used here");
            return;
        }
    };
    let store = server.store().await;
    let open = Boundary { name: "open".into(), cpu_seconds: 0, memory_mib: 0, network: Some(NetworkMode::Full) };
    store.boundary_put(&open).await.unwrap();
    server.account("open", &["POWER_USER"]).await;
    let change = offshoot::store::accounts::AccountChange { boundary: Some(Some("open".into())), ..Default::default() };
    store.account_change("open", &change).await.unwrap();
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let here = listener.local_addr().unwrap().port();
    let [own, other] = Neighbour::ADDRESSES;
    let connects = |address: &str, port: u16| {
        format!(
            "tryCatch({{ close(socketConnection('{address}', port = {port}, timeout = 2)); TRUE }}, error = function(e) FALSE, warning = function(w) FALSE)"
        )
    };
    // The users of ended sessions are leased again, for sessions of the other kind.
    for _ in 0..2 {
        let (outbound, full) =
            (Client::admin(&server).await.session().await, Client::login(&server, "open", PASSWORD).await.session().await);
        for (address, port, reached) in
            [(other, Neighbour::PORT, true), (own, here, false), ("127.0.0.1", here, false), ("localhost", here, false)]
        {
            assert_eq!(outbound.value(&connects(address, port)).await["value"], reached, "{address}");
            assert_eq!(full.value(&connects(address, port)).await["value"], true, "{address}");
        }
        assert_eq!(outbound.value("tryCatch({ close(serverSocket(0L)); TRUE }, error = function(e) FALSE)").await["value"], false);
        outbound.close().await;
        full.close().await;
    }
}

#[tokio::test]
async fn an_outbound_network_is_refused_where_the_kernel_cannot_tell() {
    let settings = "[sessions]\npool = 0\nusers = ''\nnetwork = 'outbound'";
    let said = Server::try_start(settings).map(drop).unwrap_err();
    assert!(said.contains("sessions cannot have the network \"outbound\" here, as sessions have no user ids of their own"), "{said}");
}
