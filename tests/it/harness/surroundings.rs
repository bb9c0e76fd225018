//! The programs that tests start see nothing of the surroundings in which the tests run.

use std::{
    ffi::OsStr,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use offshoot::system::search;

use super::skips::skipped;

/// A program that is not told of the settings, libraries and profiles of R, proxies and language that are in this process's environment.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_surroundings(name)) {
        command.env_remove(name);
    }
    command.env_remove("LANGUAGE").env("LC_ALL", "C.UTF-8");
    command
}

/// Node with a script of the tests, where it and the npm packages beside the script are installed.
pub fn node(script: &str) -> Option<Command> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(script);
    let packages = script.with_file_name("node_modules");
    if !packages.is_dir() || Command::new("node").arg("--version").output().is_err() {
        skipped(&format!("Node or {} is missing: make setup-tests", packages.display()));
        return None;
    }
    let mut command = program("node");
    command.arg(script);
    Some(command)
}

fn is_of_surroundings(name: &OsStr) -> bool {
    let name = name.as_bytes();
    ["OFFSHOOT_", "ROCK_", "R_"].iter().any(|own| name.starts_with(own.as_bytes())) || name.to_ascii_lowercase().ends_with(b"_proxy")
}

/// The server's program, where any user may run it: the folder of the build may be closed to others.
pub fn server_for_all() -> PathBuf {
    static COPIES: OnceLock<PathBuf> = OnceLock::new();
    let built = [env!("CARGO_BIN_EXE_offshoot"), env!("CARGO_BIN_EXE_offshoot-worker")].map(PathBuf::from);
    if !built.iter().any(|program| search::is_closed_to_others(program)) {
        return built[0].clone();
    }
    let folder = COPIES.get_or_init(|| {
        // The next run of the tests removes it.
        let folder = super::server::folder_for_all_tests().keep();
        for program in &built {
            let copy = folder.join(program.file_name().unwrap());
            std::fs::copy(program, &copy).unwrap();
            std::fs::set_permissions(copy, PermissionsExt::from_mode(0o755)).unwrap();
        }
        folder
    });
    folder.join("offshoot")
}
