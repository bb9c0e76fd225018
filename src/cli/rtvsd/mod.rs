//! `offshoot rtvsd`: serves remote workspaces in the place of the daemon of that name, with its settings, files and exit codes.

mod settings;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, pidfd_open},
};
use serde_json::json;
use tokio::time::interval;

use super::{
    EndsWith, Settings, doctor,
    serve::{self, Wishes},
};
use crate::{config::Config, server::tls::CertificateError};
use settings::{Beyond, FILE, Values};

/// Where a server that runs as root keeps its data, if nothing says that.
const DATA: &str = "/var/lib/rtvsd";

/// How often the server looks whether the process is there with which it ends.
const LOOK: Duration = Duration::from_millis(500);

/// The exit codes of the original.
mod status {
    pub(super) const NO_CERTIFICATE: u8 = 2;
    pub(super) const WRONG_SETTINGS: u8 = 3;
    pub(super) const PORT_IN_USE: u8 = 4;
}

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Rtvsd {
    /// The folder of the store, of files and of running sessions [default: /var/lib/rtvsd for root]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// More settings, in TOML, which the others replace
    #[arg(long, env = "OFFSHOOT_CONFIG", value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Serve the other APIs as well, where the settings in TOML say
    #[arg(long)]
    beside: bool,
    /// Print the settings in force, and do nothing else
    #[arg(long)]
    print_config: bool,
    /// Look for what is wrong with this machine and these settings, as offshoot doctor does
    #[arg(long)]
    doctor: bool,
    /// The configuration file in JSON, alone or after --config [default: /etc/rtvs/rtvsd.config.json, if there is one], and keys of it with
    /// their values, such as --security:allowedGroup users. The file goes before such keys
    #[arg(value_name = "FILE | --config FILE | --SECTION:KEY VALUE", trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(super) fn run(arguments: &Rtvsd) -> anyhow::Result<()> {
    let config = config(arguments);
    if arguments.doctor {
        return doctor::report(config.map(|(config, _)| config).map_err(anyhow::Error::msg));
    }
    let (config, beyond) = config.map_err(|error| EndsWith::new(status::WRONG_SETTINGS, anyhow::Error::msg(error)))?;
    if arguments.print_config {
        io::stdout().write_all(config.printed().as_bytes())?;
        return Ok(());
    }
    config.check_tls().map_err(|error| EndsWith::new(status::NO_CERTIFICATE, anyhow::Error::msg(error)))?;
    for key in &beyond.unknown {
        writeln!(io::stderr(), "offshoot: {key}: there is no such setting, it is ignored")?;
    }
    serve::start(config, Wishes { parent: beyond.parent, told: beyond.told, ..Wishes::default() }).map_err(with_status)
}

/// An error with the status that the original ends with because of such a one.
fn with_status(error: anyhow::Error) -> anyhow::Error {
    let is_taken = |error: &(dyn std::error::Error + 'static)| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::AddrInUse)
    };
    if error.chain().any(is_taken) {
        EndsWith::new(status::PORT_IN_USE, error).into()
    } else if error.chain().any(<dyn std::error::Error>::is::<CertificateError>) {
        EndsWith::new(status::NO_CERTIFICATE, error).into()
    } else {
        error
    }
}

fn config(arguments: &Rtvsd) -> Result<(Config, Beyond), String> {
    let base = Settings { config: arguments.settings.clone(), data: arguments.data.clone() };
    let mut config = base.layers()?.finish()?;
    config.file = arguments.settings.clone().unwrap_or_default();
    if config.data == Config::default().data && rustix::process::geteuid().is_root() {
        config.data = PathBuf::from(DATA);
    }
    let (mut values, file) = switches(&arguments.rest)?;
    match file {
        Some(file) => values.file(&file)?,
        None if Path::new(FILE).exists() => values.file(Path::new(FILE))?,
        None => {}
    }
    let beyond = values.apply(&mut config, !arguments.beside)?;
    config.check()?;
    Ok((config, beyond))
}

/// The switches, and the file that they name.
fn switches(arguments: &[String]) -> Result<(Values, Option<PathBuf>), String> {
    let (mut values, mut file) = (Values::default(), None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        // The original takes either way of writing it.
        let Some(key) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('/').filter(|key| key.contains(':'))) else {
            if file.replace(PathBuf::from(argument)).is_some() {
                return Err(format!("{argument}: there is another file already"));
            }
            continue;
        };
        let (key, value) = match key.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None => (key, rest.next().ok_or_else(|| format!("{argument}: it has no value"))?.clone()),
        };
        if key.eq_ignore_ascii_case("config") {
            file = Some(PathBuf::from(value));
        } else {
            values.set(key, &value);
        }
    }
    Ok((values, file))
}

/// Waits until a process has ended.
pub(super) async fn ended(pid: i32) {
    let Some(pid) = Pid::from_raw(pid) else { return std::future::pending().await };
    // Who is gone already has ended.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let mut look = interval(LOOK);
    loop {
        look.tick().await;
        // The descriptor can be read when the process has ended (pidfd_open(2)).
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        if ended.is_ok_and(|ended| ended > 0) {
            return;
        }
    }
}

/// Tells somebody who listens to a pipe where the server does: their addresses in JSON, and a mark.
pub(super) async fn tell(pipe: &str, urls: &[String]) {
    let text = format!("{}^", json!(urls));
    // .NET has its named pipes there.
    let path = if pipe.starts_with('/') { PathBuf::from(pipe) } else { std::env::temp_dir().join(format!("CoreFxPipe_{pipe}")) };
    if let Err(error) = write(&path, text.as_bytes()).await {
        tracing::error!(%error, pipe = %path.display(), "nobody could be told where the server listens");
    }
}

async fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    use tokio::{
        io::AsyncWriteExt,
        net::{UnixStream, unix::pipe},
    };
    if std::fs::metadata(path)?.file_type().is_fifo() {
        return pipe::OpenOptions::new().open_sender(path)?.write_all(text).await;
    }
    UnixStream::connect(path).await?.write_all(text).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_have_values_and_there_is_one_file() {
        let of = |words: &[&str]| switches(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let mut expected = Values::default();
        expected.set("security:secret", "x y");
        expected.set("urls", "http://localhost:1");
        let file = Some(PathBuf::from("/a.json"));
        for words in [
            &["--config", "/a.json", "--Security:Secret", "x y", "--urls=http://localhost:1"][..],
            &["/a.json", "--security:secret=x y", "--URLS", "http://localhost:1"],
        ] {
            assert_eq!(of(words), Ok((expected.clone(), file.clone())));
        }
        assert_eq!(of(&[]), Ok((Values::default(), None)));
        assert!(of(&["--security:secret"]).unwrap_err().contains("no value"));
        assert!(of(&["/a", "/b"]).unwrap_err().contains("another file"));
    }
}
