//! How a dialect introduces itself on the start page.

/// A dialect, described for somebody who has never seen it.
#[derive(Debug)]
pub struct Introduction {
    /// The API's name.
    pub name: &'static str,
    /// Which clients speak the API, and what it is good for.
    pub about: &'static str,
    /// The addresses that its calls begin with.
    pub places: Vec<BaseAddress>,
    /// What to tell somebody who looks for the API at an address where it is not, if there is such an address.
    pub note: Option<&'static str>,
    /// A first request: commands for a POSIX shell.
    pub example: String,
}

/// An address of a dialect.
#[derive(Debug)]
pub struct BaseAddress {
    /// The beginning of its addresses.
    pub address: String,
    /// What is at the address.
    pub what: &'static str,
}
