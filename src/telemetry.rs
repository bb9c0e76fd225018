//! Logging: for people on a terminal, JSON otherwise; always on standard error. The last lines are kept, too.

use std::{
    collections::VecDeque,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Lines kept.
const KEPT: usize = 10_000;

/// The last lines of the log, as people read them; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Mutex<VecDeque<String>>>);

impl Recent {
    /// The last `count` lines, the oldest first.
    #[must_use]
    pub fn last(&self, count: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }
}

impl Write for Recent {
    /// Takes one event.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(String::from_utf8_lossy(bytes).lines().map(str::to_owned));
        let excess = lines.len().saturating_sub(KEPT);
        lines.drain(..excess);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging at `level`, in the notation of [`EnvFilter`].
pub fn start(level: &str) -> Recent {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let recent = Recent::default();
    let kept = recent.clone();
    let keep = fmt::layer().with_ansi(false).with_target(false).with_writer(move || kept.clone());
    let people = io::stderr().is_terminal();
    let terminal = people.then(|| fmt::layer().with_target(false).with_writer(io::stderr));
    let json = (!people).then(|| fmt::layer().json().with_writer(io::stderr));
    // A second start, in tests, changes nothing.
    let _ = tracing_subscriber::registry().with(filter).with(terminal).with(json).with(keep).try_init();
    recent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept() {
        let mut recent = Recent::default();
        for number in 0..KEPT + 5 {
            recent.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        assert_eq!(recent.last(2), [format!("line {}", KEPT + 3), format!("line {}", KEPT + 4)]);
        assert_eq!(recent.last(usize::MAX).len(), KEPT);
    }
}
