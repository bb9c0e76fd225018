//! A real directory: OpenLDAP's server, with users and groups.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

use super::{
    events::eventually,
    server::{end_with_this_thread, folder_for_all_tests},
    surroundings::program,
};

/// What is in it.
const ENTRIES: &str = include_str!("directory.ldif");
/// The password of all users, and of `cn=reader,dc=example,dc=org`, who may search.
pub const DIRECTORY_PASSWORD: &str = "Ein (Passwort), für *";

/// A running directory.
pub struct Slapd {
    child: Child,
    folder: tempfile::TempDir,
    ports: [u16; 2],
    log: Arc<Mutex<String>>,
}

impl Slapd {
    /// The directory for all tests that do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Slapd> = OnceLock::new();
        SHARED.get_or_init(|| {
            // The kernel ends it together with the thread that started it, so this thread never ends.
            let (started, directory) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                started.send(Self::start_in(folder_for_all_tests())).ok();
                loop {
                    std::thread::park();
                }
            });
            directory.recv().expect("slapd starts")
        })
    }

    /// A directory that ends with the test.
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap())
    }

    fn start_in(folder: tempfile::TempDir) -> Self {
        let place = folder.path();
        for database in ["data", "lax"] {
            std::fs::create_dir(place.join(database)).unwrap();
        }
        // AppArmor's profile of slapd, which Debian and Ubuntu have, is for the program in its own place only.
        std::fs::copy("/usr/sbin/slapd", place.join("slapd")).expect("slapd is installed: scripts/setup tests");
        write_certificates(place);
        std::fs::write(place.join("slapd.conf"), configuration(place)).unwrap();
        let (child, ports, log) = (0..20).find_map(|_| run(place, [free_port(), free_port()])).expect("slapd starts on some free port");
        let directory = Self { child, folder, ports, log };
        directory.fill();
        directory
    }

    fn fill(&self) {
        let mut add = program("ldapadd");
        add.args(["-x", "-D", "cn=root,dc=example,dc=org", "-w", "root", "-H", &self.url()]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut add = add.spawn().expect("ldap-utils is installed: scripts/setup tests");
        add.stdin.take().unwrap().write_all(ENTRIES.replace("PASSWORD", DIRECTORY_PASSWORD).as_bytes()).unwrap();
        assert!(add.wait().unwrap().success(), "{}", self.log());
    }

    /// Its address without encryption.
    pub fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.ports[0])
    }

    /// Its address with encryption.
    pub fn encrypted_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.ports[1])
    }

    /// The certificate of the authority that has signed its own.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Ends it, without a word to its clients.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, at the same address.
    pub fn start_again(&mut self) {
        let place = self.folder.path();
        let mut again = None;
        eventually("the ports are free again", || {
            again = run(place, self.ports);
            again.is_some()
        });
        (self.child, _, self.log) = again.unwrap();
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs it, unless somebody else has one of the ports.
fn run(place: &Path, ports: [u16; 2]) -> Option<(Child, [u16; 2], Arc<Mutex<String>>)> {
    let listen = format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", ports[0], ports[1]);
    let mut command = program(place.join("slapd"));
    command.arg("-f").arg(place.join("slapd.conf")).args(["-h", &listen, "-d", "stats"]).stderr(Stdio::piped());
    end_with_this_thread(&mut command, None);
    let mut child = command.spawn().unwrap();
    let log = Arc::<Mutex<String>>::default();
    let (errors, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
    std::thread::spawn(move || {
        for line in errors.lines().map_while(Result::ok) {
            let mut kept = kept.lock().unwrap();
            kept.push_str(&line);
            kept.push('\n');
        }
    });
    let mut is_running = false;
    eventually("slapd answers or ends", || {
        is_running = child.try_wait().unwrap().is_none();
        !is_running
            || ports.iter().all(|&port| TcpStream::connect(("127.0.0.1", port)).is_ok()) && log.lock().unwrap().contains("slapd starting")
    });
    is_running.then_some((child, ports, log))
}

/// A port that nobody has at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes the certificate of an authority (`ca.pem`), and one for 127.0.0.1 that it has signed (`own.pem` and `key.pem`).
pub fn write_certificates(place: &Path) {
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = parameters.self_signed(&authority).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::from_params(&parameters, &authority);
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    for (file, text) in [("ca.pem", ca.pem()), ("own.pem", own.pem()), ("key.pem", key.serialize_pem())] {
        std::fs::write(place.join(file), text).unwrap();
    }
}

fn configuration(place: &Path) -> String {
    let place = place.display();
    format!(
        r#"
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
TLSCACertificateFile {place}/ca.pem
TLSCertificateFile {place}/own.pem
TLSCertificateKeyFile {place}/key.pem
database mdb
suffix "dc=example,dc=org"
rootdn "cn=root,dc=example,dc=org"
rootpw root
directory {place}/data
access to attrs=userPassword by anonymous auth by * none
access to dn.base="uid=shy,ou=people,dc=example,dc=org" by dn.base="cn=reader,dc=example,dc=org" read by * none
access to * by users read by anonymous auth
overlay memberof
overlay ppolicy
ppolicy_default "cn=policy,dc=example,dc=org"
ppolicy_use_lockout
database mdb
suffix "dc=lax,dc=org"
rootdn "cn=root,dc=example,dc=org"
directory {place}/lax
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth
"#
    )
}
