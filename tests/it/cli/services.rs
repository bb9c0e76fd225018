//! Web services and snapshots, and services that go from one server to another.

use std::{io::Read, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};
use zip::ZipArchive;

use super::{Administrator, backup::rewritten, file, is_time, names, server};
use crate::{harness::Server, mlserver::Ml};

/// What the service `pinned` runs in: an object, files, and a package that the session has installed.
const SESSION: &str = "model <- lm(mpg ~ wt, mtcars); dir.create('sub'); writeLines('a note', 'sub/note.txt')
    writeLines('#!/bin/sh\necho ran', 'tool'); Sys.chmod('tool', '755', FALSE)
    dir.create('package/R', recursive = TRUE); writeLines(c('Package: newly', 'Version: 1.0', 'Title: T', 'Description: D.', 'License: MIT', 'Author: A', 'Maintainer: A <a@b.c>'), 'package/DESCRIPTION')
    writeLines('export(one)', 'package/NAMESPACE'); writeLines('one <- function() 1', 'package/R/one.R')
    suppressMessages(install.packages('package', repos = NULL, type = 'source', quiet = TRUE)); unlink('package', recursive = TRUE)";

const CODE: &str = "answer <- unname(round(predict(model, data.frame(wt = wt)), 3))\ntold <- c(readLines('sub/note.txt'), system('./tool', intern = TRUE), newly::one())";

/// Publishes `pinned` as ada, who has a snapshot as well; returns the snapshot's identity.
async fn publish(server: &Server) -> String {
    let ada = Ml::new(server, "ada").await;
    let session = ada.open().await;
    session.prints(SESSION).await;
    let id = session.post("/snapshot", json!({ "name": "for pinned" })).await.document()["snapshotId"].as_str().unwrap().to_owned();
    let definition = json!({
        "code": CODE, "initCode": "before <- 1", "snapshotId": id, "description": "Miles per gallon", "operationId": "miles",
        "inputParameterDefinitions": [{ "name": "wt", "type": "numeric" }],
        "outputParameterDefinitions": [{ "name": "answer", "type": "numeric" }, { "name": "told", "type": "vector" }],
    });
    ada.publish("pinned", "1", definition).await;
    id
}

async fn assert_works(server: &Server, user: &str, version: &str) {
    let client = Ml::login(server, user).await;
    let result = client.call("POST", &format!("/api/pinned/{version}"), json!({ "wt": [3, 2] })).await.document();
    assert_eq!(result["outputParameters"], json!({ "answer": [21.252, 26.596], "told": ["a note", "ran", "1"] }), "{result}");
}

#[tokio::test]
async fn a_service_goes_from_one_server_to_another_with_all_that_it_runs_in() {
    let (from, to) = (server(), server());
    let (administrator, other) = (Administrator::of(&from), Administrator::of(&to));
    publish(&from).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pinned.zip");
    let zip = path.to_str().unwrap();
    administrator.does(&["service", "export", "pinned", "1", zip]);
    assert_eq!(std::fs::metadata(zip).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(administrator.fails(&["service", "export", "pinned", "1", zip]).contains("is there already, and is left as it is"));
    let none = folder.path().join("none.zip");
    assert_eq!(administrator.fails(&["service", "export", "pinned", "2", none.to_str().unwrap()]), "there is no service \"pinned 2\"");
    assert!(!none.exists());

    let missing = other.fails(&["service", "import", zip]);
    assert!(missing.ends_with("there is no account \"ada\", which has the service on the other server: say by --owner whose it is to be"));
    assert!(other.fails(&["service", "import", zip, "--owner", "nobody"]).ends_with("there is no account \"nobody\""));
    to.account("bob", &["POWER_USER"]).await;
    assert!(
        other.fails(&["service", "import", zip, "--owner", "bob", "--name", "a/b"]).contains("The name of a service has 1 to 255 letters")
    );
    other.does(&["service", "import", zip, "--owner", "bob"]);
    assert_works(&to, "bob", "1").await;
    assert!(other.fails(&["service", "import", zip, "--owner", "bob"]).ends_with("the service \"pinned 1\" is there already"));
    to.account("ada", &["POWER_USER"]).await;
    assert!(other.fails(&["service", "import", zip, "--version", "2"]).ends_with("the service \"pinned\" is somebody else's"));
    other.does(&["service", "import", zip, "--owner", "bob", "--version", "2"]);
    other.does(&["service", "import", zip, "--name", "hers"]);
    assert_works(&to, "ada", "2").await;

    let list = other.json(&["service", "list"]);
    assert_eq!(names(&list), ["pinned", "pinned", "hers"]);
    assert_eq!(other.json(&["service", "list", "--owner", "ada"]), json!([list[2]]));
    assert!(other.does(&["service", "list"]).starts_with("NAME    VERSION  OWNER  SEEN BY    CHANGED"));
    let service = &list[0];
    let of_origin = &administrator.json(&["service", "list"])[0];
    for field in ["code", "init_code", "description", "operation", "inputs", "outputs", "files", "image", "private", "version"] {
        assert_eq!(service[field], of_origin[field], "{field}");
    }
    assert_eq!((&service["owner"], &service["author"], &service["snapshot"]), (&json!("bob"), &json!("bob"), &Value::Null));
    assert!(is_time(&service["created"]) && is_time(&service["changed"]));
    assert_eq!(other.json(&["service", "show", "pinned"]), json!([list[0], list[1]]));
    assert_eq!(other.json(&["service", "show", "pinned", "2"]), list[1]);
    assert_eq!(other.does(&["service", "show", "pinned", "2", "--code"]), CODE);
    let text = other.does(&["service", "show", "pinned"]);
    assert!(text.contains("inputs:       wt:numeric\noutputs:      answer:numeric\n              told:vector\n"), "{text}");
    assert_eq!(text.matches("\nversion: ").count(), 2, "{text}");
    assert!(text.contains("code:         answer <- unname(round("), "{text}");

    other.does(&["service", "remove", "pinned", "2"]);
    crate::harness::until("the server has noticed", async || Ml::login(&to, "bob").await.get("/services/pinned/2").await.status == 404)
        .await;
    other.does(&["service", "remove", "pinned"]);
    assert_eq!(names(&other.json(&["service", "list"])), ["hers"]);
    assert_eq!(other.fails(&["service", "show", "pinned"]), "there is no service \"pinned\"");
    assert_eq!(other.fails(&["service", "remove", "pinned"]), "there is no service \"pinned\"");
    assert_eq!(other.fails(&["service", "remove", "hers", "9"]), "there is no service \"hers 9\"");
}

#[tokio::test]
async fn snapshots_are_listed_and_removed_and_services_go_on() {
    let server = server();
    let administrator = Administrator::of(&server);
    let id = publish(&server).await;
    let list = administrator.json(&["snapshot", "list"]);
    assert_eq!((&list[0]["id"], &list[0]["owner"], &list[0]["name"]), (&json!(id), &json!("ada"), &json!("for pinned")));
    assert!(is_time(&list[0]["created"]) && list[0]["bytes"].as_u64().unwrap() > 1000);
    assert_eq!(administrator.json(&["snapshot", "list", "--owner", "ada"]), list);
    assert_eq!(administrator.json(&["snapshot", "list", "--owner", "admin"]), json!([]));
    assert!(administrator.does(&["snapshot", "list"]).starts_with("ID                                    OWNER  BYTES"));
    administrator.does(&["snapshot", "remove", &id]);
    assert_eq!(administrator.json(&["snapshot", "list"]), json!([]));
    for wrong in [id.as_str(), "for pinned"] {
        let expected = format!("there is no snapshot {wrong:?}; offshoot snapshot list has the identities");
        assert_eq!(administrator.fails(&["snapshot", "remove", wrong]), expected);
    }
    assert_works(&server, "ada", "1").await;
}

#[tokio::test]
async fn a_damaged_or_foreign_file_of_a_service_leaves_nothing_in_the_store() {
    let (from, to) = (server(), server());
    let (administrator, other) = (Administrator::of(&from), Administrator::of(&to));
    publish(&from).await;
    to.account("ada", &["POWER_USER"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pinned.zip");
    administrator.does(&["service", "export", "pinned", "1", path.to_str().unwrap()]);
    let whole = std::fs::read(&path).unwrap();
    let store = to.store().await;
    let refused = async |content: Vec<u8>, expected: &str| {
        let damaged = file(folder.path(), "damaged.zip", content);
        let said = other.fails(&["service", "import", &damaged]);
        assert!(said.starts_with(&format!("{damaged}: ")) && said.contains(expected), "{said}");
        assert_eq!(other.json(&["service", "list"]), json!([]), "{said}");
        assert_eq!(store.blobs_in_use().await.unwrap().len(), 0, "{said}");
    };
    let described = |change: &dyn Fn(&mut Value)| {
        rewritten(&path, |name, content| {
            if name != "service.json" {
                return Some(content);
            }
            let mut description = serde_json::from_slice(&content).unwrap();
            change(&mut description);
            Some(description.to_string().into_bytes())
        })
    };
    let workspace = content(&path, |description| description["image"]["workspace"].as_str().unwrap().to_owned());

    refused(b"no ZIP file".to_vec(), "not a usable ZIP file").await;
    refused(whole[..whole.len() / 2].to_vec(), "not a usable ZIP file").await;
    let backup = folder.path().join("backup.zip");
    administrator.does(&["backup", backup.to_str().unwrap()]);
    refused(std::fs::read(&backup).unwrap(), "this is no service that offshoot has exported").await;
    refused(rewritten(&path, |name, content| (name != workspace).then_some(content)), "the file of the service is damaged: the content ")
        .await;
    refused(rewritten(&path, |name, content| Some(if name == workspace { b"other".to_vec() } else { content })), " is another").await;
    refused(described(&|description| *description = json!({ "x": 1 })), "service.json: missing field `format`").await;
    refused(described(&|description| description["format"] = json!(2)), "the file is of form 2, and this release of offshoot reads form 1")
        .await;
    refused(described(&|description| description["name"] = json!("")), "The name of a service").await;
    for outside in ["../x", "/x", "", "a/../../x"] {
        let expected = format!("{outside:?} is no path of a file");
        refused(described(&|description| description["image"]["files"][0]["path"] = json!(outside)), &expected).await;
    }
    let twice = described(&|description| description["image"]["files"][1] = description["image"]["files"][0].clone());
    refused(twice, "it has two files ").await;
    let many = described(&|description| {
        description["definition"]["inputs"] = json!([{ "name": "x", "type": "matrix" }, { "name": "x", "type": "matrix" }]);
    });
    refused(many, "There are two inputs").await;

    // Any changed byte is either noticed or harmless.
    let (mut found, mut tried) = (0, 0);
    for at in (0..whole.len()).step_by(whole.len() / 16) {
        tried += 1;
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        let damaged = file(folder.path(), "damaged.zip", damaged);
        let output = other.run(&["service", "import", &damaged], "");
        if output.status.success() {
            assert_eq!(other.does(&["service", "show", "pinned", "1", "--code"]), CODE, "byte {at}");
            other.does(&["service", "remove", "pinned"]);
        } else {
            found += 1;
        }
        assert_eq!(other.json(&["service", "list"]), json!([]), "byte {at}");
    }
    // Headers of the archive have bytes that nobody reads.
    assert!(found > tried / 3, "{found} of {tried}");
    other.does(&["service", "import", path.to_str().unwrap()]);
    assert_works(&to, "ada", "1").await;
}

/// The entry with a content that the description in a file names.
fn content(path: &Path, which: impl Fn(&Value) -> String) -> String {
    let mut archive = ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_name("service.json").unwrap().read_to_string(&mut text).unwrap();
    format!("contents/{}", which(&serde_json::from_str(&text).unwrap()))
}
