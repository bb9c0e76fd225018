//! Values that outlive the protected region in which they were made.

use libR_sys::{R_PreserveObject, R_ReleaseObject, SEXP};

use super::{exec::R, strings, view::RValue};

/// A value kept from R's garbage collector for as long as this lives.
#[derive(Debug)]
pub struct Preserved(SEXP);

/// A value on its way out of the protected region, to become [`Preserved`]. Inside the region nothing may need
/// dropping, which is why this is a type of its own. It is not `Copy`: a value that is kept once is released once.
#[derive(Debug)]
#[must_use = "a value that is never released stays in memory"]
pub(super) struct Kept(SEXP);

/// Keeps a value from R's garbage collector, to be given to [`Preserved::from`] outside of the protected region.
///
/// # Safety
/// `value` is alive.
pub(super) unsafe fn keep(_: R, value: SEXP) -> Kept {
    // SAFETY: inside `protect`; alive, as promised, and R protects the value while it makes room for it.
    unsafe { R_PreserveObject(value) };
    Kept(value)
}

impl From<Kept> for Preserved {
    fn from(Kept(value): Kept) -> Self {
        Self(value)
    }
}

impl Preserved {
    /// The value.
    pub(super) fn value(&self) -> SEXP {
        self.0
    }

    /// A view of the value, for as long as both the protected region and this last.
    #[must_use]
    pub fn view<'v>(&'v self, r: R<'v>) -> RValue<'v> {
        // SAFETY: R keeps the value as long as `self` lives. Values that are preserved are bound to variables at most, and
        // R copies what is bound before it changes it.
        unsafe { RValue::as_it_is(r, self.0) }
    }

    /// The strings of a character vector; none when it is something else.
    pub(super) fn strings(&self) -> Vec<String> {
        // SAFETY: reachable from R as long as `self` lives.
        unsafe { strings::all(self.0) }
    }
}

impl Drop for Preserved {
    fn drop(&mut self) {
        // SAFETY: kept once by `keep`, released once; does not jump.
        unsafe { R_ReleaseObject(self.0) };
    }
}
