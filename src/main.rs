//! The supervisor's command line.

use std::{io::Write, process::ExitCode};

use clap::Parser;

fn main() -> ExitCode {
    match offshoot::cli::run(offshoot::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "offshoot: {error:#}");
            ExitCode::FAILURE
        }
    }
}
