//! The message of a build when R is missing or unsuitable.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

/// An R home in which `bin/R` is this shell script.
fn stand_in(folder: &Path, script: &str) -> String {
    fs::create_dir_all(folder.join("bin")).unwrap();
    let program = folder.join("bin/R");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn the_build_says_what_is_wrong_with_r_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("build-script");
    let compiled = Command::new("rustc").args(["--edition", "2024", "-o"]).arg(&script).arg("build.rs").status().unwrap();
    assert!(compiled.success());
    let build = |variables: &[(&str, &str)]| -> String {
        let Output { stdout, .. } = Command::new(&script).env("R_HOME", "ask R").envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(stdout).unwrap()
    };

    let good = build(&[]);
    assert!(good.contains("cargo:rustc-env=BUILT_FOR_R_HOME=/") && !good.contains("cargo::error"), "{good}");

    let missing = build(&[("PATH", "/nowhere")]);
    assert!(missing.contains("cargo::error=R is not installed, or not on the PATH. On Debian and Ubuntu: apt-get install"), "{missing}");
    let cases = [
        ("old", "echo 4.1.3", "is too old: Offshoot needs R 4.2 or newer."),
        ("static", "echo 4.2.2", "was built without its shared library (lib/libR.so). Install a build with --enable-R-shlib"),
        ("broken", "exit 3", "does not run. Set R_HOME to R's home directory"),
    ];
    for (name, script, sentence) in cases {
        let home = stand_in(&folder.path().join(name), script);
        let said = build(&[("R_HOME", &home)]);
        assert!(said.contains("cargo::error=") && said.contains(&home) && said.contains(sentence), "{name}: {said}");
    }
}

/// libR-sys looks for R first, and would stop the build with a message of its own.
#[test]
fn the_build_script_of_libr_sys_is_kept_from_looking_for_r() {
    let config: toml::Table = fs::read_to_string(".cargo/config.toml").unwrap().parse().unwrap();
    assert_eq!(config["env"]["R_HOME"].as_str(), Some("ask R"));
    assert_eq!(config["env"]["LIBRSYS_R_VERSION"].as_str(), Some("4.2.0"));
}
