//! Values that were made while viewing others, such as the answer of R to a question about one. They are kept until the
//! protected region ends, so that views of them may be used as long as those of any other value.

use std::cell::Cell;

use libR_sys::{CDR, R_NilValue, R_PreserveObject, Rf_cons, Rf_protect, Rf_unprotect, SETCDR, SEXP};

use super::exec::R;

thread_local! {
    /// A pairlist of these values, after a head that is preserved for good. Null before there is any.
    static KEPT: Cell<SEXP> = const { Cell::new(std::ptr::null_mut()) };
}

/// Keeps a value from R's garbage collector, until the protected region ends.
///
/// # Safety
/// `value` is alive.
pub(super) unsafe fn keep(_: R, value: SEXP) {
    // SAFETY: inside `protect`; the head of the list is preserved for good, so all that hangs on it is kept.
    unsafe {
        let value = Rf_protect(value);
        if KEPT.get().is_null() {
            let head = Rf_cons(R_NilValue, R_NilValue);
            R_PreserveObject(head);
            KEPT.set(head);
        }
        let rest = Rf_cons(value, CDR(KEPT.get()));
        SETCDR(KEPT.get(), rest);
        Rf_unprotect(1);
    }
}

/// All that [`keep`] has kept so far, to be given to [`keep_only`].
pub(super) fn all() -> Option<SEXP> {
    // SAFETY: a preserved cell of ours.
    (!KEPT.get().is_null()).then(|| unsafe { CDR(KEPT.get()) })
}

/// Lets go of what [`keep`] has kept since `earlier` was asked for.
///
/// # Safety
/// No view is left of any value that was kept since.
pub(super) unsafe fn keep_only(earlier: Option<SEXP>) {
    if all() != earlier && !KEPT.get().is_null() {
        // SAFETY: a preserved cell of ours, and the list that hung on it before; does not jump.
        unsafe { SETCDR(KEPT.get(), earlier.unwrap_or(R_NilValue)) };
    }
}
