//! Compares Offshoot with the tools that people use today: the same work, on the same machine, in the same run.
//!
//! `make bench` runs all of it and rewrites `benches/report/` and a section of the README; `make bench-quick` does less work, and only
//! writes to `benches/report/quick/`. The suite starts each back end on the loopback address, and ends it, however the suite itself ends.
//!
//! - Works are measured in rounds, in which every back end has its turn; a figure is the median of the rounds. Before anything is measured,
//!   every back end has done the work once, and its result has been checked.
//! - The load generator is our own: threads with connections that are kept. Existing programs only speak HTTP, which two of the back ends
//!   do not, and the same client has to drive all of them.
//! - Offshoot requires a login, keeps its limits, and gives each session a user of its own if it runs as root. Rserve and plumber do none
//!   of that.
//!
//! Start reading at [`works`]; [`backends`] says how each one does a work.

#![expect(unreachable_pub, reason = "a program: `pub` is what a module gives to others")]

mod backends;
mod data;
mod growth;
mod http;
mod machine;
mod plots;
mod processes;
mod qap;
mod report;
mod scale;
mod works;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use report::{Report, Shown};
use scale::Scale;

/// Measures Offshoot beside its peers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fewer rounds, less data: some figures in three minutes.
    #[arg(long)]
    quick: bool,
    /// Only works with this in their names; the report then goes beneath the target folder.
    #[arg(long)]
    only: Option<String>,
    /// What `cargo bench` passes, and `cargo test`, which builds benches as well, does not.
    #[arg(long, hide = true)]
    bench: bool,
}

const README: [&str; 2] = ["<!-- benchmark: begin (make bench writes this) -->", "<!-- benchmark: end -->"];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        bail!("this is to be run by `make bench`, or `cargo bench --bench compare`");
    }
    let scale = if arguments.quick { Scale::quick(arguments.only) } else { Scale::full(arguments.only) };
    allow_descriptors();
    processes::end_with_signals()?;
    let folder = processes::make_folder()?;
    let mut report = Report { surroundings: machine::surroundings(if arguments.quick { "quick" } else { "full" }), ..Report::default() };
    let measured = measure(&scale, &folder, &mut report);
    processes::remove_folder();
    measured?;
    if report.rows.is_empty() {
        bail!("nothing was measured");
    }
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    write(&report, &folder_of_report(project, &scale, arguments.quick))?;
    if scale.is_whole() && !arguments.quick {
        update_readme(&report, &project.join("README.md"))?;
    }
    Ok(())
}

fn measure(scale: &Scale, folder: &Path, report: &mut Report) -> Result<()> {
    let mut suite = works::Suite::start(scale, folder, report)?;
    suite.run()?;
    drop(suite);
    growth::sessions(scale, folder, report)?;
    growth::preload(scale, folder, report)
}

/// Thousands of sessions need as many connections, here and in the servers that are started.
fn allow_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn folder_of_report(project: &Path, scale: &Scale, quick: bool) -> PathBuf {
    match (scale.is_whole(), quick) {
        (false, _) => project.join("target/bench-report"),
        (true, true) => project.join("benches/report/quick"),
        (true, false) => project.join("benches/report"),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn write(report: &Report, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("report.json"), report.json()? + "\n")?;
    let mut text = format!("# Offshoot beside what people use today\n\n{}\n\n", report.preface());
    text.push_str("How each work is done by each is in `benches/compare/backends/`.\n\n## Works\n\n");
    text.push_str(&report.table(&report.works(&[Shown::Report, Shown::Summary]), true));
    if !report.works(&[Shown::Summary]).is_empty() {
        plots::summary(&folder.join("summary.svg"), report)?;
        text.push_str("\n![Ratios](summary.svg)\n");
    }
    text.push_str("\n## How cost grows\n\n");
    for curve in report.curves.iter().filter(|curve| !curve.points.is_empty()) {
        plots::curve(folder, curve)?;
        text.push_str(&format!("![{}]({}.svg)\n\n", curve.title, curve.file));
    }
    text.push_str(&report.table(&report.works(&[Shown::Curve]), false));
    if !report.missing.is_empty() {
        text.push_str("\n## Not measured\n\n| work | back end | why |\n|---|---|---|\n");
        for (work, backend, why) in &report.missing {
            text.push_str(&format!("| {work} | {backend} | {} |\n", why.replace(['\n', '|'], " ")));
        }
    }
    std::fs::write(folder.join("report.md"), &text)?;
    println!("{text}\nwritten to {}", folder.display());
    Ok(())
}

fn update_readme(report: &Report, readme: &Path) -> Result<()> {
    let section = format!(
        "{}\n\n{}\n![How many times worse than Offshoot others are at each work](benches/report/summary.svg)\n\n\
         All works, the spread of the runs, and how cost grows: [benches/report/report.md](benches/report/report.md).",
        report.preface(),
        report.table(&report.works(&[Shown::Summary]), false)
    );
    let text = std::fs::read_to_string(readme)?;
    let [begin, end] = README;
    let text = report::replace_between(&text, begin, end, &section).map_err(anyhow::Error::msg).context("README.md")?;
    Ok(std::fs::write(readme, text)?)
}
