//! The supervisor is not linked with R.

use std::process::Command;

/// The libraries that a program needs, and the symbols that it expects from them.
fn needed(program: &str) -> Vec<String> {
    let output = Command::new("readelf").args(["--dynamic", "--dyn-syms", "--wide"]).arg(program).output().expect("binutils are installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let libraries = text.lines().filter(|line| line.contains("(NEEDED)")).filter_map(|line| line.split(['[', ']']).nth(1));
    let symbols = text.lines().filter(|line| line.contains(" UND ")).filter_map(|line| line.split_whitespace().nth(7));
    libraries.chain(symbols).map(str::to_owned).collect()
}

#[test]
fn the_supervisor_maps_no_libr() {
    let supervisor = needed(env!("CARGO_BIN_EXE_offshoot"));
    assert!(supervisor.iter().any(|name| name.starts_with("libc.so")), "{supervisor:?}");
    assert!(!supervisor.iter().any(|name| name.starts_with("libR") || name.starts_with("Rf_") || name.starts_with("R_")), "{supervisor:?}");
    let worker = needed(env!("CARGO_BIN_EXE_offshoot-worker"));
    assert!(worker.iter().any(|name| name == "libR.so"), "{worker:?}");
}

#[tokio::test]
async fn a_running_supervisor_has_not_mapped_it_either() {
    let server = crate::harness::Server::shared();
    if !server.is_transparent() {
        return;
    }
    crate::harness::Client::admin(server).await.session().await.run("1").await;
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.pid())).unwrap();
    assert!(!maps.contains("libR.so"));
    assert!(std::fs::read_to_string(format!("/proc/{}/maps", server.zygote())).unwrap().contains("libR.so"));
}
