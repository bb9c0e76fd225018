//! The zygote. Started by `offshoot`, never by hand: its standard input is the control socket. With a word, it puts walls around another
//! program instead.

use std::{os::fd::AsFd, process::ExitCode};

use offshoot::{
    with_sources,
    worker::{confined, zygote},
};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == confined::WORD) {
        complain(&with_sources(&confined::become_program(arguments)));
        return ExitCode::FAILURE;
    }
    let control = std::io::stdin().as_fd().try_clone_to_owned().ok();
    let Some((control, start)) = control.and_then(|control| zygote::start(&control).map(|start| (control, start))) else {
        complain("offshoot-worker is started by offshoot, and not by hand");
        return ExitCode::from(64);
    };
    // What R or a package may read from standard input is nothing.
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(null);
    }
    match zygote::run(control, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("the zygote ends: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the zygote has no logger; the supervisor passes its standard error on")]
fn complain(message: &str) {
    eprintln!("{message}");
}
