//! Pages, in a real browser.

use std::path::Path;

use offshoot::store::scripts::{Parameter, ScriptChange};

use crate::harness::{Demonstration, Server, program};

/// The document of a page after a browser has loaded it completely.
fn browse(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = program("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output()
        .expect("chromium is installed");
    String::from_utf8(output.stdout).unwrap()
}

/// The text of the first element with this name.
fn text_of<'t>(document: &'t str, element: &str) -> &'t str {
    let begin = document.find(&format!("<{element}>")).unwrap_or_else(|| panic!("no {element} in {document}")) + element.len() + 2;
    &document[begin..begin + document[begin..].find(&format!("</{element}>")).unwrap()]
}

/// The example of a summary page.
fn example(document: &str) -> String {
    text_of(document, "pre").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")
}

/// The answer to the last of these shell commands.
fn run(commands: &str, folder: &Path) -> serde_json::Value {
    let output = program("sh").args(["-c", commands]).current_dir(folder).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    // Two answers may follow each other without a line break.
    let last = output.rfind("{\"deployr\"").unwrap_or_else(|| panic!("no answer to {commands}"));
    serde_json::from_str::<serde_json::Value>(&output[last..]).unwrap()["deployr"]["response"].take()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_summary_page_works_as_it_is() {
    let server = Server::shared();
    let parameter = |name: &str, kind: &str| Parameter {
        name: name.into(),
        kind: kind.into(),
        description: "<b>bold</b>".into(),
        ..Parameter::default()
    };
    let change = ScriptChange {
        code: Some("total <- sum(numbers) + one; said <- toupper(it)".into()),
        description: Some("<script>document.title = 'taken over'</script>".into()),
        inputs: Some(vec![parameter("numbers", "vector"), parameter("one", "numeric"), parameter("it", "character")]),
        outputs: Some(vec![parameter("total", "numeric"), parameter("said", "character")]),
        access: Some("anonymous".parse().unwrap()),
        ..ScriptChange::default()
    };
    let id = server.store().await.script_put("What is in a name", &change).await.unwrap();
    let url = format!("{}/deployr/script/summary/SCRPT-{id}", server.address);
    let document = tokio::task::spawn_blocking(move || browse(&url)).await.unwrap();
    assert_eq!(text_of(&document, "title"), "What is in a name – Offshoot");
    assert!(!document.contains("<b>") && !document.contains("toupper"), "{document}");
    let folder = tempfile::tempdir().unwrap();
    let answer = run(&example(&document), folder.path());
    let objects = &answer["robjects"];
    assert_eq!((&objects["total"]["value"], &objects["said"]["value"]), (&7.into(), &"TEXT".into()), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_requests_of_the_start_page_work_as_they_are() {
    let demonstration = Demonstration::start();
    let url = format!("{}/", demonstration.address);
    let document = tokio::task::spawn_blocking(move || browse(&url)).await.unwrap();
    let examples: Vec<String> =
        document.split("</pre>").filter(|part| part.contains("<pre>")).map(|part| example(&format!("{part}</pre>"))).collect();
    let [rock, mlserver, revodeployr] = examples.as_slice() else { panic!("{examples:?}") };
    let output = program("sh").args(["-c", rock]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "3");
    let output = program("sh").args(["-c", mlserver]).output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("{\"sessionId\":\""));
    let answer = run(revodeployr, demonstration.folder.path());
    assert!(answer["console"]["value"].as_str().unwrap().contains("15.4"), "{answer}");
    demonstration.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_demonstrations_scripts_work_as_they_are() {
    let demonstration = Demonstration::start();
    let base = format!("{}/deployr", demonstration.address);
    let http = crate::harness::http().build().unwrap();
    let call = async |path: &str, form: &[(&str, &str)]| -> serde_json::Value {
        http.post(format!("{base}{path}")).form(form).send().await.unwrap().json::<serde_json::Value>().await.unwrap()["deployr"]["response"]
            .take()
    };
    let login = call("/r/user/login", &[("username", "testuser"), ("password", "secret")]).await;
    let cookie = login["cookie"].as_str().unwrap();
    let scripts = call(&format!("/r/script/list;jsessionid={cookie}"), &[]).await;
    let scripts = scripts["scripts"].as_object().unwrap();
    assert_eq!(scripts.len(), 3);
    for (name, script) in scripts {
        let url = format!("{base}/script/summary/{};jsessionid={cookie}", script["value"].as_str().unwrap());
        let document = tokio::task::spawn_blocking(move || browse(&url)).await.unwrap();
        let commands = example(&document).replace("username=NAME", "username=testuser").replace("password=PASSWORD", "password=secret");
        let answer = run(&commands, demonstration.folder.path());
        assert_eq!(answer["success"], true, "{name}: {answer}");
    }
    demonstration.stop();
}
