//! The cost of a session. `cargo bench --bench core` starts the server itself, and prints figures; `cargo bench --bench core credentials`
//! only those of the part with this name.
//!
//! Latencies are medians over one keep-alive connection; all work is over HTTP, with a login.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints figures, or fails")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The password of the administrator.
const PASSWORD: &str = "Linden-7-Kraehen";
/// The same with the name (RFC 7617).
const BASIC: &str = "Basic YWRtaW46TGluZGVuLTctS3JhZWhlbg==";

/// The parts, by their names.
const PARTS: [(&str, fn()); 9] = [
    ("start", start),
    ("sessions", sessions),
    ("values", values),
    ("credentials", credentials),
    ("refusals", refusals),
    ("scripts", runs_of_a_script),
    ("projects", project),
    ("interrupts", interrupts),
    ("memory", memory),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo also asks benches without its test harness for their tests.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    let wanted: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let unknown = wanted.iter().find(|wanted| PARTS.iter().all(|(name, _)| name != **wanted));
    assert!(unknown.is_none(), "there is no part {unknown:?}; there are {:?}", PARTS.map(|(name, _)| name));
    for (_, part) in PARTS.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)) {
        part();
    }
}

fn start() {
    report("time to first listen", median((0..5).map(|_| Server::start("").took).collect()));
}

fn sessions() {
    let server = Server::start("");
    let mut client = server.login();
    report("open a session, from the pool", {
        let mut times = Vec::new();
        for _ in 0..200 {
            let (took, session) = timed(|| client.open());
            times.push(took);
            client.close(&session);
            // Meanwhile the pool fills up again.
            client.get("/deployr/r/user/whoami");
            std::thread::sleep(Duration::from_millis(5));
        }
        median(times)
    });
    let without = Server::start("[sessions]\npool = 0\n");
    let mut other = without.login();
    report("open a session, without a pool", {
        let mut times = Vec::new();
        for _ in 0..200 {
            let (took, session) = timed(|| other.open());
            times.push(took);
            other.close(&session);
        }
        median(times)
    });
    drop((other, without));
    let session = client.open();
    report("execute/code of x <- 1", median((0..5000).map(|_| timed(|| client.execute(&session, "x <- 1", "")).0).collect()));
    println!("{:<44} {:>10.0} /s", "execute/code, 8 connections and sessions", throughput(&server, 8));
}

/// Values from R to the client through Rock's API. For a data frame, it also measures the time that package jsonlite takes only for the
/// text, in the same process.
fn values() {
    let server = Server::start("");
    let mut client = server.login();
    let session = &client.open();
    client.execute(session, "v <- runif(1e6)", "");
    let path = format!("/deployr/r/session/object/get?session={session}&name=v&format=json");
    report("1,000,000 doubles as JSON", median((0..20).map(|_| timed(|| _ = client.get(&path)).0).collect()));
    let (_, body) = timed(|| client.get(&path));
    println!("{:<44} {:>10.1} MB", "  its size", body.len() as f64 / 1e6);
    let median = |times: &mut dyn FnMut() -> Duration| median((0..40).map(|_| times()).collect());
    let json = "application/json";
    report("_eval of 1+1", median(&mut || timed(|| client.eval(session, "1+1", json)).0));
    report("_eval of 1,000,000 doubles, as JSON", median(&mut || timed(|| client.eval(session, "v", json)).0));
    let took = median(&mut || timed(|| client.eval(session, "v", "application/octet-stream")).0);
    report("_eval of 1,000,000 doubles, as RDS", took);
    println!("{:<44} {:>10.2} GB/s", "  which is", 8e6 / took.as_secs_f64() / 1e9);
    let frame = "f <- as.data.frame(lapply(1:20, function(i) switch(i %% 4 + 1, runif(1e4), 1:10000, rep(c('one','two'), 5000), \
                 factor(rep(c('a','b'), 5000))))); names(f) <- paste0('c', 1:20); nrow(f)";
    client.eval(session, frame, json);
    // Measured in turns, because the machine may be faster for a while.
    let code = "system.time(jsonlite::toJSON(f, auto_unbox = TRUE, null = 'null', na = 'null', digits = NA))[['elapsed']]";
    let rounds = (0..10).map(|_| {
        let ours = median(&mut || timed(|| client.eval(session, "f", json)).0);
        (ours, String::from_utf8_lossy(client.eval(session, code, json)).parse::<f64>().unwrap())
    });
    let (ours, theirs): (Vec<_>, Vec<_>) = rounds.unzip();
    let (ours, theirs) = (self::median(ours), self::median(theirs.into_iter().map(Duration::from_secs_f64).collect()));
    report("_eval of a data frame of 10,000 x 20, as JSON", ours);
    report("  jsonlite::toJSON() alone", theirs);
    println!("{:<44} {:>10.1} times as long", "  which is", theirs.as_secs_f64() / ours.as_secs_f64());
}

/// Stateless runs of the demonstration's script `average`: each takes an R process and ends it.
fn runs_of_a_script() {
    let connections = 8;
    let server = Server::start("[sessions]\npool = 16\n");
    let put = ["script", "put", "average", "demo/average.R", "--access", "anonymous", "--data"];
    let put = Command::new(env!("CARGO_BIN_EXE_offshoot")).args(put).arg(server.folder.path().join("data")).status().unwrap();
    assert!(put.success());
    let form = "rscript=average&robjects=average&inputs={\"numbers\":{\"value\":[1,2,6]}}";
    let count = count_per_second(connections, |_| {
        let mut client = server.anonymous();
        move || _ = client.post("/deployr/r/script/execute", form)
    });
    println!("{:<44} {count:>10.0} /s", format!("script/execute of average, {connections} connections"));
}

/// The same request with each kind of credentials, in turn. What differs between them is how who asks is found out.
fn credentials() {
    let server = Server::start("");
    let cookie = format!("Cookie: JSESSIONID={}", server.login().cookie);
    let form = format!("{{\"username\":\"admin\",\"password\":\"{PASSWORD}\"}}");
    let token = between(server.anonymous().post("/login", &form), "\"access_token\":\"", "\"");
    let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot"));
    let made = command.args(["token", "create", "admin", "bench", "--data"]).arg(server.folder.path().join("data")).output().unwrap();
    let personal = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    // The server reads what others have changed once in a second.
    std::thread::sleep(Duration::from_millis(1500));
    let bearer = |token: &str| format!("Authorization: Bearer {token}");
    for (path, ways) in [
        ("/deployr/r/user/whoami", vec![("cookie", cookie), ("access token", bearer(&token)), ("token of a program", bearer(&personal))]),
        ("/r/sessions", vec![("password", format!("Authorization: {BASIC}")), ("access token", bearer(&token))]),
    ] {
        let requests: Vec<_> = ways.iter().map(|(_, way)| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{way}\r\n\r\n")).collect();
        let mut times = vec![Vec::new(); ways.len()];
        let mut client = server.anonymous();
        for _ in 0..3000 {
            for (times, request) in times.iter_mut().zip(&requests) {
                times.push(timed(|| _ = client.send(request)).0);
            }
        }
        for ((name, _), times) in ways.iter().zip(times) {
            report(&format!("{path}, by {name}"), median(times));
        }
    }
}

/// How long it takes to refuse a wrong password of somebody and that of nobody, in turn: whoever can tell one from the other can tell who has
/// an account. Each comes from an address and at most a few are for one account, so that none has to wait.
fn refusals() {
    const ACCOUNTS: usize = 20;
    let server = Server::start("[http]\ntrusted_proxies = ['127.0.0.1']\n");
    let data = server.folder.path().join("data");
    for number in 0..ACCOUNTS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot"));
        let mut add = command.args(["user", "add", &format!("known{number}"), "--password-stdin", "--data"]).arg(&data);
        add = add.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = add.spawn().unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let mut client = server.anonymous();
    let mut refuse = |name: &str, number: usize| {
        let form = format!("username={name}{}&password=wrong-{number}", number % ACCOUNTS);
        let from = format!("X-Forwarded-For: 10.0.{}.{}", number / 256, number % 256);
        timed(|| {
            client.ask(&format!(
                "POST /deployr/r/user/login HTTP/1.1\r\nHost: localhost\r\n{from}\r\nContent-Length: {}\r\n\r\n{form}",
                form.len()
            ))
        })
    };
    let mut times = [Vec::new(), Vec::new()];
    for number in 0..1000 {
        for (name, times) in ["known", "nobody"].iter().zip(&mut times) {
            let (took, status) = refuse(name, number);
            assert!(status.contains(" 401 "), "{status}");
            times.push(took);
        }
    }
    let [known, nobody] = times.map(median);
    report("refusal of a wrong password", known);
    report("refusal of a name that does not exist", nobody);
    println!("{:<44} {:>10.3} times as long", "  which is", nobody.as_secs_f64() / known.as_secs_f64());
}

/// A workspace of 100 MB, saved and loaded.
fn project() {
    let server = Server::start("");
    let mut client = server.login();
    let session = client.open();
    client.execute(&session, "x <- runif(12.5e6)", "");
    let save = format!("session={session}&descr=large");
    let answer = client.post("/deployr/r/session/project/save", &save);
    let id = between(answer, "\"value\":\"", "\"");
    report("save a project of 100 MB", median((0..5).map(|_| timed(|| client.post("/deployr/r/session/project/save", &save)).0).collect()));
    let load = format!("id={id}");
    report("load a project of 100 MB", median((0..5).map(|_| timed(|| client.post("/deployr/r/project/load", &load)).0).collect()));
}

/// How long an operation goes on after its time limit, which is an interrupt like any other.
fn interrupts() {
    let server = Server::start("[sessions]\noperation_seconds = 1\n");
    let mut client = server.login();
    let session = client.open();
    for endless in ["Sys.sleep(60)", "repeat {}", "for (i in 1:1e12) sqrt(i)"] {
        let times = (0..3).map(|_| timed(|| client.execute(&session, endless, "")).0.saturating_sub(Duration::from_secs(1))).collect();
        report(&format!("interrupt of {endless}"), median(times));
    }
}

/// The memory of sessions; each shared page is divided among the processes that share it.
fn memory() {
    let sessions = 500;
    let server = Server::start("");
    let mut client = server.login();
    for _ in 0..sessions {
        let session = client.open();
        client.execute(&session, "x <- 1", "");
    }
    // The zygote is the child that has children; the other is the janitor.
    let zygote = children(server.child.id()).into_iter().find(|&pid| !children(pid).is_empty()).unwrap();
    let pss: f64 = children(zygote).iter().map(|&pid| pss(pid)).sum();
    println!("{:<44} {:>10.2} MB", format!("memory of an idle session, of {sessions}"), pss / children(zygote).len() as f64);
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
}

fn pss(pid: u32) -> f64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn throughput(server: &Server, connections: usize) -> f64 {
    count_per_second(connections, |_| {
        let mut client = server.login();
        let session = client.open();
        move || _ = client.execute(&session, "x <- 1", "")
    })
}

/// How often per second the works are done, each on a thread of its own.
fn count_per_second<W: FnMut() + Send + 'static>(threads: usize, make: impl FnMut(usize) -> W) -> f64 {
    let duration = Duration::from_secs(5);
    let works: Vec<_> = (0..threads).map(make).collect();
    let start = Instant::now();
    let count = |mut work: W| {
        std::thread::spawn(move || {
            let mut count = 0_u64;
            while start.elapsed() < duration {
                work();
                count += 1;
            }
            count
        })
    };
    let threads: Vec<_> = works.into_iter().map(count).collect();
    let total: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    total as f64 / start.elapsed().as_secs_f64()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn report(what: &str, took: Duration) {
    println!("{what:<44} {:>10.3} ms", took.as_secs_f64() * 1e3);
}

struct Server {
    child: Child,
    address: String,
    took: Duration,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(settings: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let config = folder.path().join("offshoot.toml");
        std::fs::write(&config, settings).unwrap();
        let data = folder.path().join("data");
        // The accounts are created before the clock starts, because only a server's first start does that.
        let mut command = Command::new(env!("CARGO_BIN_EXE_offshoot"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config).arg("--data").arg(&data);
        command.env("OFFSHOOT_ADMIN_PASSWORD", PASSWORD).env("OFFSHOOT_LOG_LEVEL", "warn").stdout(Stdio::piped()).stderr(Stdio::null());
        let (mut first, _) = Self::run(&mut command);
        first.kill().unwrap();
        first.wait().unwrap();
        let start = Instant::now();
        let (child, address) = Self::run(&mut command);
        Self { child, address, took: start.elapsed(), folder }
    }

    fn run(command: &mut Command) -> (Child, String) {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (child, line.trim().trim_start_matches("listening on http://").to_owned())
    }

    fn anonymous(&self) -> Client {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream: BufReader::with_capacity(1 << 20, stream), cookie: String::new(), body: Vec::new() }
    }

    fn login(&self) -> Client {
        let mut client = self.anonymous();
        let answer = client.post("/deployr/r/user/login", &format!("username=admin&password={PASSWORD}"));
        client.cookie = between(answer, "\"cookie\":\"", "\"");
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A connection without an HTTP library, so that the client costs little.
struct Client {
    stream: BufReader<TcpStream>,
    cookie: String,
    body: Vec<u8>,
}

impl Client {
    fn open(&mut self) -> String {
        let answer = self.post("/deployr/r/session/create", "");
        between(answer, "\"session\":\"", "\"")
    }

    fn close(&mut self, session: &str) {
        self.post("/deployr/r/session/close", &format!("session={session}"));
    }

    fn execute(&mut self, session: &str, code: &str, robjects: &str) -> &[u8] {
        self.post("/deployr/r/session/execute/code", &format!("session={session}&code={code}&robjects={robjects}"))
    }

    /// An evaluation through Rock's API, by name and password (RFC 7617).
    fn eval(&mut self, session: &str, code: &str, accept: &str) -> &[u8] {
        self.send(&format!(
            "POST /r/session/{}/_eval HTTP/1.1\r\nHost: localhost\r\nAuthorization: {BASIC}\r\nAccept: {accept}\r\n\
             Content-Type: application/x-rscript\r\nContent-Length: {}\r\n\r\n{code}",
            session.trim_start_matches("LIVE-"),
            code.len()
        ))
    }

    fn get(&mut self, path: &str) -> &[u8] {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: JSESSIONID={}\r\n\r\n", self.cookie))
    }

    fn post(&mut self, path: &str, body: &str) -> &[u8] {
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: JSESSIONID={}\r\nContent-Length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        ))
    }

    /// Sends a request that has to succeed, and returns the body of the answer.
    fn send(&mut self, request: &str) -> &[u8] {
        let status = self.ask(request);
        assert!(status.contains(" 200 "), "{status} {}", String::from_utf8_lossy(&self.body));
        &self.body
    }

    /// Sends a request, and returns the status of the answer.
    fn ask(&mut self, request: &str) -> String {
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut line, mut length, mut status) = (String::new(), 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let head = line.trim().to_ascii_lowercase();
            if status.is_empty() {
                status.clone_from(&head);
            }
            if let Some(value) = head.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if head.is_empty() {
                break;
            }
        }
        // Reuses the buffer: memory that is new to the process would cost the client more than the work that is measured.
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).unwrap();
        status
    }
}

fn between(text: &[u8], before: &str, after: &str) -> String {
    let text = String::from_utf8_lossy(text);
    text.split_once(before).unwrap().1.split_once(after).unwrap().0.to_owned()
}
