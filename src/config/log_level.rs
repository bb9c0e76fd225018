//! What is logged: "info", "offshoot=debug", "info,offshoot::requests=warn".

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// Checks a log level. The library would take a misspelt level for the name of a module, and log everything of that
/// module and nothing of the others.
///
/// # Errors
/// A sentence.
pub fn check(level: &str) -> Result<(), String> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let bare = level.split(',').map(str::trim).find(|part| !part.contains(['=', '[']) && !is_level(part));
    if let Some(word) = bare {
        return Err(format!("{word:?} is no level: write error, warn, info, debug, trace or off, and MODULE=LEVEL for a module"));
    }
    EnvFilter::try_new(level).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn words_that_are_no_level_are_refused() {
        for level in ["info", "WARN", "off", "info,offshoot::requests=warn", "offshoot=debug, warn", "warn,offshoot[request]=debug"] {
            assert_eq!(check(level), Ok(()), "{level}");
        }
        for level in ["loud", "verbose", "info,nonsense", "offshoot=loud", ""] {
            assert!(check(level).is_err(), "{level}");
        }
    }
}
