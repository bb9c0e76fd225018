//! The processes that the suite starts. Each has a process group of its own, and is always ended and reaped.

use std::{
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpid};

/// The running groups.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// The folder of the run, which is removed at its end.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A command without the variable that cargo sets for the build of R's bindings; R would warn that it is not its own.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_remove("R_HOME");
    command
}

/// A process with its group. They end when this value is dropped.
#[derive(Debug)]
pub struct Process {
    pub child: Child,
}

impl Process {
    /// Starts a program.
    #[expect(unsafe_code, reason = "between fork and exec, one system call")]
    pub fn start(command: &mut Command) -> Result<Self> {
        // If this process is killed, nothing else would end what it has started.
        // SAFETY: prctl is async-signal-safe.
        unsafe {
            command.process_group(0).pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let mut running = lock(&RUNNING);
        let child = command.spawn().with_context(|| format!("{} does not start", command.get_program().display()))?;
        running.push(child.id());
        Ok(Self { child })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(self.id());
        let _ = self.child.wait();
        lock(&RUNNING).retain(|&pid| pid != self.child.id());
    }
}

/// Ends a group, gently if it complies, and in any case within seconds. Its leader is left to be reaped, or is reaped here if nobody else
/// does it.
fn end(group: u32) {
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else { return };
    let _ = kill_process_group(group, Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(5);
    // The leader stays a member of its group until it has been reaped.
    while !matches!(waitpid(Some(group), WaitOptions::NOHANG), Ok(Some(_)) | Err(_)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    if test_kill_process_group(group).is_ok() {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = waitpid(Some(group), WaitOptions::empty());
    }
}

/// A folder for this run; processes of other users can pass through it.
pub fn make_folder() -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new().prefix("offshoot-bench-").tempdir()?.keep();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o711))?;
    *lock(&FOLDER) = Some(folder.clone());
    Ok(folder)
}

/// Removes the folder of this run.
pub fn remove_folder() {
    if let Some(folder) = lock(&FOLDER).take() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// From now on Ctrl-C and SIGTERM also end the processes that were started.
pub fn end_with_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut terminate = {
        let _guard = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        });
        // Locked until the end, so that nothing more is started.
        let running = lock(&RUNNING);
        for &group in running.iter().rev() {
            end(group);
        }
        remove_folder();
        #[expect(clippy::disallowed_methods, reason = "the main thread may wait for an answer that does not come any more")]
        std::process::exit(130);
    });
    Ok(())
}

/// Locks a mutex, even if a thread that held it has panicked.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A port of the loopback address that is free at the moment.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until `ready` is true, or the process has ended.
pub fn wait_until(process: &mut Process, what: &str, mut ready: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !ready() {
        if let Some(status) = process.child.try_wait()? {
            bail!("{what} has ended: {status}");
        }
        if Instant::now() > deadline {
            bail!("{what} is not ready after a minute");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// The children of a process.
pub fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Memory of a process in MB; each shared page is divided among the processes that share it.
pub fn proportional_memory(pid: u32) -> Result<f64> {
    let rollup = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("smaps_rollup"))?;
    let kib = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.context("smaps_rollup has no Pss")? * 1024.0 / 1e6)
}
