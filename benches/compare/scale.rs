//! The size of a run: all works, or less in a quick run.

use std::time::{Duration, Instant};

/// Sizes, rounds and times.
#[derive(Debug)]
pub struct Scale {
    /// Rounds of each work.
    pub rounds: usize,
    /// Rounds of the works that count sessions.
    pub growth_rounds: usize,
    /// How long an operation is repeated in one round.
    pub budget: Duration,
    /// How much time a back end has for one work. When it is used up, there is no further round of this work for this back end.
    pub patience: Duration,
    /// How long throughput is measured in one round.
    pub window: Duration,
    /// Numbers of connections at which throughput is measured.
    pub connections: &'static [usize],
    /// Length of vectors.
    pub elements: usize,
    /// Rows of data frames.
    pub rows: usize,
    /// Size of files and of the image of a service, in bytes.
    pub file: usize,
    /// Lengths of results, for the curve.
    pub lengths: &'static [usize],
    /// Numbers of live sessions at which measurements are made.
    pub sessions: &'static [usize],
    /// Preloaded data, in MiB.
    pub preload_mib: &'static [usize],
    /// Only works with this in their names.
    only: Option<String>,
    begin: Instant,
}

impl Scale {
    /// Everything, which takes at most a quarter of an hour.
    pub fn full(only: Option<String>) -> Self {
        Self {
            rounds: 5,
            growth_rounds: 2,
            budget: Duration::from_millis(300),
            patience: Duration::from_secs(6),
            window: Duration::from_secs(1),
            connections: &[1, 8, 64],
            elements: 1_000_000,
            rows: 100_000,
            file: 100_000_000,
            lengths: &[10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000],
            sessions: &[1, 10, 100, 101, 500, 1001, 2000],
            preload_mib: &[0, 250, 500, 1000, 2000],
            only,
            begin: Instant::now(),
        }
    }

    /// The same works on less data, which take at most three minutes.
    pub fn quick(only: Option<String>) -> Self {
        Self {
            rounds: 2,
            growth_rounds: 1,
            budget: Duration::from_millis(100),
            patience: Duration::from_secs(2),
            window: Duration::from_millis(500),
            connections: &[1, 8],
            elements: 100_000,
            rows: 10_000,
            file: 10_000_000,
            lengths: &[10, 1_000, 100_000],
            sessions: &[1, 10, 50, 101],
            preload_mib: &[0, 250],
            ..Self::full(only)
        }
    }

    /// Whether a work is to be measured.
    pub fn wants(&self, work: &str) -> bool {
        self.only.as_ref().is_none_or(|only| work.contains(only.as_str()))
    }

    /// Whether all works are to be measured.
    pub fn is_whole(&self) -> bool {
        self.only.is_none()
    }

    /// Shows which work is being measured.
    #[expect(clippy::print_stderr, reason = "progress")]
    pub fn say(&self, what: &str) {
        eprintln!("{:>4} s  {what}", self.begin.elapsed().as_secs());
    }
}
