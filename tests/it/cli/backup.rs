//! Backups, and the store into which one is restored.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::{Cursor, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use offshoot::{
    config::{Services, Snapshots},
    store::services::{Definition, Service},
};
use serde_json::Value;
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{Administrator, file, login, server};
use crate::harness::{Client, PASSWORD, Server, eventually};

/// A store with one of everything, and a backup of it.
struct Full {
    server: Server,
    administrator: Administrator,
    folder: tempfile::TempDir,
    backup: PathBuf,
}

impl Full {
    async fn new() -> Self {
        let server = server();
        let administrator = Administrator::of(&server);
        let folder = tempfile::tempdir().unwrap();
        administrator.does(&["role", "put", "sales", "--description", "Sells", "--call", "/r/script/list"]);
        administrator.does(&["boundary", "put", "small", "--cpu-seconds", "5"]);
        administrator.does(&["ipfilter", "put", "office", "127.0.0.0/8"]);
        administrator.does(&["policy", "set", "trusted-ip-filter", "office"]);
        administrator.reads(&["user", "add", "ada", "--role", "POWER_USER", "--boundary", "small", "--password-stdin"], "secret");
        administrator.reads(&["script", "put", "one", "-", "--access", "role:sales"], "1");
        administrator.reads(&["script", "put", "one", "-"], "2");
        // One content is larger than the pieces in which it is read, and does not compress.
        administrator.does(&["object", "put", "large", &file(folder.path(), "large", noise(700_000))]);
        administrator.does(&["object", "put", "small", &file(folder.path(), "small", "a,b\n")]);
        let session = Client::login(&server, "ada", "secret").await.session().await;
        session.run("x <- 1:1000; writeLines('abc', 'f.txt')").await;
        session.post("project/save", &[("descr", "hers")]).await.success();
        publish(&server).await;
        // Objects that belong to a login are not part of a backup.
        session.post("object/save", &[("name", "x"), ("descr", "gone")]).await.success();
        let backup = folder.path().join("backup.zip");
        administrator.does(&["backup", backup.to_str().unwrap()]);
        session.client.post("/r/user/logout", &[]).await.success();
        Self { server, administrator, folder, backup }
    }

    fn restore(&self, into: &Administrator, backup: &Path) -> Result<(), String> {
        let output = into.run(&["restore", backup.to_str().unwrap(), "--yes"], "");
        if output.status.success() { Ok(()) } else { Err(super::said(&output)) }
    }

    /// The whole content of a store, including code of earlier versions and hashes of contents.
    fn state(&self, of: &Administrator) -> (Vec<Value>, Vec<Value>, [u64; 2]) {
        let all = of.all();
        let contents = ["large", "small"].map(|name| {
            let copy = self.folder.path().join("copy");
            of.does(&["object", "get", name, copy.to_str().unwrap()]);
            let mut hasher = DefaultHasher::new();
            std::fs::read(&copy).unwrap().hash(&mut hasher);
            std::fs::remove_file(copy).unwrap();
            hasher.finish()
        });
        let project = all[7][0]["id"].as_str().unwrap();
        (all.clone(), vec![of.json(&["script", "show", "one", "--versions"]), of.json(&["project", "show", project])], contents)
    }
}

/// Makes a snapshot of the only project, and a service that runs in it.
async fn publish(server: &Server) {
    let store = server.store().await;
    let keeping = store.blobs.keep().await.unwrap();
    let project = store.project_list(None).await.unwrap().remove(0);
    let image = store.image(&project.image).await.unwrap().unwrap();
    let snapshot = store.snapshot_add("ada", "kept", &image, &Snapshots::default(), &keeping).await.unwrap();
    let definition = Definition { code: "y <- sum(x)".to_owned(), snapshot: Some(snapshot.id), ..Definition::default() };
    let [name, version, owner, author] = ["sums", "1", "ada", "ada"].map(str::to_owned);
    let service = Service { name, version, owner, author, private: false, definition, image: None, created: 0, changed: 0 };
    store.service_publish(&service, &Services::default()).await.unwrap();
    store.close().await;
}

/// Bytes that look random.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(count)
    .collect()
}

/// A ZIP file with its entries changed; an entry is left out if `change` returns `None`.
pub(super) fn rewritten(backup: &Path, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(std::fs::read(backup).unwrap())).unwrap();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if let Some(content) = change(&name, content) {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(&content).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_backup_comes_back_whole_in_another_place() {
    let full = Full::new().await;
    assert_eq!(std::fs::metadata(&full.backup).unwrap().permissions().mode() & 0o777, 0o600);
    let again = full.administrator.fails(&["backup", full.backup.to_str().unwrap()]);
    assert!(again.ends_with("backup.zip is there already, and is left as it is: name another file"), "{again}");
    assert!(full.administrator.fails(&["backup", "/nowhere/backup.zip"]).starts_with("/nowhere: No such file"));
    let beside: Vec<_> = std::fs::read_dir(full.folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!beside.iter().any(|name| name.to_string_lossy().starts_with(".offshoot-")), "{beside:?}");
    let before = full.state(&full.administrator);

    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::set_permissions(elsewhere.path(), PermissionsExt::from_mode(0o711)).unwrap();
    let other = Administrator(elsewhere.path().join("data"));
    let asked = other.fails(&["restore", full.backup.to_str().unwrap()]);
    assert!(asked.starts_with("there is no terminal to ask whether all in ") && asked.ends_with("say so by --yes"), "{asked}");
    assert!(other.fails(&["user", "list"]).starts_with("there is no store in "));
    full.restore(&other, &full.backup).unwrap();
    assert_eq!(full.state(&other), before);

    let server = Server::start_in(elsewhere, "[sessions]\npool = 0");
    let ada = Client::login(&server, "ada", "secret").await;
    let project = ada.get("/r/project/list", &[]).await.success()["projects"]["hers"]["value"].as_str().unwrap().to_owned();
    let loaded = ada.post("/r/project/load", &[("id", &project)]).await.success()["session"].as_str().unwrap().to_owned();
    let code = [("session", loaded.as_str()), ("code", "s <- sum(x)"), ("robjects", "s")];
    assert_eq!(ada.post("/r/session/execute/code", &code).await.success()["robjects"]["s"]["value"], 500_500);
    // Temporary files of the backup and the restore are gone.
    for data in [full.server.data(), server.data()] {
        let left = std::fs::read_dir(&data).unwrap().flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("backup"));
        assert!(left.is_none(), "{left:?}");
    }
}

#[tokio::test]
async fn a_damaged_backup_leaves_the_store_as_it_was() {
    let full = Full::new().await;
    full.administrator.does(&["user", "change", "ada", "--display-name", "After"]);
    let before = full.state(&full.administrator);
    let restored = full.folder.path().join("damaged.zip");
    let refused = |content: Vec<u8>| {
        std::fs::write(&restored, content).unwrap();
        let error = full.restore(&full.administrator, &restored).unwrap_err();
        assert_eq!(full.state(&full.administrator), before, "{error}");
        error
    };
    let whole = std::fs::read(&full.backup).unwrap();
    let large = format!(
        "contents/{}",
        before.0[3].as_array().unwrap().iter().find(|object| object["name"] == "large").unwrap()["sha256"].as_str().unwrap()
    );

    assert!(refused(whole[..whole.len() / 2].to_vec()).contains("damaged.zip: not a usable ZIP file: "));
    assert!(refused(b"no ZIP file".to_vec()).contains("damaged.zip: not a usable ZIP file: "));
    assert!(
        refused(rewritten(&full.backup, |name, content| (name != "offshoot.db").then_some(content)))
            .contains("this is no backup of an Offshoot store")
    );
    let missing = refused(rewritten(&full.backup, |name, content| (name != large).then_some(content)));
    assert!(missing.contains("the backup is damaged: the content ") && missing.contains(" is missing"), "{missing}");
    let other = refused(rewritten(&full.backup, |name, content| Some(if name == large { b"other".to_vec() } else { content })));
    assert!(other.contains("the backup is damaged: the content ") && other.contains(" is another"), "{other}");
    let database = refused(rewritten(&full.backup, |name, content| Some(if name == "offshoot.db" { b"other".to_vec() } else { content })));
    assert!(database.contains("the backup is damaged: its database cannot be read"), "{database}");
    let newer =
        sql(&full.backup, "UPDATE _sqlx_migrations SET version = 1000 WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    assert!(refused(newer).contains("the backup is of version 1000 of the store"));
    // A row that refers to a missing one is only found at the very end, when everything has been replaced.
    let dangling = sql(&full.backup, "PRAGMA foreign_keys = OFF; INSERT INTO account_role VALUES ('nobody', 'sales')").await;
    refused(dangling);

    // Any changed byte is either noticed or harmless.
    let mut found = 0;
    for at in (0..whole.len()).step_by(whole.len() / 24) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&restored, damaged).unwrap();
        match full.restore(&full.administrator, &restored) {
            Err(error) => {
                assert!(error.contains("damaged") || error.contains("ZIP"), "{error}");
                found += 1;
            }
            Ok(()) => full.administrator.does(&["user", "change", "ada", "--display-name", "After"]).clear(),
        }
        let (mut now, mut then) = (full.state(&full.administrator), before.clone());
        for state in [&mut now, &mut then] {
            state.0[0][0]["changed"].take();
        }
        assert_eq!(now, then, "byte {at}");
    }
    assert!(found > 20, "{found}");
    assert!(full.restore(&full.administrator, Path::new("/nowhere.zip")).unwrap_err().contains("/nowhere.zip: No such file"));
}

/// A copy of a backup whose database these statements have changed.
async fn sql(backup: &Path, statements: &str) -> Vec<u8> {
    use sqlx::{Connection, SqliteConnection};
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("db");
    let mut archive = ZipArchive::new(std::fs::File::open(backup).unwrap()).unwrap();
    std::io::copy(&mut archive.by_name("offshoot.db").unwrap(), &mut std::fs::File::create(&database).unwrap()).unwrap();
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let changed = std::fs::read(&database).unwrap();
    rewritten(backup, |name, content| Some(if name == "offshoot.db" { changed.clone() } else { content }))
}

#[tokio::test]
async fn a_restore_ends_the_logins_of_a_running_server() {
    let full = Full::new().await;
    let admin = Client::admin(&full.server).await;
    let session = admin.session().await;
    // A login with autosave, which has the project open: its session must not be saved over the restored project.
    let form = [("username", "ada"), ("password", "secret"), ("autosave", "true")];
    let cookie = Client::new(&full.server).post("/r/user/login", &form).await.success()["cookie"].as_str().unwrap().to_owned();
    let ada = Client::new(&full.server).with_cookie(&cookie);
    let project = ada.get("/r/project/list", &[]).await.success()["projects"]["hers"]["value"].as_str().unwrap().to_owned();
    ada.post("/r/project/load", &[("id", &project)]).await.success();
    full.administrator.reads(&["user", "passwd", "ada", "--password-stdin"], "another");
    full.administrator.reads(&["user", "add", "eve", "--password-stdin"], "secret");
    let eve = Client::login(&full.server, "eve", "secret").await;

    full.restore(&full.administrator, &full.backup).unwrap();
    let restored = full.state(&full.administrator);
    // A user who logs in at once makes the server read the rules before its next regular check.
    assert_eq!((login(&full.server, "ada", "another").await, login(&full.server, "ada", "secret").await), (401, 200));
    eventually("the sessions are closed", || full.server.log().contains("the store was replaced by a backup: all sessions are closed"));
    for client in [&admin, &ada, &eve] {
        assert_eq!(client.get("/r/user/whoami", &[]).await.status, 401);
    }
    assert_eq!(login(&full.server, "eve", "secret").await, 401);
    let admin = Client::login(&full.server, "admin", PASSWORD).await;
    assert_eq!(admin.get("/r/session/ping", &[("session", &session.id)]).await.status, 400);
    let mut now = full.state(&full.administrator);
    // The login with the wrong password was counted.
    now.0[0][0]["failed_logins"] = restored.0[0][0]["failed_logins"].clone();
    assert_eq!(now, restored);
    assert_eq!(admin.session().await.value("1 + 1").await["value"], 2);
}
