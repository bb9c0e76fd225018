//! How cost grows with the number of live sessions, and with data that is loaded before the first one.
//!
//! Each back end has the machine to itself here. Otherwise processes of several back ends would share the pages of R's library, and each
//! would seem to take less memory than it does.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};

use super::{
    backends::{Kind, Session, Settings},
    processes::proportional_memory,
    report::{Curve, Report, Shown, Unit, median, percentile},
    scale::Scale,
    works::{count, repeat},
};

/// The most sessions of R over pipes. Each needs some 30 MB and a quarter of a second, so nobody would use more.
const MOST_SUBPROCESSES: usize = 101;
const WITH_SESSIONS: [Kind; 3] = [Kind::OffshootRock, Kind::Subprocess, Kind::Rserve];
const WITH_PRELOAD: [Kind; 2] = [Kind::OffshootRock, Kind::Rserve];

/// Measures from one session to very many: the memory of one, the time to open the next, and the time to answer.
pub fn sessions(scale: &Scale, folder: &Path, report: &mut Report) -> Result<()> {
    if !scale.wants("sessions") {
        return Ok(());
    }
    let mut runs = Runs::default();
    for round in 0..scale.growth_rounds {
        for kind in WITH_SESSIONS {
            scale.say(&format!("live sessions: {}, round {}", kind.name(), round + 1));
            if let Err(error) = one_more_and_more(scale, folder, kind, &mut runs) {
                report.miss("live sessions", kind.name(), &format!("failed: {error:#}"));
            }
        }
    }
    for kind in WITH_SESSIONS.iter().filter(|_| scale.sessions.iter().any(|&live| live > MOST_SUBPROCESSES)) {
        if *kind == Kind::Subprocess {
            report.miss("live sessions", kind.name(), &format!("no more than {MOST_SUBPROCESSES} are opened: each is an R of its own"));
        }
    }
    let mut memory = curve("sessions-memory", "Memory of an idle session", "live sessions", Unit::Megabytes);
    let mut opening = curve("sessions-open", "Opening one more session, to its first answer", "live sessions", Unit::Milliseconds);
    let mut answers = curve("sessions-answer", "`1+1` on one session, 99th percentile", "live sessions", Unit::Milliseconds);
    for &live in scale.sessions {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let x = live as f64;
        let shown = |prominent: bool| if prominent { Shown::Summary } else { Shown::Report };
        let work = format!("memory of an idle session, of {}", count(live));
        runs.report(report, shown(live == 500), &work, Unit::Megabytes, live, |step| step.memory);
        memory.add(report, &work, x);
        let work = format!("open one more session, {} live", count(live));
        runs.report(report, Shown::Curve, &work, Unit::Milliseconds, live, |step| step.open);
        opening.add(report, &work, x);
        let work = format!("`1+1` on one session, {} others idle", count(live - 1));
        runs.report(report, Shown::Report, &work, Unit::Milliseconds, live, |step| step.median);
        let work = format!("{work}, 99th percentile");
        runs.report(report, shown(live == 1001), &work, Unit::Milliseconds, live, |step| step.late);
        answers.add(report, &work, x);
    }
    report.curves.extend([memory, opening, answers]);
    Ok(())
}

fn curve(file: &'static str, title: &'static str, quantity: &'static str, unit: Unit) -> Curve {
    Curve { file, title, quantity, unit, points: Vec::new() }
}

/// The measurements at one number of live sessions.
struct Step {
    kind: Kind,
    live: usize,
    memory: f64,
    open: f64,
    median: f64,
    late: f64,
}

#[derive(Default)]
struct Runs(Vec<Step>);

impl Runs {
    fn report(&self, report: &mut Report, shown: Shown, work: &str, unit: Unit, live: usize, figure: impl Fn(&Step) -> f64) {
        for kind in WITH_SESSIONS {
            let of_kind = self.0.iter().filter(|step| step.kind == kind && step.live == live);
            report.add(shown, work, kind.name(), unit, &of_kind.map(&figure).collect::<Vec<_>>());
        }
    }
}

fn one_more_and_more(scale: &Scale, folder: &Path, kind: Kind, runs: &mut Runs) -> Result<()> {
    let backend = kind.start(folder, Settings::USUAL)?;
    let mut sessions: Vec<Box<dyn Session>> = Vec::new();
    for &live in scale.sessions.iter().filter(|&&live| kind != Kind::Subprocess || live <= MOST_SUBPROCESSES) {
        while sessions.len() < live {
            let mut session = backend.open()?;
            session.answer()?;
            sessions.push(session);
        }
        let open = median(&repeat(scale.budget, 100, || backend.open()?.answer())?);
        let memory = memory_of_one(&backend.sessions())?;
        let first = &mut sessions[0];
        let times = repeat(Duration::from_secs(5), 1000, || first.answer())?;
        runs.0.push(Step { kind, live, memory, open, median: median(&times), late: percentile(&times, 99.0) });
    }
    Ok(())
}

/// The mean over these processes, or over every n-th if they are many. A session that was just closed may end meanwhile, and then does not
/// count.
fn memory_of_one(processes: &[u32]) -> Result<f64> {
    let some = processes.iter().step_by(processes.len().div_ceil(500).max(1));
    let looked_at: Vec<_> = some.filter_map(|&pid| proportional_memory(pid).ok()).collect();
    ensure!(!looked_at.is_empty(), "no process whose memory can be told");
    #[expect(clippy::cast_precision_loss, reason = "small")]
    Ok(looked_at.iter().sum::<f64>() / looked_at.len() as f64)
}

/// Measures the effect of data that is loaded before the first session; a fork shares it, but has to map it.
pub fn preload(scale: &Scale, folder: &Path, report: &mut Report) -> Result<()> {
    if !scale.wants("preloaded") {
        return Ok(());
    }
    let mut curve = curve("preload", "Opening a session, to its first answer, without a pool", "MiB of preloaded data", Unit::Milliseconds);
    for &mib in scale.preload_mib {
        let work = format!("open a session, {} MiB preloaded, no pool", count(mib));
        scale.say(&work);
        let mut runs = vec![Vec::new(); WITH_PRELOAD.len()];
        let settings = Settings { pool: false, preload_mib: mib };
        for (kind, runs) in WITH_PRELOAD.iter().zip(&mut runs) {
            let measured = kind.start(folder, settings).and_then(|backend| {
                backend.open()?.answer()?;
                (0..scale.rounds).map(|_| Ok(median(&repeat(scale.budget, 100, || backend.open()?.answer())?))).collect()
            });
            match measured {
                Ok(measured) => *runs = measured,
                Err(error) => report.miss(&work, kind.name(), &format!("failed: {error:#}")),
            }
        }
        for (kind, runs) in WITH_PRELOAD.iter().zip(&runs) {
            report.add(Shown::Curve, &work, kind.name(), Unit::Milliseconds, runs);
        }
        #[expect(clippy::cast_precision_loss, reason = "small")]
        curve.add(report, &work, mib as f64);
    }
    report.curves.push(curve);
    Ok(())
}
