//! Servers for tests, and their clients.

mod client;
mod demonstration;
mod directory;
mod events;
mod indoors;
mod pictures;
mod png;
mod rock;
mod server;
mod skips;
mod surroundings;

pub use client::{Client, Reply, Session, http, read};
pub use demonstration::Demonstration;
pub use directory::{DIRECTORY_PASSWORD, Slapd, write_certificates};
pub use events::{PATIENCE, Point, UNTIL_GO, eventually, points, until};
pub use indoors::Indoors;
pub use pictures::{Size, drawn_by_r};
pub use png::{png_pixels, png_size};
pub use rock::{Rock, RockSession};
pub use server::{PASSWORD, Server, descendants, token_key};
pub use skips::{is_root_for, skipped};
pub use surroundings::{node, program, server_for_all};
