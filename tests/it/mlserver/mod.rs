//! Microsoft R Server's API.

mod golden;
mod login;
