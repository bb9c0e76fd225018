//! Files of sessions: they are listed, uploaded, downloaded, and read by R through their addresses.

use reqwest::{Method, multipart};
use serde_json::json;

use crate::harness::{Client, Server, Session, is_root_for, read};

async fn session() -> Session {
    Client::admin(Server::shared()).await.session().await
}

async fn upload(session: &Session, name: &str, content: Vec<u8>) -> crate::harness::Reply {
    let form = multipart::Form::new().text("session", session.id.clone()).text("name", name.to_owned()).text("format", "text");
    let form = form.part("file", multipart::Part::bytes(content).file_name("x"));
    read(session.client.request(Method::POST, "/r/session/file/upload").multipart(form)).await
}

#[tokio::test]
async fn the_working_folder_is_listed_filled_and_emptied() {
    let session = session().await;
    assert_eq!(session.get("file/list", &[]).await.success()["files"], json!({}));
    upload(&session, "größe 1.csv", b"a,b\n1,2\n".to_vec()).await.success();
    session.run("dir.create('sub'); cat('made', file = 'sub/made.txt')").await;
    let listed = session.get("file/list", &[]).await.success();
    let files = listed["files"].as_object().unwrap();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["größe 1.csv", "sub/made.txt"]);
    // An address does not change, and gives the present content of the file.
    let url = files["sub/made.txt"]["value"].as_str().unwrap();
    assert_eq!(session.client.fetch(url).await.text(), "made");
    session.run("cat('changed', file = 'sub/made.txt')").await;
    assert_eq!(session.client.fetch(url).await.text(), "changed");
    assert_eq!(session.get("file/list", &[]).await.success()["files"]["sub/made.txt"]["value"], url);
    // R owns an uploaded file.
    assert_eq!(session.value("d <- read.csv('größe 1.csv'); cat('3,4\\n', file = 'größe 1.csv', append = TRUE); d$b").await["value"], 2);
    let got = session.get("file/download", &[("name", "größe 1.csv"), ("format", "text")]).await;
    assert_eq!(
        (got.text(), got.headers["content-disposition"].to_str().unwrap()),
        ("a,b\n1,2\n3,4\n", "attachment; filename=\"gr__e 1.csv\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.csv")
    );
    session.post("file/delete", &[("name", "sub/made.txt")]).await.success();
    assert_eq!(session.client.fetch(url).await.status, 404);
    for call in ["file/delete", "file/save"] {
        assert_eq!(session.post(call, &[("name", "sub/made.txt")]).await.status, 400);
    }
    for name in ["../secret", "/etc/passwd", "absent", "sub", ""] {
        assert_eq!(session.get("file/download", &[("name", name)]).await.status, 400, "{name}");
        assert_eq!(session.post("file/delete", &[("name", name)]).await.status, 400, "{name}");
    }
    session.run("file.symlink('/etc/passwd', 'link')").await;
    assert_eq!(session.get("file/download", &[("name", "link")]).await.status, 400);
    assert_eq!(upload(&session, "link", b"x".to_vec()).await.status, 400);
}

#[tokio::test]
async fn files_go_to_the_repository_and_come_back() {
    let client = Client::admin(Server::shared()).await;
    let (one, two) = (client.session().await, client.session().await);
    one.run("dir.create('sub'); cat('kept', file = 'sub/a.txt')").await;
    let saved = one.post("file/save", &[("name", "sub/a.txt"), ("descr", "my data")]).await.success();
    let entry = &saved["files"]["a.txt"];
    assert_eq!(entry["descr"], "my data");
    let id = entry["value"].as_str().unwrap();
    assert_eq!(client.fetch(entry["url"].as_str().unwrap()).await.text(), "kept");
    two.post("file/load", &[("id", id)]).await.success();
    assert_eq!(two.prints("cat(readLines('a.txt', warn = FALSE))").await, "kept");
    assert_eq!(two.post("object/load", &[("id", id)]).await.status, 400);
    for name in ["..", ".", "sub/..", "sub/", "sub"] {
        assert_eq!(one.post("file/save", &[("name", name)]).await.status, 400, "{name}");
    }
    assert_eq!(client.get("/r/repository/file/list", &[]).await.success()["files"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_description_is_no_name() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    session.run("cat('a\n1\n', file = 'd.csv'); saveRDS(1:3, 'model.rds')").await;
    // Any text describes a file: it is cut nowhere.
    let description = "my data, 1/2 & <more>";
    let saved = session.post("file/save", &[("name", "d.csv"), ("descr", description)]).await.success();
    let id = saved["files"]["d.csv"]["value"].as_str().unwrap();
    session.post("file/delete", &[("name", "d.csv")]).await.success();
    session.post("file/load", &[("id", id)]).await.success();
    assert_eq!(session.value("sort(list.files())").await["value"], json!(["d.csv", "model.rds"]));
    let model = session.get("file/download", &[("name", "model.rds")]).await.body;
    for (call, name, content) in
        [("/r/repository/file/upload", "e.csv", b"x".to_vec()), ("/r/repository/object/upload", "model.rds", model)]
    {
        let parts = multipart::Form::new().text("name", name).text("descr", description).part("file", multipart::Part::bytes(content));
        read(client.request(Method::POST, call).multipart(parts)).await.success();
    }
    let files = client.get("/r/repository/file/list", &[]).await.success()["files"].clone();
    assert_eq!((&files["d.csv"]["descr"], &files["e.csv"]["descr"]), (&json!(description), &json!(description)));
    let objects = client.get("/r/repository/object/list", &[]).await.success()["objects"].clone();
    assert_eq!(objects["model.rds"]["descr"], description);
    // An object without a name of its own gets that of its file, and not the file's ending.
    session.post("object/load", &[("id", objects["model.rds"]["value"].as_str().unwrap())]).await.success();
    assert_eq!(session.value("model").await["value"], json!([1, 2, 3]));
}

#[tokio::test]
async fn published_files_of_a_session_are_its_artifacts() {
    let session = session().await;
    let first = session.run("plot(1)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    let second = session.run("plot(2)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert_eq!(session.get("artifact/list", &[]).await.success()["files"]["unnamedplot001.png"]["value"], second);
    let got = session.get("artifact/download", &[("name", "unnamedplot001.png")]).await;
    assert_eq!(got.body, session.client.fetch(&second).await.body);
    session.post("artifact/delete", &[("name", "unnamedplot001.png")]).await.success();
    assert_eq!(session.client.fetch(&second).await.status, 404);
    assert_eq!(session.get("artifact/list", &[]).await.success()["files"], json!({}));
    assert_eq!(session.post("artifact/delete", &[("name", "unnamedplot001.png")]).await.status, 400);
}

/// R sends no cookie, and its session is busy while it reads.
#[tokio::test]
async fn r_reads_the_addresses_of_its_own_files_while_it_is_busy() {
    let session = session().await;
    upload(&session, "d.csv", b"a\n7\n".to_vec()).await.success();
    let listed = session.get("file/list", &[]).await.success();
    let url = listed["files"]["d.csv"]["value"].as_str().unwrap();
    assert_eq!(session.value(&format!("read.csv('{url}')$a")).await["value"], 7);
}

#[tokio::test]
async fn large_files_go_up_and_down_as_they_are() {
    let session = session().await;
    let content: Vec<u8> = (0..20_000_000_u32).map(|at| at.to_le_bytes()[usize::try_from(at % 3).unwrap()]).collect();
    upload(&session, "large.bin", content.clone()).await.success();
    assert_eq!(session.value("file.size('large.bin')").await["value"], content.len());
    assert!(session.get("file/download", &[("name", "large.bin")]).await.body == content);
}

#[tokio::test]
async fn a_large_file_is_streamed_both_ways() {
    let server = Server::start("[sessions]\npool = 0");
    let session = Client::admin(&server).await.session().await;
    let (content, before) = ("a".repeat(128 << 20), server.peak());
    upload(&session, "large", content.clone().into()).await.success();
    // The body in the other form that is possible.
    let body = format!("name=large&file={content}");
    let saved = read(session.client.request(Method::POST, "/r/repository/file/upload").body(body)).await.success();
    let kept = &saved["files"]["large"];
    let listed = session.get("file/list", &[]).await.success();
    for got in [
        session.get("file/download", &[("name", "large")]).await,
        session.client.fetch(listed["files"]["large"]["value"].as_str().unwrap()).await,
        session.client.get("/r/repository/file/download", &[("id", kept["value"].as_str().unwrap())]).await,
        session.client.fetch(kept["url"].as_str().unwrap()).await,
    ] {
        assert!(got.body == content.as_bytes(), "{} {}", got.status, got.body.len());
    }
    // The upload was never whole in memory: only some pieces are on their way at one time, however fast they come.
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 60_000, "{grown} KiB");
}

#[tokio::test]
async fn a_hard_link_to_what_is_not_the_sessions_is_no_way_in() {
    let server = Server::start("[sessions]\npool = 0");
    if !is_root_for("a link of a session with a user of its own") {
        return;
    }
    let session = Client::admin(&server).await.session().await;
    let secret = server.data().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let work = session.value("getwd()").await["value"].as_str().unwrap().to_owned();
    std::fs::hard_link(&secret, format!("{work}/hard")).unwrap();
    let listed = session.get("file/list", &[]).await.success();
    assert_eq!(session.client.fetch(listed["files"]["hard"]["value"].as_str().unwrap()).await.status, 404);
    assert_eq!(session.get("file/download", &[("name", "hard")]).await.status, 400);
    assert_eq!(session.post("file/save", &[("name", "hard")]).await.status, 400);
    // Published files are copies, which the session's user makes.
    assert_eq!(session.execute("1", &[("files", "hard")]).await.json()["files"], json!({}));
}

#[tokio::test]
async fn a_pipe_that_is_asked_for_as_a_file_holds_nobody() {
    let server = Server::shared();
    let session = Client::admin(server).await.session().await;
    let made = session.execute("invisible(system('mkfifo pipe'))", &[("files", "pipe")]).await;
    assert_eq!(made.success()["files"], json!({}));
    server.script("pipes", "invisible(system('mkfifo pipe'))", "anonymous").await;
    let ran = Client::new(server).post("/r/script/execute", &[("rscript", "pipes"), ("files", "pipe")]).await;
    assert_eq!(ran.success()["files"], json!({}));
}

/// The addresses of a session's plot, of a file in its folder, and of an upload.
async fn addresses(session: &Session) -> [String; 3] {
    let drawn = session.run("plot(1); cat('x', file = 'x.txt')").await;
    let listed = session.get("file/list", &[]).await.success();
    let sent = session.client.post("/r/file/upload", &[("name", "a.csv"), ("file", "a")]).await.success();
    [&drawn["files"]["unnamedplot001.png"]["value"], &listed["files"]["x.txt"]["value"], &sent["files"]["a.csv"]["value"]]
        .map(|address| address.as_str().unwrap().to_owned())
}

async fn statuses(client: &Client, addresses: &[String; 3]) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, address) in statuses.iter_mut().zip(addresses) {
        let reply = client.fetch(address).await;
        *status = reply.status.as_u16();
        if reply.status == 200 {
            assert_eq!(reply.headers["cache-control"], "no-store", "{address}");
            assert_eq!(reply.headers["referrer-policy"], "no-referrer", "{address}");
        }
    }
    statuses
}

/// Asks until the statuses are these, because the end of a session or login takes a moment.
async fn until(client: &Client, addresses: &[String; 3], expected: [u16; 3]) {
    crate::harness::until(&format!("the answers are {expected:?}"), async || statuses(client, addresses).await == expected).await;
}

#[tokio::test]
async fn addresses_of_files_end_with_the_login_however_it_ends() {
    use offshoot::store::accounts::AccountChange;
    let server = Server::start("[sessions]\npool = 0");
    server.account("ada", &["POWER_USER"]).await;
    let nobody = Client::new(&server);
    let of_ada = addresses(&Client::login(&server, "ada", crate::harness::PASSWORD).await.session().await).await;
    let admin = Client::admin(&server).await;
    let session = admin.session().await;
    let of_admin = addresses(&session).await;
    assert_eq!(statuses(&nobody, &of_admin).await, [200, 200, 200]);
    // Files in the session's folder are gone with it.
    session.close().await;
    until(&nobody, &of_admin, [200, 404, 200]).await;
    admin.post("/r/user/logout", &[]).await.success();
    assert_eq!(statuses(&nobody, &of_admin).await, [404, 404, 404]);
    // Files of others stay until their account is disabled, or their login expires.
    assert_eq!(statuses(&nobody, &of_ada).await, [200, 200, 200]);
    let store = server.store().await;
    store.account_change("ada", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    store.close().await;
    until(&nobody, &of_ada, [404, 404, 404]).await;
    let server = Server::start("[sessions]\npool = 0\n[revodeployr]\nlogin_seconds = 2");
    let of_admin = addresses(&Client::admin(&server).await.session().await).await;
    until(&Client::new(&server), &of_admin, [404, 404, 404]).await;
    assert!(server.log().contains("login ended unused"));
}

#[tokio::test]
async fn an_upload_that_ends_after_its_login_leaves_nothing() {
    use offshoot::store::accounts::AccountChange;
    use std::io::{Read, Write};
    let server = Server::start("[sessions]\npool = 0");
    server.account("ada", &["POWER_USER"]).await;
    let ada = Client::login(&server, "ada", crate::harness::PASSWORD).await;
    let drawn = addresses(&ada.session().await).await;
    let mut stream = std::net::TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    let head = format!(
        "POST /r/file/upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: JSESSIONID={}\r\nContent-Length: 16\r\n\r\n",
        ada.cookie()
    );
    stream.write_all(format!("{head}name=late&file=").as_bytes()).unwrap();
    let store = server.store().await;
    store.account_change("ada", &AccountChange { enabled: Some(false), ..AccountChange::default() }).await.unwrap();
    store.close().await;
    until(&ada, &drawn, [404, 404, 404]).await;
    stream.write_all(b"x").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("You are being logged out"), "{answer}");
}

#[tokio::test]
async fn names_of_downloads_are_one_value_of_a_header() {
    let session = session().await;
    for (name, expected) in [
        ("plain.txt", "attachment; filename=\"plain.txt\""),
        ("a\"b;c.txt", "attachment; filename=\"a_b;c.txt\"; filename*=UTF-8''a%22b%3Bc.txt"),
        ("a\\b.txt", "attachment; filename=\"b.txt\""),
        ("a\r\nX-Evil: 1.txt", "attachment; filename=\"a__X-Evil: 1.txt\""),
        ("größe.txt", "attachment; filename=\"gr__e.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"),
    ] {
        session.run(&format!("cat('x', file = {})", serde_json::to_string(name).unwrap())).await;
        let got = session.get("file/download", &[("name", name)]).await;
        assert_eq!((got.text(), got.headers["content-disposition"].to_str().unwrap()), ("x", expected));
        assert!(!got.headers.contains_key("x-evil"));
    }
}

#[tokio::test]
async fn a_file_whose_name_is_no_text_is_listed_fetched_saved_and_deleted() {
    let session = session().await;
    // In Latin-1, as programs of 2010 wrote names; and names that could be taken for an escape, or be cut by a client.
    session.run("latin <- rawToChar(as.raw(c(0x63, 0x61, 0x66, 0xe9))); cat('old', file = latin)").await;
    let names = [r"caf\xe9", r"a\\xff", r"\x20b\x20", r"c\x0ad", r"e\f"];
    let reply =
        session.execute("for (name in c('a\\\\xff', ' b ', 'c\\nd', 'e\\\\f')) cat('new', file = name)", &[("files", names[0])]).await;
    let published = reply.success()["files"][names[0]]["value"].as_str().unwrap().to_owned();
    assert_eq!(session.client.fetch(&published).await.text(), "old");
    let listed = session.get("file/list", &[]).await.success()["files"].clone();
    let mut sorted = names.map(str::to_owned);
    sorted.sort();
    let mut seen: Vec<_> = listed.as_object().unwrap().keys().cloned().collect();
    seen.sort();
    assert_eq!(seen, sorted);
    for name in names {
        let content = if name == names[0] { "old" } else { "new" };
        assert_eq!(session.client.fetch(listed[name]["value"].as_str().unwrap()).await.text(), content, "{name}");
        assert_eq!(session.get("file/download", &[("name", name)]).await.text(), content, "{name}");
    }
    let xml = session.get("file/list", &[("format", "xml")]).await;
    assert!(xml.text().contains(r#"<file name="c\x0ad""#), "{}", xml.text());
    // It goes to the repository and into a project, and comes back under the same bytes.
    let saved = session.post("file/save", &[("name", names[0])]).await.success();
    let id = saved["files"][names[0]]["value"].as_str().unwrap();
    let project = session.post("project/save", &[("descr", "bytes")]).await.success();
    let project = project["projects"]["bytes"]["value"].as_str().unwrap().to_owned();
    for name in names {
        session.post("file/delete", &[("name", name)]).await.success();
    }
    assert_eq!(session.value("length(list.files())").await["value"], 0);
    session.post("file/load", &[("id", id)]).await.success();
    assert_eq!(session.value("file.exists(latin)").await["value"], true);
    let loaded = session.client.post("/r/project/load", &[("id", &project)]).await.success();
    let loaded = Session { id: loaded["session"].as_str().unwrap().to_owned(), ..session };
    assert_eq!(
        loaded.value("c(file.exists(latin, 'a\\\\xff', ' b ', 'c\\nd', 'e\\\\f'), length(list.files()) == 5)").await["value"],
        json!([true, true, true, true, true, true])
    );
}

#[tokio::test]
async fn a_link_that_is_not_saved_with_its_session_is_named() {
    let session = session().await;
    session.run("cat('x', file = 'file'); invisible(file.symlink('file', 'link'))").await;
    let saved = session.post("project/save", &[("descr", "linked")]).await.success();
    let warning = saved["warnings"]["warning001"]["value"].as_str().unwrap();
    assert!(warning.starts_with("'link' was not saved"), "{warning}");
}
