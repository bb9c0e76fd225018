//! The integration tests: a real server, real R, real HTTP.
//!
//! `harness` starts servers and their clients. `core` drives sessions without HTTP, for operations that have no call in any dialect. The
//! other modules are named after the subject of their tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::float_cmp, reason = "a number that has to be this one")]
#![expect(unreachable_pub, reason = "a program of tests is nobody's library")]

mod architecture;
mod authentication;
mod benchmark;
mod build;
mod cli;
mod concurrency;
mod configuration;
mod console;
mod core;
mod coverage;
mod documents;
mod evaluate;
mod evaluation;
mod ffi;
mod frames;
mod harness;
mod hostile;
mod images;
mod inputs;
mod interrupts;
mod isolation;
mod jsonlite;
mod lifecycle;
mod limits;
mod linkage;
mod mlserver;
mod operation;
mod pages;
mod plain;
mod plots;
mod preload;
mod prompt;
mod prompt_host;
mod prompt_plots;
mod r_client;
mod revodeployr;
mod rock;
mod round_trip;
mod rtvs;
mod sandbox;
mod schemas;
mod serialized;
mod start;
mod values;
