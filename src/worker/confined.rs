//! A program within the walls of the sandbox that is no session: R that installs packages, and runs the code that comes with them.

use std::{
    ffi::OsString,
    io::{self, Read},
    os::unix::process::CommandExt,
    process::Command,
};

use super::sandbox::{Prepared, Quarters, SandboxError};
use crate::link::messages::{self, Confinement, Network};

/// The word that has `offshoot-worker` become such a program, before its path and its arguments.
pub const WORD: &str = "confined";

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfinedError {
    /// Nobody says what is wanted.
    #[error("no confinement on standard input")]
    Input,
    /// No program is named.
    #[error("no program")]
    NoProgram,
    /// A wall.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The system.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// Becomes a program, within the walls that a [`Confinement`] on standard input says. Returns only if that failed.
pub fn become_program(mut command: impl Iterator<Item = OsString>) -> ConfinedError {
    let confined = || -> Result<(), ConfinedError> {
        let mut text = Vec::new();
        io::stdin().read_to_end(&mut text)?;
        let Confinement { sandbox, folder, temporary } = messages::decode(&text).ok_or(ConfinedError::Input)?;
        let own = vec![folder.clone(), temporary.clone()];
        let quarters = Quarters { own, folder, common: temporary, network: Network::Full, has_company: false };
        let mut prepared = Prepared::around_program(sandbox)?;
        prepared.separate(&quarters, false)?;
        prepared.separate(&quarters, true)?;
        // What is held open here is closed when the program begins.
        prepared.confine(&quarters)?;
        // Where it is may have been hidden, and is there again.
        std::env::set_current_dir(&quarters.common)?;
        Ok(())
    };
    if let Err(error) = confined() {
        return error;
    }
    let Some(program) = command.next() else { return ConfinedError::NoProgram };
    Command::new(program).args(command).stdin(std::process::Stdio::null()).exec().into()
}
