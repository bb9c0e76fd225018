//! Real servers: the built program, on a free port, with a data folder of its own.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use offshoot::{
    auth::{password, tokens::keys::KeyFiles},
    store::{Account, Store, scripts::ScriptChange},
};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{
    events::{eventually, points},
    skips::skipped,
    surroundings::{program, server_for_all},
};

/// The password of all accounts of a test server.
pub const PASSWORD: &str = "1 Password, über-secret";

/// The user of servers that do not run as root. Neither a user of the machine nor a session has this id.
const ONE_USER: u32 = 64_321;

/// The variable with the setting `sessions.sandbox` of all servers whose tests want no other: "require" to see that no wall is missing.
const SANDBOX: &str = "OFFSHOOT_TEST_SANDBOX";

/// How a server is started.
struct Launch<'a> {
    /// Where it listens.
    listen: &'a [&'a str],
    /// How many more addresses the settings name.
    others: usize,
    /// The user that it runs as; `None` for that of the tests.
    user: Option<u32>,
    /// A program that becomes the server, with its arguments. Empty if there is none.
    by: &'a [&'a str],
    /// Variables of its environment.
    variables: &'a [(&'a str, &'a str)],
    /// A filter of its system calls.
    filter: Option<BpfProgram>,
}

impl Default for Launch<'_> {
    fn default() -> Self {
        Self { listen: &["127.0.0.1:0"], others: 0, user: None, by: &[], variables: &[], filter: None }
    }
}

/// A running server.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:port`
    pub address: String,
    /// The addresses of all listeners, in the order in which the server has named them.
    pub addresses: Vec<String>,
    folder: Option<tempfile::TempDir>,
    standard_error: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Server {
    /// The server for all tests that need no settings of their own and do not count what is on the server.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        // The kernel counts the processes of a user. If all servers of all tests have one user, none of them can say how many are its own.
        let settings = if rustix::process::geteuid().is_root() { "" } else { "[sessions]\nprocesses = 0" };
        SHARED.get_or_init(|| Self::keep(settings))
    }

    /// A server with these settings that ends when all tests have ended.
    pub fn keep(settings: &'static str) -> Self {
        Self::keep_listening(settings, 0)
    }

    /// Such a server that listens at so many more addresses that the settings name.
    pub fn keep_listening(settings: &'static str, others: usize) -> Self {
        // The kernel ends the server together with the thread that started it, so this thread never ends.
        let (started, server) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            started.send(Self::start_listening_in(folder_for_all_tests(), settings, &["127.0.0.1:0"], others)).ok();
            loop {
                std::thread::park();
            }
        });
        server.recv().expect("the server starts")
    }

    /// A server with these settings, in TOML.
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Sessions have users of their own, and must be able to reach their folders.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        Self::start_in(folder, settings)
    }

    /// A server that does not run as root, even if the tests do. Its sessions have the same user as itself.
    pub fn start_as_one_user(settings: &str) -> Self {
        Self::start_as_one_user_in(tempfile::tempdir().unwrap(), settings)
    }

    /// Such a server in a folder that an earlier one may have used.
    pub fn start_as_one_user_in(folder: tempfile::TempDir, settings: &str) -> Self {
        let user = give_to_one_user(&folder);
        Self::launch(folder, settings, Launch { user, ..Launch::default() })
    }

    /// A server with these variables in its environment.
    pub fn start_with(settings: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_with_others(settings, variables, 0)
    }

    /// Such a server that listens at so many more addresses that the settings name.
    pub fn start_with_others(settings: &str, variables: &[(&str, &str)], others: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        Self::launch(folder, settings, Launch { others, variables, ..Launch::default() })
    }

    /// A server in the control group with this folder.
    pub fn start_in_group(settings: &str, group: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let members = group.join("cgroup.procs");
        let by = ["sh", "-c", "echo 0 > \"$0\" && exec \"$@\"", members.to_str().unwrap()];
        Self::launch(folder, settings, Launch { by: &by, ..Launch::default() })
    }

    /// A server that asks the name servers in this file. Takes root.
    pub fn start_asking(settings: &str, resolvers: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let script = "mount --bind \"$0\" \"$(realpath /etc/resolv.conf)\" && exec \"$@\"";
        let by = ["unshare", "--mount", "sh", "-c", script, resolvers.to_str().unwrap()];
        Self::launch(folder, settings, Launch { by: &by, ..Launch::default() })
    }

    /// A server that listens at these addresses, and at `others` more that the settings name.
    pub fn start_listening(settings: &str, listen: &[&str], others: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        Self::start_listening_in(folder, settings, listen, others)
    }

    /// A server in a folder that an earlier one may have used.
    pub fn start_in(folder: tempfile::TempDir, settings: &str) -> Self {
        Self::start_listening_in(folder, settings, &["127.0.0.1:0"], 0)
    }

    /// A server that listens at these addresses, in a folder that an earlier one may have used.
    pub fn start_listening_in(folder: tempfile::TempDir, settings: &str, listen: &[&str], others: usize) -> Self {
        Self::launch(folder, settings, Launch { listen, others, ..Launch::default() })
    }

    fn launch(folder: tempfile::TempDir, settings: &str, launch: Launch<'_>) -> Self {
        Self::try_launch(folder, settings, launch).unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// Starts a server for which these system calls are refused, with this error: on a kernel that does not have them. If it does not
    /// start, returns what it says.
    pub fn try_without(calls: &[libc::c_long], error: i32, settings: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        Self::try_launch(folder, settings, Launch { filter: Some(refusing(calls, error)), ..Launch::default() })
    }

    /// A server that does not run as root and may not make these system calls, as in a container.
    pub fn start_as_one_user_without(calls: &[libc::c_long], settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let user = give_to_one_user(&folder);
        Self::launch(folder, settings, Launch { user, filter: Some(refusing(calls, libc::EPERM)), ..Launch::default() })
    }

    fn try_launch(folder: tempfile::TempDir, settings: &str, launch: Launch<'_>) -> Result<Self, String> {
        let Launch { listen, others, user, by, variables, filter } = launch;
        let file = folder.path().join("offshoot.toml");
        std::fs::write(&file, settings).unwrap();
        // Whatever the umask is, a server of another user has to read it.
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let mut command = if user.is_some() { program(server_for_all()) } else { Self::command() };
        if let Some((first, arguments)) = by.split_first() {
            command = program(first);
            command.args(arguments).arg(env!("CARGO_BIN_EXE_offshoot"));
        }
        command
            .arg("serve")
            .args(listen.iter().flat_map(|address| ["--listen", address]))
            .arg("--config")
            .arg(file)
            .arg("--data")
            .arg(folder.path().join("data"))
            .env("OFFSHOOT_ADMIN_PASSWORD", PASSWORD)
            .env("OFFSHOOT_SESSIONS_WRITABLE", points())
            // To make one takes a while.
            .env("OFFSHOOT_AUTH_KEYS", token_key())
            .envs(
                std::env::var(SANDBOX)
                    .ok()
                    .filter(|_| filter.is_none() && !settings.contains("sandbox"))
                    .map(|sandbox| ("OFFSHOOT_SESSIONS_SANDBOX", sandbox)),
            )
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(user) = user {
            command.uid(user).gid(user).current_dir("/");
        }
        end_with_this_thread(&mut command, filter);
        let mut child = command.spawn().expect("the server starts");
        let standard_error = std::sync::Arc::<std::sync::Mutex<String>>::default();
        let (mut errors, kept) = (child.stderr.take().unwrap(), std::sync::Arc::clone(&standard_error));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = errors.read(&mut bytes) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut addresses = Vec::new();
        while addresses.len() < listen.len() + others {
            let line = lines.next().unwrap_or_default();
            let address = ["listening on ", "remote workspaces on ", "metrics on "].iter().find_map(|what| line.strip_prefix(what));
            let Some(address) = address else {
                let _ = child.wait();
                eventually("all is read that it has said", || std::sync::Arc::strong_count(&standard_error) == 1);
                return Err(format!("{line}{}", standard_error.lock().unwrap()));
            };
            addresses.push(address.to_owned());
        }
        Ok(Self { address: addresses[0].clone(), addresses, child, folder: Some(folder), standard_error })
    }

    /// The program, without the settings in this process's environment.
    pub fn command() -> Command {
        program(env!("CARGO_BIN_EXE_offshoot"))
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("data")
    }

    /// The store, opened besides the server.
    pub async fn store(&self) -> Store {
        Store::open(&self.data()).await.unwrap()
    }

    /// Puts a script into the store.
    pub async fn script(&self, name: &str, code: &str, access: &str) -> uuid::Uuid {
        let change = ScriptChange {
            code: Some(code.to_owned()),
            access: Some(access.parse().unwrap()),
            author: "admin".to_owned(),
            ..ScriptChange::default()
        };
        let store = self.store().await;
        let id = store.script_put(name, &change).await.unwrap();
        store.close().await;
        id
    }

    /// Adds an account with these roles.
    pub async fn account(&self, name: &str, roles: &[&str]) {
        static HASH: OnceLock<String> = OnceLock::new();
        let store = self.store().await;
        let account = Account {
            name: name.to_owned(),
            display_name: name.to_owned(),
            password_hash: HASH.get_or_init(|| password::hash(PASSWORD)).clone(),
            enabled: true,
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            ..Account::default()
        };
        store.account_add(&account).await.unwrap();
        store.close().await;
    }

    /// The process id of the supervisor.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The process id of the zygote: the supervisor's child.
    pub fn zygote(&self) -> i32 {
        children(self.pid()).into_iter().find(|&pid| command_name(pid) == "offshoot-worker").unwrap_or(0)
    }

    /// The processes of R: the zygote and all below it.
    pub fn processes_of_r(&self) -> Vec<i32> {
        descendants(self.pid()).into_iter().filter(|&pid| command_name(pid) != "janitor").collect()
    }

    /// Whether the tests' user may see what the supervisor has open and mapped; reports it if not. Its memory is closed to its own user.
    pub fn is_transparent(&self) -> bool {
        let is_transparent = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).is_ok();
        if !is_transparent {
            skipped("what the server has open is seen by root only");
        }
        is_transparent
    }

    /// Where the descriptors lead to that the supervisor has open; none if it is not transparent.
    pub fn descriptors(&self) -> Vec<PathBuf> {
        let links = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).into_iter().flatten().flatten();
        links.filter_map(|link| std::fs::read_link(link.path()).ok()).collect()
    }

    /// The number of the supervisor's threads with this name.
    pub fn threads(&self, name: &str) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        threads.filter(|thread| std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|own| own.trim() == name)).count()
    }

    /// The number of entries in the folder of sessions.
    pub fn session_folders(&self) -> usize {
        std::fs::read_dir(self.data().join("run")).map_or(0, Iterator::count)
    }

    /// The most memory that the supervisor has had until now, in KiB. The kernel updates this when memory is given back, so a later answer
    /// may be a little lower.
    pub fn peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The text that the server has written to standard error.
    pub fn log(&self) -> String {
        self.standard_error.lock().unwrap().clone()
    }

    /// Sends a signal to the supervisor.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }

    fn signal_if_running(&mut self, signal: rustix::process::Signal) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(signal);
        }
    }

    /// Waits for the end of the server.
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the server ends", || matches!(self.child.try_wait(), Ok(Some(_))));
        self.child.wait().unwrap()
    }

    /// Takes the folder from a server that has ended, for the next one.
    pub fn into_folder(mut self) -> tempfile::TempDir {
        self.folder.take().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server is stopped first, so that it writes nothing while the folder is removed.
        self.signal_if_running(rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// A folder for a server that is kept, or for something else until all tests have ended. Nobody can remove it at the end, so the next run of
/// the tests does.
pub(super) fn folder_for_all_tests() -> tempfile::TempDir {
    const PREFIX: &str = "offshoot-tests-";
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
    folder
}

/// A filter that refuses these system calls, with this error.
fn refusing(calls: &[libc::c_long], error: i32) -> BpfProgram {
    let refused = calls.iter().map(|&call| (call, Vec::new())).collect();
    let action = SeccompAction::Errno(error.unsigned_abs());
    SeccompFilter::new(refused, SeccompAction::Allow, action, std::env::consts::ARCH.try_into().unwrap()).unwrap().try_into().unwrap()
}

/// Gives a folder to the user of servers that do not run as root, which is returned if the tests run as root.
fn give_to_one_user(folder: &tempfile::TempDir) -> Option<u32> {
    let user = Some(ONE_USER).filter(|_| rustix::process::geteuid().is_root());
    if let Some(user) = user {
        std::os::unix::fs::chown(folder.path(), Some(user), Some(user)).unwrap();
    }
    user
}

/// The server must not survive a test that is killed.
#[expect(unsafe_code, reason = "between fork and exec, system calls only")]
pub(super) fn end_with_this_thread(command: &mut Command, filter: Option<BpfProgram>) {
    // SAFETY: both are system calls, with what was prepared before.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            filter.as_ref().map_or(Ok(()), |filter| seccompiler::apply_filter(filter)).map_err(|_| std::io::ErrorKind::Unsupported.into())
        });
    }
}

/// The children of a process.
fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// All processes below a process.
pub fn descendants(pid: i32) -> Vec<i32> {
    children(pid).into_iter().flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

/// The name of a process.
fn command_name(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// The key that signs the tokens of the servers of all tests.
pub fn token_key() -> &'static Path {
    static KEY: OnceLock<PathBuf> = OnceLock::new();
    KEY.get_or_init(|| {
        let folder = folder_for_all_tests().keep();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        KeyFiles::of(&offshoot::config::Auth::default(), &folder).rotate().unwrap();
        let file = folder.join("token-key.pem");
        // For servers of other users.
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        file
    })
}
