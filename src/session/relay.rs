//! The task of a session whose R is interactive: passes messages on, in both directions, and the console's text in its place among them.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    actor::{Actor, End},
    host::{Ends, Said, Terms},
};
use crate::link::{
    channel::Payload,
    command::{Reply, Request},
    host::{Say, Tell},
    marks::Mark,
    messages,
};

/// The time between interrupts that R has not heard.
const REPEAT: Duration = Duration::from_millis(50);
/// How much of what R says may wait for the client, in bytes, before no more is read.
const UNREAD: usize = 4 << 20;
/// How long a client may take to read what is left when R has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What R has said, in the order in which it is passed on.
#[derive(Default)]
struct Outbox {
    said: VecDeque<(Said, usize)>,
    size: usize,
    /// Text that was read behind marks of messages that have not come yet: `None` is a mark.
    ahead: VecDeque<Option<Said>>,
    /// The beginning of a character whose rest was not read yet, of either stream.
    unfinished: [Vec<u8>; 2],
}

impl Outbox {
    fn push(&mut self, said: Said) {
        let size = match &said {
            Said::Message(_, payload) => payload.len() + 64,
            Said::Output(text) | Said::Errors(text) => text.len(),
        };
        self.size += size;
        self.said.push_back((said, size));
    }

    fn pop(&mut self) -> Option<Said> {
        let (said, size) = self.said.pop_front()?;
        self.size -= size;
        Some(said)
    }

    fn has_room(&self) -> bool {
        self.size < UNREAD && self.said.len() < 1_000
    }

    /// Takes a piece of the console's stream.
    fn take(&mut self, mark: Mark, text: &[u8]) {
        if mark == Mark::Message {
            return self.ahead.push_back(None);
        }
        let text = whole(&mut self.unfinished[usize::from(mark == Mark::Error)], text);
        if text.is_empty() {
            return;
        }
        let said = if mark == Mark::Error { Said::Errors(text) } else { Said::Output(text) };
        if self.ahead.is_empty() { self.push(said) } else { self.ahead.push_back(Some(said)) }
    }

    /// Whether a message has been marked that has not come yet.
    fn awaits_message(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// A message has come. Its place is that of the first mark.
    fn message(&mut self, say: Say, payload: Bytes) {
        self.ahead.pop_front();
        self.push(Said::Message(say, payload));
        self.release();
    }

    /// Passes on what stands before the next mark.
    fn release(&mut self) {
        while let Some(Some(_)) = self.ahead.front() {
            if let Some(Some(said)) = self.ahead.pop_front() {
                self.push(said);
            }
        }
    }

    /// Passes all on, unless nobody listens any more.
    async fn empty_into(&mut self, said: &mpsc::Sender<Said>) {
        while let Some(words) = self.pop() {
            if said.send(words).await.is_err() {
                return;
            }
        }
    }

    /// Nothing more will come.
    fn finish(&mut self) {
        self.ahead.retain(Option::is_some);
        self.release();
    }
}

/// The text in `bytes`, behind what is left of the piece before; what is incomplete at its end is left for the next.
fn whole(left: &mut Vec<u8>, bytes: &[u8]) -> String {
    left.extend_from_slice(bytes);
    let end = match left.utf8_chunks().last() {
        Some(last) if !last.invalid().is_empty() && last.invalid().len() < 4 && left.ends_with(last.invalid()) => {
            let tail = last.invalid();
            // A byte that no character begins with is not the beginning of one.
            if matches!(tail[0], 0xC2..=0xF4) { left.len() - tail.len() } else { left.len() }
        }
        _ => left.len(),
    };
    let text = String::from_utf8_lossy(&left[..end]).into_owned();
    left.drain(..end);
    text
}

type Sending = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl Actor {
    /// Makes the worker's R interactive, and passes messages on until it ends or nobody wants it any more.
    pub(super) async fn relay(&mut self, ends: Ends) -> End {
        let Ends { terms: Terms { begin, largest }, mut tells, said } = ends;
        let session = Arc::clone(&self.session);
        let Ok(commands) = self.worker.frames.commands().map(Arc::new) else { return End::Closed };
        let send = |request: &Request, payload: Bytes| -> Sending {
            let (commands, header) = (Arc::clone(&commands), messages::encode(request));
            Box::pin(async move { commands.send(&header, &payload).await })
        };
        let mut sending = Some(send(&Request::Host(begin), Bytes::new()));
        let mut outbox = Outbox::default();
        let mut parts: Vec<u8> = Vec::new();
        let mut work = Work::default();
        let mut stopping: Option<Instant> = None;
        let ended = loop {
            let limit = self.limit.and_then(|seconds| work.since.map(|since| since + Duration::from_secs(seconds)));
            tokio::select! {
                biased;
                () = session.closing.cancelled() => {
                    work.end(&session);
                    return End::Closed;
                }
                permit = said.reserve(), if !outbox.said.is_empty() => match (permit, outbox.pop()) {
                    (Ok(permit), Some(said)) => permit.send(said),
                    _ => {
                        work.end(&session);
                        return End::Closed;
                    }
                },
                sent = async { sending.as_mut().expect("invariant: looked at before").await }, if sending.is_some() => {
                    sending = None;
                    if sent.is_err() {
                        break Ok(None);
                    }
                }
                () = session.interrupted.notified() => stopping = self.interrupt_r(),
                told = tells.recv(), if sending.is_none() => {
                    let Some((tell, payload)) = told else {
                        work.end(&session);
                        return End::Closed;
                    };
                    if matches!(tell, Tell::Evaluate(_)) {
                        work.evaluations += 1;
                        work.note(&session);
                    }
                    // The signal comes before the message, or it would stop what R does next.
                    if tell == Tell::CancelAll && session.interrupted.notified().now_or_never().is_some() {
                        stopping = self.interrupt_r();
                    }
                    session.touch();
                    sending = Some(send(&Request::Tell(tell), payload));
                }
                received = self.worker.frames.receive(), if outbox.has_room() => match received {
                    Ok(Some((Reply::Say(Say::Part), payload))) => {
                        if parts.len() + payload.as_ref().len() > largest {
                            break Err(io::ErrorKind::InvalidData.into());
                        }
                        parts.extend_from_slice(payload.as_ref());
                    }
                    Ok(Some((Reply::Say(say), payload))) => {
                        let payload = joined(&mut parts, payload);
                        if !outbox.awaits_message() {
                            self.worker.console.drain(|mark, text| outbox.take(mark, text));
                        }
                        if say == Say::Cancelled {
                            stopping = None;
                        }
                        if work.hear(&say) {
                            work.note(&session);
                        }
                        outbox.message(say, payload);
                    }
                    other => break other,
                },
                () = sleep_until(stopping.unwrap_or_else(Instant::now)), if stopping.is_some() => {
                    // Unless R has heard it, as it does not while it waits for a program.
                    stopping = if self.worker.ignores_interrupts() { self.interrupt_r() } else { None };
                }
                () = sleep_until(limit.unwrap_or_else(Instant::now)), if limit.is_some() => {
                    let seconds = self.limit.unwrap_or_default();
                    outbox.push(Said::Errors(format!("Stopped at the time limit of {seconds} s\n")));
                    work.since = None;
                    stopping = self.interrupt_r();
                }
                // Last, because there may always be more to read.
                () = self.worker.console.readable(), if outbox.has_room() && !outbox.awaits_message() => {
                    self.worker.console.drain(|mark, text| outbox.take(mark, text));
                }
            }
        };
        work.end(&session);
        let cause = self.cause(ended, None, |mark, text| outbox.take(mark, text)).await;
        outbox.finish();
        let _ = tokio::time::timeout(LAST_WORDS, outbox.empty_into(&said)).await;
        End::Died(cause)
    }

    /// Interrupts R. Returns when it is time to look whether R has heard it.
    fn interrupt_r(&self) -> Option<Instant> {
        self.worker.interrupt();
        Some(Instant::now() + REPEAT)
    }
}

/// A payload behind the parts of it that came before.
fn joined(parts: &mut Vec<u8>, payload: Payload) -> Bytes {
    match payload {
        Payload::Inline(bytes) if parts.is_empty() => bytes.into(),
        payload => {
            parts.extend_from_slice(payload.as_ref());
            std::mem::take(parts).into()
        }
    }
}

/// Whether R is at work.
#[derive(Default)]
struct Work {
    busy: bool,
    /// Evaluations that were sent and have not ended.
    evaluations: usize,
    /// Since when, if it is.
    since: Option<Instant>,
    /// Whether the session counts as busy for it.
    counted: bool,
}

impl Work {
    /// Hears what R says; true if that may have changed something.
    fn hear(&mut self, say: &Say) -> bool {
        match say {
            Say::Busy => self.busy = true,
            Say::Idle => self.busy = false,
            Say::Evaluated(..) => self.evaluations = self.evaluations.saturating_sub(1),
            _ => return false,
        }
        true
    }

    fn note(&mut self, session: &super::Session) {
        let works = self.busy || self.evaluations > 0;
        if works == self.counted {
            return;
        }
        self.counted = works;
        self.since = works.then(Instant::now);
        if works {
            session.pending.fetch_add(1, Ordering::AcqRel);
        } else {
            session.pending.fetch_sub(1, Ordering::AcqRel);
        }
        session.touch();
    }

    fn end(&mut self, session: &super::Session) {
        (self.busy, self.evaluations) = (false, 0);
        self.note(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_come_in_pieces_are_put_together() {
        let mut left = Vec::new();
        let text = "a日本".as_bytes();
        assert_eq!(whole(&mut left, &text[..3]), "a");
        assert_eq!(whole(&mut left, &text[3..5]), "日");
        assert_eq!(whole(&mut left, &text[5..]), "本");
        assert_eq!(whole(&mut left, b"\xffx"), "\u{fffd}x");
        assert_eq!(whole(&mut left, b"x\xff"), "x\u{fffd}");
        assert!(left.is_empty());
    }

    #[test]
    fn text_keeps_its_place_among_messages() {
        let mut outbox = Outbox::default();
        outbox.take(Mark::Output, b"before");
        outbox.take(Mark::Message, b"");
        outbox.take(Mark::Error, b"after");
        assert!(outbox.awaits_message());
        outbox.message(Say::Idle, Bytes::new());
        let said: Vec<String> = std::iter::from_fn(|| outbox.pop()).map(|said| format!("{said:?}")).collect();
        assert_eq!(said, ["Output(\"before\")", "Message(Idle, b\"\")", "Errors(\"after\")"]);
    }
}
