//! Sessions that reach other machines, and not this one: the supervisor makes their connections.

use std::{io, os::fd::OwnedFd};

use rustix::process::Pid;

use super::failure::WorkerError;
use crate::{
    system::{addresses, sandbox::connections::Connections},
    with_sources,
};

/// Makes the connections of a worker and of all that it starts, to other machines only, as long as one of them lives. The worker has given
/// its `listener` away, unless it had none to give.
///
/// # Errors
/// [`WorkerError::Network`]
pub(super) fn connect(worker: Pid, listener: io::Result<Option<OwnedFd>>) -> Result<(), WorkerError> {
    let listener = listener?.ok_or_else(|| WorkerError::Network("a worker has not given its connections away".to_owned()))?;
    let connections = Connections::of(worker, listener).map_err(|error| WorkerError::Network(with_sources(&error)))?;
    tokio::spawn(connections.serve(addresses::is_elsewhere));
    Ok(())
}
