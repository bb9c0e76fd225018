//! The works, which are measured in rounds. Every back end has its turn in each round.

mod load;
mod services;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    backends::{Backend, Kind, MODEL_DATA, Session, Settings, Unsupported},
    data::{Form, Object, Sent},
    processes::command,
    report::{Curve, Report, Shown, Unit, grouped, median},
    scale::Scale,
};

/// A back end, and a session that lives as long as the suite.
pub struct Contestant {
    pub kind: Kind,
    pub session: Box<dyn Session>,
    pub backend: Box<dyn Backend>,
    /// The sizes of the objects of the services that it has published.
    published: Vec<usize>,
}

/// All back ends, and the report.
pub struct Suite<'s> {
    pub scale: &'s Scale,
    pub folder: &'s Path,
    pub report: &'s mut Report,
    contestants: Vec<Contestant>,
}

/// The subject of a figure: where it is shown, its work, and its unit.
pub type Figure<'n> = (Shown, &'n str, Unit);

impl<'s> Suite<'s> {
    /// Starts all back ends, and opens a session of each.
    pub fn start(scale: &'s Scale, folder: &'s Path, report: &'s mut Report) -> Result<Self> {
        let mut contestants = Vec::new();
        for kind in Kind::ALL {
            let backend = kind.start(folder, Settings::USUAL)?;
            let session = backend.open().with_context(|| kind.name())?;
            contestants.push(Contestant { kind, session, backend, published: Vec::new() });
        }
        Ok(Self { scale, folder, report, contestants })
    }

    /// Measures all works for which the back ends can share the machine, because only one is active at a time.
    pub fn run(&mut self) -> Result<()> {
        self.small_answers();
        let objects = [Object::doubles(self.scale.elements), Object::strings(self.scale.elements), Object::frame(self.scale.rows)];
        for object in &objects {
            self.fetch(object);
        }
        self.large();
        let (elements, rows) = (self.scale.elements, self.scale.rows);
        let serialize = |as_frame: &str, json: &[u8]| serialize(self.folder, as_frame, json);
        let sent = [Sent::doubles(elements, &serialize)?, Sent::strings(elements, &serialize)?, Sent::frame(rows, &serialize)?];
        for sent in &sent {
            self.send(sent);
        }
        self.plot_and_model();
        self.files();
        self.busy();
        self.result_size();
        self.throughput();
        self.services();
        Ok(())
    }

    fn small_answers(&mut self) {
        let nothing = |_: &mut Contestant| Ok(());
        self.time(Shown::Summary, "open a session, to the first answer", nothing, |contestant| contestant.backend.open()?.answer());
        self.time(Shown::Summary, "`1+1` on a live session", nothing, |contestant| contestant.session.answer());
        self.time(Shown::Summary, "run a script without a session", nothing, |contestant| contestant.session.script());
    }

    fn fetch(&mut self, object: &Object) {
        for (form, word) in [(Form::Json, "as JSON"), (Form::Binary, "as RDS or binary")] {
            let shown = if form == Form::Json { Shown::Summary } else { Shown::Report };
            let prepare = |contestant: &mut Contestant| {
                contestant.session.run(&object.code)?;
                let bytes = contestant.session.fetch(object, form)?;
                if form == Form::Json { object.check_json(&bytes) } else { Ok(()) }
            };
            let work = format!("{} {word}, to the client", object.title);
            self.time(shown, &work, prepare, |contestant| contestant.session.fetch(object, form).map(drop));
        }
        self.forget(&object.name);
    }

    /// An object with as many bytes as a file, in R's own form. For R over pipes this does not measure a transfer, but R's `serialize` into
    /// its memory.
    fn large(&mut self) {
        let object = Object::doubles(self.scale.file / 8);
        let prepare = |contestant: &mut Contestant| contestant.session.run(&object.code);
        let operation = |contestant: &mut Contestant| match contestant.kind {
            Kind::Subprocess => contestant.session.serialize(&object),
            Kind::Rscript | Kind::OffshootRevoDeployR | Kind::Hello | Kind::HelloProcess => {
                contestant.session.fetch(&object, Form::Binary).map(drop)
            }
            _ => {
                let bytes = contestant.session.fetch(&object, Form::Binary)?;
                ensure!(bytes.len() >= object.cells * 8, "{} bytes of {}", bytes.len(), object.cells * 8);
                Ok(())
            }
        };
        let work = format!("{} MB as RDS or binary, to the client (R over pipes: serialized in memory)", self.scale.file / 1_000_000);
        self.time(Shown::Summary, &work, prepare, operation);
        self.forget(&object.name);
    }

    fn send(&mut self, sent: &Sent) {
        for (form, word) in [(Form::Json, "as JSON"), (Form::Binary, "as RDS or binary")] {
            let shown = if form == Form::Json && sent.title.ends_with("doubles") { Shown::Summary } else { Shown::Report };
            let prepare = |contestant: &mut Contestant| {
                contestant.session.send(sent, form)?;
                contestant.session.run(&sent.check)
            };
            let work = format!("{} {word}, into R", sent.title);
            self.time(shown, &work, prepare, |contestant| contestant.session.send(sent, form));
        }
        self.forget(sent.name);
    }

    fn plot_and_model(&mut self) {
        let prepare = |contestant: &mut Contestant| {
            let png = contestant.session.plot()?;
            ensure!(png.starts_with(b"\x89PNG"), "not a PNG of {} bytes", png.len());
            Ok(())
        };
        self.time(Shown::Summary, "a plot as PNG", prepare, |contestant| contestant.session.plot().map(drop));
        let prepare = |contestant: &mut Contestant| {
            contestant.session.run(MODEL_DATA)?;
            let coefficients = contestant.session.model()?;
            ensure!(memchr::memchr_iter(b',', &coefficients).count() >= 39, "not 40 coefficients");
            Ok(())
        };
        let work = "`lm` on 10,000 x 10, with its summary";
        self.time(Shown::Summary, work, prepare, |contestant| contestant.session.model().map(drop));
        self.forget("model");
    }

    fn files(&mut self) {
        let bytes: Vec<u8> = (0..self.scale.file).map(|at| at.to_le_bytes()[at % 3]).collect();
        let megabytes = self.scale.file / 1_000_000;
        let nothing = |_: &mut Contestant| Ok(());
        self.time(Shown::Report, &format!("a file of {megabytes} MB, up"), nothing, |contestant| contestant.session.upload(&bytes));
        let prepare = |contestant: &mut Contestant| {
            contestant.session.upload(&bytes)?;
            ensure!(contestant.session.download()? == bytes, "the file has changed on its way");
            Ok(())
        };
        let work = format!("a file of {megabytes} MB, down");
        self.time(Shown::Report, &work, prepare, |contestant| contestant.session.download().map(drop));
        self.forget("");
    }

    /// Measures how cost grows with the size of a result.
    fn result_size(&mut self) {
        let mut curve = Curve {
            file: "result-size",
            title: "Doubles as JSON, to the client",
            quantity: "doubles",
            unit: Unit::Milliseconds,
            points: Vec::new(),
        };
        for &length in self.scale.lengths {
            let object = Object::doubles(length);
            let work = format!("{} as JSON, by size", object.title);
            let prepare = |contestant: &mut Contestant| {
                contestant.session.run(&object.code)?;
                // If a million elements are right, so are more, and checking these takes some back ends half a minute.
                if length > self.scale.elements { Ok(()) } else { object.check_json(&contestant.session.fetch(&object, Form::Json)?) }
            };
            self.time(Shown::Curve, &work, prepare, |contestant| contestant.session.fetch(&object, Form::Json).map(drop));
            #[expect(clippy::cast_precision_loss, reason = "small")]
            curve.add(self.report, &work, length as f64);
        }
        self.forget("doubles");
        self.report.curves.push(curve);
    }

    /// Removes the data of a work from back ends that keep it.
    fn forget(&mut self, name: &str) {
        let code = if name.is_empty() { "unlink('file.bin')".to_owned() } else { format!("rm({name}); gc()") };
        for contestant in &mut self.contestants {
            // `try`, because a back end that has not made the data has nothing to remove.
            let _ = contestant.session.run(&format!("try({{{code}}}, silent = TRUE)"));
        }
    }

    /// Measures how long an operation takes. `prepare` does it once and checks its result, and is not measured. In each round the operation
    /// is repeated for a while, and its median is the round's figure.
    fn time(
        &mut self,
        shown: Shown,
        work: &str,
        mut prepare: impl FnMut(&mut Contestant) -> Result<()>,
        mut operation: impl FnMut(&mut Contestant) -> Result<()>,
    ) {
        let budget = self.scale.budget;
        let mut prepared = Vec::new();
        self.measure(&[(shown, work, Unit::Milliseconds)], |contestant| {
            if !prepared.contains(&contestant.kind) {
                prepare(contestant)?;
                prepared.push(contestant.kind);
            }
            Ok(vec![median(&repeat(budget, 500, || operation(contestant))?)])
        });
    }

    /// Lets each back end do a work in each round, and adds the figures. A back end that fails takes no further part, and one whose time is
    /// used up has no further round.
    fn measure(&mut self, figures: &[Figure], mut work: impl FnMut(&mut Contestant) -> Result<Vec<f64>>) {
        let name = figures.first().map_or("", |(_, name, _)| name);
        if !self.scale.wants(name) {
            return;
        }
        self.scale.say(name);
        let count = self.contestants.len();
        let mut runs: Vec<Option<Vec<Vec<f64>>>> = vec![Some(Vec::new()); count];
        let mut spent = vec![Duration::ZERO; count];
        for round in 0..self.scale.rounds {
            // The order changes with each round, so that no back end is always the first.
            for at in (0..count).map(|turn| (turn + round) % count) {
                let (Some(so_far), contestant) = (&mut runs[at], &mut self.contestants[at]) else { continue };
                if spent[at] > self.scale.patience {
                    continue;
                }
                let start = Instant::now();
                let figures_of_round = work(contestant);
                spent[at] += start.elapsed();
                match figures_of_round {
                    Ok(figures) => so_far.push(figures),
                    Err(error) => {
                        runs[at] = None;
                        failed(self.report, contestant, figures, &error);
                    }
                }
            }
        }
        for (contestant, runs) in self.contestants.iter().zip(&runs) {
            for (at, (shown, name, unit)) in figures.iter().enumerate() {
                let values: Vec<_> = runs.iter().flatten().map(|figures| figures[at]).collect();
                self.report.add(*shown, name, contestant.kind.name(), *unit, &values);
            }
        }
    }
}

/// Notes why a figure is missing. After a failure, the session may be unusable.
fn failed(report: &mut Report, contestant: &mut Contestant, figures: &[Figure], error: &anyhow::Error) {
    let refused = error.is::<Unsupported>();
    if contestant.kind.has_r() {
        for (_, name, _) in figures {
            report.miss(name, contestant.kind.name(), &format!("{}{error:#}", if refused { "" } else { "failed: " }));
        }
    }
    if !refused && let Ok(session) = contestant.backend.open() {
        contestant.session = session;
    }
}

impl Curve {
    /// Adds the measurement of `work` as a point at `x`.
    pub fn add(&mut self, report: &Report, work: &str, x: f64) {
        for (_, row) in report.rows.iter().filter(|(_, row)| row.work == work) {
            self.points.push((row.backend.clone(), x, row.median));
        }
    }
}

/// Repeats an operation until the time is used up; returns how long each took, in milliseconds.
pub fn repeat(budget: Duration, most: usize, mut operation: impl FnMut() -> Result<()>) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    let begin = Instant::now();
    while times.is_empty() || (times.len() < most && begin.elapsed() < budget) {
        let start = Instant::now();
        operation()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// The bytes of R's `serialize()` for a value in JSON, and their base64.
fn serialize(folder: &Path, as_frame: &str, json: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    const CODE: &str = "a <- commandArgs(TRUE); v <- jsonlite::fromJSON(a[1]); if (a[4] != '') v <- as.data.frame(v); \
        r <- serialize(v, NULL); writeBin(r, a[2]); cat(jsonlite::base64_enc(r), file = a[3])";
    let [from, to, encoded] = ["value.json", "value.rds", "value.base64"].map(|name| folder.join(name));
    std::fs::write(&from, json)?;
    let output = command("Rscript").args(["-e", CODE]).args([&from, &to, &encoded]).arg(as_frame).output()?;
    ensure!(output.status.success(), "Rscript: {}", String::from_utf8_lossy(&output.stderr));
    Ok((std::fs::read(to)?, std::fs::read(encoded)?))
}

/// A number of sessions, megabytes and so on, for readers.
pub fn count(number: usize) -> String {
    grouped(&number.to_string())
}
