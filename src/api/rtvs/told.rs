//! What the client says, in the terms of R (contract b.4).

use bytes::Bytes;
use serde_json::Value;

use super::{
    conversation::{AnswerForm, Asked, Conversation, Fault, ReplyForm, Requested},
    message::{Message, NOTIFICATION, REQUEST},
};
use crate::app::prompt::{BlobRequest, HostAnswer, HostEvaluation, Scope, Tell, ValueWanted};

/// The beginning of the name of an evaluation, before its flags.
const EVALUATION: &str = "=";

/// What is wrong with a message.
type Wrong = String;

impl Conversation {
    /// Reads a message of the client's; `None` if there is nothing to be told to R.
    ///
    /// # Errors
    /// [`Fault`]: the conversation cannot go on.
    pub fn hear(&mut self, bytes: &Bytes) -> Result<Option<(Tell, Bytes)>, Fault> {
        let message = Message::parse(bytes)?;
        let name = message.name.clone();
        self.take(message).map_err(|what| Fault::Client { name, what })
    }

    fn take(&mut self, message: Message) -> Result<Option<(Tell, Bytes)>, Wrong> {
        let Message { id, request, name, json, blob } = message;
        let arguments: Vec<Value> = serde_json::from_str(&json).map_err(|error| format!("its arguments are no array in JSON: {error}"))?;
        let bare = &name[1..];
        match request {
            NOTIFICATION => self.notified(id, bare, &arguments),
            REQUEST => self.requested(id, bare, &arguments, blob).map(Some),
            answered => self.answered(answered, bare, &arguments),
        }
    }

    fn notified(&mut self, id: u64, name: &str, arguments: &[Value]) -> Result<Option<(Tell, Bytes)>, Wrong> {
        let told = match (name, arguments) {
            ("/", [evaluation]) => Tell::Cancel(number(evaluation)?),
            ("//", []) => Tell::CancelAll,
            ("DestroyBlob", ids) => Tell::Blob(id, BlobRequest::Destroy(ids.iter().map(number).collect::<Result<_, _>>()?)),
            ("SetBlobSize", [blob, size]) => {
                let told = Tell::Blob(id, BlobRequest::Resize(number(blob)?, number(size)?));
                self.expect(id, name, ReplyForm::None)?;
                told
            }
            ("Shutdown", [Value::Bool(save)]) => {
                self.saves = *save;
                Tell::End { save: *save }
            }
            _ => return Err(unknown()),
        };
        Ok(Some((told, Bytes::new())))
    }

    fn requested(&mut self, id: u64, name: &str, arguments: &[Value], blob: Bytes) -> Result<(Tell, Bytes), Wrong> {
        if let Some(flags) = name.strip_prefix(EVALUATION) {
            let [Value::String(code)] = arguments else { return Err("its argument is not one text".to_owned()) };
            let evaluate = evaluate(id, flags)?;
            let code = text(code)?.to_owned();
            self.expect(id, name, ReplyForm::Evaluation(evaluate.wanted))?;
            return Ok((Tell::Evaluate(evaluate), code.into()));
        }
        let request = match (name, arguments) {
            ("CreateBlob", []) => BlobRequest::Create,
            ("WriteBlob", [id, at]) => BlobRequest::Write(number(id)?, number_or_end(at)?),
            ("ReadBlob", [id, at, count]) => BlobRequest::Read(number(id)?, number(at)?, number_or_end(count)?),
            ("GetBlobSize", [id]) => BlobRequest::Size(number(id)?),
            ("SetBlobSize", [id, size]) => BlobRequest::Resize(number(id)?, number(size)?),
            _ => return Err(unknown()),
        };
        let payload = if matches!(request, BlobRequest::Write(..)) { blob } else { Bytes::new() };
        self.expect(id, name, ReplyForm::Blob)?;
        Ok((Tell::Blob(id, request), payload))
    }

    /// Notes that a request waits for R.
    fn expect(&mut self, id: u64, name: &str, form: ReplyForm) -> Result<(), Wrong> {
        if self.requests.contains_key(&id) {
            return Err(format!("another request with its id, {id}, is not answered yet"));
        }
        self.requests.insert(id, Requested { name: name.to_owned(), form });
        Ok(())
    }

    fn answered(&mut self, id: u64, name: &str, arguments: &[Value]) -> Result<Option<(Tell, Bytes)>, Wrong> {
        let Some(&Asked { question, name: asked, form }) = self.asked.get(&id) else {
            return if self.dropped.remove(&id) { Ok(None) } else { Err(format!("there is no question {id} that it could answer")) };
        };
        if name != asked {
            return Err(format!("it answers a question that is called {asked:?}"));
        }
        let (answer, text) = answer(form, arguments)?;
        self.asked.remove(&id);
        Ok(Some((Tell::Answer(question, answer), text)))
    }
}

fn unknown() -> Wrong {
    "there is no such message with these arguments".to_owned()
}

/// The evaluation with this id and these flags.
fn evaluate(id: u64, flags: &str) -> Result<HostEvaluation, Wrong> {
    let mut evaluate = HostEvaluation { id, place: Scope::Global, reentrant: false, cancelable: false, wanted: ValueWanted::Json };
    let mut places = 0;
    for flag in flags.chars() {
        match flag {
            '@' => evaluate.reentrant = true,
            '/' => evaluate.cancelable = true,
            '0' => evaluate.wanted = ValueWanted::Nothing,
            'r' if evaluate.wanted == ValueWanted::Json => evaluate.wanted = ValueWanted::Bytes,
            'r' => {}
            'B' | 'E' | 'N' => {
                places += 1;
                evaluate.place = match flag {
                    'B' => Scope::Base,
                    'E' => Scope::Empty,
                    _ => Scope::New,
                };
            }
            _ => return Err(format!("there is no flag {flag:?}")),
        }
    }
    if places > 1 { Err("it names more than one environment".to_owned()) } else { Ok(evaluate) }
}

/// An answer, with its text.
fn answer(form: AnswerForm, arguments: &[Value]) -> Result<(HostAnswer, Bytes), Wrong> {
    let no_answer = || "that is no answer to the question".to_owned();
    let answer = match (form, arguments) {
        (AnswerForm::Text, [Value::Null]) => HostAnswer::Nothing,
        (AnswerForm::Text, [Value::String(said)]) => return Ok((HostAnswer::Text, text(said)?.to_owned().into())),
        (AnswerForm::Letter, [Value::String(letter)]) => match letter.as_str() {
            "Y" | "O" => HostAnswer::Yes,
            "N" => HostAnswer::No,
            "C" => HostAnswer::Cancel,
            _ => return Err(no_answer()),
        },
        (AnswerForm::Size, [width, height, resolution]) => HostAnswer::Size(pixels(width)?, pixels(height)?, pixels(resolution)?),
        (AnswerForm::Place, [Value::Bool(true), x, y]) => HostAnswer::Point(thousandths(x)?, thousandths(y)?),
        (AnswerForm::Place, [Value::Bool(false), ..]) => HostAnswer::Cancel,
        (AnswerForm::Done, [Value::Bool(true)]) => HostAnswer::Yes,
        (AnswerForm::Done, [Value::Bool(false)]) => HostAnswer::No,
        _ => return Err(no_answer()),
    };
    Ok((answer, Bytes::new()))
}

fn number(value: &Value) -> Result<u64, Wrong> {
    value.as_u64().ok_or_else(|| format!("{value} is not a whole number"))
}

/// A number, or -1 for the end.
fn number_or_end(value: &Value) -> Result<Option<u64>, Wrong> {
    if value.as_i64() == Some(-1) { Ok(None) } else { number(value).map(Some) }
}

/// A size in pixels. Clients that compute it may send a fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between these numbers")]
fn pixels(value: &Value) -> Result<u32, Wrong> {
    let size = value.as_f64().map(f64::round).filter(|size| (1.0..=65535.0).contains(size));
    size.map(|size| size as u32).ok_or_else(|| format!("{value} is not a size in pixels"))
}

/// A place in thousandths of a pixel.
#[expect(clippy::cast_possible_truncation, reason = "it is between these numbers")]
fn thousandths(value: &Value) -> Result<i64, Wrong> {
    let place = value.as_f64().map(|place| (place * 1000.0).round()).filter(|place| place.abs() < 1e9);
    place.map(|place| place as i64).ok_or_else(|| format!("{value} is not a place on a device"))
}

/// A text, which R would end at a zero.
fn text(text: &str) -> Result<&str, Wrong> {
    if text.contains('\0') { Err("its text has a zero character".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a message.
    fn bytes(id: u64, request: u64, name: &str, json: &str, blob: &'static [u8]) -> Bytes {
        Message { id, request, name: name.to_owned(), json: json.to_owned(), blob: Bytes::from_static(blob) }.to_bytes()
    }

    fn heard(name: &str, json: &str) -> Result<Option<(Tell, Bytes)>, Fault> {
        let request = if name.starts_with('?') { REQUEST } else { NOTIFICATION };
        Conversation::default().hear(&bytes(2, request, name, json, b"blob"))
    }

    fn told(name: &str, json: &str) -> Tell {
        heard(name, json).unwrap().unwrap().0
    }

    #[test]
    fn evaluations_have_flags_in_any_order() {
        let evaluation =
            |place, reentrant, cancelable, wanted| Tell::Evaluate(HostEvaluation { id: 2, place, reentrant, cancelable, wanted });
        for (name, expected) in [
            ("?=", evaluation(Scope::Global, false, false, ValueWanted::Json)),
            ("?=@/", evaluation(Scope::Global, true, true, ValueWanted::Json)),
            ("?=/@B", evaluation(Scope::Base, true, true, ValueWanted::Json)),
            ("?=E0", evaluation(Scope::Empty, false, false, ValueWanted::Nothing)),
            ("?=rN", evaluation(Scope::New, false, false, ValueWanted::Bytes)),
            ("?=r0", evaluation(Scope::Global, false, false, ValueWanted::Nothing)),
        ] {
            // Clients write JSON over several lines.
            assert_eq!(heard(name, "[\n  \"1 +\\n1\"\n]"), Ok(Some((expected, Bytes::from_static(b"1 +\n1")))), "{name}");
        }
    }

    #[test]
    fn requests_for_blobs_and_notifications_are_read() {
        for (name, json, expected) in [
            ("?CreateBlob", "[]", Tell::Blob(2, BlobRequest::Create)),
            ("?WriteBlob", "[4, -1]", Tell::Blob(2, BlobRequest::Write(4, None))),
            ("?WriteBlob", "[4, 81920]", Tell::Blob(2, BlobRequest::Write(4, Some(81920)))),
            ("?ReadBlob", "[4, 0, -1]", Tell::Blob(2, BlobRequest::Read(4, 0, None))),
            ("?ReadBlob", "[4, 8, 16]", Tell::Blob(2, BlobRequest::Read(4, 8, Some(16)))),
            ("?GetBlobSize", "[4]", Tell::Blob(2, BlobRequest::Size(4))),
            ("?SetBlobSize", "[4, 0]", Tell::Blob(2, BlobRequest::Resize(4, 0))),
            ("!SetBlobSize", "[4, 0]", Tell::Blob(2, BlobRequest::Resize(4, 0))),
            ("!DestroyBlob", "[4, 6]", Tell::Blob(2, BlobRequest::Destroy(vec![4, 6]))),
            ("!DestroyBlob", "[]", Tell::Blob(2, BlobRequest::Destroy(vec![]))),
            ("!/", "[8]", Tell::Cancel(8)),
            ("!//", "[]", Tell::CancelAll),
            ("!Shutdown", "[true]", Tell::End { save: true }),
        ] {
            assert_eq!(told(name, json), expected, "{name}");
        }
        // Only what is to be written takes bytes.
        assert_eq!(heard("?WriteBlob", "[4, -1]").unwrap().unwrap().1, "blob");
        assert_eq!(heard("?CreateBlob", "[]").unwrap().unwrap().1, "");
    }

    #[test]
    fn wrong_messages_end_the_conversation_and_say_why() {
        for (name, json, why) in [
            ("?Nothing", "[]", "no such message"),
            ("!", "[\"text\"]", "no such message"),
            ("?CreateBlob", "[1]", "no such message"),
            ("?=", "[]", "not one text"),
            ("?=", "[null]", "not one text"),
            ("?=", "[\"\\u0000\"]", "zero character"),
            ("?=x", "[\"1\"]", "no flag 'x'"),
            ("?=BE", "[\"1\"]", "more than one environment"),
            ("?=", "{}", "no array"),
            ("?=", "[", "no array"),
            ("?=", "", "no array"),
            ("?ReadBlob", "[1, -1, 1]", "-1 is not a whole number"),
            ("?ReadBlob", "[1.5, 0, 1]", "1.5 is not a whole number"),
            ("?WriteBlob", "[1, -2]", "-2 is not a whole number"),
            ("!DestroyBlob", "[[1]]", "not a whole number"),
            ("!Shutdown", "[1]", "no such message"),
        ] {
            let fault = heard(name, json).unwrap_err().to_string();
            assert!(fault.contains(why), "{name} {json}: {fault}");
        }
        let deep = "[".repeat(100_000);
        assert!(heard("?=", &deep).is_err());
        assert!(matches!(Conversation::default().hear(&Bytes::from_static(b"x")), Err(Fault::Malformed(_))));
    }

    #[test]
    fn an_id_is_used_once_at_a_time() {
        let mut conversation = Conversation::default();
        let message = bytes(2, REQUEST, "?CreateBlob", "[]", b"");
        assert!(conversation.hear(&message).is_ok());
        assert!(conversation.hear(&message).unwrap_err().to_string().contains("another request with its id, 2"));
        assert_eq!(conversation.give_up(2).unwrap().json, "[null]");
        assert_eq!(conversation.give_up(2), None);
        assert!(conversation.hear(&message).is_ok());
    }

    #[test]
    fn answers_are_for_questions_that_were_asked() {
        let mut conversation = Conversation::default();
        let mut ask = |name, form| conversation.question(Asked { question: 70, name, form }, "[]".to_owned()).id;
        let ids = [
            ask(">", AnswerForm::Text),
            ask("YesNo", AnswerForm::Letter),
            ask("PlotDeviceCreate", AnswerForm::Size),
            ask("Locator", AnswerForm::Place),
            ask("AfterPackagesInstalled", AnswerForm::Done),
        ];
        assert_eq!(ids, [1, 3, 5, 7, 9]);
        let mut answer = |id, name: &str, json: &str| conversation.hear(&bytes(2, id, name, json, b""));
        for (id, name, json) in [
            (11, ":>", "[null]"),
            (1, ":=", "[null]"),
            (1, ":>", "[]"),
            (1, ":>", "[1]"),
            (3, ":YesNo", "[\"X\"]"),
            (5, ":PlotDeviceCreate", "[0, 1, 1]"),
            (5, ":PlotDeviceCreate", "[1, 1e9, 1]"),
            (7, ":Locator", "[true, null, 1]"),
        ] {
            assert!(answer(id, name, json).is_err(), "{name} {json}");
        }
        for (id, name, json, expected, text) in [
            (1, ":>", "[\"1+1\\n\"]", HostAnswer::Text, "1+1\n"),
            (3, ":YesNo", "[\"N\"]", HostAnswer::No, ""),
            (5, ":PlotDeviceCreate", "[360, 360.0, 96]", HostAnswer::Size(360, 360, 96), ""),
            (7, ":Locator", "[true, 1.5, 2]", HostAnswer::Point(1500, 2000), ""),
            (9, ":AfterPackagesInstalled", "[true]", HostAnswer::Yes, ""),
        ] {
            assert_eq!(answer(id, name, json), Ok(Some((Tell::Answer(70, expected), text.into()))));
            // The second time it answers nothing.
            assert!(answer(id, name, json).is_err());
        }
    }

    #[test]
    fn answers_that_come_too_late_are_ignored() {
        let mut conversation = Conversation::default();
        let id = conversation.question(Asked { question: 1, name: ">", form: AnswerForm::Text }, "[]".to_owned()).id;
        conversation.drop_questions();
        let late = bytes(2, id, ":>", "[\"x\"]", b"");
        assert_eq!(conversation.hear(&late), Ok(None));
        assert!(conversation.hear(&late).is_err());
    }
}
