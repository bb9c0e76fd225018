//! Values on their way out: typed views, and the JSON and XML that clients read.
//!
//! This room knows neither R nor HTTP. A value is anything that implements [`Value`]: R's memory through
//! `crate::r::view` in a worker, plain Rust values in tests. The writers push text into an [`Out`], and otherwise own
//! nothing: in a worker, R may leave their frames by longjmp, and what they owned would be lost.
//!
//! Start reading at [`value`], then [`typed`], [`jsonlite`] and [`plain`]: the forms in which values go out.

pub mod base64;
pub mod condition;
pub mod jsonlite;
pub mod names;
pub mod number;
pub mod out;
pub mod plain;
pub mod rdata;
pub mod rds;
pub mod selection;
pub mod terse;
pub mod text;
pub mod time;
pub mod typed;
pub mod value;

pub use names::Names;
pub use out::{Out, Spill, Written};
pub use selection::{Detail, Encoding, MissingObject, ValueEncoding};
pub use text::Text;
pub use value::{Class, Shape, Storage, Value};
