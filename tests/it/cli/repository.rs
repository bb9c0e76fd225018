//! Scripts, objects and projects.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use serde_json::json;

use super::{Administrator, file, is_time, names, server};
use crate::harness::{Client, Server, program};

#[tokio::test]
async fn scripts_are_put_in_versions_and_run() {
    let server = server();
    let (administrator, folder) = (Administrator::of(&server), tempfile::tempdir().unwrap());
    let first = file(folder.path(), "mean.R", "\u{feff}average <- mean(numbers)\r\n");
    let put = [
        "script",
        "put",
        "The mean",
        &first,
        "--access",
        "anonymous",
        "--description",
        "Größe",
        "--input",
        "numbers:vector:Some numbers: any",
        "--output",
        "average",
        "--author",
        "ada",
    ];
    administrator.does(&put);
    administrator.reads(&["script", "put", "The mean", "-"], "average <- median(numbers)");
    let shown = administrator.json(&["script", "show", "The mean"]);
    let id = shown["id"].as_str().unwrap();
    let expected = json!({"id": id, "name": "The mean", "access": "anonymous", "boundary": null, "version": 2, "author": "admin",
        "changed": shown["changed"], "description": "Größe",
        "inputs": [{"name": "numbers", "type": "vector", "description": "Some numbers: any"}],
        "outputs": [{"name": "average", "type": "", "description": ""}], "code": "average <- median(numbers)"});
    assert_eq!(shown, expected);
    assert!(is_time(&shown["changed"]));
    assert_eq!(administrator.json(&["script", "list"]), json!([expected]));
    for by in [id, &format!("SCRPT-{id}")] {
        assert_eq!(administrator.json(&["script", "show", by]), expected);
    }
    let text = administrator.does(&["script", "show", "The mean"]);
    assert!(text.contains("inputs:       numbers:vector:Some numbers: any\noutputs:      average\n"), "{text}");
    assert!(administrator.does(&["script", "list"]).starts_with("NAME      ACCESS     VERSION  AUTHOR  CHANGED"));

    let client = Client::new(&server);
    let run = async |name: &str| {
        let form = [("rscript", name), ("inputs", r#"{"numbers":{"value":[1,2,9]}}"#), ("robjects", "average")];
        client.post("/r/script/execute", &form).await
    };
    assert_eq!(run("The mean").await.success()["robjects"]["average"]["value"], 2);
    administrator.does(&["script", "revert", "The mean", "1", "--author", "eve"]);
    assert_eq!(run("The mean").await.success()["robjects"]["average"]["value"], 4);
    let versions = administrator.json(&["script", "show", "The mean", "--versions"]);
    let of = |field: &str| versions.as_array().unwrap().iter().map(|version| version[field].clone()).collect::<Vec<_>>();
    assert_eq!((of("version"), of("author")), (vec![json!(3), json!(2), json!(1)], vec![json!("eve"), json!("admin"), json!("ada")]));
    assert_eq!(administrator.does(&["script", "show", "The mean", "--version", "2", "--code"]), "average <- median(numbers)");
    assert_eq!(administrator.does(&["script", "show", "The mean", "--code"]), "average <- mean(numbers)\r\n");
    assert_eq!(administrator.does(&["script", "show", "The mean", "--versions"]).lines().count(), 4);

    administrator.does(&["script", "rename", "The mean", "mean"]);
    assert_eq!((run("The mean").await.status.as_u16(), run("mean").await.status.as_u16()), (400, 200));
    assert_eq!(administrator.json(&["script", "show", "mean"])["id"], id);
    administrator.does(&["role", "put", "sales"]);
    administrator.does(&["boundary", "put", "small", "--cpu-seconds", "1"]);
    administrator.does(&["script", "put", "mean", "--access", "role:sales,role:BASIC_USER", "--boundary", "small"]);
    assert_eq!(run("mean").await.status, 403);
    let changed = administrator.json(&["script", "show", "mean"]);
    assert_eq!((&changed["access"], &changed["boundary"]), (&json!("role:BASIC_USER,role:sales"), &json!("small")));
    administrator.does(&["script", "put", "mean", "--no-boundary"]);
    administrator.does(&["script", "put", "mean", "--access", "role:sales"]);
    administrator.does(&["role", "remove", "sales"]);
    assert_eq!(administrator.json(&["script", "show", "mean"])["access"], "private");
    administrator.does(&["script", "remove", "mean"]);
    assert_eq!(administrator.json(&["script", "list"]), json!([]));
}

#[tokio::test]
async fn an_input_has_the_example_that_it_is_given() {
    let server = server();
    let (administrator, folder) = (Administrator::of(&server), tempfile::tempdir().unwrap());
    let code = file(folder.path(), "fit.R", "said <- paste(x, file)");
    let examples = ["--example", "x=[\"a\",\"b\"]", "--example", "file=\"{server}/it\""];
    let put = ["script", "put", "fit", &code, "--access", "anonymous", "--input", "x:vector", "--input", "file"];
    administrator.does(&[put.as_slice(), &examples].concat());
    // The example belongs to the inputs, and a new one replaces it.
    administrator.does(&["script", "put", "fit", "--description", "says", "--example", "x=\"it's\""]);
    let inputs = json!([
        {"name": "x", "type": "vector", "description": "", "example": "it's"},
        {"name": "file", "type": "", "description": "", "example": "{server}/it"},
    ]);
    let shown = administrator.json(&["script", "show", "fit"]);
    assert_eq!(shown["inputs"], inputs);
    let text = administrator.does(&["script", "show", "fit"]);
    assert!(text.contains("examples:     x=\"it's\"\n              file=\"{server}/it\"\n"), "{text}");
    let backup = folder.path().join("backup.zip").display().to_string();
    administrator.does(&["backup", &backup]);
    administrator.does(&["script", "put", "fit", "--input", "x"]);
    assert_eq!(administrator.json(&["script", "show", "fit"])["inputs"], json!([{"name": "x", "type": "", "description": ""}]));
    administrator.does(&["restore", "--yes", &backup]);
    assert_eq!(administrator.json(&["script", "show", "fit"])["inputs"], inputs);
    let page = Client::new(&server).get(&format!("/script/summary/SCRPT-{}", shown["id"].as_str().unwrap()), &[]).await;
    let page = page.text().replace("&#34;", "\"").replace("&#39;", "'");
    assert!(page.contains(&format!("inputs={{\"file\":\"{}/deployr/it\",\"x\":\"it'\\''s\"}}", server.address)), "{page}");
}

#[tokio::test]
async fn what_cannot_be_done_with_scripts_is_said() {
    let server = server();
    let (administrator, folder) = (Administrator::of(&server), tempfile::tempdir().unwrap());
    let code = file(folder.path(), "code.R", "1");
    let (empty, latin, binary) =
        (file(folder.path(), "e.R", " \n"), file(folder.path(), "l.R", b"x <- '\xe9'"), file(folder.path(), "b.R", "1\0"));
    administrator.does(&["script", "put", "there", &code]);
    administrator.does(&["script", "put", "too", &code]);
    let before = administrator.all();
    for (arguments, message) in [
        (["put", "a/b", &code].as_slice(), "\"a/b\" cannot be a script's name: 1 to 100 letters, digits, blanks"),
        (&["put", "SCRPT-00000000-0000-4000-8000-000000000000", &code], "it looks like an identity"),
        (&["put", "x", &empty], "e.R is empty: a script needs R code"),
        (&["put", "x", "-"], "standard input is empty: a script needs R code"),
        (&["put", "x", &latin], "l.R is not UTF-8 text"),
        (&["put", "x", &binary], "b.R holds NUL characters"),
        (&["put", "x", "/nowhere/x.R"], "/nowhere/x.R: No such file"),
        (&["put", "x", "--description", "new"], "the script \"x\" is new, and has no code"),
        (&["put", "there"], "nothing to save"),
        (&["put", "there", &code, "--boundary", "none"], "there is no boundary \"none\""),
        (&["put", "there", &code, "--access", "role:none"], "there is no role \"none\""),
        (&["put", "there", "--example", "x=1"], "the script \"there\" has no input \"x\" to give an example of"),
        (&["revert", "there", "7"], "the script \"there\" has no version 7"),
        (&["show", "there", "--version", "7"], "the script \"there\" has no version 7; --versions lists them"),
        (&["rename", "there", "too"], "the script \"too\" is there already"),
        (&["rename", "x", "y"], "there is no script \"x\""),
        (&["remove", "x"], "there is no script \"x\""),
        (&["show", "x"], "there is no script \"x\""),
    ] {
        let said = administrator.fails(&[&["script"], arguments].concat());
        assert!(said.contains(message), "{arguments:?}: {said}");
    }
    // Invalid arguments are reported by clap.
    for (arguments, message) in [
        (["put", "x", &code, "--access", "everybody"].as_slice(), "none of private, role:NAME, authenticated, trusted and anonymous"),
        (&["put", "x", &code, "--input", ":vector"], "the name of an R object is missing"),
        (&["put", "x", &code, "--input", "x", "--example", "x=df$b"], "df$b is not JSON, in which a text has quotes"),
    ] {
        let output = administrator.run(&[&["script"], arguments].concat(), "");
        assert!(output.status.code() == Some(2) && super::said(&output).contains(message), "{}", super::said(&output));
    }
    assert_eq!(administrator.all(), before);
}

#[tokio::test]
async fn objects_are_put_and_loaded() {
    let server = server();
    let (administrator, folder) = (Administrator::of(&server), tempfile::tempdir().unwrap());
    let admin = Client::admin(&server).await;
    let session = admin.session().await;
    // R itself writes the R data: an image of some objects, like that of a project.
    let image = r_data(folder.path(), "x <- 42; save(x, file = 'x.RData')", "x.RData");
    let other = r_data(folder.path(), "x <- 43; saveRDS(x, 'x.rds')", "x.rds");
    let id = administrator.does(&["object", "put", "answer", &image, "--access", "authenticated"]).trim().to_owned();
    let shown = administrator.json(&["object", "show", "answer"]);
    let bytes = std::fs::read(&image).unwrap();
    assert_eq!(
        shown,
        json!({"id": id, "name": "answer", "kind": "object", "access": "authenticated", "owner": null, "temporary": false,
            "bytes": bytes.len(), "sha256": shown["sha256"], "created": shown["created"]})
    );
    assert!(is_time(&shown["created"]));
    let listed = admin.get("/r/repository/object/list", &[]).await.success()["repository"]["answer"]["value"].as_str().unwrap().to_owned();
    session.post("object/load", &[("id", &listed)]).await.success();
    assert_eq!(session.value("x").await["value"], 42);
    for (number, by) in ["answer", &id, &listed].into_iter().enumerate() {
        let copy = folder.path().join(format!("copy{number}"));
        administrator.does(&["object", "get", by, copy.to_str().unwrap()]);
        assert_eq!(std::fs::read(&copy).unwrap(), bytes);
        assert!(administrator.fails(&["object", "get", by, copy.to_str().unwrap()]).contains("is there already, and is left as it is"));
    }
    // The object gets new content under its name, and keeps its identifier for clients.
    assert_eq!(administrator.does(&["object", "put", "answer", &other]).trim(), id);
    let again = administrator.json(&["object", "show", &id]);
    assert_eq!(again["access"], "authenticated");
    assert_ne!(again["sha256"], shown["sha256"]);
    administrator.does(&["object", "access", "answer", "private"]);
    assert_eq!(administrator.json(&["object", "show", "answer"])["access"], "private");

    let table = file(folder.path(), "t.csv", "a,b\n1,2\n");
    administrator.does(&["object", "put", "t.csv", &table]);
    session.run("saved <- 1").await;
    session.post("object/save", &[("name", "saved"), ("descr", "hers")]).await.success();
    let list = administrator.json(&["object", "list"]);
    assert_eq!(names(&list), ["hers", "t.csv", "answer"]);
    assert_eq!(
        [&list[0]["owner"], &list[0]["temporary"], &list[1]["kind"], &list[1]["access"]],
        [&json!("admin"), &json!(true), &json!("file"), &json!("private")]
    );
    assert!(administrator.does(&["object", "list"]).lines().next().unwrap().ends_with("NAME"));
    assert!(administrator.does(&["object", "show", "t.csv"]).contains("until:    it is removed\n"));
    let hers = list[0]["id"].as_str().unwrap();
    assert!(administrator.fails(&["object", "access", hers, "anonymous"]).contains("goes with the login of the user who has saved it"));
    for (arguments, message) in [
        (["put", "a/b", &table].as_slice(), "\"a/b\" cannot be an object's name"),
        (&["put", "x", &table, "--kind", "object"], "t.csv is no R data: save() or saveRDS() write it"),
        (&["put", "x", &table, "--access", "role:none"], "there is no role \"none\""),
        (&["put", "x", "/nowhere"], "/nowhere: No such file"),
        (&["put", "x", "/"], "/: Is a directory"),
        (&["show", "hers"], "there is no object \"hers\""),
        (&["get", "answer", "/nowhere/x"], "/nowhere: No such file"),
        (&["remove", "x"], "there is no object \"x\"; offshoot object list has the identities"),
    ] {
        let said = administrator.fails(&[&["object"], arguments].concat());
        assert!(said.contains(message), "{arguments:?}: {said}");
    }
    for object in ["answer", "t.csv", hers] {
        administrator.does(&["object", "remove", object]);
    }
    assert_eq!(administrator.json(&["object", "list"]), json!([]));
}

/// A file of R data that R has written.
fn r_data(folder: &Path, code: &str, name: &str) -> String {
    let r = program("Rscript").args(["-e", code]).current_dir(folder).output().unwrap();
    assert!(r.status.success());
    folder.join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn projects_are_listed_shown_and_removed() {
    let server = server();
    let administrator = Administrator::of(&server);
    let admin = Client::admin(&server).await;
    let session = admin.session().await;
    session.run("x <- 1; writeLines('abc', 'f.txt'); library(stats4)").await;
    // A name may contain characters that control a terminal.
    session.post("project/save", &[("descr", "mine \u{1b}[31m")]).await.success();
    let list = administrator.json(&["project", "list"]);
    assert_eq!(names(&list), ["mine \u{1b}[31m"]);
    assert!(is_time(&list[0]["created"]) && list[0]["workspace_bytes"].as_u64().unwrap() > 0);
    assert!(administrator.does(&["project", "list"]).contains("mine \u{fffd}[31m"));
    let id = list[0]["id"].as_str().unwrap();
    let shown = administrator.json(&["project", "show", &format!("PROJ-{id}")]);
    assert_eq!((&shown["owner"], &shown["history"], &shown["packages"]), (&json!("admin"), &json!(1), &json!(["stats4"])));
    assert_eq!(shown["files"], json!([{"path": "f.txt", "bytes": 4}]));
    assert!(administrator.does(&["project", "show", id]).contains("files:      f.txt (4 bytes)\n"));
    assert_eq!(administrator.json(&["project", "list", "--owner", "testuser"]), json!([]));
    assert_eq!(administrator.json(&["project", "list", "--owner", "admin"]), list);
    administrator.does(&["project", "remove", id]);
    assert_eq!(admin.get("/r/project/list", &[]).await.success()["projects"], json!({}));
    for command in ["show", "remove"] {
        assert!(administrator.fails(&["project", command, id]).starts_with("there is no project"));
        assert!(administrator.fails(&["project", command, "mine"]).contains("offshoot project list has the identities"));
    }
}

#[tokio::test]
async fn the_demonstration_has_scripts_and_a_file() {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    let mut command = Server::command();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]).env("TMPDIR", temporary.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let api = format!("{}/deployr/r", line.trim().strip_prefix("listening on ").unwrap());
    let http = crate::harness::http().build().unwrap();
    let call = async |path: &str, cookie: &str, form: &[(&str, &str)]| {
        let request = http.post(format!("{api}{path}")).header("Cookie", format!("JSESSIONID={cookie}")).form(form);
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        answer["deployr"]["response"].clone()
    };
    let average =
        call("/script/execute", "", &[("rscript", "average"), ("inputs", r#"{"numbers":{"value":[1,2,6]}}"#), ("robjects", "average")])
            .await;
    assert_eq!(average["robjects"]["average"]["value"], 3, "{average}");
    let listed = call("/script/list", "", &[]).await;
    assert_eq!(listed["scripts"].as_object().unwrap().keys().collect::<Vec<_>>(), ["average"]);

    let cookie = call("/user/login", "", &[("username", "testuser"), ("password", "secret")]).await["cookie"].as_str().unwrap().to_owned();
    let inputs = r#"{"df":{"type":"dataframe","value":{"a":{"type":"vector","value":[1,2,3]},"b":{"type":"vector","value":[4,5,7]}}},
        "x":{"value":"df$b"},"y":{"value":"df$a"}}"#;
    let sample = call("/script/execute", &cookie, &[("rscript", "Sample Script"), ("inputs", inputs)]).await;
    assert_eq!((sample["console"]["value"].as_str(), sample["files"].as_object().unwrap().len()), (Some("df$b ~ df$a"), 4), "{sample}");

    let listed = call("/repository/file/list", &cookie, &[]).await;
    assert_eq!(http.get(listed["files"]["satscores.csv"]["url"].as_str().unwrap()).send().await.unwrap().status(), 200);
    let scores = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/demo/satscores.csv")).unwrap();
    let uploaded = call("/file/upload", &cookie, &[("name", "satscores.csv"), ("file", &scores)]).await;
    let address = &uploaded["files"]["satscores.csv"]["value"];
    let inputs =
        json!({"myFile": {"value": address}, "dependent": {"value": "VerbalSAT"}, "independent": {"value": "MathSAT"}}).to_string();
    let form = [("rscript", "Sample Analysis Script"), ("inputs", inputs.as_str()), ("robjects", "df")];
    let analysis = call("/script/execute", &cookie, &form).await;
    assert_eq!(analysis["console"]["value"], "df$VerbalSAT ~ df$MathSAT", "{analysis}");
    assert_eq!(analysis["files"].as_object().unwrap().len(), 4);
    assert_eq!(analysis["robjects"]["df"]["value"]["State"]["value"].as_array().unwrap().len(), 50);

    let data = std::fs::read_dir(temporary.path()).unwrap().flatten().find(|entry| entry.file_name().to_string_lossy().contains("demo"));
    let administrator = Administrator(data.unwrap().path());
    assert_eq!(names(&administrator.json(&["script", "list"])), ["Sample Analysis Script", "Sample Script", "average"]);
    // Uploads are gone with their login, and the server's own objects stay.
    let objects = administrator.json(&["object", "list"]);
    let own: Vec<_> = objects.as_array().unwrap().iter().filter(|object| object["temporary"] == false).collect();
    assert_eq!(names(&objects), ["satscores.csv"; 2]);
    assert_eq!((own.len(), &own[0]["kind"], &own[0]["access"]), (1, &json!("file"), &json!("anonymous")));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
