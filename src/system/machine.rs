//! The machine: its system, its memory, and how busy it is (proc(5)).

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{memory::kibibytes, processes};

/// How long a look at how busy the machine is counts.
const FRESH: Duration = Duration::from_secs(1);
/// What a network carries in a second if the kernel does not know, in bytes.
const GIGABIT: u64 = 125_000_000;

/// What a machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The operating system with its version.
    pub system: String,
    /// How many processors this process may use.
    pub processors: usize,
    /// Memory and what of it is available, in bytes.
    pub memory: (u64, u64),
    /// Swap space and what of it is free, in bytes.
    pub swap: (u64, u64),
    /// The memory that this process has, in bytes.
    pub own_memory: u64,
}

impl Machine {
    /// This machine, now.
    #[must_use]
    pub fn now() -> Self {
        let memory = processes::read("/proc/meminfo").unwrap_or_default();
        let bytes = |name| kibibytes(&memory, name).unwrap_or(0) << 10;
        let name = rustix::system::uname();
        let parts = [name.sysname(), name.release(), name.version()].map(|part| part.to_string_lossy().into_owned());
        Self {
            system: parts.join(" "),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory: (bytes("MemTotal:"), bytes("MemAvailable:")),
            swap: (bytes("SwapTotal:"), bytes("SwapFree:")),
            own_memory: processes::read("/proc/self/status").and_then(|own| kibibytes(&own, "VmRSS:")).unwrap_or(0) << 10,
        }
    }
}

/// How busy a machine is, each as a part of what it can do.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MachineLoad {
    /// Its processors, since the look before.
    pub processors: f64,
    /// Its memory.
    pub memory: f64,
    /// Its network, since the look before.
    pub network: f64,
}

/// Looks at how busy the machine is.
#[derive(Debug, Default)]
pub struct LoadMeter(Mutex<Option<(Look, MachineLoad)>>);

/// Numbers that only grow.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// Time of all processors, and that in which they did nothing.
    time: (u64, u64),
    /// Bytes received and sent.
    bytes: u64,
}

impl LoadMeter {
    /// How busy the machine is. If somebody has just looked, that is what they saw.
    #[must_use]
    pub fn look(&self) -> MachineLoad {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((look, load)) = *last
            && look.at.elapsed() < FRESH
        {
            return load;
        }
        let now = Look::now();
        let (memory, available) = Machine::now().memory;
        let mut load = MachineLoad { memory: part(memory.saturating_sub(available), memory), ..MachineLoad::default() };
        if let Some((before, _)) = *last {
            let (all, idle) = (now.time.0.saturating_sub(before.time.0), now.time.1.saturating_sub(before.time.1));
            load.processors = part(all.saturating_sub(idle), all);
            let possible = (now.at - before.at).as_secs_f64() * capacity() as f64;
            load.network = (now.bytes.saturating_sub(before.bytes) as f64 / possible).clamp(0.0, 1.0);
        }
        *last = Some((now, load));
        load
    }
}

impl Look {
    fn now() -> Self {
        Self {
            at: Instant::now(),
            time: processor_time(&processes::read("/proc/stat").unwrap_or_default()).unwrap_or_default(),
            bytes: carried(&processes::read("/proc/net/dev").unwrap_or_default()),
        }
    }
}

fn part(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { (of as f64 / all as f64).clamp(0.0, 1.0) }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; what follows is in the first ones as well.
fn processor_time(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<u64> = line.split_ascii_whitespace().take(8).filter_map(|time| time.parse().ok()).collect();
    Some((times.iter().sum(), times.get(3)? + times.get(4)?))
}

/// The bytes that all networks but the machine's own have carried: the first and the ninth number of each line of `/proc/net/dev`.
fn carried(table: &str) -> u64 {
    let of_line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
        (name.trim() != "lo").then(|| numbers.first().zip(numbers.get(8)).map(|(received, sent)| received + sent))?
    };
    table.lines().filter_map(of_line).sum()
}

/// What the fastest network carries in a second, in bytes.
fn capacity() -> u64 {
    let speeds = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let speeds = speeds.filter_map(|network| fs::read_to_string(network.path().join("speed")).ok()?.trim().parse::<u64>().ok());
    speeds.filter(|&mbit| mbit > 0).max().map_or(GIGABIT, |mbit| mbit.saturating_mul(GIGABIT / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_processors_and_memory() {
        let machine = Machine::now();
        assert!(machine.system.starts_with("Linux "), "{machine:?}");
        assert!(machine.processors > 0 && machine.own_memory > 0);
        assert!(machine.memory.0 >= machine.memory.1 && machine.memory.1 > 0, "{machine:?}");
        assert!(machine.swap.0 >= machine.swap.1);
    }

    #[test]
    fn the_load_is_a_part() {
        let meter = LoadMeter::default();
        let load = meter.look();
        assert!(load.memory > 0.0 && load.memory < 1.0, "{load:?}");
        assert_eq!((load.processors, load.network), (0.0, 0.0));
        assert_eq!(meter.look(), load);
        assert_eq!(processor_time("cpu  10 0 5 80 5 0 0 0 3 0\ncpu0 1"), Some((100, 85)));
        assert_eq!(processor_time("intr 1"), None);
        assert_eq!(carried("Inter-|\n face |bytes\n lo: 9 0 0 0 0 0 0 0 9 0\neth0: 100 1 0 0 0 0 0 0 50 1 0\n"), 150);
    }
}
