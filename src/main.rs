//! The supervisor's command line.

use std::{io::Write, process::ExitCode};

use clap::Parser;
use offshoot::cli::EndsWith;

/// A request makes some sixty small allocations, and passwords are hashed in tens of megabytes, which the C library's
/// allocator keeps in an arena for each thread. R's is the C library's: `worker` knows how that lays out memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match offshoot::cli::run(offshoot::cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "offshoot: {error:#}");
            error.downcast_ref::<EndsWith>().map_or(ExitCode::FAILURE, |ends| ExitCode::from(ends.status))
        }
    }
}
