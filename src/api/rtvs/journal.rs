//! The log file of one session: how it began and ended and, if the settings say so, what R has printed and all messages.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use bytes::Bytes;
use jiff::{Timestamp, Zoned};

use super::message::Message;
use crate::{app::prompt::Said, config::Rtvs};

/// The most bytes of the arguments of a message that are written.
const LONGEST: usize = 4096;
/// The most letters of a session's name in that of its file.
const NAME: usize = 80;

/// What is written of one session.
#[derive(Debug)]
pub struct Journal {
    file: Option<File>,
    output: bool,
    messages: bool,
}

impl Journal {
    /// The journal of a session, with the process id of its R. If the file cannot be made, there is none, and the log says so.
    #[must_use]
    pub fn open(settings: &Rtvs, session: &str, pid: i32) -> Self {
        let folder = &settings.log_folder;
        let file = (!folder.as_os_str().is_empty()).then(|| create(folder, session, pid)).and_then(|file| {
            file.inspect_err(|error| tracing::warn!(%error, folder = %folder.display(), "a session has no log file")).ok()
        });
        let mut journal = Self { file, output: settings.log_output, messages: settings.log_messages };
        journal.write(format_args!("session {session:?} begins, its process is {pid}"));
        journal
    }

    /// Notes how the session has ended.
    pub fn end(&mut self, why: &dyn std::fmt::Display) {
        self.write(format_args!("the session ends: {why}"));
    }

    /// Notes a message of the client's.
    pub fn received(&mut self, bytes: &Bytes) {
        if !self.messages || self.file.is_none() {
            return;
        }
        match Message::parse(bytes) {
            Ok(message) => self.message("<-", &message),
            Err(error) => self.write(format_args!("<- {} bytes: {error}", bytes.len())),
        }
    }

    /// Notes a message to the client.
    pub fn sent(&mut self, message: &Message) {
        if self.messages && self.file.is_some() {
            self.message("->", message);
        }
    }

    /// Notes what R has printed.
    pub fn said(&mut self, said: &Said) {
        if let (true, Said::Output(text) | Said::Errors(text)) = (self.output, said) {
            self.write(format_args!("{}", text.trim_end_matches('\n')));
        }
    }

    fn message(&mut self, direction: &str, message: &Message) {
        let Message { id, request, name, json, blob } = message;
        let shown = &json[..json.floor_char_boundary(LONGEST.min(json.len()))];
        let rest = if shown.len() < json.len() { "..." } else { "" };
        self.write(format_args!("{direction} {id} {request} {name} {shown}{rest} <{} bytes>", blob.len()));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        let Some(file) = &mut self.file else { return };
        let text = format!("[{}] {text}\n", Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ"));
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::warn!(%error, "the log file of a session cannot be written any more");
            self.file = None;
        }
    }
}

/// Makes a file that nobody else has made, as others may write in the folder as well.
fn create(folder: &Path, session: &str, pid: i32) -> io::Result<File> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' };
    let session: String = session.chars().take(NAME).map(plain).collect();
    let name = format!("Microsoft.R.Host_{session}_{}_pid{pid}.log", Zoned::now().strftime("%Y%m%d_%H%M%S"));
    File::options().create_new(true).append(true).mode(0o600).open(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_the_settings_say() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            |output, messages| Rtvs { log_folder: folder.path().to_owned(), log_output: output, log_messages: messages, ..Rtvs::default() };
        let message = Message { id: 1, request: 0, name: "!End".to_owned(), json: "[true]".to_owned(), blob: Bytes::from_static(b"xyz") };
        for (at, (output, messages)) in [(false, false), (true, false), (false, true)].into_iter().enumerate() {
            let mut journal = Journal::open(&settings(output, messages), "../a b/é", i32::try_from(at).unwrap());
            journal.received(&message.to_bytes());
            journal.received(&Bytes::from_static(b"x"));
            journal.sent(&message);
            journal.said(&Said::Output("[1] 2\n".to_owned()));
            journal.end(&"bye");
            drop(journal);
            let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
            let file = files.iter().find(|file| file.to_str().unwrap().ends_with(&format!("_pid{at}.log"))).unwrap();
            assert!(file.file_name().unwrap().to_str().unwrap().starts_with("Microsoft.R.Host_.._a_b___"));
            let text = std::fs::read_to_string(file).unwrap();
            assert!(text.contains("begins") && text.contains("ends: bye"));
            assert_eq!(text.contains("[1] 2"), output);
            assert_eq!(text.matches(" 1 0 !End [true] <3 bytes>").count(), if messages { 2 } else { 0 });
            assert_eq!(text.contains("<- 1 bytes: it ends"), messages);
        }
        // Without a folder there is nothing.
        Journal::open(&Rtvs::default(), "x", 1).end(&"bye");
    }
}
