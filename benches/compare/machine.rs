//! The machine and the versions with which the suite ran.

use super::processes::command;

/// Names and values: date, machine, versions.
pub fn surroundings(mode: &str) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field("/proc/meminfo", "MemTotal").and_then(|kib| kib.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown").trim_matches('"').to_owned();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let versions = "for (p in c('jsonlite', 'Rserve', 'plumber')) cat(p, format(packageVersion(p)), '\\n')";
    let packages = output("Rscript", &["-e", versions]).lines().map(str::trim).collect::<Vec<_>>().join(", ");
    let commit = output("git", &["rev-parse", "--short=10", "HEAD"]);
    let changed = if output("git", &["status", "--porcelain", "--", "src", "Cargo.lock"]).is_empty() { "" } else { ", changed" };
    [
        ("Run", format!("{} ({mode})", jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %Z"))),
        ("Machine", format!("{cores} cores ({processor}), {memory} GiB")),
        ("System", format!("{system}, Linux {}", kernel.trim())),
        ("Load when the run began", load.split(' ').next().unwrap_or_default().to_owned()),
        ("Offshoot", format!("{} ({}{changed})", env!("CARGO_PKG_VERSION"), if commit.is_empty() { "no commit" } else { &commit })),
        ("R", output("Rscript", &["-e", "cat(format(getRversion()))"])),
        ("Peers", packages),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = command(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
