//! Interrupts: signals set a flag, which R looks at when it is safe.

use std::{
    ffi::c_int,
    sync::atomic::{AtomicBool, Ordering},
};

use libR_sys::R_interrupts_pending;

static CPU_LIMIT_REACHED: AtomicBool = AtomicBool::new(false);
/// Whether there was an interrupt, R having dealt with it or not.
static HEARD: AtomicBool = AtomicBool::new(false);

/// The handler of SIGINT. While R waits in `select`, it puts a handler of its own in the place of this one, which leaves
/// the wait by longjmp. This one only stores a number, and nothing leaves it otherwise: its ABI is "C".
pub extern "C" fn on_interrupt(_signal: c_int) {
    HEARD.store(true, Ordering::Relaxed);
    // SAFETY: an int that only this thread uses, and that R expects signal handlers to set.
    unsafe { R_interrupts_pending = 1 };
}

/// The handler of SIGXCPU: the evaluation has used up its processor time. The kernel repeats the signal every second.
/// Code that never looks at the flag is ended by the supervisor's clock.
pub extern "C" fn on_cpu_limit(_signal: c_int) {
    CPU_LIMIT_REACHED.store(true, Ordering::Relaxed);
    // SAFETY: as in `on_interrupt`.
    unsafe { R_interrupts_pending = 1 };
}

/// Whether there was an interrupt since this was asked last.
#[must_use]
pub fn take_heard() -> bool {
    HEARD.swap(false, Ordering::Relaxed)
}

/// Forgets an interrupt that came after the end of the command that it was meant for.
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
