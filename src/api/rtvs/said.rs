//! What R says, in messages for the client (contract b.3). Arguments are always an array, and whole numbers are written as such.

use bytes::Bytes;
use serde_json::{Value, json, value::RawValue};

use super::{
    conversation::{AnswerForm, Asked, Conversation, Fault, ReplyForm},
    message::Message,
};
use crate::app::prompt::{BlobReply, Choices, EvaluationEnd, HostQuestion, Notice, Plot, Said, Say, ValueWanted};

/// The version of the protocol.
const PROTOCOL: u32 = 1;
/// The identity of no page.
const NO_PAGE: &str = "00000000-0000-0000-0000-000000000000";

impl Conversation {
    /// The message that tells the client what R says; `None` if it is not told.
    ///
    /// # Errors
    /// [`Fault`]: the conversation cannot go on.
    pub fn tell(&mut self, said: Said) -> Result<Option<Message>, Fault> {
        Ok(match said {
            Said::Output(text) => Some(self.notify("", &json!([text]))),
            Said::Errors(text) => Some(self.notify("!", &json!([text]))),
            Said::Message(say, payload) => self.say(say, payload)?,
        })
    }

    fn say(&mut self, say: Say, payload: Bytes) -> Result<Option<Message>, Fault> {
        Ok(Some(match say {
            Say::Started(version) => self.notify("Microsoft.R.Host", &json!([PROTOCOL, version])),
            Say::Ask(id, question) => self.ask(id, question, &payload)?,
            Say::Busy => self.notify("+", &json!([])),
            Say::Idle => self.notify("-", &json!([])),
            Say::Evaluated(id, outcome) => return self.evaluated(id, outcome, payload).map(Some),
            Say::Blob(id, reply) => return self.of_blob(id, reply, payload),
            Say::Notice(notice) => return Ok(self.notice(notice)),
            Say::Plot(plot) => self.plot(plot, payload),
            Say::Cancelled => {
                self.drop_questions();
                self.notify("CanceledAll", &json!([]))
            }
            Say::Ended(saved) if self.saves => self.notify("End", &json!([saved])),
            Say::Ended(_) => return Ok(None),
            // Payloads are put together before.
            Say::Part => return Err(Fault::R("a part of a payload belongs to nothing")),
        }))
    }

    fn notify(&mut self, name: &str, arguments: &Value) -> Message {
        self.notification(name, arguments.to_string(), Bytes::new())
    }

    fn ask(&mut self, question: u64, asks: HostQuestion, payload: &[u8]) -> Result<Message, Fault> {
        let (name, form, arguments) = match asks {
            HostQuestion::Line { prompt, history, contexts, limit, again } => {
                let reason = again.then_some("BUFFER_OVERFLOW");
                (">", AnswerForm::Text, json!([contexts, limit, history, reason, prompt]))
            }
            HostQuestion::Confirm { text, choices, contexts } => {
                let name = match choices {
                    Choices::OkCancel => "OkCancel",
                    Choices::YesNo => "YesNo",
                    Choices::YesNoCancel => "YesNoCancel",
                };
                (name, AnswerForm::Letter, json!([contexts, text]))
            }
            HostQuestion::Edit { text, file } => {
                let edited = std::str::from_utf8(payload).map_err(|_| Fault::R("a text to be edited is not UTF-8"))?;
                ("EditFile", AnswerForm::Text, json!([text.then_some(edited), file]))
            }
            HostQuestion::DeviceSize(device) => ("PlotDeviceCreate", AnswerForm::Size, json!([device])),
            HostQuestion::Locate(device) => ("Locator", AnswerForm::Place, json!([device])),
            HostQuestion::BeforePackages => ("BeforePackagesInstalled", AnswerForm::Done, json!([])),
            HostQuestion::AfterPackages => ("AfterPackagesInstalled", AnswerForm::Done, json!([])),
        };
        Ok(self.question(Asked { question, name, form }, arguments.to_string()))
    }

    fn evaluated(&mut self, id: u64, outcome: EvaluationEnd, payload: Bytes) -> Result<Message, Fault> {
        let requested = self.requests.remove(&id).ok_or(Fault::R("it ends an evaluation that nobody has asked for"))?;
        let ReplyForm::Evaluation(wanted) = requested.form else { return Err(Fault::R("it takes a blob for an evaluation")) };
        let mut blob = Bytes::new();
        let json = match outcome {
            EvaluationEnd::Value => match wanted {
                ValueWanted::Nothing => json!(["OK", null, null]).to_string(),
                ValueWanted::Bytes => {
                    blob = payload;
                    json!(["OK", null, null]).to_string()
                }
                ValueWanted::Json => {
                    let value = serde_json::from_slice::<&RawValue>(&payload).map_err(|_| Fault::R("a value is no JSON"))?;
                    format!("[\"OK\",null,{value}]")
                }
            },
            EvaluationEnd::Failed(error) => json!(["OK", error, null]).to_string(),
            EvaluationEnd::Cancelled => json!([null]).to_string(),
            EvaluationEnd::Incomplete => json!(["INCOMPLETE", null, null]).to_string(),
            EvaluationEnd::Syntax => json!(["ERROR", null, null]).to_string(),
        };
        Ok(self.reply(id, &requested.name, json, blob))
    }

    fn of_blob(&mut self, id: u64, reply: BlobReply, payload: Bytes) -> Result<Option<Message>, Fault> {
        let requested = self.requests.remove(&id).ok_or(Fault::R("it is about a blob that nobody has asked for"))?;
        let (arguments, blob) = match reply {
            BlobReply::Created(number) | BlobReply::Size(number) => (json!([number]), Bytes::new()),
            BlobReply::Read => (json!([]), payload),
            BlobReply::Refused(sentence) => return Err(Fault::Blob(sentence)),
        };
        match requested.form {
            ReplyForm::Blob => Ok(Some(self.reply(id, &requested.name, arguments.to_string(), blob))),
            ReplyForm::None => Ok(None),
            ReplyForm::Evaluation(_) => Err(Fault::R("it takes an evaluation for a blob")),
        }
    }

    fn notice(&mut self, notice: Notice) -> Option<Message> {
        let (name, arguments) = match notice {
            Notice::Message(text) => ("ShowMessage", json!([text])),
            Notice::Folder(path) => ("SetWD", json!([path])),
            Notice::Packages => ("Library", json!([])),
            Notice::PackagesRemoved => ("PackagesRemoved", json!([])),
            Notice::File { path, title, delete } => ("ShowFile", json!([path, title, delete])),
            Notice::View { expression, title } => ("View", json!([expression, title])),
            Notice::Page(url) => ("WebBrowser", json!([url])),
            Notice::Fetch { name, blob, target, silent } => ("FetchFile", json!([name, blob, target, silent])),
            Notice::DeviceClosed(device) => ("PlotDeviceDestroy", json!([device])),
            // For the server.
            Notice::WorkspaceLeft | Notice::WorkspaceTaken => return None,
        };
        Some(self.notify(name, &arguments))
    }

    fn plot(&mut self, plot: Plot, picture: Bytes) -> Message {
        let Plot { device, page, path, number, active, count } = plot;
        let page = if page.is_empty() { NO_PAGE.to_owned() } else { page };
        self.notification("Plot", json!([device, page, path, number, active, count]).to_string(), picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::rtvs::message::{NOTIFICATION, REQUEST};

    fn said(say: Say) -> Message {
        Conversation::default().tell(Said::Message(say, Bytes::new())).unwrap().unwrap()
    }

    fn evaluation(conversation: &mut Conversation, flags: &str) {
        let request = Message { id: 2, request: REQUEST, name: format!("?={flags}"), json: "[\"x\"]".to_owned(), blob: Bytes::new() };
        conversation.hear(&request.to_bytes()).unwrap();
    }

    #[test]
    fn what_r_says_is_told_by_the_names_and_kinds_of_the_protocol() {
        let device = || "d".to_owned();
        let line = |again| HostQuestion::Line { prompt: "> ".to_owned(), history: true, contexts: vec![4, 0], limit: 4096, again };
        let plot =
            |page: &str, active, count| Plot { device: device(), page: page.to_owned(), path: "p".to_owned(), number: 1, active, count };
        for (say, name, json) in [
            (Say::Started("4.2.2".to_owned()), "!Microsoft.R.Host", r#"[1,"4.2.2"]"#.to_owned()),
            (Say::Ask(9, line(false)), "?>", r#"[[4,0],4096,true,null,"> "]"#.to_owned()),
            (Say::Ask(9, line(true)), "?>", r#"[[4,0],4096,true,"BUFFER_OVERFLOW","> "]"#.to_owned()),
            (
                Say::Ask(9, HostQuestion::Confirm { text: "?".to_owned(), choices: Choices::YesNoCancel, contexts: vec![0] }),
                "?YesNoCancel",
                r#"[[0],"?"]"#.to_owned(),
            ),
            (Say::Ask(9, HostQuestion::Edit { text: false, file: Some("f".to_owned()) }), "?EditFile", r#"[null,"f"]"#.to_owned()),
            (Say::Ask(9, HostQuestion::DeviceSize(device())), "?PlotDeviceCreate", r#"["d"]"#.to_owned()),
            (Say::Ask(9, HostQuestion::Locate(device())), "?Locator", r#"["d"]"#.to_owned()),
            (Say::Ask(9, HostQuestion::BeforePackages), "?BeforePackagesInstalled", "[]".to_owned()),
            (Say::Ask(9, HostQuestion::AfterPackages), "?AfterPackagesInstalled", "[]".to_owned()),
            (Say::Busy, "!+", "[]".to_owned()),
            (Say::Idle, "!-", "[]".to_owned()),
            (Say::Cancelled, "!CanceledAll", "[]".to_owned()),
            (Say::Notice(Notice::Message("m".to_owned())), "!ShowMessage", r#"["m"]"#.to_owned()),
            (Say::Notice(Notice::Folder("/x".to_owned())), "!SetWD", r#"["/x"]"#.to_owned()),
            (Say::Notice(Notice::Packages), "!Library", "[]".to_owned()),
            (Say::Notice(Notice::PackagesRemoved), "!PackagesRemoved", "[]".to_owned()),
            (
                Say::Notice(Notice::File { path: "f".to_owned(), title: "t".to_owned(), delete: true }),
                "!ShowFile",
                r#"["f","t",true]"#.to_owned(),
            ),
            (Say::Notice(Notice::View { expression: "x".to_owned(), title: "t".to_owned() }), "!View", r#"["x","t"]"#.to_owned()),
            (Say::Notice(Notice::Page("http://x".to_owned())), "!WebBrowser", r#"["http://x"]"#.to_owned()),
            (
                Say::Notice(Notice::Fetch { name: "n".to_owned(), blob: 4, target: "t".to_owned(), silent: false }),
                "!FetchFile",
                r#"["n",4,"t",false]"#.to_owned(),
            ),
            (Say::Notice(Notice::DeviceClosed(device())), "!PlotDeviceDestroy", r#"["d"]"#.to_owned()),
            (Say::Plot(plot("a", 0, 1)), "!Plot", r#"["d","a","p",1,0,1]"#.to_owned()),
            (Say::Plot(plot("", -1, 0)), "!Plot", format!(r#"["d","{NO_PAGE}","p",1,-1,0]"#)),
        ] {
            let message = said(say);
            let request = if name.starts_with('?') { REQUEST } else { NOTIFICATION };
            assert_eq!((message.id, message.request, message.name.as_str(), message.json), (1, request, name, json));
        }
    }

    #[test]
    fn what_r_prints_is_a_message_and_ids_are_odd() {
        let mut conversation = Conversation::default();
        let mut told = |said| {
            let message = conversation.tell(said).unwrap().unwrap();
            (message.id, message.name, message.json)
        };
        assert_eq!(told(Said::Output("[1] \"é\"\n".to_owned())), (1, "!".to_owned(), r#"["[1] \"é\"\n"]"#.to_owned()));
        assert_eq!(told(Said::Errors("no".to_owned())), (3, "!!".to_owned(), r#"["no"]"#.to_owned()));
    }

    #[test]
    fn evaluations_end_with_their_own_name_and_three_values_or_one() {
        for (flags, outcome, payload, json, blob) in [
            ("@", EvaluationEnd::Value, "[1,2]", r#"["OK",null,[1,2]]"#, ""),
            ("0", EvaluationEnd::Value, "", r#"["OK",null,null]"#, ""),
            ("r", EvaluationEnd::Value, "bytes", r#"["OK",null,null]"#, "bytes"),
            ("", EvaluationEnd::Failed("Error: no\n".to_owned()), "", r#"["OK","Error: no\n",null]"#, ""),
            ("", EvaluationEnd::Cancelled, "", "[null]", ""),
            ("", EvaluationEnd::Incomplete, "", r#"["INCOMPLETE",null,null]"#, ""),
            ("", EvaluationEnd::Syntax, "", r#"["ERROR",null,null]"#, ""),
        ] {
            let mut conversation = Conversation::default();
            evaluation(&mut conversation, flags);
            let told = conversation.tell(Said::Message(Say::Evaluated(2, outcome.clone()), payload.into())).unwrap().unwrap();
            assert_eq!((told.request, told.name, told.json.as_str()), (2, format!(":={flags}"), json));
            assert_eq!(told.blob, blob);
            // It has ended, and cannot end again.
            assert!(conversation.tell(Said::Message(Say::Evaluated(2, outcome), payload.into())).is_err());
        }
    }

    #[test]
    fn what_r_makes_up_ends_the_conversation() {
        for payload in ["", "nan", "[1", "1 2", "\"\0\""] {
            let mut conversation = Conversation::default();
            evaluation(&mut conversation, "");
            assert!(conversation.tell(Said::Message(Say::Evaluated(2, EvaluationEnd::Value), payload.into())).is_err(), "{payload:?}");
        }
        let mut conversation = Conversation::default();
        evaluation(&mut conversation, "");
        assert!(conversation.tell(Said::Message(Say::Blob(2, BlobReply::Read), Bytes::new())).is_err());
        assert!(conversation.tell(Said::Message(Say::Blob(4, BlobReply::Read), Bytes::new())).is_err());
        assert!(conversation.tell(Said::Message(Say::Part, Bytes::new())).is_err());
    }

    #[test]
    fn the_end_is_told_to_those_who_wanted_the_workspace_saved() {
        assert_eq!(Conversation::default().tell(Said::Message(Say::Ended(false), Bytes::new())), Ok(None));
        let mut conversation = Conversation::default();
        let request = Message { id: 2, request: 0, name: "!Shutdown".to_owned(), json: "[true]".to_owned(), blob: Bytes::new() };
        conversation.hear(&request.to_bytes()).unwrap();
        let told = conversation.tell(Said::Message(Say::Ended(true), Bytes::new())).unwrap().unwrap();
        assert_eq!((told.name.as_str(), told.json.as_str()), ("!End", "[true]"));
    }

    #[test]
    fn blobs_are_answered_by_their_number_or_bytes() {
        for (name, json, reply, expected) in [
            ("?CreateBlob", "[]", BlobReply::Created(2), "[2]"),
            ("?GetBlobSize", "[2]", BlobReply::Size(8), "[8]"),
            ("?ReadBlob", "[2,0,-1]", BlobReply::Read, "[]"),
        ] {
            let mut conversation = Conversation::default();
            let request = Message { id: 2, request: REQUEST, name: name.to_owned(), json: json.to_owned(), blob: Bytes::new() };
            conversation.hear(&request.to_bytes()).unwrap();
            let told = conversation.tell(Said::Message(Say::Blob(2, reply), Bytes::from_static(b"b"))).unwrap().unwrap();
            assert_eq!((told.name, told.json.as_str(), told.request), (name.replace('?', ":"), expected, 2));
            assert_eq!(told.blob, if name == "?ReadBlob" { "b" } else { "" });
        }
        let mut conversation = Conversation::default();
        let request = Message { id: 2, request: 0, name: "!SetBlobSize".to_owned(), json: "[2,0]".to_owned(), blob: Bytes::new() };
        conversation.hear(&request.to_bytes()).unwrap();
        assert_eq!(conversation.tell(Said::Message(Say::Blob(2, BlobReply::Size(0)), Bytes::new())), Ok(None));
    }
}
