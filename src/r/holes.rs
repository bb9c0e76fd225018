//! Fills the holes in the memory that R keeps its small values in, for good.
//!
//! R has pages of its own for small values, by size, and a new value goes to where another was. In a forked process, each of the first
//! values would go to another page that it shares with the zygote until then, and the kernel copies each page that is written to. Without
//! holes, new values lie side by side on new pages.

use libR_sys::{CDR, R_NilValue, R_PreserveObject, Rf_allocVector, Rf_cons, Rf_protect, Rf_unprotect, SETCDR, SEXP, SEXPTYPE};

use super::exec::{RError, protect_quietly};

/// The sizes of small vectors, in bytes: the largest of each of R's classes (memory.c of R).
const VECTORS: [isize; 5] = [8, 16, 32, 64, 128];
/// More values than any hole needs.
const MOST: usize = 1 << 20;

/// Fills the holes below this address, above which R's allocator has given nothing yet.
///
/// # Errors
/// R's, when memory has run out.
pub fn fill(top: usize) -> Result<(), RError> {
    protect_quietly(|_| {
        // SAFETY: inside `protect`. The list is preserved, and each value is in it before the next one is made.
        unsafe {
            let list = Rf_protect(Rf_cons(R_NilValue, R_NilValue));
            R_PreserveObject(list);
            for bytes in VECTORS {
                for _ in 0..MOST {
                    let value = Rf_protect(Rf_allocVector(SEXPTYPE::RAWSXP, bytes));
                    SETCDR(list, Rf_cons(value, CDR(list)));
                    Rf_unprotect(1);
                    if value as usize >= top {
                        break;
                    }
                }
            }
            // Now those of the lists themselves, which are R's most frequent values.
            for _ in 0..MOST {
                let next: SEXP = Rf_cons(R_NilValue, CDR(list));
                SETCDR(list, next);
                if next as usize >= top {
                    break;
                }
            }
            Rf_unprotect(1);
        }
    })
}
