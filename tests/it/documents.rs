//! The examples in the README and in docs/ work when they are pasted one after the other, and have the answers that are shown.

use crate::harness::{Demonstration, program};

/// Commands that cannot be tried here: they build, start servers, or need programs that `make test` does not install.
const SKIPPED: [&str; 5] = ["make ", "docker ", "offshoot ", "python3 ", "node "];

/// Printed between two examples.
const END: &str = "\u{1e}";

/// An example, and the output that the page shows.
#[derive(Debug)]
struct Example<'t> {
    commands: &'t str,
    shown: Option<&'t str>,
}

fn examples(page: &str) -> Vec<Example<'_>> {
    let mut examples: Vec<Example> = Vec::new();
    // Text and code blocks alternate.
    let mut parts = page.split("```");
    while let (Some(before), Some(block)) = (parts.next(), parts.next()) {
        let (language, content) = block.split_once('\n').unwrap();
        if language == "sh" {
            examples.push(Example { commands: content, shown: None });
        } else if let Some(last) = examples.last_mut()
            && before.trim().is_empty()
        {
            last.shown = Some(content);
        }
    }
    examples.retain(|example| !SKIPPED.iter().any(|command| example.commands.lines().any(|line| line.starts_with(command))));
    examples
}

/// Text without the parts that differ each time, identifiers and cookies, and without line breaks, which the page adds.
fn comparable(text: &str) -> String {
    let is_identifier = |word: &str| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    let words = words.map(|word| {
        let end = word.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').unwrap_or(word.len());
        let (word, rest) = word.split_at(end);
        let known = ["LIVE-", "FILE-", "PROJ-", "SCRPT-"].into_iter().find_map(|prefix| word.strip_prefix(prefix)).unwrap_or(word);
        if is_identifier(known) { format!("#{rest}") } else { format!("{word}{rest}") }
    });
    words.collect::<String>().split_whitespace().collect()
}

fn try_examples(page: &str, least: usize) {
    let demonstration = Demonstration::start();
    let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = demonstration.folder.path();
    std::fs::create_dir(folder.join("demo")).unwrap();
    for file in ["README.md", "demo/satscores.csv"] {
        std::fs::copy(project.join(file), folder.join(file)).unwrap();
    }
    let page = std::fs::read_to_string(project.join(page)).unwrap().replace("http://127.0.0.1:8050", &demonstration.address);
    let examples = examples(&page);
    assert!(examples.len() >= least, "{examples:#?}");
    let script: String = examples.iter().map(|example| format!("{}\nprintf '{END}'\n", example.commands)).collect();
    // Cargo has set R_HOME, but R has to find its home by itself.
    let output = program("bash").args(["-c", &script]).current_dir(folder).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for (example, printed) in examples.iter().zip(printed.split(END)) {
        let Some(shown) = example.shown else { continue };
        if example.commands.contains("async=true") {
            // The output has the time and the progress of the command.
            assert!(printed.ends_with("}50") && shown.ends_with("}\n50\n"), "{printed}");
            continue;
        }
        assert_eq!(comparable(printed), comparable(shown), "{}", example.commands);
    }
    demonstration.stop();
}

#[test]
fn the_first_requests_of_the_readme_work() {
    try_examples("README.md", 2);
}

#[test]
fn the_examples_of_rocks_api_work() {
    try_examples("docs/rock.md", 5);
}

#[test]
fn the_examples_of_revodeployrs_api_work() {
    try_examples("docs/revodeployr.md", 9);
}

#[test]
fn the_examples_of_r_servers_api_work() {
    try_examples("docs/r-server.md", 7);
}
