//! Works of many clients at the same time.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Suite, repeat};
use crate::{
    backends::{Backend, Session},
    report::{Shown, Unit, median, percentile},
};

impl Suite<'_> {
    /// Measures a session while others keep all cores busy.
    pub(super) fn busy(&mut self) {
        let (window, cores) = (self.scale.window * 2, std::thread::available_parallelism().map_or(1, usize::from));
        let (middle, late) = ("`1+1` while others keep all cores busy", "the same, 99th percentile");
        self.measure(&[(Shown::Report, middle, Unit::Milliseconds), (Shown::Report, late, Unit::Milliseconds)], |contestant| {
            let stop = AtomicBool::new(false);
            let others: Result<Vec<_>> = (0..cores).map(|_| contestant.backend.open()).collect();
            let times = std::thread::scope(|scope| {
                let busy: Vec<_> = others?
                    .into_iter()
                    .map(|mut other| {
                        let stop = &stop;
                        scope.spawn(move || {
                            while !stop.load(Ordering::Relaxed) {
                                other.compute()?;
                            }
                            anyhow::Ok(())
                        })
                    })
                    .collect();
                let times = contestant.session.answer().and_then(|()| repeat(window, 2000, || contestant.session.answer()));
                stop.store(true, Ordering::Relaxed);
                for other in busy {
                    other.join().map_err(|_| anyhow::anyhow!("a busy client has panicked"))??;
                }
                times
            })?;
            Ok(vec![median(&times), percentile(&times, 99.0)])
        });
    }

    pub(super) fn throughput(&mut self) {
        let window = self.scale.window;
        for &connections in self.scale.connections {
            let noun = if connections == 1 { "connection" } else { "connections" };
            let work = format!("`1+1`, {connections} {noun}");
            let shown = if connections == 8 { Shown::Summary } else { Shown::Report };
            self.measure(&[(shown, &work, Unit::PerSecond)], |contestant| {
                Ok(vec![throughput(contestant.backend.as_ref(), connections, window, |session| session.answer())?])
            });
        }
    }
}

/// Operations per second over this many connections, each with a session and a thread of its own.
pub(super) fn throughput(
    backend: &dyn Backend,
    connections: usize,
    window: Duration,
    operation: impl Fn(&mut dyn Session) -> Result<()> + Sync,
) -> Result<f64> {
    let mut sessions = (0..connections).map(|_| backend.open()).collect::<Result<Vec<_>>>()?;
    for session in &mut sessions {
        operation(session.as_mut())?;
    }
    let barrier = Barrier::new(connections);
    let counts = std::thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .into_iter()
            .map(|mut session| {
                let (barrier, operation) = (&barrier, &operation);
                scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    let mut count = 0_u32;
                    while count == 0 || start.elapsed() < window {
                        operation(session.as_mut())?;
                        count += 1;
                    }
                    anyhow::Ok((count, start.elapsed()))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a client has panicked"))?).collect::<Result<Vec<_>>>()
    })?;
    let took = counts.iter().map(|(_, took)| *took).max().unwrap_or_default();
    Ok(f64::from(counts.iter().map(|(count, _)| count).sum::<u32>()) / took.as_secs_f64())
}
