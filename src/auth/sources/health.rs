//! Whether a source can be asked, for somebody who looks for what is wrong.

/// How far one gets with a source.
#[derive(Debug, Default)]
pub struct SourceHealth {
    /// Its certificate, if the connection is encrypted.
    pub certificate: Option<Vec<u8>>,
    /// What works.
    pub good: Vec<String>,
    /// What does not, and what to do about it.
    pub faults: Vec<(String, &'static str)>,
}
