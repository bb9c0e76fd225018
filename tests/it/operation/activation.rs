//! Starting under systemd: it passes a socket, and waits for a message that the server is ready.

use std::{
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{PATIENCE, Server, program};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_systemd_is_used_and_systemd_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("notify");
    let notify = UnixDatagram::bind(&told).unwrap();
    notify.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // A client that connects before the server is there waits for it.
    let early = tokio::spawn(crate::harness::http().build().unwrap().get(format!("http://{address}/_check")).send());
    // The shell passes the socket as systemd does, with the process id of its receiver.
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve --data \"$1\"";
    let mut command = program("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_offshoot")]).arg(folder.path().join("data"));
    command.env("NOTIFY_SOCKET", &told).env("OFFSHOOT_SESSIONS_POOL", "0").stdin(Stdio::from(OwnedFd::from(socket)));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let heard = || {
        let mut bytes = [0; 100];
        let length = notify.recv(&mut bytes).expect("the server says something");
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    assert_eq!(heard(), "READY=1");
    assert_eq!(early.await.unwrap().unwrap().status(), 204);
    let ping = Server::command().args(["ping"]).env("OFFSHOOT_LISTEN", address.to_string()).output().unwrap();
    assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stderr));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(heard(), "STOPPING=1");
    assert!(child.wait().unwrap().success());
    let ping = Server::command().args(["ping"]).env("OFFSHOOT_LISTEN", address.to_string()).output().unwrap();
    assert!(!ping.status.success());
}
