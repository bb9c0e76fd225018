//! Certificates that clients show, with curl as the client.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use rustix::process::Signal;

use crate::harness::{PASSWORD, Server, eventually, program};

/// An authority that signs certificates.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes NAME.pem, with the key, for somebody.
fn write(folder: &Path, by: &CertifiedIssuer<'static, KeyPair>, name: &str, more: Vec<SanType>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = more;
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    std::fs::write(folder.join(format!("{name}.pem")), certificate.pem() + &key.serialize_pem()).unwrap();
}

/// The answer to a request by curl, with its status at the end; or the number of curl's error.
fn curl(server: &Server, path: &str, further: &[&str]) -> String {
    let mut command = program("curl");
    command.args(["--silent", "--insecure", "--noproxy", "*", "--write-out", " %{http_code}"]);
    let output = command.args(further).arg(format!("{}{path}", server.address)).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn settings(folder: &Path, further: &str) -> String {
    format!(
        "[sessions]\npool = 0\n[tls]\nself_signed = true\nclient_ca = '{}'\n{further}\n[auth.certificates]\n\
         'CN=ada' = 'ada'\n'email:bob@example.org' = 'bob'\n'CN=both' = 'ada'\n'dns:both.example.org' = 'bob'\n'CN=gone' = 'nobody'\n",
        folder.join("ca.pem").display()
    )
}

#[tokio::test]
async fn a_certificate_is_for_an_account_in_every_dialect_and_others_are_nobodys() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (authority(), authority());
    std::fs::write(folder.path().join("ca.pem"), ours.pem()).unwrap();
    let email = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
    write(folder.path(), &ours, "ada", Vec::new());
    write(folder.path(), &ours, "of-bob", vec![email("bob@example.org")]);
    write(folder.path(), &ours, "both", vec![SanType::DnsName("both.example.org".try_into().unwrap())]);
    write(folder.path(), &ours, "stranger", vec![email("ada@example.org")]);
    write(folder.path(), &ours, "gone", Vec::new());
    let foreign = tempfile::tempdir().unwrap();
    write(foreign.path(), &others, "ada", Vec::new());
    let server = Server::start_listening(&settings(folder.path(), ""), &["https://127.0.0.1:0"], 0);
    server.account("ada", &["POWER_USER", "ADMINISTRATOR"]).await;
    server.account("bob", &["BASIC_USER"]).await;
    let file = |folder: &Path, name: &str| folder.join(format!("{name}.pem")).display().to_string();
    let by = |name: &str, path: &str| curl(&server, path, &["--cert", &file(folder.path(), name)]);
    eventually("the server has heard of the accounts", || by("ada", "/r/sessions").ends_with(" 200"));
    assert!(by("ada", "/r/user/whoami").contains("\"username\":\"ada\""));
    assert!(by("ada", "/metrics").ends_with(" 200"));
    let opened = curl(&server, "/r/session/create", &["--cert", &file(folder.path(), "ada"), "--data", ""]);
    assert!(opened.ends_with(" 200"), "{opened}");
    // The next connection with the same certificate has the same login.
    assert!(by("ada", "/r/user/live").contains("LIVE-"));
    assert!(by("of-bob", "/r/user/whoami").contains("\"username\":\"bob\""));
    assert!(by("of-bob", "/r/sessions").ends_with(" 403"));
    for name in ["both", "stranger", "gone"] {
        for path in ["/r/user/whoami", "/r/sessions", "/metrics"] {
            assert!(by(name, path).ends_with(" 401"), "{name} {path}");
        }
    }
    // Credentials in the request come first, and nobody needs a certificate.
    let password = format!("admin:{PASSWORD}");
    let with_password = curl(&server, "/r/sessions", &["--cert", &file(folder.path(), "stranger"), "--user", &password]);
    assert!(with_password.ends_with(" 200"), "{with_password}");
    let wrong = curl(&server, "/r/sessions", &["--cert", &file(folder.path(), "ada"), "--user", "admin:wrong"]);
    assert!(wrong.ends_with(" 401"), "{wrong}");
    assert!(curl(&server, "/r/sessions", &[]).ends_with(" 401"));
    // One that another authority has signed does not connect.
    assert_eq!(curl(&server, "/r/sessions", &["--cert", &file(foreign.path(), "ada")]), " 000");
    crate::cli::Administrator::of(&server).does(&["user", "disable", "ada"]);
    eventually("the account is disabled", || by("ada", "/r/sessions").ends_with(" 401"));
    // A page of another site can have the browser show the certificate.
    let page = ["--cert", &file(folder.path(), "of-bob"), "--data", "", "--header", "Origin: https://evil.example.org"];
    assert!(curl(&server, "/r/session/create", &page).ends_with(" 403"));
}

#[tokio::test]
async fn a_listener_that_requires_certificates_takes_no_others_and_an_authority_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (authority(), authority());
    std::fs::write(folder.path().join("ca.pem"), first.pem()).unwrap();
    write(folder.path(), &second, "ada", Vec::new());
    let listen = &["https://127.0.0.1:0"];
    let server = Server::start_listening(&settings(folder.path(), "client_certificates = 'require'"), listen, 0);
    server.account("ada", &["POWER_USER"]).await;
    let file = folder.path().join("ada.pem").display().to_string();
    assert_eq!(curl(&server, "/_check", &[]), " 000");
    assert_eq!(curl(&server, "/_check", &["--cert", &file]), " 000");
    std::fs::write(folder.path().join("ca.pem"), second.pem()).unwrap();
    server.signal(Signal::HUP);
    eventually("the new authority counts", || curl(&server, "/_check", &["--cert", &file]).ends_with(" 204"));
    std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
    server.signal(Signal::HUP);
    eventually("the server says so", || server.log().contains("tls.client_ca"));
    assert!(curl(&server, "/_check", &["--cert", &file]).ends_with(" 204"));
}
