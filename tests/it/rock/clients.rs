//! Complete sessions of the real clients: requests as rockr, Opal and Armadillo send them.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::packages::repository;
use crate::harness::{Rock, Server};

/// Sends a request exactly as given; returns the head and the body of the answer.
fn exchange(server: &Server, request: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address.trim_start_matches("http://")).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // The interim answer to a client that asks whether it may send its body.
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let answer = answer.strip_prefix(interim).unwrap_or(&answer);
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..at].to_vec()).unwrap(), answer[at + 4..].to_vec())
}

/// A request with these header lines, and the length of its body.
fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nHost: rock.localhost:8085\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [text.as_bytes(), body].concat()
}

/// The member `id` of an object.
fn id(body: &[u8]) -> String {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["id"].as_str().unwrap().to_owned()
}

fn status(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

const ADMINISTRATOR: &str = "Authorization: Basic YWRtaW5pc3RyYXRvcjpwYXNzd29yZA==";
const MANAGER: &str = "Authorization: Basic bWFuYWdlcjpwYXNzd29yZA==";
const USER: &str = "Authorization: Basic dXNlcjpwYXNzd29yZA==";

#[test]
fn opal() {
    let server = Rock::server();
    let json = "Accept: application/json, application/*+json";
    let (head, body) = exchange(server, &request("GET /_info", &[json], b""));
    let info: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status(&head), info["type"].as_str(), info["cluster"].as_str()), ("200", Some("rock"), Some("default")));
    assert_eq!(status(&exchange(server, &request("GET /_check", &["Accept: text/plain, */*"], b"")).0), "204");
    // Starts R, which is running already, with the manager's credentials.
    let (head, body) = exchange(server, &request("PUT /rserver", &[MANAGER, json], b""));
    let state: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status(&head), &state["running"]), ("200", &true.into()));
    for count in [&state["sessions"]["total"], &state["sessions"]["busy"], &state["system"]["cores"], &state["system"]["freeMemory"]] {
        assert!(i32::try_from(count.as_i64().unwrap()).is_ok());
    }
    // Opens a session, without a body. The client parses its dates strictly.
    let (head, body) = exchange(server, &request("POST /r/sessions", &[USER, json], b""));
    assert_eq!(status(&head), "201");
    let opened: serde_json::Value = serde_json::from_slice(&body).unwrap();
    for date in ["createdDate", "lastAccessDate"] {
        let date = opened[date].as_str().unwrap();
        assert!(jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", date).is_ok() && date.len() == 19, "{date}");
    }
    assert!(head.contains(&format!("location: http://rock.localhost:8085/r/session/{}", id(&body))), "{head}");
    let session = format!("/r/session/{}", id(&body));
    // A script in Latin-1 without a charset.
    let script = ["is.null(base::assign('x', '".as_bytes(), b"gr\xf6\xdfe", "'))".as_bytes()].concat();
    let (head, body) =
        exchange(server, &request(&format!("POST {session}/_eval"), &[USER, json, "Content-Type: application/x-rscript"], &script));
    assert_eq!((status(&head), body.as_slice()), ("200", &b"false"[..]));
    let (_, body) =
        exchange(server, &request(&format!("POST {session}/_eval"), &[USER, json, "Content-Type: application/x-rscript"], b"x"));
    assert_eq!(body, "\"größe\"".as_bytes());
    // Uploads a file: the path is encoded twice, the body is chunked, and the part has no length.
    let part =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"data.rds\"\r\nContent-Type: application/octet-stream\r\n\r\n";
    let mut upload = format!(
        "POST {session}/_upload?path=my%2520data%252F%25C3%25BCber.txt&overwrite=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{USER}\r\n\
         Content-Type: multipart/form-data;boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for piece in [part, "con", "tent", "\r\n--b--\r\n"] {
        upload.extend(format!("{:x}\r\n{piece}\r\n", piece.len()).into_bytes());
    }
    upload.extend(b"0\r\n\r\n");
    let (head, body) = exchange(server, &upload);
    assert_eq!((status(&head), body.len()), ("200", 0), "{head}");
    assert!(!head.contains("content-type"));
    let list = b"list.files(recursive = TRUE)";
    let (_, body) =
        exchange(server, &request(&format!("POST {session}/_eval"), &[USER, json, "Content-Type: application/x-rscript"], list));
    assert_eq!(body, "\"my data/über.txt\"".as_bytes());
    // Downloads a file: the path is encoded once.
    let (head, body) =
        exchange(server, &request(&format!("GET {session}/_download?path=my%20data%2F%C3%BCber.txt"), &[USER, "Accept: */*"], b""));
    assert_eq!((status(&head), body.as_slice()), ("200", &b"content"[..]));
    // Raw values, and an error, whose message the client shows.
    let raw = ["Accept: application/octet-stream, application/json", "Content-Type: application/x-rscript", USER];
    let (head, body) = exchange(server, &request(&format!("POST {session}/_eval"), &raw, b"base::is.null(NULL)"));
    assert!(head.contains("content-type: application/octet-stream") && body.starts_with(b"X\n"));
    let (head, body) = exchange(server, &request(&format!("POST {session}/_eval"), &raw, b"stop('shown')"));
    let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status(&head), error["message"].as_str()), ("400", Some("shown\n")));
    assert_eq!(status(&exchange(server, &request(&format!("DELETE {session}"), &[USER, json], b"")).0), "204");
}

#[test]
fn armadillo() {
    let server = Rock::server();
    let (head, body) = exchange(server, &request("HEAD /", &[ADMINISTRATOR], b""));
    assert_eq!((status(&head), body.len()), ("200", 0));
    // The client offers to change to TLS, which the server ignores.
    let upgrade = "Upgrade: TLS/1.2";
    let (head, body) = exchange(server, &request("POST /r/sessions", &[ADMINISTRATOR, upgrade, "Content-Type: application/json"], b"{}"));
    assert_eq!(status(&head), "201", "{head}");
    let session = format!("/r/session/{}", id(&body));
    let script = b"local({\n  frame <- data.frame(a = 1:2, b = c('x', NA))\n  frame$c <- frame$a * 2\n  frame\n})\n";
    let json = ["Accept: application/json", "Content-Type: application/x-rscript", ADMINISTRATOR];
    let (_, body) = exchange(server, &request(&format!("POST {session}/_eval"), &json, script));
    assert_eq!(String::from_utf8(body).unwrap(), r#"[{"a":1,"b":"x","c":2},{"a":2,"b":null,"c":4}]"#);
    let part = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\n1,2\r\n--b--\r\n";
    let upload = format!("POST {session}/_upload?path=data.csv&overwrite=true");
    let (head, _) = exchange(server, &request(&upload, &[ADMINISTRATOR, "Content-Type: multipart/form-data; boundary=b"], part));
    assert_eq!(status(&head), "200");
    let (_, body) = exchange(server, &request(&format!("POST {session}/_eval"), &json, b"sum(scan('data.csv', sep = ',', quiet = TRUE))"));
    assert_eq!(body, b"3");
    let (head, _) = exchange(server, &request(&format!("POST {session}/_eval"), &json, b"kept <- 42; base::save.image()"));
    assert_eq!(status(&head), "200");
    let (head, body) = exchange(server, &request(&format!("GET {session}/_download?path=.RData"), &[ADMINISTRATOR], b""));
    assert_eq!(status(&head), "200");
    assert!(head.contains("content-type: application/octet-stream") && body.starts_with(&[0x1f, 0x8b]), "{head}");
    assert_eq!(status(&exchange(server, &request(&format!("DELETE {session}"), &[ADMINISTRATOR], b"")).0), "204");
}

#[test]
fn rockr() {
    let server = Rock::server();
    let octets = "Accept: application/octet-stream, application/json";
    let json = "Accept: application/json, text/xml, application/xml, */*";
    // rockr.open: the type is JSON, but there is no body.
    let (head, body) = exchange(
        server,
        &request("POST /r/sessions", &[USER, json, "Content-Type: application/json", "Accept-Encoding: deflate, gzip, br, zstd"], b""),
    );
    assert!(head.contains("content-type: application/json") && !head.contains("content-encoding"), "{head}");
    let session = format!("/r/session/{}", id(&body));
    let script = "Content-Type: application/x-rscript";
    // rockr.assign of data, and then of a function.
    let value = "WAoAAAADAAQCAgADBQAAAAAFVVRGLTgAAAAOAAAAAUBFAAAAAAAA";
    let assign = format!("POST {session}/_assign?s=D&async=FALSE");
    let (head, body) = exchange(server, &request(&assign, &[USER, octets, "Content-Type: application/x-rdata"], value.as_bytes()));
    assert!(status(&head) == "200" && body.is_empty() && !head.contains("content-type"), "{head}");
    let (head, _) =
        exchange(server, &request(&format!("POST {session}/_assign?s=f&async=FALSE"), &[USER, octets, script], b"function (x) \nx + D"));
    assert_eq!(status(&head), "200");
    let (_, body) = exchange(server, &request(&format!("POST {session}/_eval?async=FALSE"), &[USER, octets, script], b"f(0L)"));
    assert!(body.starts_with(b"X\n") && body.ends_with(&42.0_f64.to_be_bytes()));
    // rockr.eval(NULL): an empty body is an error, which is sent as JSON.
    let (head, _) = exchange(server, &request(&format!("POST {session}/_eval?async=FALSE"), &[USER, octets, script], b""));
    assert!(status(&head) == "400" && head.contains("content-type: application/json"));
    // rockr.eval(async = TRUE), rockr.command_result(wait = TRUE).
    let (head, body) =
        exchange(server, &request(&format!("POST {session}/_eval?async=TRUE"), &[USER, octets, script], b"Sys.sleep(0.3); 7"));
    assert_eq!((status(&head), id(&body).as_str()), ("201", "1"));
    let (_, body) = exchange(server, &request(&format!("GET {session}/command/1?wait=true"), &[USER, octets], b""));
    let command: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&command["status"], &command["finished"]), (&"COMPLETED".into(), &true.into()));
    for member in ["id", "sessionId", "script", "status", "withResult", "withError", "finished", "createdDate"] {
        assert!(command.get(member).is_some(), "{member}");
    }
    let (head, body) = exchange(server, &request(&format!("GET {session}/command/1/result?rm=TRUE"), &[USER, octets], b""));
    assert!(head.contains("content-type: application/octet-stream") && body.ends_with(&7.0_f64.to_be_bytes()));
    // rockr.file_upload: the file comes first, and then the parameters as parts.
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"code.R\"\r\nContent-Type: text/plain\r\n\r\n6 * 7\n\r\n\
        --b\r\nContent-Disposition: form-data; name=\"overwrite\"\r\n\r\nTRUE\r\n--b\r\nContent-Disposition: form-data; name=\"temp\"\r\n\r\nTRUE\r\n--b--\r\n";
    let headers = [USER, "Accept: application/json", "Content-Type: multipart/form-data; boundary=b", "Expect: 100-continue"];
    let (head, _) = exchange(server, &request(&format!("POST {session}/_upload"), &headers, form.as_bytes()));
    assert!(head.contains("200 OK"), "{head}");
    // rockr.eval.source
    let source = b"source(file.path(tempdir(),'code.R'))$value";
    let (_, body) =
        exchange(server, &request(&format!("POST {session}/_eval?async=FALSE"), &[USER, "Accept: application/json", script], source));
    assert_eq!(body, b"42");
    let (head, body) = exchange(server, &request(&format!("DELETE {session}"), &[USER, json], b""));
    assert!(status(&head) == "204" && body.is_empty() && !head.contains("content-type"));
}

#[test]
fn rockr_of_a_manager() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), &[("firstofall", "1.0", "", "one <- 1\n"), ("secondofall", "1.0", "", "two <- 2\n")]);
    let server = Server::start(&Rock::settings(&format!("[sessions]\npool = 0\n[r]\nrepositories = ['{repository}']")));
    let ask = |line: &str, accept: &str, further: &[&str]| {
        let (head, body) = exchange(&server, &request(line, &[&[MANAGER, accept], further].concat(), b""));
        (status(&head).to_owned(), head, body)
    };
    let octets = "Accept: application/octet-stream, application/json";
    let json = "Accept: application/json, text/xml, application/xml, */*";
    let typed = "Content-Type: application/json";
    // rockr.restart
    for (line, further, running) in
        [("GET /rserver", &[][..], true), ("DELETE /rserver", &[][..], false), ("PUT /rserver", &[typed][..], true)]
    {
        let (status, head, body) = ask(line, if line.starts_with("GET") { octets } else { json }, further);
        assert!(status == "200" && head.contains("content-type: application/json"), "{line}: {head}");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["running"], running, "{line}");
    }
    // rockr.log: a text. rockr.version
    let (status, head, _) = ask("GET /rserver/_log?limit=100", "Accept: text/plain", &[]);
    assert!(status == "200" && head.contains("content-type: text/plain"), "{head}");
    let serialized = |path: &str| {
        let (status, head, body) = ask(&format!("GET {path}"), octets, &[]);
        assert!(status == "200" && head.contains("content-type: application/octet-stream") && body.starts_with(b"X\n"), "{path}: {head}");
        body
    };
    serialized("/rserver/_version");
    // rockr.package_install, twice, and the calls that list and show packages.
    for name in ["firstofall", "secondofall"] {
        let line = format!("POST /rserver/packages?name={name}&manager=cran");
        let (status, head, body) = ask(&line, octets, &["Content-Type: application/x-rscript"]);
        assert!(status == "201" && body.is_empty() && !head.contains("content-type"), "{head}");
    }
    let has = |body: &[u8], name: &str| body.windows(name.len()).any(|window| window == name.as_bytes());
    let installed = serialized("/rserver/packages");
    assert!(has(&installed, "firstofall") && has(&installed, "secondofall"));
    assert!(has(&serialized("/rserver/package/firstofall"), "It is for a test."));
    serialized("/rserver/packages/_datashield");
    // rockr.package_rm, rockr.packages_rm
    for line in ["DELETE /rserver/package/firstofall", "DELETE /rserver/packages?name=firstofall%2Csecondofall"] {
        let (status, head, body) = ask(line, json, &[]);
        assert!(status == "204" && body.is_empty() && !head.contains("content-type"), "{line}: {head}");
    }
    assert!(!has(&serialized("/rserver/packages"), "secondofall"));
}
