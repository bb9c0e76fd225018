//! Sessions with and without a network.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use offshoot::{config::NetworkMode, store::boundaries::Boundary};

use super::{attacks::TOOLS, walls::open_socket};
use crate::{
    harness::{Client, PASSWORD, Server, Session, eventually, is_root_for, program, skipped},
    hostile::{Way, load_native},
};

/// Ways to the outside, which are TRUE if they lead there; `PORT` is a port of this machine's that somebody listens at.
const WAYS: [(&str, &str); 10] = [
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
    ("a pair of sockets for datagrams", PAIRS),
];

/// By such a pair, datagrams can be sent to any socket of their kind.
const PAIRS: &str = "by_perl('socketpair(A, B, 1, 2, 0) or exit 1') || by_perl('socketpair(A, B, 1, 3, 0) or exit 1')";

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
        let system = open_socket();
        let socket = system.as_ref().map(|(folder, _)| folder.path().join("socket").display().to_string()).unwrap_or_default();
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

/// A server of names that answers by TCP only, and knows one address. Ended when dropped.
struct Names(Child);

impl Names {
    fn new(own: &str, answer: &str) -> Self {
        let serve = format!(
            "socket(S, PF_INET, SOCK_STREAM, 6) && setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1) && bind(S, pack_sockaddr_in(53, inet_aton(\"{own}\"))) && listen(S, 9) or die $!; \
             $| = 1; print \"here\\n\"; while (accept(C, S)) {{ while (sysread(C, my $l, 2) == 2) {{ sysread(C, my $q, unpack(\"n\", $l)); \
             my $name = substr($q, 12); my $four = unpack(\"n\", substr($name, -4, 2)) == 1; \
             my $a = substr($q, 0, 2) . pack(\"n5\", 0x8180, 1, $four ? 1 : 0, 0, 0) . $name . ($four ? pack(\"n3Nn\", 0xc00c, 1, 1, 60, 4) . inet_aton(\"{answer}\") : \"\"); \
             syswrite(C, pack(\"n\", length $a) . $a) }} close(C) }}"
        );
        Self(listening(program("perl").args(["-MSocket", "-e", &serve])))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program, and waits until it says that it is there.
fn listening(command: &mut std::process::Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "here\n");
    child
}

/// A machine beside this one: a namespace of the kernel's with an address of its own, and a program that listens there. Removed when dropped.
struct Neighbour {
    name: String,
    listener: Child,
    /// There is one wire.
    _wire: MutexGuard<'static, ()>,
}

static WIRE: Mutex<()> = Mutex::new(());

impl Neighbour {
    /// The addresses of this machine and of the neighbour, on the wire between the two.
    const ADDRESSES: [&str; 2] = ["10.213.77.1", "10.213.77.2"];
    const PORT: u16 = 7_000;

    /// `None`, which is reported, if none can be made here.
    fn new() -> Option<Self> {
        if !is_root_for("sessions that reach other machines only") {
            return None;
        }
        let wire = WIRE.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("offshoot{}", std::process::id());
        let [own, other] = Self::ADDRESSES;
        let steps = format!(
            "ip netns add {name} && ip link add offshoot-a type veth peer name offshoot-b netns {name} && ip address add {own}/29 dev offshoot-a && \
             ip link set offshoot-a up && ip -n {name} address add {other}/29 dev offshoot-b && ip -n {name} link set offshoot-b up"
        );
        if !program("sh").args(["-c", &steps]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            let _ = program("ip").args(["netns", "delete", &name]).stderr(Stdio::null()).status();
            skipped("no namespace of the network can be made here");
            return None;
        }
        let listen = format!(
            "socket(S, PF_INET, SOCK_STREAM, 6) && setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1) && bind(S, pack_sockaddr_in({}, INADDR_ANY)) && listen(S, 9) or die; \
             $| = 1; print \"here\\n\"; while (accept(C, S)) {{ close(C) }}",
            Self::PORT
        );
        let listener = listening(program("ip").args(["netns", "exec", &name, "perl", "-MSocket", "-e", &listen]));
        Some(Self { name, listener, _wire: wire })
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.listener.kill();
        let _ = self.listener.wait();
        // The kernel removes a namespace later, and the wire with it.
        let _ = program("ip").args(["link", "delete", "offshoot-a"]).status();
        let _ = program("ip").args(["netns", "delete", &self.name]).status();
    }
}

/// Ways that lead nowhere from a session that reaches other machines only; `PORT` is a port that somebody listens at on this machine, whose
/// addresses are 127.0.0.1 and `OWN`.
const WAYS_TO_THIS_MACHINE: [(&str, &str); 19] = [
    ("by its address", "reaches('OWN')"),
    ("by its loopback", "reaches('127.0.0.1')"),
    ("by another address of its loopback", "reaches('127.9.8.7')"),
    ("by its name", "reaches('localhost') || reaches(Sys.info()[['nodename']])"),
    ("by no address", "reaches('0.0.0.0')"),
    (
        "by the newer protocol",
        "reaches('::1') || reaches('::') || by_perl('socket(S, PF_INET6, SOCK_STREAM, 6); connect(S, pack_sockaddr_in6(PORT, inet_pton(AF_INET6, \"::1\"))) or exit 1')",
    ),
    (
        "by an address in one of the newer protocol",
        "by_perl('socket(S, PF_INET6, SOCK_STREAM, 6); connect(S, pack_sockaddr_in6(PORT, inet_pton(AF_INET6, \"::ffff:OWN\"))) or exit 1')",
    ),
    ("by a page", "works({ readLines(url('http://OWN:PORT/'), 1); TRUE })"),
    ("by a program", "by_shell('curl -s --max-time 5 telnet://OWN:PORT </dev/null')"),
    (
        "with the first packet",
        "by_perl('socket(S, PF_INET, SOCK_STREAM, 6); defined(send(S, \"x\", 0x20000000, pack_sockaddr_in(PORT, inet_aton(\"OWN\")))) or exit 1')",
    ),
    (
        "without blocking",
        "by_perl('use Fcntl; socket(S, PF_INET, SOCK_STREAM, 6); fcntl(S, F_SETFL, O_NONBLOCK); connect(S, pack_sockaddr_in(PORT, inet_aton(\"OWN\"))) || $!{EINPROGRESS} or exit 1')",
    ),
    (
        "by an address that is too short",
        "by_perl('socket(S, PF_INET, SOCK_STREAM, 6); connect(S, substr(pack_sockaddr_in(PORT, inet_aton(\"OWN\")), 0, 7)) or exit 1')",
    ),
    (
        "by an address that is too long",
        "by_perl('socket(S, PF_INET, SOCK_STREAM, 6); connect(S, pack_sockaddr_in(PORT, inet_aton(\"OWN\")) . (\"x\" x 1000)) or exit 1')",
    ),
    (
        "by a socket that listens",
        "works({ close(serverSocket(0L)); TRUE }) || by_perl('socket(S, PF_INET, SOCK_STREAM, 6); listen(S, 1) or exit 1')",
    ),
    ("by datagrams", "by_perl('socket(S, PF_INET, SOCK_DGRAM, 17) or exit 1')"),
    ("by raw packets", "by_perl('socket(S, PF_INET, SOCK_RAW, 1) or exit 1') || by_perl('socket(S, 17, SOCK_DGRAM, 0) or exit 1')"),
    (
        "by another protocol",
        "by_perl('socket(S, PF_INET, SOCK_STREAM, 262) or exit 1') || by_perl('socket(S, PF_INET, SOCK_STREAM, 132) or exit 1')",
    ),
    (
        "by the kernel's own sockets",
        "by_perl('socket(S, 16, SOCK_RAW, 0) or exit 1') || by_perl('socket(S, PF_UNIX, SOCK_STREAM, 0) or exit 1')",
    ),
    ("by a pair of sockets for datagrams", PAIRS),
];

const REACHES: &str = "reaches <- function(host, port = PORT) works({ close(socketConnection(host, port = port, timeout = 5)); TRUE })";

#[tokio::test]
async fn an_outbound_session_reaches_other_machines_and_not_this_one() {
    let Some(_neighbour) = Neighbour::new() else { return };
    let [own, other] = Neighbour::ADDRESSES;
    let _listener = TcpListener::bind((own, Neighbour::PORT)).unwrap();
    let everywhere = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).unwrap();
    let port = everywhere.local_addr().unwrap().port();
    for way in Way::all() {
        let server = way.start("[sessions]\npool = 1\nnetwork = 'outbound'");
        let session = Client::admin(&server).await.session().await;
        session.run(TOOLS).await;
        session.run(&REACHES.replace("PORT", &port.to_string())).await;
        assert_eq!(session.value(&format!("reaches('{other}', {})", Neighbour::PORT)).await["value"], true, "{way:?}");
        let program = format!(
            "by_perl('socket(S, PF_INET, SOCK_STREAM, 6) && connect(S, pack_sockaddr_in({}, inet_aton(\"{other}\"))) or exit 1')",
            Neighbour::PORT
        );
        assert_eq!(session.value(&program).await["value"], true, "{way:?}");
        let mut open = Vec::new();
        for (what, code) in WAYS_TO_THIS_MACHINE {
            let code = code.replace("PORT", &port.to_string()).replace("OWN", own);
            if session.value(&code).await["value"] == true {
                open.push(what);
            }
        }
        assert!(open.is_empty(), "{way:?}: {open:#?}");
        // What needs no network works, and so does a connection in a program that is interrupted all the while.
        assert_eq!(session.value("parallel::mclapply(1:2, sqrt, mc.cores = 2)[[2]] == sqrt(2)").await["value"], true);
        assert_eq!(session.value("by_perl('socketpair(A, B, 1, 1, 0) or exit 1')").await["value"], true);
        let interrupted = format!(
            "use Socket; use Errno; use Time::HiRes; $SIG{{ALRM}} = sub {{}}; Time::HiRes::setitimer(0, 0.001, 0.001); my $made = 0;
             while ($made < 300) {{
                 socket(S, PF_INET, SOCK_STREAM, 6) or die \"socket: $!\";
                 if (connect(S, pack_sockaddr_in({}, inet_aton('{other}')))) {{ $made++ }} elsif (!$!{{EINTR}}) {{ die \"connect: $!\" }}
             }}
             Time::HiRes::setitimer(0, 0); print $made",
            Neighbour::PORT
        );
        let run = format!("writeLines({interrupted:?}, 'interrupted.pl'); cat(system('perl interrupted.pl 2>&1', intern = TRUE))");
        assert_eq!(session.prints(&run).await, "300", "{way:?}");
        // The address that was looked at is the one that is connected to.
        load_native(&session).await;
        let race = format!(".C('connect_while_changing', '{other}', '{own}', {}L, 2000L, c(0L, 0L))[[5]]", Neighbour::PORT);
        let reached = session.value(&race).await["value"].clone();
        assert!(reached[0].as_i64() > Some(0) && reached[1] == 0, "{way:?}: {reached}");
    }
}

#[tokio::test]
async fn a_connection_that_is_waited_for_keeps_nobody_else_from_connecting() {
    let Some(_neighbour) = Neighbour::new() else { return };
    let server = Server::start("[sessions]\npool = 0\nnetwork = 'outbound'");
    let client = Client::admin(&server).await;
    let (waiting, other) = (client.session().await, client.session().await);
    // On the wire there is nobody with this address, so that a connection is waited for.
    let nobody = "socket(S, PF_INET, SOCK_STREAM, 6); connect(S, pack_sockaddr_in(9, inet_aton(\"10.213.77.5\")))";
    for session in [&waiting, &other] {
        session.run(TOOLS).await;
        session.run(&REACHES.replace("PORT", &Neighbour::PORT.to_string())).await;
    }
    waiting.run(&format!("for (i in 1:3) system(\"perl -MSocket -e '{}' >/dev/null 2>&1 &\")", nobody.replace('"', "\\\""))).await;
    for session in [&waiting, &other] {
        assert_eq!(session.value(&format!("reaches('{}')", Neighbour::ADDRESSES[1])).await["value"], true);
    }
    waiting.close().await;
    eventually("nobody waits any more", || server.threads("connection") == 0);
}

#[tokio::test]
async fn an_outbound_session_asks_the_name_servers_of_this_machine() {
    let Some(_neighbour) = Neighbour::new() else { return };
    let [own, other] = Neighbour::ADDRESSES;
    let _names = Names::new(own, other);
    let mut resolvers = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut resolvers, format!("nameserver {own}\n").as_bytes()).unwrap();
    std::fs::set_permissions(resolvers.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let server = Server::start_asking("[sessions]\npool = 0\nnetwork = 'outbound'", resolvers.path());
    let session = Client::admin(&server).await.session().await;
    session.run(TOOLS).await;
    session.run(&REACHES.replace("PORT", &Neighbour::PORT.to_string())).await;
    assert_eq!(session.value("reaches('neighbour.test')").await["value"], true);
    // By programs as well.
    let program = format!("by_shell('curl -s --max-time 5 telnet://neighbour.test:{} </dev/null')", Neighbour::PORT);
    assert_eq!(session.value(&program).await["value"], true);
}

#[tokio::test]
async fn an_outbound_network_is_refused_where_the_kernel_cannot_tell() {
    let settings = "[sessions]\npool = 0\nnetwork = 'outbound'";
    let said = Server::try_without(&[libc::SYS_pidfd_getfd], libc::EPERM, settings).map(drop).unwrap_err();
    assert!(
        said.contains("sessions cannot have the network \"outbound\" here, as the server may not use the sockets of its sessions"),
        "{said}"
    );
}
