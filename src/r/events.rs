//! What happens beside R: descriptors that R or packages watch (R_ext/eventloop.h), such as R's server of help pages, and the client of an
//! interactive R, who may ask for something while R computes.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    os::fd::{AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use libR_sys::{R_CheckUserInterrupt, R_interrupts_pending};

use super::{
    exec::protect,
    ffi::{self, InputHandler},
    repl,
};

/// How often the client is looked at while R computes.
const EVERY: Duration = Duration::from_millis(5);

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Has R look for its client while it computes.
pub(super) fn begin() {
    // SAFETY: R's variable, on its thread. R calls this where a user's interface would look for events (`R_ProcessEvents`).
    unsafe { ffi::R_PolledEvents = Some(polled) };
    // The first handler in R's list is for a terminal, and has no descriptor where there is none. R looks for that in a set all the same when
    // another handler has something to do, and the C library ends a process that looks for a negative number. Nothing comes by this one.
    // SAFETY: R's list of handlers, on its thread.
    if let Some(first) = unsafe { ffi::R_InputHandlers.as_mut() }.filter(|first| first.descriptor < 0) {
        first.descriptor = 0;
    }
}

/// Has R watch this descriptor while it sleeps, so that the client is looked at at once.
pub fn watch(descriptor: BorrowedFd<'_>) {
    const ACTIVITY: c_int = 100;
    // SAFETY: R's list of handlers, on its thread. The descriptor is the worker's link, which lasts as long as the process.
    unsafe { ffi::addInputHandler(ffi::R_InputHandlers, descriptor.as_raw_fd(), Some(readable), ACTIVITY) };
}

unsafe extern "C" fn polled() {
    let now = Instant::now();
    if LAST.get().is_none_or(|last| now.duration_since(last) >= EVERY) {
        // R calls this again as soon as something is evaluated meanwhile. Without an end, that would be an error, after which R records
        // what is drawn in the midst of a recorded call once more.
        LAST.set(Some(now));
        look();
        LAST.set(Some(Instant::now()));
    }
}

/// R leaves this frame by longjmp if all is to be stopped: it would not look for that before it sleeps on.
unsafe extern "C-unwind" fn readable(_: *mut c_void) {
    look();
    // SAFETY: nothing is owned here.
    unsafe { R_CheckUserInterrupt() };
}

fn look() {
    // SAFETY: R's variables, on its thread. What is evaluated meanwhile must not decide whether the value of the statement is printed.
    unsafe {
        let visible = ffi::R_Visible;
        if repl::client().is_some_and(|client| client.look()) {
            R_interrupts_pending = 1;
        }
        ffi::R_Visible = visible;
    }
}

/// Has R wake up now and then while it sleeps, or no longer: something waits that was received already.
pub fn hurry(hurry: bool) {
    /// In microseconds.
    const NAP: c_int = 10_001;
    // SAFETY: R's variable, on its thread. Packages with windows of their own set it as well, for good.
    unsafe {
        match (hurry, ffi::R_wait_usec) {
            (true, 0) => ffi::R_wait_usec = NAP,
            (false, NAP) => ffi::R_wait_usec = 0,
            _ => {}
        }
    }
}

/// Waits until the descriptor can be read, a signal comes, or this time is over. Meanwhile, R's own handlers do their work.
pub fn wait(descriptor: BorrowedFd<'_>, most: Option<Duration>) {
    let own = descriptor.as_raw_fd();
    let mut waiting = vec![libc::pollfd { fd: own, events: libc::POLLIN, revents: 0 }];
    // SAFETY: R's list of handlers, which changes only while R runs.
    unsafe {
        let mut handler = ffi::R_InputHandlers.cast_const();
        while let Some(InputHandler { descriptor, next, .. }) = handler.as_ref() {
            if *descriptor > 0 && *descriptor != own && usize::try_from(*descriptor).is_ok_and(|fd| fd < libc::FD_SETSIZE) {
                waiting.push(libc::pollfd { fd: *descriptor, events: libc::POLLIN, revents: 0 });
            }
            handler = *next;
        }
    }
    let most = most.map_or(-1, |most| c_int::try_from(most.as_millis()).unwrap_or(c_int::MAX));
    // SAFETY: an array with its length.
    let ready = unsafe { libc::poll(waiting.as_mut_ptr(), waiting.len() as libc::nfds_t, most) };
    if ready <= 0 || waiting[0].revents != 0 {
        return;
    }
    // SAFETY: a set is plain memory; the numbers are below its size.
    let mut set = unsafe {
        let mut set: libc::fd_set = std::mem::zeroed();
        waiting.iter().filter(|descriptor| descriptor.revents != 0).for_each(|descriptor| libc::FD_SET(descriptor.fd, &raw mut set));
        set
    };
    let set = &raw mut set;
    // SAFETY: inside `protect`, since handlers run R code; R's own list, and a set that lasts until they have run.
    let _ = protect(move |_| unsafe { ffi::R_runHandlers(ffi::R_InputHandlers, set) });
}
