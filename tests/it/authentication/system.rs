//! Accounts of the operating system. The machine's own are left alone: PAM and the list of users are replaced for the server by libraries
//! that are made for tests (pam_wrapper, nss_wrapper).

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use offshoot::store::{Access, scripts::ScriptChange};
use reqwest::Method;

use super::{Pair, login, statuses};
use crate::{
    cli::Administrator,
    harness::{Client, PASSWORD, Rock, Server, eventually, is_root_for, program, read, server_for_all},
    rtvs::Broker,
};

/// The user id of ada, and the number of her group.
const ADA: (u32, u32) = (61_001, 61_101);

/// An operating system with the accounts ada, bob, root and `disabled`.
struct System {
    folder: tempfile::TempDir,
}

impl System {
    fn new() -> Self {
        // Sessions have folders of their own in the places of those for everybody's temporary files.
        let folder = tempfile::tempdir_in("/srv").unwrap();
        let root = folder.path();
        fs::set_permissions(root, PermissionsExt::from_mode(0o755)).unwrap();
        let home = root.join("ada");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("hers.txt"), "at home").unwrap();
        fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
        for path in [home.clone(), home.join("hers.txt")] {
            chown(path, Some(ADA.0), Some(ADA.1)).unwrap();
        }
        let passwd = format!(
            "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n\
             ada:x:{}:{}:Ada Lovelace,Room 1:{}:/bin/sh\nbob:x:61002:61102::/nowhere:/bin/sh\n",
            ADA.0,
            ADA.1,
            home.display()
        );
        fs::write(root.join("passwd"), passwd).unwrap();
        let group = format!("root:x:0:\nada:x:{}:\nbob:x:61102:\nanalysts:x:61103:ada\nwheel:x:61104:ada,bob\n", ADA.1);
        fs::write(root.join("group"), group).unwrap();
        fs::write(root.join("passdb"), format!("ada:{PASSWORD}:offshoot\nbob:{PASSWORD}:offshoot\nroot:{PASSWORD}:offshoot\n")).unwrap();
        let module = module();
        let service =
            format!("auth required {0} passdb={1}\naccount required {0} passdb={1}\n", module.display(), root.join("passdb").display());
        fs::create_dir(root.join("pam.d")).unwrap();
        fs::write(root.join("pam.d/offshoot"), service).unwrap();
        Self { folder }
    }

    /// The settings of a server on it, with these lines in its source.
    fn settings(lines: &str) -> String {
        format!(
            "[sessions]\npool = 1\n[[auth.source]]\nkind = 'local'\n[[auth.source]]\nkind = 'system'\nname = 'machine'\n{lines}\n\
             default_roles = ['BASIC_USER']\n[auth.source.roles]\nanalysts = ['POWER_USER']\n"
        )
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// The variables that have a program see it.
    fn variables(&self) -> [(&'static str, String); 5] {
        [
            ("LD_PRELOAD", "libpam_wrapper.so libnss_wrapper.so".to_owned()),
            ("PAM_WRAPPER", "1".to_owned()),
            ("PAM_WRAPPER_SERVICE_DIR", self.path("pam.d")),
            ("NSS_WRAPPER_PASSWD", self.path("passwd")),
            ("NSS_WRAPPER_GROUP", self.path("group")),
        ]
    }

    /// A server on it, with these lines in its source.
    fn server(&self, lines: &str) -> Server {
        let variables = self.variables();
        Server::start_with(&Self::settings(lines), &variables.each_ref().map(|(name, value)| (*name, value.as_str())))
    }

    /// What the doctor says of it, when this command starts it with this data folder.
    fn doctor(&self, mut command: Command, lines: &str, data: &Path) -> String {
        let file = self.folder.path().join("offshoot.toml");
        fs::write(&file, Self::settings(lines)).unwrap();
        command.arg("doctor").arg("--config").arg(file).arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
        String::from_utf8(command.envs(self.variables()).output().unwrap().stdout).unwrap()
    }
}

/// The module of PAM that has its passwords in a file.
fn module() -> PathBuf {
    let output = program("sh").args(["-c", "ls /usr/lib/*/pam_wrapper/pam_matrix.so"]).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

#[tokio::test]
async fn accounts_of_the_machine_log_in_everywhere_with_the_roles_of_their_groups() {
    if !is_root_for("accounts of the operating system") {
        return;
    }
    let system = System::new();
    let server = system.server("allowed_group = 'wheel'");
    let administrator = Administrator::of(&server);
    let pair = Pair::of(&login(&server, "ada", PASSWORD).await);
    assert_eq!(statuses(&server, &pair.access).await[..2], [200, 200]);
    let whoami = read(Client::new(&server).request(Method::GET, "/r/user/whoami").bearer_auth(&pair.access)).await.success();
    let whoami = &whoami["identity"];
    assert_eq!((&whoami["username"], &whoami["displayname"]), (&"ada@machine".into(), &"Ada Lovelace".into()));
    Client::login(&server, "ada", PASSWORD).await;
    let rock = Rock::on(&server, "ada").with_password(PASSWORD);
    assert_eq!(read(rock.request(Method::POST, "/r/sessions")).await.status, 201);
    assert_eq!(read(Rock::on(&server, "bob").with_password(PASSWORD).request(Method::POST, "/r/sessions")).await.status, 403);
    let listed = administrator.does(&["user", "list"]);
    let of = |name: &str| {
        listed.lines().find(|line| line.starts_with(name)).unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(of("ada@machine").contains("machine enabled BASIC_USER, POWER_USER"), "{listed}");
    assert!(of("bob@machine").contains("machine enabled BASIC_USER"), "{listed}");
    for (name, password, status) in [("ada", "wrong", 401), ("nobody-there", PASSWORD, 401), ("root", PASSWORD, 403), ("ada", "", 401)] {
        let reply = login(&server, name, password).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
    }
    // Who can send a digest only is told what to do.
    let digest = offshoot::auth::password::digest(PASSWORD);
    let reply = Client::new(&server).post("/r/user/login", &[("username", "ada"), ("password", &digest)]).await;
    assert!(reply.status == 401 && reply.text().contains("accounts of machine log in with the password itself"), "{}", reply.text());
    // Its password is not changed here, and it can be disabled here.
    assert!(administrator.fails(&["user", "change", "ada@machine", "--role", "ADMINISTRATOR"]).contains("comes from machine"));
    administrator.does(&["user", "disable", "ada@machine"]);
    crate::harness::until("the account is disabled", async || statuses(&server, &pair.access).await[1] == 401).await;
    assert_eq!(login(&server, "ada", PASSWORD).await.status, 401);
}

#[tokio::test]
async fn who_is_not_in_the_allowed_group_is_told_so() {
    if !is_root_for("accounts of the operating system") {
        return;
    }
    let system = System::new();
    let server = system.server("allowed_group = 'analysts'");
    assert_eq!(login(&server, "ada", PASSWORD).await.status, 200);
    let reply = login(&server, "bob", PASSWORD).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.document()["message"], "Only members of the group analysts may use this server.");
    fs::remove_file(system.folder.path().join("pam.d/offshoot")).unwrap();
    let reply = login(&server, "bob", PASSWORD).await;
    assert!([401, 503].contains(&reply.status.as_u16()), "{}", reply.text());
}

#[tokio::test]
async fn people_of_the_machine_have_remote_workspaces_as_themselves_if_they_are_in_the_group() {
    if !is_root_for("accounts of the operating system") {
        return;
    }
    let system = System::new();
    let of_workspaces = "[rtvs]\nlisten = ['127.0.0.1:0']\nallowed_group = 'analysts'";
    let settings = format!("{}\n{of_workspaces}", System::settings("run_as_user = true"));
    let variables = system.variables();
    let server = Server::start_with_others(&settings, &variables.each_ref().map(|(name, value)| (*name, value.as_str())), 1);
    for (name, password) in
        [("ada", "wrong"), ("bob", PASSWORD), ("root", PASSWORD), ("nobody-there", PASSWORD), ("admin", PASSWORD), ("ada", "")]
    {
        let reply = Broker::named(&server, name).with_password(password).call(Method::GET, "/sessions").await;
        assert_eq!((reply.status.as_u16(), reply.text()), (401, ""), "{name}");
    }
    let ada = Broker::named(&server, "<<unix>>\\ada");
    assert_eq!(ada.begin("hers", serde_json::json!({ "IsInteractive": true })).await.status, 200);
    let mut client = ada.pipe("hers").await.unwrap();
    client.prompt().await;
    assert_eq!(client.value("system('id -u', intern = TRUE)").await, ADA.0.to_string());
    assert_eq!(client.value("{ setwd('~'); getwd() }").await, system.path("ada"));
    assert_eq!(client.value("readLines('hers.txt', warn = FALSE)").await, "at home");
    drop(client);
    eventually("nothing of the session is left", || processes_of(ADA.0).is_empty());
}

#[tokio::test]
async fn a_session_runs_as_its_person_and_its_end_leaves_their_other_processes_alone() {
    if !is_root_for("accounts of the operating system") {
        return;
    }
    let system = System::new();
    let server = system.server("run_as_user = true");
    let client = Client::login(&server, "ada", PASSWORD).await;
    let session = client.session().await;
    let home = system.folder.path().join("ada");
    let at_home = home.to_str().unwrap();
    for (code, expected) in [
        ("as.integer(system('id -u', intern = TRUE))", serde_json::json!(ADA.0)),
        ("system('id -g', intern = TRUE)", serde_json::json!(ADA.1.to_string())),
        ("sort(strsplit(system('id -G', intern = TRUE), ' ')[[1]])", serde_json::json!(["61101", "61103", "61104"])),
        ("Sys.getenv('HOME')", serde_json::json!(at_home)),
        ("Sys.getenv('USER')", serde_json::json!("ada")),
        ("readLines('~/hers.txt', warn = FALSE)", serde_json::json!("at home")),
        ("{ writeLines('new', '~/new.txt'); file.exists('~/new.txt') }", serde_json::json!(true)),
        ("class(try(readLines('/etc/shadow'), silent = TRUE))", serde_json::json!("try-error")),
    ] {
        assert_eq!(session.value(code).await["value"], expected, "{code}");
    }
    // Files go in and out of its folder.
    session.run("writeLines('made', 'made.txt')").await;
    assert!(session.get("file/list", &[]).await.text().contains("made.txt"));
    // A shell of the same person, which no session has started.
    let mut command = program("sh");
    std::os::unix::process::CommandExt::uid(&mut command, ADA.0);
    let mut shell = command.args(["-c", "sleep 1000"]).spawn().unwrap();
    let pid = i32::try_from(shell.id()).unwrap();
    assert_eq!(session.value(&format!("tools::pskill({pid})")).await["value"], false, "the session reaches no process outside");
    session.run("system('setsid sleep 1001 > /dev/null 2>&1 &')").await;
    let of_session = || processes_of(ADA.0).into_iter().filter(|&other| other != pid && !is_below(other, pid)).count();
    eventually("the session has left a process", || of_session() > 1);
    session.post("close", &[]).await.success();
    eventually("nothing of the session is left", || of_session() == 0);
    assert!(shell.try_wait().unwrap().is_none(), "the shell lives on");
    shell.kill().unwrap();
    shell.wait().unwrap();
    processes_of(ADA.0)
        .into_iter()
        .for_each(|left| _ = rustix::process::kill_process(rustix::process::Pid::from_raw(left).unwrap(), rustix::process::Signal::KILL));
    // What somebody else has written does not run as her, who only calls it.
    let script = ScriptChange {
        code: Some("id <- as.integer(system('id -u', intern = TRUE))".to_owned()),
        access: Some(Access::Authenticated),
        ..ScriptChange::default()
    };
    server.store().await.script_put("whoami", &script).await.unwrap();
    let reply = client.post("/r/script/execute", &[("rscript", "whoami"), ("robjects", "id")]).await.success();
    assert!(reply["robjects"]["id"]["value"].as_u64().is_some_and(|id| id != u64::from(ADA.0)), "{reply}");
    // Others have a user of nobody's.
    let admin = Client::admin(&server).await.session().await;
    assert_ne!(admin.value("as.integer(system('id -u', intern = TRUE))").await["value"], ADA.0);
}

#[tokio::test]
async fn the_doctor_says_whether_pam_can_be_asked_and_whether_the_groups_are_there() {
    if !is_root_for("accounts of the operating system") {
        return;
    }
    let system = System::new();
    // The doctor looks for the files of the machine itself, where every PAM has this service.
    let service = system.folder.path().join("pam.d/other");
    fs::copy(system.folder.path().join("pam.d/offshoot"), &service).unwrap();
    let nowhere = system.folder.path().join("data");
    let says = |lines: &str, expected: &[&str]| {
        let said = system.doctor(Server::command(), lines, &nowhere);
        for line in expected {
            assert!(said.contains(&format!("{line}\n")), "{line} is not in {said}");
        }
        said
    };
    let good = "service = 'other'\nallowed_group = 'wheel'";
    let said = says(
        good,
        &[
            "ok       accounts: machine: /etc/pam.d/other says what PAM asks for",
            "ok       accounts: machine: PAM answers, and refuses a name that does not exist",
            "ok       accounts: machine: allowed_group: the group wheel is there",
            "ok       accounts: machine: roles: the group analysts is there",
            "ok       accounts: machine: its roles exist",
        ],
    );
    assert!(!said.contains("ERROR    accounts"), "{said}");
    let wrong = "service = 'offshoot-of-tests'\nallowed_group = 'nobodies'";
    says(
        wrong,
        &[
            "ERROR    accounts: machine: service: there is no /etc/pam.d/offshoot-of-tests, so that PAM takes the rules for all other programs",
            "ERROR    accounts: machine: allowed_group: there is no group nobodies",
            "         -> correct the name, or make the group: groupadd NAME",
        ],
    );
    fs::write(&service, "auth required pam_permit.so\naccount required pam_permit.so\n").unwrap();
    says(good, &["ERROR    accounts: machine: PAM lets in whoever comes, with any password"]);
    fs::write(&service, "auth required /nowhere/module.so\naccount required pam_permit.so\n").unwrap();
    says(good, &["         -> look at the modules that the service names, and at the log of the system"]);
    // Who has no right to ask is told so, and the other sources are looked at.
    let mut nobody = program(server_for_all());
    std::os::unix::process::CommandExt::uid(&mut nobody, 64_321);
    let said = system.doctor(nobody, good, &nowhere);
    assert!(said.contains("machine: only a server that runs as root can ask for accounts of the operating system"), "{said}");
    assert!(said.contains("ok       accounts: machine: its roles exist"), "{said}");
    // So is an administrator whose server runs as somebody else.
    let data = tempfile::tempdir().unwrap();
    offshoot::store::Store::open(data.path()).await.unwrap().close().await;
    for file in fs::read_dir(data.path()).unwrap() {
        chown(file.unwrap().path(), Some(64_321), None).unwrap();
    }
    let said = system.doctor(Server::command(), good, data.path());
    assert!(said.contains("ERROR    accounts: machine: the data folder is the user's with the id 64321"), "{said}");
}

/// The processes of a user.
fn processes_of(user: u32) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let own = all.filter(|entry| entry.metadata().is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == user));
    own.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|pid| !is_over(*pid)).collect()
}

fn stat(pid: i32) -> Vec<String> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit(')').next().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn is_over(pid: i32) -> bool {
    stat(pid).first().is_none_or(|state| state == "Z")
}

fn is_below(pid: i32, above: i32) -> bool {
    stat(pid).get(1) == Some(&above.to_string())
}
