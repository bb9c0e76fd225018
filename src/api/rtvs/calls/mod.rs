//! The calls, by their subject.

pub mod info;
pub mod pages;
pub mod pipe;
pub mod sessions;
