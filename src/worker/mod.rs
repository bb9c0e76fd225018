//! The other program: the zygote, and the workers forked from it.
//!
//! [`zygote`] starts R and forks; [`fork`] and [`confine`] make a child a worker, with nothing of its parent
//! left open; [`session`] is a worker's life: read a command, evaluate, reply. Single-threaded throughout, and blocking:
//! no runtime here.
//!
//! Start reading at [`crate::link::messages`], then [`zygote`].

#[expect(unsafe_code, reason = "limits and identities are set by system calls")]
pub mod confine;
pub mod files;
#[expect(unsafe_code, reason = "fork, signals and descriptors")]
pub mod fork;
pub mod packages;
#[expect(unsafe_code, reason = "a hint to the kernel")]
pub mod pages;
pub mod session;
pub mod zygote;

/// An error with its sources as one line of text.
fn with_sources(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
