//! What the supervisor and its workers say to each other, and how. Both sides stand on this room, and it on neither.
//!
//! [`command`] has what workers are told and answer, [`messages`] what the zygote is; [`frame`] how it is cut into bytes; [`channel`] a worker's
//! end of the ways it takes; [`shared`] the memory for what is large; [`marks`] what tells R's errors from the rest of a
//! console. Both programs are built from these files, so there are no versions.
//!
//! Start reading at [`command`].

pub mod channel;
pub mod command;
pub mod frame;
pub mod marks;
pub mod messages;
#[expect(unsafe_code, reason = "mapping memory")]
pub mod shared;
