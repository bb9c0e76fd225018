//! R's own serialization: values to the bytes that `serialize()` makes, and back (R Internals, section 1.8).

use std::{
    ffi::{c_char, c_int, c_void},
    mem::MaybeUninit,
    slice,
};

use libR_sys::{
    ALTREP, INTEGER, LOGICAL, R_InitOutPStream, R_NilValue, R_Serialize, R_Unserialize, R_inpstream_t, R_outpstream_t, R_pstream_format_t,
    REAL, Rboolean, Rf_allocVector, Rf_error, Rf_isS4, Rf_protect, Rf_unprotect, SEXPTYPE, SHALLOW_DUPLICATE_ATTRIB, TYPEOF, XLENGTH,
};

use super::{
    exec::{RError, protect_quietly},
    ffi,
    preserved::{self, Preserved},
    reports,
};
use crate::wire::{Out, Written};

/// The version of the format: that of R since 3.5, and what `serialize()` writes by default.
const VERSION: c_int = 3;

/// How many numbers are put into the byte order of the format at a time.
const PIECE: usize = 1024;

/// Why a value was not serialized.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// R's error.
    #[error(transparent)]
    R(#[from] RError),
    /// There is not enough memory.
    #[error("the value, serialized, does not fit in the session's memory")]
    TooLarge,
}

/// Writes a value as `serialize(value, NULL)` does: binary, big-endian, to `out`, which is empty. The one difference is
/// in vectors of numbers for which R has kept room to grow. R marks them in their flags; we do not for long ones, as a
/// vector in a stream has no such room.
///
/// R takes numbers one by one. We write those of long vectors ourselves, and leave all the rest to R: it writes an empty
/// vector that is otherwise the same, and the numbers go into the middle of that.
///
/// # Errors
/// [`WriteError`].
pub fn write(mut out: Out, value: &Preserved) -> Result<Written, WriteError> {
    if Numbers::of(value).is_some() {
        let empty = emptied(value)?;
        let mut around = Out::new();
        stream(&mut around, &empty)?;
        // Looked up only now, as R has run since.
        if let Some(numbers) = Numbers::of(value) {
            write_numbers(&mut out, numbers, around.as_bytes());
        }
    } else {
        stream(&mut out, value)?;
    }
    out.finish_anywhere().ok_or(WriteError::TooLarge)
}

/// Has R write a value.
fn stream(out: &mut Out, value: &Preserved) -> Result<(), RError> {
    let data = (&raw mut *out).cast::<c_void>();
    protect_quietly(|_| {
        let mut stream = MaybeUninit::uninit();
        // SAFETY: inside `protect`; `R_InitOutPStream` sets every field of the stream, which lives until
        // `R_Serialize` returns, as `out` does. The callbacks have the type of `data`, and do not jump.
        unsafe {
            let format = R_pstream_format_t::R_pstream_xdr_format;
            R_InitOutPStream(stream.as_mut_ptr(), data, format, VERSION, Some(write_char), Some(write_bytes), None, R_NilValue);
            reports::begin_own_work();
            R_Serialize(value.value(), stream.as_mut_ptr());
        }
    })
}

/// The memory of a vector of numbers.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    Doubles(&'a [u64]),
    Integers(&'a [u32]),
}

impl<'a> Numbers<'a> {
    /// The numbers of a long vector with memory of its own; `None` for any other value. The bits are all that matters, so
    /// doubles are read as whole numbers.
    fn of(value: &'a Preserved) -> Option<Self> {
        let value = value.value();
        // SAFETY: preserved, and not changed, as long as `'a`: whoever holds a preserved value does not change it. Each
        // function is called for the types that it is for, and none jumps for a vector with memory of its own.
        unsafe {
            let kind = TYPEOF(value);
            let has_memory = matches!(kind, SEXPTYPE::REALSXP | SEXPTYPE::INTSXP | SEXPTYPE::LGLSXP) && ALTREP(value) == 0;
            if !has_memory || Rf_isS4(value) != Rboolean::FALSE {
                return None;
            }
            let length = usize::try_from(XLENGTH(value)).ok().filter(|&length| length >= PIECE && i32::try_from(length).is_ok())?;
            Some(match kind {
                SEXPTYPE::REALSXP => Self::Doubles(slice::from_raw_parts(REAL(value).cast(), length)),
                SEXPTYPE::INTSXP => Self::Integers(slice::from_raw_parts(INTEGER(value).cast(), length)),
                _ => Self::Integers(slice::from_raw_parts(LOGICAL(value).cast(), length)),
            })
        }
    }
}

/// An empty vector of the same type and with the same attributes.
fn emptied(value: &Preserved) -> Result<Preserved, RError> {
    let kept = protect_quietly(|r| {
        // SAFETY: inside `protect`; the empty vector is protected until it is kept.
        unsafe {
            let empty = Rf_protect(Rf_allocVector(TYPEOF(value.value()), 0));
            SHALLOW_DUPLICATE_ATTRIB(empty, value.value());
            let empty = preserved::keep(r, empty);
            Rf_unprotect(1);
            empty
        }
    })?;
    Ok(kept.into())
}

/// Writes numbers into the stream that R has written of the empty vector.
fn write_numbers(out: &mut Out, numbers: Numbers, around: &[u8]) {
    // The stream begins with "X\n", three versions, the length of the native encoding's name and the name, and the type of
    // the vector with its flags. The length of the vector follows, which is replaced, then the attributes.
    const ENCODING: usize = 2 + 3 * 4;
    let encoding = around.get(ENCODING..).and_then(<[u8]>::first_chunk).map_or(0, |length| u32::from_be_bytes(*length) as usize);
    let (head, rest) = around.split_at((ENCODING + 4 + encoding + 4).min(around.len()));
    let attributes = rest.get(4..).unwrap_or_default();
    out.push(head);
    match numbers {
        Numbers::Doubles(doubles) => push_numbers(out, doubles, u64::to_be_bytes),
        Numbers::Integers(integers) => push_numbers(out, integers, u32::to_be_bytes),
    }
    out.push(attributes);
}

fn push_numbers<T: Copy, const SIZE: usize>(out: &mut Out, numbers: &[T], to_bytes: impl Fn(T) -> [u8; SIZE]) {
    out.push(&u32::try_from(numbers.len()).unwrap_or(u32::MAX).to_be_bytes());
    for piece in numbers.chunks(PIECE) {
        let mut bytes = [[0; SIZE]; PIECE];
        bytes.iter_mut().zip(piece).for_each(|(bytes, &number)| *bytes = to_bytes(number));
        out.push(bytes[..piece.len()].as_flattened());
    }
}

/// Called by R, like the next function. Neither calls R, so R never leaves them by longjmp, and their ABI is "C".
unsafe extern "C" fn write_char(stream: R_outpstream_t, byte: c_int) {
    // SAFETY: the data of our streams is an `Out` that nobody else refers to meanwhile.
    let out = unsafe { &mut *(*stream).data.cast::<Out>() };
    out.byte(byte.to_le_bytes()[0]);
}

unsafe extern "C" fn write_bytes(stream: R_outpstream_t, bytes: *mut c_void, length: c_int) {
    let length = usize::try_from(length).unwrap_or(0);
    // SAFETY: as in `write_char`; R passes `length` bytes.
    unsafe {
        let out = &mut *(*stream).data.cast::<Out>();
        out.push(slice::from_raw_parts(bytes.cast::<u8>(), length));
    }
}

/// A stream that is being read.
struct Input {
    bytes: *const u8,
    length: usize,
    position: usize,
}

/// Reads a value that `serialize()` has written, in any of its formats.
///
/// R checks the stream as it reads it, but not whether the values in it make sense: a hostile stream can give a value
/// attributes that do not suit it.
///
/// # Errors
/// R's, when `bytes` are no such stream or end too early.
pub fn read(bytes: &[u8]) -> Result<Preserved, RError> {
    let mut input = Input { bytes: bytes.as_ptr(), length: bytes.len(), position: 0 };
    let data = (&raw mut input).cast::<c_void>();
    let kept = protect_quietly(|r| {
        let mut stream = MaybeUninit::uninit();
        // SAFETY: inside `protect`; `R_InitInPStream` sets every field of the stream, which lives until
        // `R_Unserialize` returns, as `input` and the bytes do. The callbacks have the type of `data`, and
        // their frames, which an error leaves, own nothing.
        unsafe {
            let format = R_pstream_format_t::R_pstream_any_format;
            ffi::R_InitInPStream(stream.as_mut_ptr(), data, format, Some(read_char), Some(read_bytes), None, R_NilValue);
            reports::begin_own_work();
            preserved::keep(r, R_Unserialize(stream.as_mut_ptr()))
        }
    })?;
    Ok(kept.into())
}

/// Called by R, like the next function. `Rf_error` leaves both by longjmp, so they own nothing, and their ABI is one that
/// may be left.
unsafe extern "C-unwind" fn read_char(stream: R_inpstream_t) -> c_int {
    let mut byte = 0_u8;
    // SAFETY: room for the one byte.
    unsafe { read_bytes(stream, (&raw mut byte).cast(), 1) };
    c_int::from(byte)
}

unsafe extern "C-unwind" fn read_bytes(stream: R_inpstream_t, target: *mut c_void, length: c_int) {
    const ENDS: *const c_char = c"the serialized value ends too early".as_ptr();
    // SAFETY: the data of our streams is an `Input` whose bytes outlive it, and R has room for `length` bytes.
    // The jump of `Rf_error` goes to `protect`, over frames of R and this one, which owns nothing.
    unsafe {
        let input = &mut *(*stream).data.cast::<Input>();
        let Ok(length) = usize::try_from(length) else { Rf_error(ENDS) };
        if length > input.length - input.position {
            Rf_error(ENDS);
        }
        target.cast::<u8>().copy_from_nonoverlapping(input.bytes.add(input.position), length);
        input.position += length;
    }
}
