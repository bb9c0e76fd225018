//! A worker's other life: R's own prompt, whose user is at the other end of the link.
//!
//! R waits in [`Host::ask`] for the answer to its question. Meanwhile it evaluates what it is sent, on top of what waits; while it computes,
//! it looks for that every few milliseconds. What is evaluated may ask as well, so that questions and evaluations form a stack. To stop
//! everything, each evaluation is left in turn, from the top, until R is at its own prompt.

use std::{
    cell::RefCell,
    collections::VecDeque,
    os::fd::AsFd,
    rc::Rc,
    time::{Duration, Instant},
};

use super::{blobs::Blobs, fork, limits::Processor, session::NOTHING, signals};
use crate::{
    link::{
        channel::{Link, Payload, TryReceived},
        command::{Reply, Request},
        frame::INLINE,
        host::{Begin, DEEPEST, EvaluationEnd, HostAnswer, HostEvaluation, HostQuestion, Say, Scope, Tell, ValueWanted},
        messages,
    },
    r::{
        self, events,
        repl::{self, Client, Prompt, Typed},
    },
    wire::Written,
};

/// The most bytes of messages that wait for R. A sender who does not wait for replies has to wait then.
const QUEUED: usize = 16 << 20;
/// How long an evaluation may take before others are evaluated in its midst, if it lets them.
const SHORT: Duration = Duration::from_millis(20);
/// How long R may go on after an interrupt, before the next.
const INSISTENCE: Duration = Duration::from_secs(1);
/// How long R waits at its prompt for the word that it was to stop, after it was interrupted.
const WORD: Duration = Duration::from_millis(50);

/// The worker's end of an interactive R.
pub(super) struct Host {
    link: Rc<Link>,
    processor: Processor,
    cpu_seconds: Option<u64>,
    state: RefCell<State>,
    pub(super) blobs: RefCell<Blobs>,
}

#[derive(Default)]
struct State {
    /// Messages that wait for their turn.
    queue: VecDeque<(Tell, Payload)>,
    /// Their size, in bytes.
    queued: usize,
    /// Evaluations, the innermost last.
    running: Vec<HostEvaluation>,
    /// When the innermost has begun.
    begun: Option<Instant>,
    /// The last question's id.
    asked: u64,
    /// Questions without an answer, the innermost last.
    open: Vec<u64>,
    /// Answers to questions that are not the innermost.
    answers: Vec<(u64, HostAnswer, Payload)>,
    /// Where R is to get to, if what runs is to be left.
    stop: Option<Stop>,
    /// When R is interrupted for that (again).
    insist: Option<Instant>,
    /// Whether R was said to be busy.
    busy: bool,
    /// Whether interrupts are held back, as R waits for an answer.
    held: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Back to R's own prompt.
    All,
    /// Until so many evaluations are left.
    Until(usize),
}

impl Host {
    /// Makes the worker's R interactive.
    pub(super) fn begin(link: Rc<Link>, processor: Processor, cpu_seconds: Option<u64>, begin: &Begin) -> Rc<Self> {
        let host = Rc::new(Self { link, processor, cpu_seconds, state: RefCell::default(), blobs: RefCell::new(Blobs::new(begin.blobs)) });
        events::watch(host.link.as_fd());
        host.say(&Say::Started(r::init::version()), &[]);
        host
    }

    /// Sends a message. The process ends if there is nobody any more.
    pub(super) fn say(&self, say: &Say, payload: &[u8]) {
        // R's child processes are nobody's to talk with.
        if !fork::is_worker() {
            return;
        }
        r::console::mark_message();
        let mut rest = payload;
        while rest.len() > INLINE {
            let (part, others) = rest.split_at(INLINE);
            self.send(&Say::Part, part);
            rest = others;
        }
        self.send(say, rest);
    }

    fn send(&self, say: &Say, payload: &[u8]) {
        let sent = self.link.send(&messages::encode(&Reply::Say(say.clone())), Written::Bytes(payload.to_vec()));
        if sent.is_err() {
            fork::end_session(0);
        }
    }

    /// Reads the messages that are there.
    fn read(&self) {
        while self.state.borrow().queued < QUEUED {
            let frame = match self.link.try_receive() {
                Ok(TryReceived::Frame(frame)) => frame,
                Ok(TryReceived::Nothing) => return,
                Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => continue,
                Ok(TryReceived::End) | Err(_) => fork::end_session(0),
            };
            match messages::decode::<Request>(&frame.header) {
                Some(Request::Tell(tell)) => self.take(tell, frame.payload),
                Some(Request::End) => r::console::end_session(),
                _ => self.link.send(&messages::encode(&Reply::Refused("R is interactive".to_owned())), NOTHING).unwrap_or_default(),
            }
        }
    }

    /// Takes a message that has come. What concerns what runs is done at once.
    fn take(&self, tell: Tell, payload: Payload) {
        let mut state = self.state.borrow_mut();
        match tell {
            Tell::CancelAll => {
                state.stop = Some(Stop::All);
                // R was interrupted by a signal already, and may have to tidy up.
                state.insist = Some(Instant::now() + INSISTENCE);
                events::hurry(true);
                let dropped: Vec<_> = state.queue.drain(..).collect();
                state.queued = 0;
                drop(state);
                for (tell, _) in dropped {
                    self.give_up(&tell);
                }
            }
            Tell::Cancel(id) => {
                if let Some(at) = state.running.iter().position(|running| running.id == id) {
                    if state.stop != Some(Stop::All) {
                        state.stop = Some(Stop::Until(at));
                        state.insist = Some(Instant::now());
                        events::hurry(true);
                    }
                } else if let Some(at) = state.queue.iter().position(|(tell, _)| matches!(tell, Tell::Evaluate(wanted) if wanted.id == id))
                {
                    let gone = state.queue.remove(at);
                    state.queued -= gone.as_ref().map_or(0, |(_, payload)| size(payload));
                    drop(state);
                    self.say(&Say::Evaluated(id, EvaluationEnd::Cancelled), &[]);
                }
            }
            Tell::Answer(id, answer) => {
                if state.open.contains(&id) && state.answers.iter().all(|(answered, ..)| *answered != id) {
                    state.answers.push((id, answer, payload));
                }
            }
            tell => {
                state.queued += size(&payload);
                state.queue.push_back((tell, payload));
                events::hurry(true);
            }
        }
    }

    /// A message will not be carried out, as everything was stopped.
    fn give_up(&self, tell: &Tell) {
        if let Tell::Evaluate(evaluate) = tell {
            self.say(&Say::Evaluated(evaluate.id, EvaluationEnd::Cancelled), &[]);
        }
    }

    fn hold_interrupts(&self) {
        self.state.borrow_mut().held = true;
        signals::hold_interrupts();
    }

    /// Lets interrupts come again, if they were held back. One that has come while R runs is not forgotten.
    fn release_interrupts(&self) {
        if std::mem::take(&mut self.state.borrow_mut().held) {
            signals::release_interrupts();
        }
    }

    /// Whether what runs is to be left now. Evaluations that cannot be stopped are waited for.
    fn must_stop(&self) -> bool {
        let state = self.state.borrow();
        match state.stop {
            None => false,
            Some(Stop::All) => state.running.iter().all(|running| running.cancelable),
            Some(Stop::Until(left)) => state.running.get(left..).is_some_and(|above| above.iter().all(|running| running.cancelable)),
        }
    }

    /// Whether R is to be interrupted now for what is to be left.
    fn insists(&self) -> bool {
        if !self.must_stop() {
            return false;
        }
        let now = Instant::now();
        let mut state = self.state.borrow_mut();
        let is_due = state.insist.is_none_or(|due| due <= now);
        if is_due {
            state.insist = Some(now + INSISTENCE);
        }
        is_due
    }

    /// Carries out one message that waits, if it may be now; false if there is none.
    fn carry_out_next(&self) -> bool {
        let next = {
            let mut state = self.state.borrow_mut();
            let may_evaluate = state.running.last().is_none_or(|running| running.reentrant) && state.running.len() < DEEPEST;
            // The first that may be now: blobs always may.
            let at = state.queue.iter().position(|(tell, _)| may_evaluate || !matches!(tell, Tell::Evaluate(_) | Tell::End { .. }));
            let next = at.and_then(|at| state.queue.remove(at));
            state.queued -= next.as_ref().map_or(0, |(_, payload)| size(payload));
            next
        };
        let Some((tell, payload)) = next else { return false };
        events::hurry(!self.state.borrow().queue.is_empty());
        match tell {
            Tell::Evaluate(evaluate) => self.evaluate(evaluate, payload.as_ref()),
            Tell::Blob(id, request) => {
                let reply = self.blobs.borrow_mut().carry_out(request, payload.as_ref());
                if let Some((reply, bytes)) = reply {
                    self.say(&Say::Blob(id, reply), &bytes);
                }
            }
            Tell::End { save } => {
                let saved = save && r::console::save_workspace().is_ok();
                self.say(&Say::Ended(saved), &[]);
                r::console::end_session();
            }
            Tell::Answer(..) | Tell::Cancel(_) | Tell::CancelAll => {}
        }
        true
    }

    fn evaluate(&self, evaluate: HostEvaluation, code: &[u8]) {
        let (id, place, wanted, cancelable) = (evaluate.id, evaluate.place, evaluate.wanted, evaluate.cancelable);
        {
            let mut state = self.state.borrow_mut();
            state.running.push(evaluate);
            state.begun = Some(Instant::now());
        }
        self.release_interrupts();
        self.processor.allow(self.cpu_seconds);
        let place = match place {
            Scope::Global => repl::Where::Global,
            Scope::Base => repl::Where::Base,
            Scope::Empty => repl::Where::Empty,
            Scope::New => repl::Where::New,
        };
        let code = String::from_utf8_lossy(code);
        let evaluated = repl::on_top(cancelable, || repl::evaluate(&code, place));
        fork::end_if_child();
        // What was drawn is shown before the reply, but not in the midst of a command.
        if !self.state.borrow().busy {
            let _ = r::scripts::call(c"host_before_prompt");
        }
        let (outcome, payload) = {
            let mut state = self.state.borrow_mut();
            state.running.pop();
            if state.stop.is_some_and(|stop| matches!(stop, Stop::Until(left) if state.running.len() <= left)) {
                state.stop = None;
                (EvaluationEnd::Cancelled, Vec::new())
            } else if state.stop.is_some() && cancelable {
                (EvaluationEnd::Cancelled, Vec::new())
            } else {
                drop(state);
                outcome(evaluated, wanted)
            }
        };
        self.say(&Say::Evaluated(id, outcome), &payload);
    }

    /// Puts a question, and waits for the answer; `None` if what asks is to be left.
    pub(super) fn ask(&self, question: HostQuestion, payload: &[u8]) -> Option<(HostAnswer, Payload)> {
        if !fork::is_worker() {
            return Some((HostAnswer::Nothing, Payload::Inline(Vec::new())));
        }
        let id = {
            let mut state = self.state.borrow_mut();
            state.asked += 1;
            let id = state.asked;
            state.open.push(id);
            id
        };
        self.say(&Say::Ask(id, question), payload);
        self.hold_interrupts();
        let answer = self.wait(id);
        let mut state = self.state.borrow_mut();
        // What was asked on top of this was left together with what had asked.
        if let Some(at) = state.open.iter().position(|open| *open == id) {
            state.open.truncate(at);
        }
        let State { open, answers, .. } = &mut *state;
        answers.retain(|(answered, ..)| open.contains(answered));
        events::hurry(!state.queue.is_empty());
        drop(state);
        self.release_interrupts();
        answer
    }

    fn wait(&self, id: u64) -> Option<(HostAnswer, Payload)> {
        loop {
            self.read();
            if self.must_stop() {
                return None;
            }
            {
                let mut state = self.state.borrow_mut();
                if let Some(at) = state.answers.iter().position(|(answered, ..)| *answered == id) {
                    let (_, answer, payload) = state.answers.swap_remove(at);
                    return Some((answer, payload));
                }
            }
            if self.carry_out_next() {
                self.hold_interrupts();
                continue;
            }
            events::wait(self.link.as_fd(), None);
        }
    }

    /// Whether what runs on top is a command at R's prompt, or an evaluation that takes long. Others end soon, and then comes the next.
    fn has_run(&self) -> bool {
        let state = self.state.borrow();
        state.running.is_empty() || state.begun.is_none_or(|begun| begun.elapsed() >= SHORT)
    }

    /// Whether a question may be put: what runs on top allows it.
    pub(super) fn may_ask(&self) -> bool {
        let state = self.state.borrow();
        state.running.last().is_none_or(|running| running.reentrant) && state.open.len() < DEEPEST
    }

    /// R is at its own prompt, and nothing runs. If it came there because it was to stop, says so.
    fn arrive(&self) {
        if r::interrupt::cpu_limit_reached() {
            r::console::report_error("stopped at the limit on processor time");
            r::interrupt::clear();
        }
        if r::interrupt::take_heard() {
            // The word comes after the signal.
            let begun = Instant::now();
            while self.state.borrow().stop.is_none() && begun.elapsed() < WORD {
                events::wait(self.link.as_fd(), Some(WORD));
                self.read();
            }
        }
        if self.state.borrow_mut().stop.take().is_some() {
            self.say(&Say::Cancelled, &[]);
        }
    }
}

/// What becomes of the value of an evaluation.
fn outcome(evaluated: repl::Evaluated, wanted: ValueWanted) -> (EvaluationEnd, Vec<u8>) {
    let value = match evaluated {
        repl::Evaluated::Value(value) => value,
        repl::Evaluated::Failed(text) => return (EvaluationEnd::Failed(text), Vec::new()),
        repl::Evaluated::Left => return (EvaluationEnd::Cancelled, Vec::new()),
        repl::Evaluated::Incomplete => return (EvaluationEnd::Incomplete, Vec::new()),
        repl::Evaluated::Wrong => return (EvaluationEnd::Syntax, Vec::new()),
    };
    let payload = match wanted {
        ValueWanted::Nothing => Ok(Vec::new()),
        ValueWanted::Json => r::terse::json(&value).map_err(|error| error.to_string()),
        ValueWanted::Bytes => r::repl::bytes(&value).ok_or_else(|| "the value is no raw vector".to_owned()),
    };
    match payload {
        Ok(payload) => (EvaluationEnd::Value, payload),
        Err(message) => (EvaluationEnd::Failed(format!("Error: {message}\n")), Vec::new()),
    }
}

fn size(payload: &Payload) -> usize {
    // What a message takes beside its payload.
    const BESIDE: usize = 256;
    payload.as_ref().len() + BESIDE
}

impl Client for Host {
    fn line(&self, prompt: Prompt) -> Typed {
        if !fork::is_worker() {
            return Typed::End;
        }
        self.idle();
        if !self.may_ask() {
            // A browser that nobody can be asked for goes on.
            return if prompt.contexts.iter().any(|flags| flags & repl::BROWSER != 0) {
                Typed::Text("c".to_owned())
            } else {
                Typed::Refused
            };
        }
        let _ = r::scripts::call(c"host_before_prompt");
        let Prompt { text, history, contexts, limit, is_top, again } = prompt;
        let is_top = is_top && self.state.borrow().running.is_empty();
        loop {
            if is_top {
                self.arrive();
            } else if self.must_stop() {
                return Typed::Stopped;
            }
            let question = HostQuestion::Line {
                prompt: short(&text),
                history,
                contexts: contexts.clone(),
                limit: u32::try_from(limit).unwrap_or(u32::MAX),
                again,
            };
            match self.ask(question, &[]) {
                Some((HostAnswer::Text, text)) => {
                    self.processor.allow(self.cpu_seconds);
                    return Typed::Text(String::from_utf8_lossy(text.as_ref()).into_owned());
                }
                Some(_) => return Typed::End,
                None if is_top => {}
                None => return Typed::Stopped,
            }
        }
    }

    fn busy(&self, busy: bool) {
        // R is idle when it asks for a line: it says so for each line of several.
        if busy && !std::mem::replace(&mut self.state.borrow_mut().busy, true) {
            self.say(&Say::Busy, &[]);
        }
    }

    fn message(&self, text: &str) {
        self.say(&Say::Notice(crate::link::host::Notice::Message(short(text))), &[]);
    }

    fn look(&self) -> bool {
        if !fork::is_worker() {
            return false;
        }
        self.read();
        while !self.must_stop() && self.has_run() && self.carry_out_next() {
            self.read();
        }
        if !self.must_stop() && self.state.borrow().running.is_empty() {
            let _ = r::scripts::call(c"host_meanwhile");
        }
        self.insists()
    }
}

impl Host {
    fn idle(&self) {
        if std::mem::take(&mut self.state.borrow_mut().busy) {
            self.say(&Say::Idle, &[]);
        }
    }
}

/// A text for the header of a message, which has little room.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 200 << 10;
    text[..text.floor_char_boundary(MOST)].to_owned()
}
