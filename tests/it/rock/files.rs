//! Uploads and downloads with names of all kinds, including hostile ones.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, header};
use serde_json::json;

use crate::harness::{Reply, Rock, Server, eventually, is_root_for, read};

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[track_caller]
fn refused(reply: &Reply, message: &str) {
    assert_eq!((reply.status.as_u16(), &reply.document()["message"]), (400, &json!(message)));
    assert_eq!(reply.document()["key"], "IllegalArgumentException");
}

#[tokio::test]
async fn files_come_and_go_with_their_names() {
    let session = Rock::by("user").open().await;
    let content: Vec<u8> = (0..=255).cycle().take(700_000).collect();
    for name in ["plain.txt", "a b.csv", "größe.txt", "日本語", "100%", "q?x#y&z=1", ".RData", "sub/deeper/file.rds", "/rooted"] {
        // The path is encoded once, as by curl and Armadillo, and twice, as by Opal.
        for query in [encoded(name), encoded(&encoded(name))] {
            let reply = session.upload(&format!("?path={query}&overwrite=TRUE"), "ignored", &content, &[]).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{name} {query}: {}", reply.text());
            assert!(!reply.headers.contains_key(header::CONTENT_TYPE));
            let there = session.value(&format!("file.size('{}')", name.trim_start_matches('/'))).await;
            assert_eq!(there, content.len(), "{name} {query}");
            let back = session.get(&format!("/_download?path={query}")).await;
            assert_eq!(back.status, 200, "{name}");
            assert!(back.body == content, "{name}");
            assert_eq!(back.headers[header::CONTENT_LENGTH], content.len().to_string().as_str());
            assert!(back.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment; filename="));
        }
    }
    // A plus becomes a space when it is decoded again.
    session.upload("?path=a%2Bb", "x", b"1", &[]).await;
    session.upload("?path=a%252Bc", "x", b"1", &[]).await;
    assert_eq!(session.value("list.files(pattern = '^a.[bc]$')").await, json!(["a b", "a+c"]));
}

#[tokio::test]
async fn parameters_come_in_the_query_or_in_the_form() {
    let session = Rock::by("user").open().await;
    // Without a path, the file gets its name on the client's machine.
    assert_eq!(session.upload("", "C:\\data\\own.txt", b"1", &[]).await.status, 200);
    assert_eq!(session.upload("?path=&overwrite=", "empty.txt", b"1", &[]).await.status, 200);
    // As rockr does it: parts after the file, and booleans in capitals.
    let parts = [("path", "in/form.txt"), ("overwrite", "FALSE"), ("temp", "FALSE")];
    assert_eq!(session.upload("", "x", b"1", &parts).await.status, 200);
    refused(&session.upload("", "x", b"2", &parts).await, "File exists and cannot be overridden");
    assert_eq!(session.upload("?overwrite=yes", "x", b"2", &[("path", "in/form.txt")]).await.status, 200);
    assert_eq!(session.value("readLines('in/form.txt', warn = FALSE)").await, "2");
    assert_eq!(session.value("sort(list.files(recursive = TRUE))").await, json!(["empty.txt", "in/form.txt", "own.txt"]));
    // The temporary folder belongs to R.
    assert_eq!(session.upload("?temp=true", "code.R", b"x <- 6 * 7", &[]).await.status, 200);
    assert_eq!(session.value("source(file.path(tempdir(), 'code.R')); x").await, 42);
    assert_eq!(session.get("/_download?path=code.R&temp=TRUE").await.text(), "x <- 6 * 7");
    refused(&session.get("/_download?path=code.R").await, "File does not exist");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let session = Rock::by("user").open().await;
    session.upload("?path=folder/file", "x", b"1", &[]).await;
    refused(&session.upload("?path=folder&overwrite=true", "x", b"1", &[]).await, "Destination file cannot be a directory");
    refused(&session.upload("?path=new/", "x", b"1", &[]).await, "Destination file cannot be a directory");
    refused(&session.upload("?path=folder/file/below", "x", b"1", &[]).await, "File parent folder cannot be created");
    refused(&session.upload("?path=../out", "x", b"1", &[]).await, "Destination folder is not valid");
    refused(&session.upload("?path=a%2500b", "x", b"1", &[]).await, "The path is not valid: it has a NUL in it");
    refused(&session.upload("?overwrite=maybe", "x", b"1", &[]).await, "Invalid boolean value 'maybe'");
    refused(&session.upload("", "x", b"1", &[("temp", "maybe")]).await, "Invalid boolean value 'maybe'");
    refused(&session.get("/_download?path=folder").await, "File is a directory");
    refused(&session.get("/_download?path=/").await, "File is a directory");
    refused(&session.get("/_download?path=absent").await, "File does not exist");
    assert_eq!(session.get("/_download").await.document()["message"], "Required parameter 'path' is not present.");
    let upload = |content_type: &'static str, body: &'static str| {
        let request = session.client.request(Method::POST, &format!("{}/_upload", session.path));
        read(request.header(header::CONTENT_TYPE, content_type).body(body))
    };
    assert_eq!(upload("text/plain", "x").await.status, 415);
    let without =
        upload("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\nx\r\n--b--\r\n").await;
    assert_eq!((without.status.as_u16(), &without.document()["message"]), (400, &json!("Required part 'file' is not present.")));
    let cut =
        upload("multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cut\"\r\n\r\nhal")
            .await;
    assert_eq!(cut.status, 400);
    // No incomplete file is left, visible or hidden.
    assert_eq!(session.value("list.files(recursive = TRUE, all.files = TRUE)").await, "folder/file");
    assert_eq!(session.value("length(list.files('..', pattern = 'draft'))").await, 0);
}

#[tokio::test]
async fn an_upload_beyond_the_limit_is_refused() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0").replace("[rock]", "[rock]\nupload_mib = 1"));
    let session = Rock::on(&server, "user").open().await;
    assert_eq!(session.upload("", "small", &vec![0; 1 << 20], &[]).await.status, 200);
    let reply = session.upload("", "large", &vec![0; (1 << 20) + 1], &[]).await;
    assert_eq!((reply.status.as_u16(), &reply.document()["key"]), (413, &json!("MaxUploadSizeExceededException")));
    assert_eq!(session.upload("", "huge", &vec![0; 20 << 20], &[]).await.status, 413);
    assert_eq!(session.value("list.files()").await, "small");
}

/// All obstacles that a session can make.
#[tokio::test]
async fn nothing_leads_out_of_the_folder() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let secret = server.data().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    let secret = secret.to_str().unwrap();
    session
        .value(&format!(
            "file.symlink('{secret}', 'link'); file.symlink('/', 'root'); file.symlink('../..', 'up'); file.symlink('link', 'twice')
             dir.create('real'); writeLines('inside', 'real/file'); file.symlink('real', 'alias'); system('mkfifo pipe'); NULL"
        ))
        .await;
    let outside =
        ["link", "twice", "root/etc/passwd", "up/secret.txt", "../../../secret.txt", "real/../../work/link", "root/proc/self/environ"];
    for path in outside {
        for path in [path.to_owned(), encoded(path), encoded(&encoded(path))] {
            refused(&session.get(&format!("/_download?path={path}")).await, "Source file path is not valid");
        }
    }
    refused(&session.get("/_download?path=pipe").await, "File does not exist");
    for path in ["link", "twice", "root/tmp/x", "up/x", "../x", "%252e%252e/x", "alias/../../x"] {
        refused(&session.upload(&format!("?path={path}&overwrite=true"), "x", b"no", &[]).await, "Destination folder is not valid");
    }
    assert_eq!(std::fs::read_to_string(secret).unwrap(), "secret");
    assert_eq!(session.upload("?path=alias/new", "x", b"yes", &[]).await.status, 200);
    assert_eq!(session.value("readLines('real/new', warn = FALSE)").await, "yes");
    // R's temporary folder is replaced by a link out of it, or contains one if the session cannot replace it.
    let replaced = session.value("t <- tempdir(); unlink(t, recursive = TRUE); file.symlink('/etc', t); basename(Sys.readlink(t))").await;
    for path in ["passwd", "etc/passwd"] {
        assert_eq!(session.get(&format!("/_download?path={path}&temp=true")).await.status, 400, "{path}");
    }
    let inside = session.upload("?path=offshoot-test&temp=true", "x", b"no", &[]).await;
    assert_eq!(inside.status == 200, replaced == "", "{replaced}");
    assert_ne!(session.upload("?path=etc/offshoot-test&temp=true", "x", b"no", &[]).await.status, 200);
    assert!(!std::path::Path::new("/etc/offshoot-test").exists());
}

#[tokio::test]
async fn a_hard_link_to_what_is_not_the_sessions_is_no_way_in() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    if !is_root_for("a link of a session with a user of its own") {
        return;
    }
    let session = Rock::on(&server, "user").open().await;
    let secret = server.data().join("secret.txt");
    std::fs::write(&secret, "secret").unwrap();
    let work = session.value("getwd()").await.as_str().unwrap().to_owned();
    std::fs::hard_link(&secret, format!("{work}/hard")).unwrap();
    refused(&session.get("/_download?path=hard").await, "Source file path is not valid");
    // Overwriting makes a new file, and the secret is unchanged.
    assert_eq!(session.upload("?path=hard&overwrite=true", "x", b"own", &[]).await.status, 200);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "secret");
    assert_eq!(session.get("/_download?path=hard").await.text(), "own");
}

#[tokio::test]
async fn folders_exchanged_meanwhile_lead_nowhere() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let target = server.data().join("target");
    std::fs::create_dir(&target).unwrap();
    std::fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(target.join("file"), "secret").unwrap();
    session.value("dir.create('real'); writeLines('inside', 'real/file')").await;
    // `way` is alternately a folder and a link out of it.
    let swap = format!(
        "repeat {{ file.rename('real', 'way'); file.rename('way', 'real'); file.symlink('{}', 'way'); unlink('way') }}",
        target.display()
    );
    session.occupy(&swap).await;
    for _ in 0..300 {
        let got = session.get("/_download?path=way/file").await;
        assert!(!got.text().contains("secret"));
        session.upload("?path=way/planted&overwrite=true", "x", b"planted", &[]).await;
    }
    assert!(!target.join("planted").exists());
    session.delete("").await;
}

#[tokio::test]
async fn uploads_belong_to_the_session_and_go_with_it() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    session.upload("?path=a/b/c.txt", "x", b"1", &[]).await;
    assert_eq!(
        session.value("cat('2', file = 'a/b/c.txt', append = TRUE); file.rename('a/b', 'moved'); unlink('a', recursive = TRUE)").await,
        0
    );
    assert_eq!(session.get("/_download?path=moved/c.txt").await.text(), "12");
    let user = session.value("c(file.info('moved')$uid, file.info('.')$uid)").await;
    assert_eq!(user[0], user[1]);
    session.delete("").await;
    eventually("the folder is gone", || std::fs::read_dir(server.data().join("run")).unwrap().next().is_none());
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_nothing() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    write!(
        stream,
        "POST {}/_upload?path=broken HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\nContent-Length: 10000000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n",
        session.path
    )
    .unwrap();
    stream.write_all(&vec![b'a'; 3_000_000]).unwrap();
    let drafts = || std::fs::read_dir(server.data().join("uploads")).unwrap().count();
    eventually("the file is being written", || drafts() == 1);
    drop(stream);
    eventually("nothing is left of it", || drafts() == 0);
    assert_eq!(session.value("list.files()").await, json!([]));
}

#[tokio::test]
async fn a_large_file_is_streamed_both_ways() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    let (size, before) = (256 << 20, server.peak());
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"large\"\r\n\r\n";
    write!(
        stream,
        "POST {}/_upload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==\r\nContent-Length: {}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n{head}",
        session.path,
        head.len() + size + "\r\n--b--\r\n".len()
    )
    .unwrap();
    let piece = vec![b'a'; 1 << 20];
    for _ in 0..size >> 20 {
        stream.write_all(&piece).unwrap();
    }
    stream.write_all(b"\r\n--b--\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(session.get("/_download?path=large").await.body.len(), size);
    // The upload was never whole in memory.
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 100_000, "{grown} KiB");
}

#[tokio::test]
async fn names_of_files_are_taken_as_they_are() {
    let session = Rock::by("user").open().await;
    // Only the parameter is decoded a second time, not the file's own name.
    assert_eq!(session.upload("", "a+b%20c.txt", b"x", &[]).await.status, 200);
    assert_eq!(session.upload("?path=", "other+.txt", b"x", &[]).await.status, 200);
    assert_eq!(session.value("list.files()").await, json!(["a+b%20c.txt", "other+.txt"]));
    let message = |reply: Reply| (reply.status.as_u16(), reply.document()["message"].as_str().unwrap().to_owned());
    let long = "x".repeat(300);
    assert_eq!(message(session.upload("", &long, b"x", &[]).await), (400, "File name is too long".to_owned()));
    let missing = (400, "File does not exist".to_owned());
    assert_eq!(message(session.get(&format!("/_download?path={long}")).await), missing);
    assert_eq!(message(session.get("/_download?path=other%252B.txt/").await), missing);
}

#[tokio::test]
async fn an_upload_of_very_many_parts_or_of_a_part_without_an_end_to_its_head_is_refused() {
    let server = Server::start(&Rock::settings("[sessions]\npool = 0"));
    let session = Rock::on(&server, "user").open().await;
    let upload = |body: Vec<u8>| {
        let request = session.client.request(Method::POST, &format!("{}/_upload", session.path));
        read(request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=b").body(body))
    };
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n";
    let before = server.peak();
    let many = upload(part.repeat(160_000).into()).await;
    refused(&many, "The request has more than 1000 parameters, which is the most this server takes (http.form_fields).");
    for start in ["", "--b\r\nX: ", "--b"] {
        let endless = upload([start.as_bytes(), &vec![b' '; 50 << 20]].concat()).await;
        refused(&endless, "The form could not be read: the head of a part is larger than 8 KiB");
    }
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 20_000, "{grown} KiB");
    assert_eq!(session.value("list.files()").await, json!([]));
}

#[tokio::test]
async fn a_form_without_a_chosen_file_lacks_the_file() {
    let session = Rock::by("user").open().await;
    // What browsers send when no file was chosen; a file that was chosen may be empty.
    let refused = session.upload("?path=x", "", b"", &[]).await;
    assert_eq!((refused.status.as_u16(), &refused.document()["message"]), (400, &json!("Required part 'file' is not present.")));
    assert_eq!(session.upload("?path=y", "empty.txt", b"", &[]).await.status, 200);
    assert_eq!(session.value("list.files()").await, "y");
}

#[tokio::test]
async fn a_file_whose_name_is_no_text_is_fetched_by_the_name_that_r_prints() {
    let session = Rock::by("user").open().await;
    session.value("latin <- rawToChar(as.raw(c(0x63, 0x61, 0x66, 0xe9))); cat('old', file = latin); cat('new', file = 'a\\\\xff')").await;
    assert!(session.value("capture.output(print(list.files()))").await.to_string().contains(r"caf\\xe9"));
    assert_eq!(session.get(&format!("/_download?path={}", encoded(r"caf\xe9"))).await.text(), "old");
    assert_eq!(session.get(&format!("/_download?path={}", encoded(r"a\\xff"))).await.text(), "new");
    let reply = session.upload(&format!("?path={}&overwrite=true", encoded(r"caf\xe9")), "x", b"newer", &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(session.value("readLines(latin, warn = FALSE)").await, "newer");
}
