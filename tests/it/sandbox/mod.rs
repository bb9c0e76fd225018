//! The walls around sessions: what they keep out, and what they let R do.

mod attacks;
mod kernels;
mod later;
mod network;
mod walls;

const SETTINGS: &str = "[sessions]\npool = 0";
