//! Measurements in the form of Prometheus. Events are counted where they happen; states, such as the number of sessions,
//! are looked up when somebody asks.

use metrics::{counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of durations, in seconds: from a ping to a long computation.
const SECONDS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0];

/// Starts to measure.
///
/// # Errors
/// When measuring has been started before.
pub fn start() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?;
    let handle = builder.install_recorder()?;
    describe_histogram!("offshoot_request_seconds", "Requests, from the head to the end of the answer, by dialect, call and status");
    describe_counter!("offshoot_request_bytes_total", "Bytes of bodies of requests, by dialect");
    describe_counter!("offshoot_response_bytes_total", "Bytes of bodies of answers, by dialect");
    describe_histogram!("offshoot_evaluation_seconds", "Evaluations of R code, waiting not included");
    describe_histogram!("offshoot_fork_seconds", "Forks of workers, until they are ready");
    describe_histogram!("offshoot_store_statement_seconds", "Statements of the store, by kind");
    describe_counter!("offshoot_sessions_opened_total", "R sessions that were opened");
    describe_counter!("offshoot_worker_deaths_total", "R sessions that ended by themselves, by cause");
    // Counters are there from the start: if one appeared with its first event, Prometheus could not see it rise.
    for cause in ["quit", "exit", "signal 9", "unstoppable", "unknown"] {
        counter!("offshoot_worker_deaths_total", "cause" => cause).increment(0);
    }
    counter!("offshoot_sessions_opened_total").increment(0);
    describe_counter!("offshoot_zygote_starts_total", "Starts of R");
    describe_gauge!("offshoot_sessions", "R sessions, by state");
    describe_gauge!("offshoot_sessions_max", "R sessions that there can be; 0 is no limit");
    describe_gauge!("offshoot_operations_waiting", "Operations that wait for the one that runs in their session");
    describe_gauge!("offshoot_pool_ready", "Workers that are ready for the next sessions");
    describe_gauge!("offshoot_pool_size", "Workers that should be");
    describe_gauge!("offshoot_zygote_up", "Whether R is there to be forked");
    describe_gauge!("offshoot_logins", "Logins");
    describe_gauge!("offshoot_connections", "Connections");
    Ok(handle)
}

/// All measurements, as text.
#[must_use]
pub fn text(handle: &PrometheusHandle) -> String {
    handle.run_upkeep();
    handle.render()
}
