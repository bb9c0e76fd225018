//! `offshoot rtvsd`: the settings, files and exit codes of the daemon.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::harness::{Server, eventually, http, program, read};

/// A folder with a certificate for 127.0.0.1 as `a.pfx`, whose password is `SnakeOil`, and as `cert.pem`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for arguments in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem -out cert.pem -subj /CN=a -addext subjectAltName=IP:127.0.0.1 \
         -addext basicConstraints=critical,CA:FALSE",
        "pkcs12 -export -in cert.pem -inkey key.pem -passout pass:SnakeOil -out a.pfx",
    ] {
        let output = program("openssl").args(arguments.split_whitespace()).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    folder
}

/// The daemon, with its own data folder.
fn command(folder: &Path) -> Command {
    let mut command = Server::command();
    command.arg("rtvsd").arg("--data").arg(folder.join("data")).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn settings(folder: &Path, text: &str) -> PathBuf {
    let file = folder.join("rtvsd.config.json");
    std::fs::write(&file, text.replace("FOLDER", folder.to_str().unwrap())).unwrap();
    file
}

/// A running daemon, and where it listens.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = lines.filter_map(|line| line.strip_prefix("remote workspaces on ").map(str::to_owned));
        let Some(address) = said.next() else {
            let mut errors = String::new();
            child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
            panic!("{errors}");
        };
        Self { child, address }
    }

    fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_file_of_the_original_is_enough() {
    let folder = folder();
    let file = settings(
        folder.path(),
        r#"{ "URLS": "https://127.0.0.1:0", "Security": { "x509CertificateFile": "FOLDER/a.pfx", "x509CertificatePassword": "SnakeOil",
             "secret": "of the file" }, "logging": { "logFolder": "FOLDER" }, "startup": { "name": "my daemon" } }"#,
    );
    let mut command = command(folder.path());
    // The file goes before the switch.
    let daemon = Daemon::start({
        command.args(["--security:secret", "of the switch", "--Nothing:At", "all", "--config"]).arg(file);
        command
    });
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(folder.path().join("cert.pem")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // A client that would rather speak HTTP/2 is told that only HTTP/1.1 is spoken.
    tls.alpn_protocols = ["h2", "http/1.1"].map(|name| name.as_bytes().to_vec()).into();
    let address = daemon.address.strip_prefix("https://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TlsConnector::from(Arc::new(tls.clone())).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    drop(stream);
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls).build().unwrap();
    for (password, status) in [("of the file", 200), ("of the switch", 401)] {
        let reply = read(client.get(format!("{}/interpreters", daemon.address)).basic_auth("<<unix>>\\x", Some(password))).await;
        assert_eq!(reply.status, status);
    }
    let log = std::fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path());
    let log = log.into_iter().find(|path| path.extension().is_some_and(|is| is == "log")).unwrap();
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("Microsoft.R.Host.Broker_my_daemon_") && name.contains("_pid"), "{name}");
    eventually("the log file is written", || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.starts_with('[') && text.contains("Z] offshoot::requests (I):\nGET /interpreters 200") && text.contains("\n\n[")
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[tokio::test]
async fn an_address_of_this_machine_needs_no_certificate() {
    let folder = folder();
    let file = settings(folder.path(), r#"{ "server.urls": "http://localhost:0", "security": { "secret": "x" } }"#);
    let mut told = command(folder.path());
    told.arg(file);
    let daemon = Daemon::start(told);
    assert!(daemon.address.starts_with("http://127.0.0.1:"), "{}", daemon.address);
    let reply = read(http().build().unwrap().get(format!("{}/info/about", daemon.address))).await;
    assert_eq!(reply.status, 200);
    // Nothing else is served.
    assert_eq!(read(http().build().unwrap().get(format!("{}/r/user/login", daemon.address))).await.status, 404);
}

#[test]
fn it_ends_with_the_codes_of_the_original() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (text, code, said) in [
        (r#"{ "urls": "https://127.0.0.1:0", "security": { "secret": "x" } }"#.to_owned(), 2, "needs a certificate"),
        (
            r#"{ "urls": "https://127.0.0.1:0", "security": { "secret": "x", "X509CertificateFile": "FOLDER/none.pfx" } }"#.to_owned(),
            2,
            "none.pfx",
        ),
        (
            r#"{ "urls": "https://127.0.0.1:0", "security": { "secret": "x", "X509CertificateFile": "FOLDER/a.pfx", "X509CertificatePassword": "no" } }"#
                .to_owned(),
            2,
            "the password is wrong",
        ),
        ("{ \"urls\": ".to_owned(), 3, "EOF"),
        (r#"{ "urls": "nowhere" }"#.to_owned(), 3, "urls"),
        (format!(r#"{{ "urls": "http://127.0.0.1:{port}", "security": {{ "secret": "x" }} }}"#), 4, "Address already in use"),
    ] {
        let mut command = command(folder.path());
        let output = command.arg(settings(folder.path(), &text)).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}: {errors}");
        assert!(errors.contains(said), "{text}: {errors}");
    }
    let missing = command(folder.path()).args(["--config", "/nowhere.json"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(3));
}

#[test]
fn it_ends_with_its_parent_or_when_nobody_asks_for_it_and_tells_where_it_listens() {
    let folder = folder();
    let pipe = folder.path().join("told");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let text = r#"{ "urls": "http://127.0.0.1:0", "security": { "secret": "x" }, "startup": { "writeServerUrlsToPipe": "FOLDER/told" } }"#;
    let file = settings(folder.path(), text);
    let mut parent = program("cat").stdin(Stdio::piped()).spawn().unwrap();
    // Opened before, as the daemon does not wait for somebody to listen.
    let mut reader = std::fs::File::from(rustix::fs::open(&pipe, rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty()).unwrap());
    let mut started = command(folder.path());
    started.args(["--lifetime:parentProcessID", &parent.id().to_string()]).arg(&file);
    let mut daemon = Daemon::start(started);
    let mut told = vec![0; daemon.address.len() + 5];
    reader.read_exact(&mut told).unwrap();
    assert_eq!(String::from_utf8(told).unwrap(), format!("[\"{}\"]^", daemon.address));
    drop(parent.stdin.take());
    parent.wait().unwrap();
    assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
    let mut unwanted = command(folder.path());
    unwanted
        .args(["--lifetime:pingTimeout", "300"])
        .arg(settings(folder.path(), r#"{ "urls": "http://127.0.0.1:0", "security": { "secret": "x" } }"#));
    assert_eq!(Daemon::start(unwanted).child.wait().unwrap().code(), Some(0));
}
