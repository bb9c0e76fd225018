//! What a dialect says of itself on the start page.

/// A dialect, for somebody who has never seen it.
#[derive(Debug)]
pub struct Introduction {
    /// The API's name.
    pub name: &'static str,
    /// Which clients speak it, and what it is good for.
    pub about: &'static str,
    /// Where it is: addresses that its calls begin with, and what is there.
    pub places: Vec<Place>,
    /// What somebody is told who looks for it where it is not, if there is such a place.
    pub note: Option<&'static str>,
    /// A first request: commands for a POSIX shell.
    pub example: String,
}

/// An address of a dialect.
#[derive(Debug)]
pub struct Place {
    /// The beginning of its addresses.
    pub address: String,
    /// What is there.
    pub what: &'static str,
}
