//! The protocol between the supervisor and its workers. Both sides depend on this room, and it depends on neither.
//!
//! [`command`] has the commands of workers and their replies, [`host`] what an interactive R and its client tell each other, and [`messages`]
//! those of the zygote. [`frame`] cuts messages into bytes,
//! [`channel`] is a worker's end of the link, [`shared`] is the memory for large payloads, and [`marks`] separate R's errors from other
//! text in a console. Both programs are built from these files, so there are no versions.
//!
//! Start reading at [`command`].

pub mod channel;
pub mod command;
pub mod frame;
pub mod host;
pub mod marks;
pub mod messages;
#[expect(unsafe_code, reason = "mapping memory")]
pub mod shared;
