//! Walls around a process that runs code of others: the files that it may reach ([`files`]), the system calls that it may make ([`calls`]),
//! the machines that it may connect to ([`connections`]), and what it has for itself alone ([`private`]). A process that has a wall keeps
//! it, and so does all that it starts.

pub mod calls;
pub mod connections;
pub mod files;
pub mod private;
