//! The command line that clients give to R: options of the original's host, and R's own (contract b.9).

use std::time::Duration;

/// Options of the original's host that have a value.
const WITH_VALUE: [&str; 5] = ["--rhost-name", "--rhost-log-verbosity", "--rhost-log-dir", "--rhost-rdata", "--rhost-r-dir"];
/// The option for how long the client may be silent.
const IDLE: &str = "--rhost-idle-timeout";
/// The beginning of all options of the host.
const HOST: &str = "--rhost-";
/// The most arguments.
const MOST: usize = 1000;

/// What a command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostLine {
    /// R's own arguments.
    pub arguments: Vec<String>,
    /// After how much silence of the client R ends.
    pub idle: Option<Duration>,
}

impl HostLine {
    /// Reads a command line.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = split(text)?.into_iter();
        let mut line = Self::default();
        while let Some(word) = words.next() {
            let (option, mut value) = match word.split_once('=') {
                Some((option, value)) if word.starts_with(HOST) => (option.to_owned(), Some(value.to_owned())),
                _ => (word.clone(), None),
            };
            if option == IDLE || WITH_VALUE.contains(&option.as_str()) {
                value = value.or_else(|| words.next());
            }
            if option == IDLE {
                let seconds =
                    value.and_then(|value| value.parse().ok()).ok_or_else(|| format!("{IDLE} has to have a number of seconds."))?;
                line.idle = Some(seconds).filter(|&seconds| seconds > 0).map(Duration::from_secs);
            } else if !option.starts_with(HOST) {
                line.arguments.push(word);
            }
        }
        if line.arguments.len() > MOST { Err(format!("There are more than {MOST} arguments.")) } else { Ok(line) }
    }
}

/// The words of a command line. Double quotes keep spaces, and a backslash keeps what follows it.
fn split(text: &str) -> Result<Vec<String>, String> {
    if text.contains('\0') {
        return Err("A command line has no zero character.".to_owned());
    }
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' => word.get_or_insert_default().push(letters.next().unwrap_or('\\')),
            letter if letter.is_whitespace() && !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    if quoted {
        return Err("The command line has a quote that does not end.".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (text, words) in [
            ("", vec![]),
            ("  --vanilla   --no-save ", vec!["--vanilla", "--no-save"]),
            (r#"--args "a b" "" c\ d \"e\\"#, vec!["--args", "a b", "", "c d", "\"e\\"]),
            (r#"--x="a b"c"#, vec!["--x=a bc"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        assert!(split("\"a").is_err());
        assert!(split("a\0").is_err());
    }

    #[test]
    fn options_of_the_host_do_not_reach_r() {
        let line = HostLine::parse("--rhost-interactive --rhost-name \"a b\" --rhost-idle-timeout 30 --vanilla --rhost-log-verbosity=3 x")
            .unwrap();
        assert_eq!(line.arguments, ["--vanilla", "x"]);
        assert_eq!(line.idle, Some(Duration::from_secs(30)));
        assert_eq!(HostLine::parse("--rhost-idle-timeout=0").unwrap(), HostLine::default());
        assert!(HostLine::parse("--rhost-idle-timeout").is_err());
        assert!(HostLine::parse("--rhost-idle-timeout soon").is_err());
        assert!(HostLine::parse(&"x ".repeat(1001)).is_err());
    }
}
