//! `offshoot doctor`

use std::{
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use crate::harness::{Server, program};

/// The doctor's output for these settings.
fn doctor(settings: &str, listen: &str) -> (Output, String) {
    doctor_as(&mut Server::command(), settings, listen)
}

/// The doctor's output when this command starts it.
fn doctor_as(command: &mut Command, settings: &str, listen: &str) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let file = folder.path().join("offshoot.toml");
    std::fs::write(&file, settings).unwrap();
    let output = command.arg("doctor").arg("--config").arg(file).arg("--data").arg(folder.path().join("data")).args(["--listen", listen]);
    let output = output.output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the doctor leaves nothing behind");
    (output, said)
}

#[test]
fn a_machine_that_works_is_found_to_work() {
    let (output, said) = doctor("[r]\npreload = ['lattice']", "127.0.0.1:0");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "ok       R: ",
        "ok       evaluation: sum(1:100) is 5050",
        "ok       plot: a PNG file of",
        "ok       kernel: Linux",
        "ok       clock: ",
    ] {
        assert!(said.contains(line), "{line} is not in {said}");
    }
    assert!(!said.contains("ERROR") && said.contains("No errors"), "{said}");
}

#[test]
fn what_is_wrong_is_named_with_how_to_mend_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let https = format!("https://{address}");
    for (settings, listen, expected) in [
        ("[r]\nhome = '/nowhere'", "127.0.0.1:0", ["ERROR    R: r.home: /nowhere/bin/R", "-> install R with its shared library"]),
        ("[r]\npreload = ['nowhere']", "127.0.0.1:0", ["ERROR    packages: these of r.preload are not loaded: nowhere", "-> install them"]),
        ("[sessions]\npol = 1", "127.0.0.1:0", ["ERROR    settings: ", "sessions.pol: there is no such setting"]),
        ("", address.as_str(), ["ERROR    port: listen: 127.0.0.1", "-> end what uses it"]),
        ("", https.as_str(), ["ERROR    certificate: tls: https://", "-> give HTTPS a certificate"]),
    ] {
        let (output, said) = doctor(settings, listen);
        assert_eq!(output.status.code(), Some(1));
        for part in expected {
            assert!(said.contains(part), "{part} is not in {said}");
        }
    }
}

#[test]
fn certificates_that_end_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |days: &str| {
        let arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a", "-addext", "subjectAltName=DNS:a.example.org"];
        let mut command = program("openssl");
        command.args(arguments).args(["-days", days, "-keyout", "key.pem", "-out", "cert.pem"]);
        assert!(command.current_dir(folder.path()).output().unwrap().status.success());
    };
    let path = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!("[tls]\ncertificate = '{}'\nkey = '{}'", path("cert.pem"), path("key.pem"));
    for (days, expected) in
        [("100", "ok       certificate: it is for a.example.org, and good for "), ("3", "warning  certificate: it ends in ")]
    {
        openssl(days);
        let (output, said) = doctor(&settings, "https://127.0.0.1:0");
        assert!(said.contains(expected), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The program with mounts of its own, which `mounts` makes; `None` if this user may not make any.
fn program_after(mounts: &str) -> Option<Command> {
    let mut command = program("unshare");
    command.args(["--mount", "sh", "-ec"]);
    let may = program("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success());
    command.arg(format!("{mounts}; exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_offshoot"));
    may.then_some(command)
}

#[test]
fn user_ids_that_another_server_may_use_too_are_noticed() {
    let Some(mut command) = program_after("mount -t tmpfs -o ro none /run") else { return };
    let (output, said) = doctor_as(&mut command, "[sessions]\nusers = '58000-58099'", "127.0.0.1:0");
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning  isolation: /run/offshoot.users: Read-only file system (os error 30): another server"), "{said}");
}
