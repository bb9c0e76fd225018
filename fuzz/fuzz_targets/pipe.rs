//! Whatever a client sends through its pipe is told to R or ends the conversation, and a message is written as it was read.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use offshoot::{
    api::rtvs::{
        conversation::Conversation,
        host_line::HostLine,
        message::{Message, NOTIFICATION, REQUEST},
    },
    app::prompt::{Choices, EvaluationEnd, HostQuestion, Said, Say, Tell},
};

/// The names of messages that clients send, as a fuzzer would hardly guess them.
const NAMES: [&str; 18] = [
    "?=",
    "?=0",
    "?=@/",
    "?=NB",
    "?=Er",
    "?CreateBlob",
    "?WriteBlob",
    "?ReadBlob",
    "?GetBlobSize",
    "?SetBlobSize",
    "!DestroyBlob",
    "!/",
    "!//",
    "!Shutdown",
    ":>",
    ":YesNoCancel",
    ":PlotDeviceCreate",
    ":Locator",
];

/// One message: the id of what it answers, its name, its arguments, and its blob.
type Sent<'a> = (u8, u8, &'a str, &'a [u8]);

/// What R asks at some time.
fn question(number: usize) -> HostQuestion {
    match number % 4 {
        0 => HostQuestion::Line { prompt: "> ".to_owned(), history: true, contexts: vec![0], limit: 4096, again: false },
        1 => HostQuestion::Confirm { text: "so?".to_owned(), choices: Choices::YesNoCancel, contexts: vec![0] },
        2 => HostQuestion::DeviceSize("device".to_owned()),
        _ => HostQuestion::Locate("device".to_owned()),
    }
}

fuzz_target!(|input: (Vec<Sent<'_>>, &[u8], &str)| {
    let (sent, raw, line) = input;
    let _ = HostLine::parse(line);
    if let Ok(message) = Message::parse(&Bytes::copy_from_slice(raw)) {
        assert_eq!(Message::parse(&message.to_bytes()), Ok(message));
    }
    let mut conversation = Conversation::default();
    for (number, (answers, name, arguments, blob)) in sent.into_iter().enumerate() {
        let asked = conversation.tell(Said::Message(Say::Ask(number as u64, question(number)), Bytes::new()));
        assert!(asked.is_ok_and(|message| message.is_some()));
        let name = NAMES[usize::from(name) % NAMES.len()];
        let request = match name.as_bytes()[0] {
            b'!' => NOTIFICATION,
            b'?' => REQUEST,
            _ => u64::from(answers),
        };
        let id = 2 * number as u64 + 2;
        let json = arguments.replace('\0', "0");
        let message = Message { id, request, name: name.to_owned(), json, blob: Bytes::copy_from_slice(blob) };
        match conversation.hear(&message.to_bytes()) {
            // R's answer to it is told to the client.
            Ok(Some((Tell::Evaluate(evaluation), _))) => {
                let said = Said::Message(Say::Evaluated(evaluation.id, EvaluationEnd::Cancelled), Bytes::new());
                assert!(conversation.tell(said).is_ok());
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
});
