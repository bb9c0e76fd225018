//! R, embedded: the only code that knows R's C API.
//!
//! Everything here runs on the one thread of the zygote or of a worker. R reports errors by longjmp, so
//! fallible calls are made only inside [`exec::protect`], in frames that own nothing. Values go out through
//! [`view`], from R's memory into `crate::wire`, and come in through [`build`]. No tokio and no HTTP here.
//!
//! R's garbage collector frees a value that nothing refers to. A pointer to a value (`SEXP`) says nothing about that, so
//! only unsafe code uses one, and says what keeps the value alive. Two types do say it: a [`preserved::Preserved`] keeps
//! its value for as long as it lives, and a [`view::RValue`] cannot be used for longer than its value is there.
//!
//! Start reading at [`init`], then [`exec`] and [`toplevel`].

#![expect(unsafe_code, reason = "R's C API")]

pub mod build;
pub mod console;
pub mod encode;
mod error_text;
pub mod eval;
pub mod events;
pub mod exec;
pub mod ffi;
pub mod fonts;
pub mod graphics;
pub mod immortal;
pub mod init;
mod inspect;
pub mod interrupt;
mod kept;
mod model;
pub mod natives;
pub mod objects;
pub mod preserved;
pub mod repl;
pub mod reports;
pub mod scripts;
pub mod serialize;
pub mod state;
mod statement;
mod strings;
pub mod terse;
pub mod toplevel;
pub mod view;
pub mod workspace;
