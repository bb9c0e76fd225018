//! The machine and its R, and whether clients are there.

use std::{sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::timeout;

use crate::{
    api::rtvs::{
        broker::Broker,
        error::Error,
        request::{Incoming, answer},
    },
    app::App,
};

/// What is told of the machine, to everybody.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AboutHost {
    version: String,
    os_description: String,
    #[serde(rename = "is64BitOperatingSystem")]
    is_64_bit_system: bool,
    #[serde(rename = "is64BitProcess")]
    is_64_bit_process: bool,
    processor_count: usize,
    working_set: u64,
    total_virtual_memory: u64,
    free_virtual_memory: u64,
    total_physical_memory: u64,
    free_physical_memory: u64,
    /// No session draws with one.
    video_cards: [(); 0],
    connected_user_count: usize,
    interpreters: Vec<String>,
}

/// How busy the machine is.
#[derive(Debug, Serialize)]
struct HostLoad {
    #[serde(rename = "cpuLoad")]
    processors: f64,
    #[serde(rename = "memoryLoad")]
    memory: f64,
    #[serde(rename = "networkLoad")]
    network: f64,
}

/// One R.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InterpreterInfo {
    id: String,
    name: String,
    path: String,
    bin_path: String,
    lib_path: Option<String>,
    version: String,
}

/// GET /info/about
pub async fn about(incoming: Incoming) -> Result<Response, Error> {
    let app = &incoming.broker.app;
    let machine = app.machine();
    Ok(answer(&AboutHost {
        version: app.settings().rtvs.version.clone(),
        os_description: machine.system,
        // Nothing else is built.
        is_64_bit_system: cfg!(target_pointer_width = "64"),
        is_64_bit_process: cfg!(target_pointer_width = "64"),
        processor_count: machine.processors,
        working_set: machine.own_memory,
        total_virtual_memory: machine.swap.0 >> 20,
        free_virtual_memory: machine.swap.1 >> 20,
        total_physical_memory: machine.memory.0 >> 20,
        free_physical_memory: machine.memory.1 >> 20,
        video_cards: [],
        connected_user_count: incoming.broker.users(),
        interpreters: interpreter(app).map(|it| format!("[{}] {} (Default)", it.id, it.name)).into_iter().collect(),
    }))
}

/// GET /info/load
pub async fn load(incoming: Incoming) -> Result<Response, Error> {
    let load = incoming.broker.app.machine_load();
    Ok(answer(&HostLoad { processors: load.processors, memory: load.memory, network: load.network }))
}

/// GET /interpreters
pub async fn interpreters(incoming: Incoming) -> Result<Response, Error> {
    Ok(answer(&interpreter(&incoming.broker.app).into_iter().collect::<Vec<_>>()))
}

/// The R that there is; `None` while it is stopped.
fn interpreter(app: &App) -> Option<InterpreterInfo> {
    let (runtime, settings) = (app.runtime(), app.settings());
    if !runtime.is_running {
        return None;
    }
    let (home, version) = (&settings.r.home, runtime.version.to_owned());
    let named = Some(settings.rtvs.interpreter_name.clone()).filter(|name| !name.is_empty());
    Some(InterpreterInfo {
        id: settings.rtvs.interpreter.clone(),
        name: named.unwrap_or_else(|| format!("R {version}")),
        path: home.display().to_string(),
        bin_path: home.join("lib").display().to_string(),
        lib_path: None,
        version,
    })
}

/// POST /ping
pub async fn ping(incoming: Incoming) -> Result<Response, Error> {
    incoming.broker.pinged.notify_one();
    Ok(().into_response())
}

/// Stops the server when no client has said for long that it is there, if the settings want that.
pub fn watch(broker: &Arc<Broker>) {
    let patience = Duration::from_millis(broker.app.settings().rtvs.ping_milliseconds);
    if patience.is_zero() {
        return;
    }
    let broker = Arc::clone(broker);
    tokio::spawn(async move {
        while timeout(patience, broker.pinged.notified()).await.is_ok() {}
        tracing::info!(milliseconds = patience.as_millis(), "no client has asked for /ping, and the server stops");
        broker.app.ask_to_stop();
    });
}
