//! The last lines of the log, for administrators who cannot see its file.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

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
