//! Makes the values of the zygote immortal, so that sessions can use them without writing to their memory.
//!
//! R counts the references to a value in the value itself. A call of a function counts its code, its constants and its
//! environment up and down, and in a forked process the kernel copies each page with such a count: a third of the memory
//! that a session has of its own. R never changes a count again that has reached its maximum, so we set the counts to
//! that. The price is that R copies a vector with such a count before it changes it, which is why large vectors keep
//! their counts.

use libR_sys::{
    ALTREP, ATTRIB, BODY, CAR, CDR, CLOENV, ENCLOS, FORMALS, MARK_NOT_MUTABLE, PRINTNAME, R_BaseEnv, R_BindingIsActive, R_EmptyEnv,
    R_ExternalPtrProtected, R_ExternalPtrTag, R_GlobalEnv, R_NamespaceRegistry, R_lsInternal3, Rboolean, Rf_findVarInFrame,
    Rf_installTrChar, Rf_isVector, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE, STRING_ELT, TAG, TYPEOF, VECTOR_ELT, XLENGTH,
};
use rustc_hash::{FxBuildHasher, FxHashSet};

use super::{
    exec::{R, RError, protect_quietly},
    ffi, scripts,
};

/// The longest vector that is made immortal, in elements: about as many as fit on a page.
const LONGEST: isize = 512;

/// About how many values there are after R's start. The table of visited values begins with this size.
const USUAL: usize = 300_000;

/// Makes all values immortal that can be reached from R's search path, from namespaces and from our own R code. For the
/// zygote, when all is loaded that sessions share.
///
/// # Errors
/// R's. The values that were made immortal before it do no harm.
pub fn immortalize() -> Result<(), RError> {
    // Owned here, outside of the frames that R may jump over.
    let mut walk = Walk { waiting: Vec::new(), seen: FxHashSet::with_capacity_and_hasher(USUAL, FxBuildHasher) };
    protect_quietly(|r| walk.run(r))
}

/// A walk over all values that can be reached.
struct Walk {
    /// Values that were found and not visited yet.
    waiting: Vec<SEXP>,
    seen: FxHashSet<SEXP>,
}

impl Walk {
    fn run(&mut self, r: R) {
        // SAFETY: inside `protect`. All that is in `waiting` can be reached from the search path, from a namespace, or from
        // our own environment, none of which changes meanwhile.
        unsafe {
            self.waiting.extend([R_GlobalEnv, R_BaseEnv, R_NamespaceRegistry, scripts::environment()]);
            while let Some(value) = self.waiting.pop() {
                if TYPEOF(value) == SEXPTYPE::CHARSXP {
                    // A string leads to no other value. Its attributes must not be followed: they link R's string cache.
                    MARK_NOT_MUTABLE(value);
                } else if self.seen.insert(value) {
                    self.visit(r, value);
                }
            }
        }
    }

    /// # Safety
    /// `value` can be reached from R.
    unsafe fn visit(&mut self, r: R, value: SEXP) {
        // SAFETY: inside `protect`; each function is called for the types that it is for.
        unsafe {
            match TYPEOF(value) {
                SEXPTYPE::LISTSXP | SEXPTYPE::LANGSXP | SEXPTYPE::DOTSXP => self.waiting.extend([CAR(value), CDR(value), TAG(value)]),
                SEXPTYPE::BCODESXP => self.waiting.extend([CAR(value), CDR(value)]),
                SEXPTYPE::CLOSXP => self.waiting.extend([FORMALS(value), BODY(value), CLOENV(value)]),
                SEXPTYPE::PROMSXP => self.waiting.extend([ffi::PRVALUE(value), ffi::PRCODE(value)]),
                SEXPTYPE::SYMSXP => self.waiting.extend([PRINTNAME(value), ffi::SYMVALUE(value)]),
                SEXPTYPE::EXTPTRSXP => self.waiting.extend([R_ExternalPtrProtected(value), R_ExternalPtrTag(value)]),
                SEXPTYPE::ENVSXP => self.environment(r, value),
                // R might expand an ALTREP vector when it is asked for an element.
                _ if ALTREP(value) != 0 => {}
                SEXPTYPE::VECSXP | SEXPTYPE::EXPRSXP => self.waiting.extend((0..XLENGTH(value)).map(|at| VECTOR_ELT(value, at))),
                SEXPTYPE::STRSXP => self.waiting.extend((0..XLENGTH(value)).map(|at| STRING_ELT(value, at))),
                _ => {}
            }
            self.waiting.push(ATTRIB(value));
            if !is_large(value) {
                MARK_NOT_MUTABLE(value);
            }
        }
    }

    /// # Safety
    /// `environment` is one that can be reached from R.
    unsafe fn environment(&mut self, _: R, environment: SEXP) {
        // SAFETY: inside `protect`; the names are protected. The only other values that R makes here are single numbers,
        // which we do not keep.
        unsafe {
            if environment == R_EmptyEnv {
                return;
            }
            self.waiting.push(ENCLOS(environment));
            let names = Rf_protect(R_lsInternal3(environment, Rboolean::TRUE, Rboolean::FALSE));
            for at in 0..XLENGTH(names) {
                let name = Rf_installTrChar(STRING_ELT(names, at));
                self.waiting.push(name);
                if R_BindingIsActive(name, environment) == Rboolean::TRUE {
                    continue;
                }
                let value = Rf_findVarInFrame(environment, name);
                if !is_number(value) {
                    self.waiting.push(value);
                }
            }
            Rf_unprotect(1);
        }
    }
}

/// Whether it is a single number. R stores some of these in the binding itself and makes a value for whoever asks, which
/// is garbage afterwards.
///
/// # Safety
/// `value` is R's.
unsafe fn is_number(value: SEXP) -> bool {
    // SAFETY: any value has a type, and vectors have a length.
    unsafe { matches!(TYPEOF(value), SEXPTYPE::LGLSXP | SEXPTYPE::INTSXP | SEXPTYPE::REALSXP) && XLENGTH(value) == 1 }
}

/// Whether it is a vector too large to be copied before it is changed.
///
/// # Safety
/// `value` is R's.
unsafe fn is_large(value: SEXP) -> bool {
    // SAFETY: any value has a type; only vectors are asked for their length.
    unsafe { Rf_isVector(value) == Rboolean::TRUE && XLENGTH(value) > LONGEST }
}
