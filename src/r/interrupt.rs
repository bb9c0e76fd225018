//! Interrupts: signals that set a flag, which R looks at when it is safe.

use std::{
    ffi::c_int,
    sync::atomic::{AtomicBool, Ordering},
};

use libR_sys::R_interrupts_pending;

static CPU_LIMIT_REACHED: AtomicBool = AtomicBool::new(false);

/// The handler of SIGINT: one store. While R waits in `select`, it has a handler of its own in this one's place.
pub extern "C" fn on_interrupt(_signal: c_int) {
    // SAFETY: an int that R reads from this thread, between instructions of its own choosing.
    unsafe { R_interrupts_pending = 1 };
}

/// The handler of SIGXCPU: the evaluation has had its share of processor time. The kernel repeats the signal
/// every second; code that never looks is ended by the supervisor's clock.
pub extern "C" fn on_cpu_limit(_signal: c_int) {
    CPU_LIMIT_REACHED.store(true, Ordering::Relaxed);
    // SAFETY: as in `on_interrupt`.
    unsafe { R_interrupts_pending = 1 };
}

/// Forgets an interrupt that came too late for the last command.
pub fn clear() {
    CPU_LIMIT_REACHED.store(false, Ordering::Relaxed);
    // SAFETY: as in `on_interrupt`.
    unsafe { R_interrupts_pending = 0 };
}

/// Whether the last interrupt came from the limit on processor time.
#[must_use]
pub fn cpu_limit_reached() -> bool {
    CPU_LIMIT_REACHED.load(Ordering::Relaxed)
}
