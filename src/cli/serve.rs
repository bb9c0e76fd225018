//! `offshoot serve`

use std::{io::Write, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use listenfd::ListenFd;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use super::{
    Serve,
    activation::{self, Listeners, Passed},
    demo, rtvsd,
};
use crate::{
    api,
    app::App,
    auth::{Gate, password},
    config::Config,
    server::{self, local::LocalPlace, tls::Certificate},
    site,
    store::policies::Policy,
    system::{environment, folder, orphans::Orphans, removal},
    telemetry::{self, Recent, Telemetry, measures},
};

/// How long R may take to stop what it runs when the server stops. The whole stop takes less than five seconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often the server sets the log's level to what the policy says, reaps orphaned workers and tidies measurements.
const TICK: Duration = Duration::from_secs(1);
/// How many connections a listener for measurements has at the same time.
const METRICS_CONNECTIONS: usize = 64;
/// The password of all accounts of a demonstration.
const DEMO_PASSWORD: &str = "secret";

pub(super) fn run(serve: &Serve) -> anyhow::Result<()> {
    let (config, throw_away) = config(serve)?;
    if serve.print_config {
        print(&config.printed())?;
        return Ok(());
    }
    let outcome = start(config, Wishes { demo: serve.demo, ..Wishes::default() });
    outcome.and(throw_away.map_or(Ok(()), |folder| removal::remove(&folder).with_context(|| folder.display().to_string())))
}

/// What is wanted of a server beyond its settings.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// Whether it is a demonstration.
    pub(super) demo: bool,
    /// The process with which it ends.
    pub(super) parent: Option<i32>,
    /// The pipe by which somebody is told where it listens.
    pub(super) told: Option<String>,
}

/// Serves until the server is told to stop.
pub(super) fn start(config: Config, wishes: Wishes) -> anyhow::Result<()> {
    let password = std::env::var("OFFSHOOT_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty());
    keep_secrets()?;
    let (telemetry, recent) = telemetry::start(&config.log)?;
    raise_descriptor_limit();
    // This changes the environment, which is safe only before there are threads.
    let mut passed = ListenFd::from_env();
    let sockets = activation::sockets(&mut passed, &config)?;
    // Workers whose zygote has died become this process's children, and are reaped.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(listen(config, recent, wishes, password, sockets, telemetry));
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// The settings in force and, for a demonstration, the folder to remove at the end.
fn config(serve: &Serve) -> anyhow::Result<(Config, Option<PathBuf>)> {
    let mut config = serve.settings.config()?;
    if !serve.listen.is_empty() {
        config.listen.clone_from(&serve.listen);
    }
    config.tls.self_signed |= serve.self_signed;
    config.check().and_then(|()| config.check_tls()).map_err(anyhow::Error::msg)?;
    if !serve.demo {
        return Ok((config, None));
    }
    if let Some(listen) = config.listen.iter().find(|listen| !listen.address.ip().is_loopback()) {
        bail!("listen: {listen} is open to others, and a demonstration has known passwords: it listens on loopback addresses only");
    }
    if serve.settings.data.is_some() {
        bail!("--data: a demonstration has a data folder of its own, which is thrown away at the end");
    }
    if config.http.hosts.is_empty() {
        // A malicious page knows these passwords as well. It could make its own name lead to this address, so only the
        // server's own names are taken.
        let addresses = config.listen.iter().map(|listen| listen.address.ip());
        let hosts = addresses.map(|address| if address.is_ipv6() { format!("[{address}]") } else { address.to_string() });
        config.http.hosts = hosts.chain(["localhost".to_owned()]).collect();
    }
    let folder = std::env::temp_dir().join(format!("offshoot-demo-{}", uuid::Uuid::new_v4()));
    config.data.clone_from(&folder);
    Ok((config, Some(folder).filter(|_| !serve.print_config)))
}

async fn listen(
    mut config: Config,
    log: Recent,
    wishes: Wishes,
    password: Option<String>,
    passed: Vec<Passed>,
    mut telemetry: Telemetry,
) -> anyhow::Result<()> {
    config.r.namespaces = api::namespaces(&config);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut reload = signal(SignalKind::hangup())?;
    let measures = measures::start()?;
    if !folder::can_be_opened() {
        tracing::error!("no file of a session can be read or written: a filter forbids openat2; offshoot doctor says more");
    }
    let rules = server::ConnectionRules::new(&config.http, config.sessions.max)?;
    let mut listeners = Listeners::open(&config, passed).await?;
    if wishes.demo && config.listen == Config::default().listen {
        // Whoever tries it may have a client at hand.
        listeners.add_free(&api::CLIENT_PORTS).await;
    }
    let app = tokio::select! {
        app = App::start(config, log) => app?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let demo = wishes.demo;
    let certificate = Certificate::open(&app.settings().tls, &app.settings().data)?;
    let of_workspaces = {
        let tls = app.settings().workspace_listeners().map_err(anyhow::Error::msg)?.1;
        if *tls == app.settings().tls { certificate.clone() } else { Certificate::open(tls, &app.settings().data).context("rtvs")? }
    };
    let gate = Gate::new(app.settings(), Some(app.rules().clone())).map(Arc::new).map_err(anyhow::Error::msg)?;
    let public = site::public(&app, &gate, &measures, &app.settings().http, demo)?;
    // Not before it is known that the server starts: a generated password is shown once.
    first_content(&app, First { demo, password }).await?;
    api::rock::accounts::declare(&app, demo).await?;
    let serving = TaskTracker::new();
    match LocalPlace::of(&app.settings().data).and_then(LocalPlace::listen) {
        Ok(listener) => drop(serving.spawn(listener.serve(site::control(&app), app.stopping().clone(), PATIENCE))),
        // A folder of another system may hold no sockets.
        Err(error) => tracing::warn!(%error, "there is no control socket in the data folder, so that offshoot session does not work"),
    }
    for (listener, https) in listeners.public {
        let address = listener.local_addr()?;
        let certificate = certificate.clone().filter(|_| https);
        serving.spawn(server::serve(listener, certificate, public.clone(), rules.clone(), app.stopping().clone(), PATIENCE));
        print(&format!("listening on {}://{address}\n", if https { "https" } else { "http" }))?;
    }
    let mut urls = Vec::new();
    let workspaces = (!listeners.workspaces.is_empty()).then(|| site::workspaces(&app, &gate));
    for ((listener, https), workspaces) in listeners.workspaces.into_iter().zip(workspaces.into_iter().cycle()) {
        let address = listener.local_addr()?;
        let certificate = of_workspaces.clone().filter(|_| https);
        let rules = rules.only_http1();
        let url = format!("{}://{address}", if https { "https" } else { "http" });
        serving.spawn(server::serve(listener, certificate, workspaces, rules, app.stopping().clone(), PATIENCE));
        print(&format!("remote workspaces on {url}\n"))?;
        urls.push(url);
    }
    for listener in listeners.metrics {
        let address = listener.local_addr()?;
        let monitors = site::monitors(&app, &gate, &measures);
        serving.spawn(server::serve(listener, None, monitors, rules.apart(METRICS_CONNECTIONS), app.stopping().clone(), PATIENCE));
        print(&format!("metrics on http://{address}/metrics\n"))?;
    }
    serving.close();
    app.follow_keys();
    activation::notify(NotifyState::Ready);
    if let Some(pipe) = &wishes.told {
        rtvsd::tell(pipe, &urls).await;
    }
    let mut parent = std::pin::pin!(rtvsd::ended(wishes.parent.unwrap_or_default()));
    let mut orphans = Orphans::default();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = app.stop_asked() => break,
            () = &mut parent => break,
            _ = reload.recv() => {
                renew([&certificate, &of_workspaces], &telemetry);
                app.follow_keys();
            }
            _ = tick.tick() => {
                orphans.reap();
                measures.run_upkeep();
                telemetry.set_level(app.rules().now().policies.text(Policy::LogLevel));
            }
        }
    }
    tracing::info!("stopping");
    activation::notify(NotifyState::Stopping);
    app.stop(PATIENCE).await;
    serving.wait().await;
    Ok(())
}

/// On SIGHUP, reads the certificates again, and opens the file of the audit log again.
fn renew(certificates: [&Option<Certificate>; 2], telemetry: &Telemetry) {
    let certificates = certificates.map(|certificate| certificate.as_ref().map_or(Ok(()), Certificate::reload).map_err(anyhow::Error::new));
    for outcome in certificates.into_iter().chain([telemetry.reopen().map_err(anyhow::Error::msg)]) {
        if let Err(error) = outcome {
            tracing::error!(error = format!("{error:#}"), "not reloaded, what was there stays in force");
        }
    }
    tracing::info!("reloaded");
}

/// What a new store is filled with.
struct First {
    /// Whether that is a demonstration's.
    demo: bool,
    /// The password of its administrator, if the environment has it.
    password: Option<String>,
}

/// Keeps settings that may be secrets from other processes of this user: those of the environment, and this process's memory.
#[expect(unsafe_code, reason = "the environment is changed")]
fn keep_secrets() -> std::io::Result<()> {
    // SAFETY: there is one thread yet.
    unsafe {
        environment::forget(|name| ["OFFSHOOT_", "ROCK_"].iter().any(|own| name.as_encoded_bytes().starts_with(own.as_bytes())));
    }
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Fills a new store: with accounts, and for a demonstration with scripts and a file.
async fn first_content(app: &Arc<App>, first: First) -> anyhow::Result<()> {
    if first.demo {
        app.accounts().create_first(DEMO_PASSWORD, true).await?;
        demo::fill(app.store()).await?;
        tell(&format!(
            "\n  DEMONSTRATION: anybody on this machine can log in as admin, testmanager or testuser, password \"{DEMO_PASSWORD}\",\n  \
             or as administrator, manager or user, password \"password\", and run any R code. Nothing is kept:\n  {} goes when the server stops.\n",
            app.settings().data.display()
        ));
        return Ok(());
    }
    let generated = first.password.is_none();
    let admin_password = first.password.map_or_else(password::generate, Ok)?;
    let made = app.accounts().create_first(&admin_password, false).await;
    let made = if generated { made? } else { made.context("OFFSHOOT_ADMIN_PASSWORD")? };
    if made && generated {
        tell(&format!(
            "\n  The password of the account admin is: {admin_password}\n  It is not shown again; change it with: offshoot user passwd admin\n"
        ));
    }
    Ok(())
}

/// Each session takes some descriptors, more in sum than most systems grant at first.
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
