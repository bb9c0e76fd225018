//! `offshoot serve`

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use super::{Serve, demo};
use crate::{
    api,
    app::App,
    auth::password,
    config::Config,
    server,
    telemetry::{self, Recent},
};

/// What running R gets to stop when the server does; the whole end takes less than five seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// The password of all accounts of a demonstration.
const DEMO_PASSWORD: &str = "secret";

pub(super) fn run(serve: &Serve) -> anyhow::Result<()> {
    let (config, throw_away) = config(serve)?;
    if serve.print_config {
        print(&config.printed())?;
        return Ok(());
    }
    let log = telemetry::start(&config.log.level);
    raise_descriptor_limit();
    // Workers whose zygote has died become this process's children, and are reaped.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(listen(config, log, serve.demo));
    runtime.shutdown_timeout(Duration::from_millis(500));
    if let Some(folder) = throw_away {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    outcome
}

/// The settings in force and, for a demonstration, the folder to remove at the end.
fn config(serve: &Serve) -> anyhow::Result<(Config, Option<PathBuf>)> {
    let mut config = serve.settings.config()?;
    if !serve.listen.is_empty() {
        config.listen.clone_from(&serve.listen);
    }
    config.check().map_err(anyhow::Error::msg)?;
    if !serve.demo {
        return Ok((config, None));
    }
    if let Some(address) = config.listen.iter().find(|address| !address.ip().is_loopback()) {
        bail!("listen: {address} is open to others, and a demonstration has known passwords: it listens on loopback addresses only");
    }
    if serve.settings.data.is_some() {
        bail!("--data: a demonstration has a data folder of its own, which is thrown away at the end");
    }
    let folder = std::env::temp_dir().join(format!("offshoot-demo-{}", uuid::Uuid::new_v4()));
    config.data.clone_from(&folder);
    Ok((config, Some(folder).filter(|_| !serve.print_config)))
}

async fn listen(config: Config, log: Recent, demo: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let head = Duration::from_secs(config.http.head_seconds.max(1));
    let mut listeners = Vec::new();
    for &address in &config.listen {
        listeners.push(server::bind(address).await.map_err(anyhow::Error::msg)?);
    }
    let app = tokio::select! {
        app = App::start(config, log) => app?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    first_content(&app, demo).await?;
    api::rock::accounts::declare(&app, demo).await?;

    let router = api::router(&app);
    let serving = TaskTracker::new();
    for listener in listeners {
        let address = listener.local_addr()?;
        serving.spawn(server::serve(listener, router.clone(), head, app.stopping.clone(), PATIENCE));
        print(&format!("listening on http://{address}\n"))?;
    }
    serving.close();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    app.stop(PATIENCE).await;
    serving.wait().await;
    Ok(())
}

/// What a new store is given: accounts, and for a demonstration something to look at.
async fn first_content(app: &Arc<App>, demo: bool) -> anyhow::Result<()> {
    if demo {
        app.accounts.create_first(DEMO_PASSWORD, true).await?;
        demo::fill(&app.store).await?;
        tell(&format!(
            "\n  DEMONSTRATION: anybody on this machine can log in as admin, testmanager or testuser, password \"{DEMO_PASSWORD}\",\n  \
             or as administrator, manager or user, password \"password\", and run any R code. Nothing is kept:\n  {} goes when the server stops.\n",
            app.config.data.display()
        ));
        return Ok(());
    }
    let given = std::env::var("OFFSHOOT_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
    let generated = given.is_none();
    let admin_password = given.map_or_else(password::generate, Ok)?;
    let made = app.accounts.create_first(&admin_password, false).await?;
    if made && generated {
        tell(&format!(
            "\n  The password of the account admin is: {admin_password}\n  It is not shown again; change it with: offshoot user passwd admin\n"
        ));
    }
    Ok(())
}

/// Each session takes three descriptors.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something that is not a log entry, to whoever starts the server.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
