//! The measurements, and their reports: JSON, Markdown, and the section of the README.
//!
//! Every figure was measured in this run. A figure that could not be measured is listed with the reason.

use serde::Serialize;

/// The back ends with which others are compared: the first one that was measured at the same work counts.
pub const BASELINES: [&str; 3] = ["Offshoot (Rock)", "Offshoot (RevoDeployR)", "Offshoot (R Server)"];

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Time; less is better.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Requests; more is better.
    #[serde(rename = "1/s")]
    PerSecond,
    /// Memory; less is better.
    #[serde(rename = "MB")]
    Megabytes,
}

/// Where a row is shown, besides `report.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// On a curve.
    Curve,
    /// In `report.md`.
    Report,
    /// In `report.md` and in the README.
    Summary,
}

/// The runs of one work on one back end. If a run repeats the work, its median counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measurement {
    /// The name of the work.
    pub work: String,
    /// The name of the back end.
    pub backend: String,
    /// The unit of the three figures.
    pub unit: Unit,
    /// The median of the runs.
    pub median: f64,
    /// The lowest run.
    pub min: f64,
    /// The highest run.
    pub max: f64,
    /// How many runs there were.
    pub runs: usize,
}

/// How cost grows with one quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The file with the drawing, without its extension.
    pub file: &'static str,
    /// The title of the drawing.
    pub title: &'static str,
    /// The quantity.
    pub quantity: &'static str,
    /// The unit of the cost.
    pub unit: Unit,
    /// Back end, quantity, and median cost; the points of a back end are in order.
    pub points: Vec<(String, f64, f64)>,
}

/// The whole result of a run of the suite.
#[derive(Debug, Default)]
pub struct Report {
    /// The machine and the versions: names and values.
    pub surroundings: Vec<(String, String)>,
    /// The measurements, work by work, and where each is shown.
    pub rows: Vec<(Shown, Measurement)>,
    /// How cost grows.
    pub curves: Vec<Curve>,
    /// Missing figures: work, back end, and reason.
    pub missing: Vec<(String, String, String)>,
}

/// The value in the middle, or the mean of the two values there.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// The smallest value that `percent` of the values do not exceed (nearest rank).
#[must_use]
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank within the values")]
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(f64::NAN)
}

impl Measurement {
    /// The measurement from these runs; `None` without any.
    #[must_use]
    pub fn of(work: &str, backend: &str, unit: Unit, runs: &[f64]) -> Option<Self> {
        (!runs.is_empty()).then(|| Self {
            work: work.to_owned(),
            backend: backend.to_owned(),
            unit,
            median: median(runs),
            min: runs.iter().copied().fold(f64::INFINITY, f64::min),
            max: runs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            runs: runs.len(),
        })
    }

    /// How many times worse this is than `baseline`: slower, larger, or fewer per second.
    #[must_use]
    pub fn times_worse_than(&self, baseline: &Self) -> f64 {
        match self.unit {
            Unit::PerSecond => baseline.median / self.median,
            Unit::Milliseconds | Unit::Megabytes => self.median / baseline.median,
        }
    }
}

impl Report {
    /// Adds the runs of one back end.
    pub fn add(&mut self, shown: Shown, work: &str, backend: &str, unit: Unit, runs: &[f64]) {
        self.rows.extend(Measurement::of(work, backend, unit, runs).map(|row| (shown, row)));
    }

    /// Notes that a figure is missing, and why.
    pub fn miss(&mut self, work: &str, backend: &str, why: &str) {
        let entry = (work.to_owned(), backend.to_owned(), why.to_owned());
        if !self.missing.contains(&entry) {
            self.missing.push(entry);
        }
    }

    /// The measurement with which others are compared at this work.
    #[must_use]
    pub fn baseline(&self, work: &str) -> Option<&Measurement> {
        BASELINES.iter().find_map(|&name| self.find(work, name))
    }

    /// The figure for this work and back end.
    #[must_use]
    pub fn find(&self, work: &str, backend: &str) -> Option<&Measurement> {
        self.rows.iter().map(|(_, row)| row).find(|row| row.work == work && row.backend == backend)
    }

    /// The works that are shown in one of these places, in the order in which they were measured.
    #[must_use]
    pub fn works(&self, places: &[Shown]) -> Vec<&str> {
        distinct(self.rows.iter().filter(|(shown, _)| places.contains(shown)).map(|(_, row)| row.work.as_str()))
    }

    /// `report.json`: a list of all measurements.
    ///
    /// # Errors
    /// None: JSON can express everything in it.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&self.rows.iter().map(|(_, row)| row).collect::<Vec<_>>())
    }

    /// A table of works: the medians, how many times worse they are than the baseline and, with `spread`, the range of the runs.
    #[must_use]
    pub fn table(&self, works: &[&str], spread: bool) -> String {
        let backends =
            distinct(self.rows.iter().map(|(_, row)| row).filter(|row| works.contains(&row.work.as_str())).map(|row| row.backend.as_str()));
        let mut text = format!("| | {} |\n|---|{}\n", backends.join(" | "), "---|".repeat(backends.len()));
        for work in works {
            let baseline = self.baseline(work);
            let cells: Vec<_> = backends.iter().map(|&backend| self.cell(work, backend, baseline, spread)).collect();
            text.push_str(&format!("| {work} | {} |\n", cells.join(" | ")));
        }
        text
    }

    fn cell(&self, work: &str, backend: &str, baseline: Option<&Measurement>, spread: bool) -> String {
        let Some(row) = self.find(work, backend) else { return "-".to_owned() };
        let mut cell = quantity(row.unit, row.median);
        if spread {
            cell.push_str(&format!(" ({} to {}, {} runs)", quantity(row.unit, row.min), quantity(row.unit, row.max), row.runs));
        }
        if let Some(baseline) = baseline.filter(|baseline| baseline.backend != row.backend) {
            cell.push_str(&format!(", {} x", significant(row.times_worse_than(baseline))));
        }
        cell
    }

    /// The text before every table: the machine, the versions, and how to read it.
    #[must_use]
    pub fn preface(&self) -> String {
        let surroundings: Vec<_> = self.surroundings.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        format!(
            "{}.\n\nMedians; \"3 x\" is three times worse than Offshoot's figure in that row: slower, larger, or fewer in a\nsecond.",
            surroundings.join("; ")
        )
    }
}

/// A figure for readers, with three digits.
#[must_use]
pub fn quantity(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Milliseconds if value >= 1000.0 => format!("{} s", significant(value / 1000.0)),
        Unit::Milliseconds if value < 1.0 => format!("{} us", significant(value * 1000.0)),
        Unit::Milliseconds => format!("{} ms", significant(value)),
        Unit::PerSecond => format!("{}/s", significant(value)),
        Unit::Megabytes => format!("{} MB", significant(value)),
    }
}

/// Three significant digits; all digits before the point, in groups of three.
#[must_use]
pub fn significant(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return value.to_string();
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a double is small")]
    let exponent = |value: f64| value.abs().log10().floor() as i32;
    let unit = 10_f64.powi(exponent(value) - 2);
    let rounded = (value / unit).round() * unit;
    // Rounding may have made the value the next power of ten.
    let decimals = usize::try_from((2 - exponent(rounded)).max(0)).unwrap_or(0);
    let text = format!("{rounded:.decimals$}");
    match text.split_once('.') {
        None => grouped(&text),
        Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
    }
}

/// Digits in groups of three.
#[must_use]
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// `text` with the part between the two markers replaced.
///
/// # Errors
/// When a marker is missing.
pub fn replace_between(text: &str, begin: &str, end: &str, section: &str) -> Result<String, String> {
    let (before, rest) = text.split_once(begin).ok_or_else(|| format!("{begin} is missing"))?;
    let (_, after) = rest.split_once(end).ok_or_else(|| format!("{end} is missing"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", section.trim()))
}
