//! HTTPS, with curl and openssl as clients.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use reqwest::Method;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, IpAddr, ServerName, pem::PemObject},
    },
};

use crate::harness::{Client, PASSWORD, Server, eventually, program, read};

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = program("openssl").args(arguments).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes `cert.pem` and `key.pem` for 127.0.0.1.
fn make_certificate(folder: &Path, common_name: &str) {
    let subject = format!("/CN={common_name}");
    let arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"];
    openssl(
        folder,
        &[&arguments[..], &["-subj", &subject, "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]]
            .concat(),
    );
}

/// The status and the version of HTTP that curl reports for `/_check`.
fn curl(address: &str, certificate: &Path, further: &[&str]) -> String {
    let mut command = program("curl");
    command.args(["--silent", "--show-error", "--noproxy", "*", "--write-out", "%{http_code} %{http_version}", "--cacert"]);
    let output = command.arg(certificate).args(further).arg(format!("{address}/_check")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The certificate that a server shows to openssl, which has to accept it.
fn shown(address: &str, trusted: &Path) -> String {
    let host = address.strip_prefix("https://").unwrap();
    let arguments = ["s_client", "-connect", host, "-verify_return_error", "-verify_ip", "127.0.0.1", "-CAfile"];
    let output = program("openssl").args(arguments).arg(trusted).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("Verify return code: 0 (ok)"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().find(|line| line.starts_with("subject=")).unwrap().to_owned()
}

#[test]
fn certificates_come_from_pem_files_and_from_old_and_new_pfx_files() {
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path(), "offshoot-test");
    let export = ["pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-passout", "pass:pfx-secret"];
    openssl(folder.path(), &[&export[..], &["-out", "new.pfx"]].concat());
    let old = ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-out", "old.pfx"];
    openssl(folder.path(), &[&export[..], &old].concat());
    std::fs::write(folder.path().join("password"), "pfx-secret\n").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for settings in [
        format!("certificate = '{}'\nkey = '{}'", path("cert.pem"), path("key.pem")),
        format!("pfx = '{}'\npfx_password = 'pfx-secret'", path("new.pfx")),
        format!("pfx = '{}'\npfx_password_file = '{}'", path("old.pfx"), path("password")),
    ] {
        let settings = format!("[sessions]\npool = 0\n[tls]\n{settings}");
        let server = Server::start_listening(&settings, &["https://127.0.0.1:0", "127.0.0.1:0"], 0);
        let certificate = folder.path().join("cert.pem");
        assert_eq!(curl(&server.addresses[0], &certificate, &[]), "204 2");
        assert_eq!(curl(&server.addresses[0], &certificate, &["--http1.1"]), "204 1.1");
        assert_eq!(curl(&server.addresses[1], &certificate, &[]), "204 1.1");
        assert_eq!(curl(&server.addresses[1], &certificate, &["--http2-prior-knowledge"]), "204 2");
        assert!(shown(&server.addresses[0], &certificate).contains("offshoot-test"));
        assert!(!server.log().contains("pfx-secret"));
    }
}

fn start_fails(settings: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offshoot.toml");
    std::fs::write(&file, settings).unwrap();
    let mut command = Server::command();
    command.arg("serve").args(arguments).arg("--config").arg(file).arg("--data").arg(folder.path().join("data"));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn what_is_wrong_with_a_certificate_is_told() {
    let folder = tempfile::tempdir().unwrap();
    make_certificate(folder.path(), "a");
    openssl(folder.path(), &["pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-passout", "pass:x", "-out", "a.pfx"]);
    openssl(folder.path(), &["genrsa", "-out", "other.pem", "2048"]);
    let curve = ["ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-nodes", "-keyout", "p521.pem", "-out", "p521-cert.pem"];
    openssl(folder.path(), &[&["req", "-x509", "-subj", "/CN=a", "-newkey"], &curve[..]].concat());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let pem = |certificate: &str, key: &str| format!("[tls]\ncertificate = '{}'\nkey = '{}'", path(certificate), path(key));
    let https = ["--listen", "https://127.0.0.1:0"];
    for (settings, arguments, expected) in [
        (String::new(), &https[..], "tls: https://127.0.0.1:0 needs a certificate"),
        (pem("cert.pem", "key.pem"), &["--listen", "127.0.0.1:0"], "and no https:// address in listen"),
        (pem("nowhere.pem", "key.pem"), &https, "nowhere.pem"),
        (pem("key.pem", "key.pem"), &https, "there is no certificate in PEM form"),
        (pem("cert.pem", "cert.pem"), &https, "there is no private key in PEM form"),
        (pem("cert.pem", "other.pem"), &https, "tls.certificate: the private key is not that of the certificate"),
        (pem("p521-cert.pem", "p521.pem"), &https, "the private key is of no known kind: RSA"),
        (format!("[tls]\npfx = '{}'\npfx_password = 'wrong'", path("a.pfx")), &https, "or the password is wrong"),
    ] {
        let said = start_fails(&settings, arguments);
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_first_start_that_fails_makes_no_account_and_shows_no_password() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let file = folder.path().join("offshoot.toml");
    std::fs::write(&file, "[sessions]\npool = 0\n[tls]\ncertificate = '/nowhere.pem'\nkey = '/nowhere.pem'").unwrap();
    let mut command = Server::command();
    command.args(["serve", "--listen", "https://127.0.0.1:0"]).arg("--config").arg(file).arg("--data").arg(folder.path().join("data"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("nowhere.pem") && !said.contains("password"), "{said}");
    // The next start is the first that makes accounts, with the password in its environment.
    let server = Server::start_in(folder, "[sessions]\npool = 0");
    Client::admin(&server).await;
}

#[test]
fn a_self_signed_certificate_is_made_once_and_kept() {
    use std::os::unix::fs::PermissionsExt;
    let settings = "[sessions]\npool = 0\n[tls]\nself_signed = true\nnames = ['r.example.org']";
    let mut server = Server::start_listening(settings, &["https://127.0.0.1:0"], 0);
    let file = server.data().join("tls/certificate.pem");
    let made = std::fs::read(&file).unwrap();
    assert_eq!(curl(&server.address, &file, &[]), "204 2");
    let names = openssl(file.parent().unwrap(), &["x509", "-in", "certificate.pem", "-noout", "-ext", "subjectAltName"]);
    assert!(names.contains("DNS:r.example.org") && names.contains("DNS:localhost") && names.contains("IP Address:127.0.0.1"), "{names}");
    let mode = |name: &str| std::fs::metadata(file.with_file_name(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("key.pem"), 0o600);
    server.signal(Signal::TERM);
    server.wait();
    let mut again = Server::start_listening_in(server.into_folder(), settings, &["https://127.0.0.1:0"], 0);
    assert_eq!(std::fs::read(&file).unwrap(), made);
    again.signal(Signal::TERM);
    again.wait();
    // An additional name requires a new certificate.
    let settings = settings.replace("names = [", "names = ['new.example.org', ");
    let _new = Server::start_listening_in(again.into_folder(), &settings, &["https://127.0.0.1:0"], 0);
    let names = openssl(file.parent().unwrap(), &["x509", "-in", "certificate.pem", "-noout", "-ext", "subjectAltName"]);
    assert!(names.contains("DNS:new.example.org") && names.contains("DNS:r.example.org"), "{names}");
}

#[tokio::test]
async fn cookies_that_come_by_https_stay_there_and_go_with_pages_of_other_sites() {
    let settings = "[sessions]\npool = 0\n[http]\ntrusted_proxies = ['127.0.0.1']\n";
    for (cors, expected) in [
        ("", "Path=/deployr; HttpOnly; Secure; SameSite=Lax"),
        ("cors_origins = ['https://app.example.org']", "Path=/deployr; HttpOnly; Secure; SameSite=None"),
    ] {
        let server = Server::start(&format!("{settings}{cors}"));
        let login = |scheme: &'static str| {
            let form = [("username", "admin"), ("password", PASSWORD)];
            let request = Client::new(&server).request(Method::POST, "/r/user/login").form(&form);
            let origin = if cors.is_empty() { &server.address } else { "https://app.example.org" };
            read(request.header("X-Forwarded-Proto", scheme).header("Origin", origin))
        };
        let attributes = |reply: &crate::harness::Reply| {
            let cookie = reply.headers["set-cookie"].to_str().unwrap().to_owned();
            cookie.split_once("; ").unwrap().1.to_owned()
        };
        assert_eq!(attributes(&login("http").await), "Path=/deployr; HttpOnly; SameSite=Lax");
        let reply = login("https").await;
        assert_eq!(attributes(&reply), expected);
        let exposed = reply.headers.get("access-control-expose-headers").map(|names| names.to_str().unwrap());
        assert_eq!(exposed, (!cors.is_empty()).then_some("x-request-id"));
    }
}

#[tokio::test]
async fn a_ping_asks_by_https_and_a_server_that_is_full_is_well() {
    let settings = "[sessions]\npool = 0\nmax = 1\n[tls]\nself_signed = true";
    let server = Server::start_listening(settings, &["127.0.0.1:0", "https://127.0.0.1:0"], 0);
    let _session = Client::admin(&server).await.session().await;
    assert_eq!(read(Client::new(&server).raw(Method::GET, &format!("{}/_ready", server.address))).await.status, 503);
    for address in [server.address.strip_prefix("http://").unwrap(), server.addresses[1].as_str()] {
        let ping = Server::command().arg("ping").env("OFFSHOOT_LISTEN", address).output().unwrap();
        assert!(ping.status.success(), "{address}: {}", String::from_utf8_lossy(&ping.stderr));
    }
    let doctor = Server::command().arg("doctor").args(["--listen", &server.addresses[1], "--data"]).arg(server.data()).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains(&format!("a server answers at {}", server.addresses[1])), "{said}");
}

/// A client that trusts the certificates in these files.
fn connector(trusted: &[PathBuf]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    for file in trusted {
        roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    TlsConnector::from(Arc::new(builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth()))
}

type Encrypted = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(connector: &TlsConnector, address: &str) -> std::io::Result<Encrypted> {
    let stream = TcpStream::connect(address.strip_prefix("https://").unwrap()).await?;
    connector.connect(ServerName::from(IpAddr::from(std::net::IpAddr::from([127, 0, 0, 1]))), stream).await
}

/// Sends a request on a connection that stays open.
async fn ask(stream: &mut Encrypted) -> std::io::Result<()> {
    stream.write_all(b"GET /_check HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    assert!(answer.starts_with(b"HTTP/1.1 204"), "{}", String::from_utf8_lossy(&answer));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_under_load_and_no_request_is_dropped() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (folder, name) in folders.iter().zip(["first", "second"]) {
        make_certificate(folder.path(), name);
    }
    let used = tempfile::tempdir().unwrap();
    let install = |folder: &Path| {
        for name in ["cert.pem", "key.pem"] {
            std::fs::copy(folder.join(name), used.path().join(name)).unwrap();
        }
    };
    install(folders[0].path());
    let (certificate, key) = (used.path().join("cert.pem"), used.path().join("key.pem"));
    let settings = format!("[sessions]\npool = 0\n[tls]\ncertificate = '{}'\nkey = '{}'", certificate.display(), key.display());
    let server = Server::start_listening(&settings, &["https://127.0.0.1:0"], 0);
    let trusted: Vec<_> = folders.iter().map(|folder| folder.path().join("cert.pem")).collect();
    let connector = connector(&trusted);

    let done = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for turn in 0..8 {
        let (connector, address, done, count) = (connector.clone(), server.address.clone(), Arc::clone(&done), Arc::clone(&count));
        clients.push(tokio::spawn(async move {
            let mut stream = connect(&connector, &address).await?;
            while !done.load(Ordering::Relaxed) {
                if turn % 2 == 0 {
                    stream = connect(&connector, &address).await?;
                }
                ask(&mut stream).await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            std::io::Result::Ok(())
        }));
    }
    let after = |more: usize| {
        let (from, count) = (count.load(Ordering::Relaxed), Arc::clone(&count));
        eventually("requests are answered", move || count.load(Ordering::Relaxed) > from + more);
    };
    after(100);
    for turn in [1, 0, 1] {
        install(folders[turn].path());
        server.signal(Signal::HUP);
        let name = ["first", "second"][turn];
        eventually("the other certificate is shown", || shown_by_any(&server.address, &trusted).contains(name));
        after(50);
    }
    // An invalid certificate changes nothing.
    std::fs::write(&key, "").unwrap();
    server.signal(Signal::HUP);
    eventually("the mistake is logged", || server.log().contains("there is no private key in PEM form"));
    after(50);
    assert!(shown(&server.address, &trusted[1]).contains("second"));
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap().expect("no request is dropped");
    }
}

/// The subject of the certificate that the server shows, which may be signed by any of these.
fn shown_by_any(address: &str, trusted: &[PathBuf]) -> String {
    let both = trusted[0].with_file_name("both.pem");
    let texts: Vec<_> = trusted.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    std::fs::write(&both, texts.concat()).unwrap();
    shown(address, &both)
}
