//! The program `offshoot-worker`: the zygote, and the workers forked from it.
//!
//! [`zygote`] starts R and forks. [`setup`] makes a child a worker, by [`folders`], [`user`], [`limits`] and [`signals`].
//! [`sandbox`] puts walls around it, for the places that R needs, and
//! [`confined`] puts them around other programs. [`session`] is a worker's life: read a command, carry it out, reply. There is one thread, which waits where it has to: no
//! runtime here.
//!
//! Start reading at [`crate::link::messages`], then [`zygote`].

mod blobs;
pub mod confined;
mod evaluation;
pub mod files;
pub mod folders;
#[expect(unsafe_code, reason = "fork, kill and _exit")]
pub mod fork;
mod host;
#[expect(unsafe_code, reason = "which parts of memory are variables of libraries is told to a callback of C")]
pub mod libraries;
pub mod limits;
pub mod packages;
#[expect(unsafe_code, reason = "a hint to the kernel")]
pub mod pages;
mod places;
mod questions;
#[expect(unsafe_code, reason = "signals of children come by a descriptor")]
pub mod reaping;
pub mod sandbox;
pub mod session;
#[expect(unsafe_code, reason = "descriptors by number, the environment and the state of the C library")]
pub mod setup;
#[expect(unsafe_code, reason = "signal handlers")]
pub mod signals;
pub mod traces;
pub mod trial;
pub mod user;
pub mod zygote;
