//! R, embedded: the only code that knows R's C API.
//!
//! Everything here runs on the one thread of the zygote or of a worker. R reports errors by longjmp, so
//! fallible calls are made only inside [`exec::protect`], in frames that own nothing; values go out through
//! [`view`], from R's memory into `crate::wire`, and come in through [`build`]. No tokio and no HTTP here.
//!
//! Start reading at [`init`], then [`eval`].

#![expect(unsafe_code, reason = "R's C API")]

pub mod build;
pub mod conditions;
pub mod console;
pub mod encode;
pub mod eval;
pub mod exec;
pub mod ffi;
pub mod graphics;
pub mod init;
mod inspect;
pub mod interrupt;
pub mod objects;
pub mod preserved;
pub mod scripts;
pub mod serialize;
pub mod still;
mod strings;
pub mod view;
pub mod workspace;
