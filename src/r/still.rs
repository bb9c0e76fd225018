//! Values of the zygote, made such that a session can use them without writing to them.
//!
//! R counts the references to a value in the value itself. Whoever calls a function counts its code, its constants and
//! its environment up and down, and in a forked process each page with such a count is copied: a third of the memory
//! that a session has of its own. A count that has reached its maximum is never changed again. A vector with such a count
//! is copied before it is changed, which is why large ones keep theirs.

use std::collections::HashSet;

use libR_sys::{
    ALTREP, ATTRIB, BODY, CAR, CDR, CLOENV, ENCLOS, FORMALS, MARK_NOT_MUTABLE, PRINTNAME, R_BaseEnv, R_BindingIsActive, R_EmptyEnv,
    R_ExternalPtrProtected, R_ExternalPtrTag, R_GlobalEnv, R_NamespaceRegistry, R_lsInternal3, Rboolean, Rf_findVarInFrame,
    Rf_installTrChar, Rf_isVector, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE, STRING_ELT, TAG, TYPEOF, VECTOR_ELT, XLENGTH,
};

use super::{
    exec::{R, protect_quietly},
    ffi, scripts,
};

/// The longest vector that is copied before it is changed, in elements: about what a page holds.
const LONGEST: isize = 512;

/// About how many values there are after R's start.
const USUAL: usize = 300_000;

/// Ends the counting of references for what R's search path, namespaces and our own R code lead to. For the zygote, when
/// all is loaded that sessions share.
///
/// # Errors
/// R's message; what has been done until then does no harm.
pub fn settle() -> Result<(), String> {
    let mut walk = Walk { waiting: Vec::new(), seen: HashSet::with_capacity(USUAL) };
    protect_quietly(|r| walk.run(r))
}

struct Walk {
    /// Reachable from R, and not looked at yet.
    waiting: Vec<SEXP>,
    seen: HashSet<SEXP>,
}

impl Walk {
    fn run(&mut self, r: R) {
        // SAFETY: inside `protect`. All that is in `waiting` can be reached from the search path, from a namespace, or from
        // our own environment, none of which changes meanwhile.
        unsafe {
            self.waiting.extend([R_GlobalEnv, R_BaseEnv, R_NamespaceRegistry, scripts::environment()]);
            while let Some(value) = self.waiting.pop() {
                if TYPEOF(value) == SEXPTYPE::CHARSXP {
                    // It leads nowhere: its attributes are the chains of R's string cache.
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
                // What stands for others is not made to become them.
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
        // SAFETY: inside `protect`; the names are protected, and nothing else is made but single numbers, which are not kept.
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

/// Whether it is a single number, which may have been made for whoever asks.
///
/// # Safety
/// `value` is R's.
unsafe fn is_number(value: SEXP) -> bool {
    // SAFETY: any value has a type, and vectors have a length.
    unsafe { matches!(TYPEOF(value), SEXPTYPE::LGLSXP | SEXPTYPE::INTSXP | SEXPTYPE::REALSXP) && XLENGTH(value) == 1 }
}

/// Whether it is a vector that should be changed in its place.
///
/// # Safety
/// `value` is R's.
unsafe fn is_large(value: SEXP) -> bool {
    // SAFETY: any value has a type; only vectors are asked for their length.
    unsafe { Rf_isVector(value) == Rboolean::TRUE && XLENGTH(value) > LONGEST }
}
