//! R's own serialization: values to and from the bytes that `serialize()` makes (R Internals, section 1.8).

use std::{
    ffi::{c_char, c_int, c_void},
    mem::MaybeUninit,
    slice,
};

use libR_sys::{
    R_InitInPStream, R_InitOutPStream, R_NilValue, R_Serialize, R_Unserialize, R_inpstream_t, R_outpstream_t, R_pstream_format_t, Rf_error,
};

use super::{
    exec::protect_quietly,
    preserved::{self, Preserved},
};
use crate::wire::{Out, Written};

/// The version of the format: that of R since 3.5, and what `serialize()` writes by default.
const VERSION: c_int = 3;

/// Writes a value as `serialize(value, NULL)` does: binary, big-endian, to `out`, which is empty.
///
/// # Errors
/// R's message, or that memory ran out.
pub fn write(mut out: Out, value: &Preserved) -> Result<Written, String> {
    let (value, data) = (value.value(), (&raw mut out).cast::<c_void>());
    protect_quietly(|_| {
        let mut stream = MaybeUninit::uninit();
        // SAFETY: inside `protect`; `R_InitOutPStream` sets every field of the stream, which lives until
        // `R_Serialize` returns, as `out` does. The callbacks have the type of `data`, and do not jump.
        unsafe {
            let format = R_pstream_format_t::R_pstream_xdr_format;
            R_InitOutPStream(stream.as_mut_ptr(), data, format, VERSION, Some(write_char), Some(write_bytes), None, R_NilValue);
            R_Serialize(value, stream.as_mut_ptr());
        }
    })?;
    out.finish_anywhere().ok_or_else(|| "the value, serialized, does not fit in the session's memory".to_owned())
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
