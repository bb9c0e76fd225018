//! Pages, in a real browser.

use std::process::Command;

use offshoot::store::scripts::{Parameter, ScriptChange};

use crate::harness::Server;

/// What a browser makes of a page: the document after everything in it has been done.
fn browse(url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output()
        .expect("chromium is installed");
    String::from_utf8(output.stdout).unwrap()
}

/// The text of the first element of that name.
fn text_of<'t>(document: &'t str, element: &str) -> &'t str {
    let begin = document.find(&format!("<{element}>")).unwrap_or_else(|| panic!("no {element} in {document}")) + element.len() + 2;
    &document[begin..begin + document[begin..].find(&format!("</{element}>")).unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_summary_page_works_as_it_is() {
    let server = Server::shared();
    let parameter = |name: &str, kind: &str| Parameter { name: name.into(), kind: kind.into(), description: "<b>bold</b>".into() };
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
    let example = text_of(&document, "pre").replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&");
    let answer = Command::new("sh").args(["-c", &example]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap_or_else(|error| panic!("{error}: {example}"));
    let objects = &answer["deployr"]["response"]["robjects"];
    assert_eq!((&objects["total"]["value"], &objects["said"]["value"]), (&7.into(), &"TEXT".into()), "{answer}");
}
