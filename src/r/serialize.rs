//! R's own serialization: values to and from the bytes that `serialize()` makes (R Internals, section 1.8).

use std::{
    ffi::{c_char, c_int, c_void},
    mem::MaybeUninit,
    slice,
};

use libR_sys::{
    ALTREP, INTEGER, LOGICAL, R_InitInPStream, R_InitOutPStream, R_NilValue, R_Serialize, R_Unserialize, R_inpstream_t, R_outpstream_t,
    R_pstream_format_t, REAL, Rboolean, Rf_allocVector, Rf_error, Rf_isS4, Rf_protect, Rf_unprotect, SEXP, SEXPTYPE,
    SHALLOW_DUPLICATE_ATTRIB, TYPEOF, XLENGTH,
};

use super::{
    exec::{R, protect_quietly},
    preserved::{self, Preserved},
};
use crate::wire::{Out, Written};

/// The version of the format: that of R since 3.5, and what `serialize()` writes by default.
const VERSION: c_int = 3;

/// Numbers whose bytes are reversed at a time.
const PIECE: usize = 1024;

/// Writes a value as `serialize(value, NULL)` does: binary, big-endian, to `out`, which is empty. The one difference:
/// long vectors of numbers do not tell that R has kept room for them to grow, which in a stream they do not have.
///
/// # Errors
/// R's message, or that memory ran out.
pub fn write(mut out: Out, value: &Preserved) -> Result<Written, String> {
    let value = value.value();
    match protect_quietly(|r| numbers(r, value))? {
        Some((numbers, empty)) => {
            let empty = Preserved::of(empty);
            let mut around = Out::new();
            stream(&mut around, empty.value())?;
            write_numbers(&mut out, numbers, around.as_bytes());
        }
        None => stream(&mut out, value)?,
    }
    out.finish_anywhere().ok_or_else(|| "the value, serialized, does not fit in the session's memory".to_owned())
}

fn stream(out: &mut Out, value: SEXP) -> Result<(), String> {
    let data = (&raw mut *out).cast::<c_void>();
    protect_quietly(|_| {
        let mut stream = MaybeUninit::uninit();
        // SAFETY: inside `protect`; `R_InitOutPStream` sets every field of the stream, which lives until
        // `R_Serialize` returns, as `out` does. The callbacks have the type of `data`, and do not jump.
        unsafe {
            let format = R_pstream_format_t::R_pstream_xdr_format;
            R_InitOutPStream(stream.as_mut_ptr(), data, format, VERSION, Some(write_char), Some(write_bytes), None, R_NilValue);
            R_Serialize(value, stream.as_mut_ptr());
        }
    })
}

/// The memory of a vector of numbers.
#[derive(Clone, Copy)]
enum Numbers<'a> {
    Doubles(&'a [u64]),
    Integers(&'a [u32]),
}

/// A vector of numbers with memory of its own, and an empty one that is like it otherwise (kept). R takes numbers one
/// by one; of large vectors we write them ourselves, and leave all the rest to R.
fn numbers<'a>(r: R, value: SEXP) -> Option<(Numbers<'a>, SEXP)> {
    // SAFETY: inside `protect`. The value is its caller's to keep, and has as many elements of its type as its length
    // says; nothing changes it before it is written. The empty vector is protected until it is kept.
    unsafe {
        let kind = TYPEOF(value);
        let has_memory = matches!(kind, SEXPTYPE::REALSXP | SEXPTYPE::INTSXP | SEXPTYPE::LGLSXP) && ALTREP(value) == 0;
        if !has_memory || Rf_isS4(value) != Rboolean::FALSE {
            return None;
        }
        let length = usize::try_from(XLENGTH(value)).ok().filter(|&length| length >= PIECE && i32::try_from(length).is_ok())?;
        let numbers = match kind {
            SEXPTYPE::REALSXP => Numbers::Doubles(slice::from_raw_parts(REAL(value).cast(), length)),
            SEXPTYPE::INTSXP => Numbers::Integers(slice::from_raw_parts(INTEGER(value).cast(), length)),
            _ => Numbers::Integers(slice::from_raw_parts(LOGICAL(value).cast(), length)),
        };
        let empty = Rf_protect(Rf_allocVector(kind, 0));
        SHALLOW_DUPLICATE_ATTRIB(empty, value);
        let empty = preserved::keep(r, empty);
        Rf_unprotect(1);
        Some((numbers, empty))
    }
}

/// Writes numbers into what R has written of the empty vector.
fn write_numbers(out: &mut Out, numbers: Numbers, around: &[u8]) {
    // "X\n", three versions, the native encoding with its length, and the type with its flags; then the length.
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

unsafe extern "C" fn write_char(stream: R_outpstream_t, byte: c_int) {
    // SAFETY: the data of our streams is an `Out` that nobody else refers to meanwhile.
    let out = unsafe { &mut *(*stream).data.cast::<Out>() };
    // R passes a character in an int.
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

/// Reads what `serialize()` has written, in any of its formats. Nothing is copied but into the value itself.
///
/// R checks a stream as it reads it, but does not check what it makes of it: attributes that do not suit their
/// values can come of a hostile one.
///
/// # Errors
/// R's message, when `bytes` are no such stream or end too early.
pub fn read(bytes: &[u8]) -> Result<Preserved, String> {
    let mut input = Input { bytes: bytes.as_ptr(), length: bytes.len(), position: 0 };
    let data = (&raw mut input).cast::<c_void>();
    let kept = protect_quietly(|r| {
        let mut stream = MaybeUninit::uninit();
        // SAFETY: inside `protect`; `R_InitInPStream` sets every field of the stream, which lives until
        // `R_Unserialize` returns, as `input` and the bytes do. The callbacks have the type of `data`, and
        // their frames, which an error leaves, own nothing.
        unsafe {
            let format = R_pstream_format_t::R_pstream_any_format;
            R_InitInPStream(stream.as_mut_ptr(), data, format, Some(read_char), Some(read_bytes), None, R_NilValue);
            preserved::keep(r, R_Unserialize(stream.as_mut_ptr()))
        }
    })?;
    Ok(Preserved::of(kept))
}

unsafe extern "C" fn read_char(stream: R_inpstream_t) -> c_int {
    let mut byte = 0_u8;
    // SAFETY: room for the one byte.
    unsafe { read_bytes(stream, (&raw mut byte).cast(), 1) };
    c_int::from(byte)
}

unsafe extern "C" fn read_bytes(stream: R_inpstream_t, target: *mut c_void, length: c_int) {
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
