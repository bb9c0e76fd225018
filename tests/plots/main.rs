//! The examples in R's help pages, drawn in sessions and by R's own `png()`: byte by byte the same. `make plots-check` runs this, in
//! some minutes; `make test` does the same with a few examples.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and says what it has compared")]
#![expect(unreachable_pub, reason = "a program of tests is nobody's library")]

#[expect(dead_code, unused_imports, reason = "what the other tests need as well")]
#[path = "../it/harness/mod.rs"]
mod harness;

use std::{path::Path, process::Command};

use harness::{Rock, Server, Size, drawn_by_r};

/// Whose examples, unless the variable `PACKAGES` names others.
const PACKAGES: &str = "graphics grDevices stats grid lattice ggplot2";

/// So many of these have to be compared.
const ENOUGH: usize = 200;

const USUAL: Size = Size { width: 800, height: 600, resolution: 72 };
const OTHER: Size = Size { width: 700, height: 900, resolution: 72 };
const THIRD: Size = Size { width: 1500, height: 700, resolution: 96 };

/// PNG files, in order.
type Pages = Vec<Vec<u8>>;

/// What was compared, and what differs.
#[derive(Debug, Default)]
struct Findings {
    examples: usize,
    pages: usize,
    /// Pages whose recording depends on the size in which they were drawn, as their code measures something.
    measured: Vec<String>,
    wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plots_of_examples_are_those_of_png() {
    let examples = examples();
    let codes = |examples: &[(String, String)]| examples.iter().map(|(_, code)| code.clone()).collect::<Vec<_>>();
    let usual = drawn_by_r(&codes(&examples), &[USUAL]);
    let drawing = |pages: &[Option<Pages>]| pages[0].as_ref().is_some_and(|pages| !pages.is_empty());
    let (examples, usual): (Vec<_>, Vec<_>) = examples.into_iter().zip(usual).filter(|(_, pages)| drawing(pages)).unzip();
    let again = drawn_by_r(&codes(&examples), &[OTHER, USUAL]);
    let server = Server::start(&Rock::settings("[sessions]\nmemory_mib = 4096"));
    let client = Rock::on(&server, "user");
    let mut findings = Findings::default();
    for (((name, code), usual), again) in examples.iter().zip(&usual).zip(&again) {
        // What R itself draws differently each time cannot be compared.
        if let ([Some(usual)], [Some(other), Some(again)]) = (usual.as_slice(), again.as_slice())
            && again == usual
        {
            compare(&client, name, code, usual, other, &mut findings).await;
        }
    }
    let Findings { examples, pages, measured, wrong } = findings;
    println!("{pages} pages of {examples} examples");
    println!("{} pages are drawn by code that measures, and may differ in other sizes: {}", measured.len(), measured.join(", "));
    assert!(wrong.is_empty(), "not as png() draws:\n{}", wrong.join("\n"));
    assert!(examples >= ENOUGH || std::env::var("PACKAGES").is_ok(), "only {examples} examples were compared");
}

/// Draws an example in two sessions, in a size each, and compares its pages in both sizes.
async fn compare(client: &Rock, name: &str, code: &str, usual: &[Vec<u8>], other: &[Vec<u8>], findings: &mut Findings) {
    let (first, second) = (client.open().await, client.open().await);
    findings.examples += 1;
    findings.pages += usual.len();
    for (session, size, expected) in [(&first, USUAL, usual), (&second, OTHER, other)] {
        let pages = session.draw(code, size).await;
        if pages.len() != expected.len() {
            findings.wrong.push(format!("{name}: {} pages instead of {} at {size:?}", pages.len(), expected.len()));
        }
        let different = pages.iter().zip(expected).zip(1..).filter(|((page, expected), _)| page != expected);
        findings.wrong.extend(different.map(|(_, number)| format!("{name}: page {number} at {size:?}")));
    }
    for number in 1..=first.plots().await.min(second.plots().await) {
        // Recordings that are the same are drawn as the same picture, in whatever size.
        if first.plot(number, Some(THIRD)).await != second.plot(number, Some(THIRD)).await {
            findings.measured.push(format!("{name} {number}"));
        } else if first.plot(number, Some(OTHER)).await != other[number - 1] {
            findings.wrong.push(format!("{name}: page {number} drawn again at {OTHER:?}"));
        }
    }
    first.delete("").await;
    second.delete("").await;
}

/// The names and the code of the examples.
fn examples() -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plots/examples.R");
    let packages = std::env::var("PACKAGES").unwrap_or_else(|_| PACKAGES.to_owned());
    let mut r = Command::new("Rscript");
    r.arg("--vanilla").arg(program).arg(folder.path()).args(packages.split_whitespace()).env_remove("R_HOME").env("LC_ALL", "C.UTF-8");
    let output = r.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| (file.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(file).unwrap())).collect()
}
