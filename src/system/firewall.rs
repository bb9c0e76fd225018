//! Keeps processes of some users from the addresses of this machine, by nftables (nft(8)): its own addresses, and those of the link, where
//! services answer that ask nobody who they are.

use std::{
    collections::HashSet,
    fmt::Write as _,
    io,
    net::IpAddr,
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use tokio::{io::AsyncWriteExt, process::Command};

use super::processes;

/// The program, and where it is if `PATH` does not say so.
const PROGRAM: &str = "nft";
const PATHS: &str = "/usr/sbin:/sbin:/usr/local/sbin";
/// How the names of tables begin; the process id of their server follows.
const TABLE: &str = "offshoot_";
/// Where the addresses of name servers are.
const RESOLVERS: &str = "/etc/resolv.conf";

/// A table of rules, as long as this process runs.
#[derive(Debug)]
pub struct Firewall {
    table: String,
    /// The users that it is there for.
    confined: Mutex<HashSet<u32>>,
}

/// Why there are no such rules; the end of a sentence.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FirewallError {
    /// The program cannot be run.
    #[error("the program nft cannot be run: {0}")]
    Program(String),
    /// The program refuses. Its own words.
    #[error("nft says: {0}")]
    Refused(String),
}

impl Firewall {
    /// Makes the rules, for nobody yet. Rules of servers that have ended without removing them are removed.
    ///
    /// # Errors
    /// [`FirewallError`]: it takes root, the right to administer the network, and the program.
    pub async fn raise() -> Result<Self, FirewallError> {
        let table = format!("{TABLE}{}", std::process::id());
        let mut commands = String::new();
        for left in nft("list tables inet").await?.lines().filter_map(|line| line.strip_prefix("table inet ")) {
            let owner = left.strip_prefix(TABLE).and_then(|pid| pid.parse::<u32>().ok());
            if owner.is_some_and(|owner| owner == std::process::id() || !is_server(owner)) {
                let _ = writeln!(commands, "delete table inet {left}");
            }
        }
        commands += &rules(&table, &std::fs::read_to_string(RESOLVERS).unwrap_or_default());
        nft(&commands).await?;
        Ok(Self { table, confined: Mutex::default() })
    }

    /// Has the rules hold for a user, or not.
    ///
    /// # Errors
    /// [`FirewallError`]
    pub async fn hold(&self, user: u32, confined: bool) -> Result<(), FirewallError> {
        // A user belongs to one session, so nobody else asks for this one meanwhile.
        if self.lock().contains(&user) == confined {
            return Ok(());
        }
        let verb = if confined { "add" } else { "delete" };
        nft(&format!("{verb} element inet {} confined {{ {user} }}", self.table)).await?;
        if confined {
            self.lock().insert(user)
        } else {
            self.lock().remove(&user)
        };
        Ok(())
    }

    /// Removes the rules.
    ///
    /// # Errors
    /// [`FirewallError`]
    pub async fn end(&self) -> Result<(), FirewallError> {
        nft(&format!("delete table inet {}", self.table)).await.map(drop)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<u32>> {
        self.confined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a process is a server like this one.
fn is_server(pid: u32) -> bool {
    processes::read(format!("/proc/{pid}/comm")).is_some_and(|name| name.trim() == "offshoot")
}

/// The rules. Name servers of this machine may be asked.
fn rules(table: &str, resolvers: &str) -> String {
    let resolvers = resolvers.lines().filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse::<IpAddr>().ok());
    let mut asked = String::new();
    for resolver in resolvers {
        let family = if resolver.is_ipv4() { "ip" } else { "ip6" };
        for protocol in ["udp", "tcp"] {
            let _ = writeln!(asked, "    {family} daddr {resolver} {protocol} dport 53 accept");
        }
    }
    format!(
        "table inet {table} {{
  set confined {{ typeof meta skuid; }}
  chain output {{
    type filter hook output priority filter; policy accept;
    meta skuid != @confined accept
{asked}    oifname \"lo\" reject
    fib daddr type {{ local, broadcast, anycast }} reject
    ip daddr {{ 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 }} reject
    ip6 daddr {{ ::1, fe80::/10, ff00::/8 }} reject
  }}
}}
"
    )
}

/// Has the program carry out commands, all of them or none; returns what it prints.
async fn nft(commands: &str) -> Result<String, FirewallError> {
    let program = |error: io::Error| FirewallError::Program(error.to_string());
    let path = std::env::var("PATH").map_or_else(|_| PATHS.to_owned(), |path| format!("{path}:{PATHS}"));
    let mut child = Command::new(PROGRAM)
        .args(["-f", "-"])
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(program)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(commands.as_bytes()).await.map_err(program)?;
    }
    let output = child.wait_with_output().await.map_err(program)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        Err(FirewallError::Refused(said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_of_this_machine_may_be_asked() {
        let rules = rules("t", "# a comment\nnameserver 127.0.0.53\nnameserver  fd00::1\nnameserver nonsense; drop\nsearch example.org\n");
        assert!(rules.contains("    ip daddr 127.0.0.53 udp dport 53 accept\n    ip daddr 127.0.0.53 tcp dport 53 accept\n"));
        assert!(rules.contains("ip6 daddr fd00::1 udp dport 53 accept") && !rules.contains("nonsense"));
        assert!(rules.find("dport 53").unwrap() < rules.find("oifname").unwrap());
    }
}
