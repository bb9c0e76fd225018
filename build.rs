//! Finds R, its version and its library, so that the worker binary starts without `LD_LIBRARY_PATH`.
//!
//! Gives the program `BUILT_FOR_R_HOME` and `BUILT_FOR_R_VERSION` at compile time. libR-sys, whose build script
//! would be the first to look for R, is kept from it by `.cargo/config.toml`.

use std::path::{Path, PathBuf};
use std::process::Command;

const OLDEST: (u32, u32) = (4, 2);
/// What `.cargo/config.toml` sets `R_HOME` to where the environment does not.
const ASK_R: &str = "ask R";

fn main() {
    println!("cargo:rerun-if-env-changed=R_HOME");
    println!("cargo:rerun-if-env-changed=PATH");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=migrations");
    match find() {
        Ok((home, version)) => {
            println!("cargo:rustc-env=BUILT_FOR_R_HOME={}", home.display());
            println!("cargo:rustc-env=BUILT_FOR_R_VERSION={version}");
            let library = home.join("lib");
            println!("cargo:rustc-link-search=native={}", library.display());
            println!("cargo:rustc-link-arg-bin=offshoot-worker=-Wl,-rpath,{}", library.display());
        }
        Err(what) => {
            println!("cargo::error={what}");
        }
    }
}

/// R's home directory and its version ("4.2.2").
fn find() -> Result<(PathBuf, String), String> {
    let home = match std::env::var_os("R_HOME").filter(|home| home != ASK_R) {
        Some(home) => PathBuf::from(home),
        None => ask(Path::new("R"), &["RHOME"]).map(PathBuf::from).ok_or(
            "R is not installed, or not on the PATH. On Debian and Ubuntu: apt-get install r-base-core r-base-dev (or just: make setup)",
        )?,
    };
    let program = home.join("bin/R");
    let version = ask(&program, &["--vanilla", "--no-echo", "-e", "cat(format(getRversion()))"])
        .ok_or_else(|| format!("{} does not run. Set R_HOME to R's home directory, the one that `R RHOME` prints.", program.display()))?;
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST {
        return Err(format!("R {version} in {} is too old: Offshoot needs R {}.{} or newer.", home.display(), OLDEST.0, OLDEST.1));
    }
    if !home.join("lib/libR.so").exists() {
        return Err(format!(
            "R in {} was built without its shared library (lib/libR.so). Install a build with --enable-R-shlib; Debian's r-base-core is one.",
            home.display()
        ));
    }
    Ok((home, version))
}

fn ask(program: &Path, arguments: &[&str]) -> Option<String> {
    // R knows its home, and warns on standard output of an R_HOME that is another.
    let output = Command::new(program).args(arguments).env_remove("R_HOME").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
