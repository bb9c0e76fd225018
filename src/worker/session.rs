//! A worker's life: read a command, carry it out, reply.

use std::{cell::RefCell, ffi::CString, os::unix::net::UnixStream, path::PathBuf, rc::Rc};

use super::{
    channel::{self, Frame, Incoming},
    confine, files,
    files::Snapshot,
    fork,
    protocol::{self, Ending, Evaluated, Execute, Executed, PublishedFile, Reply, Request, Use, folder},
};
use crate::{
    r,
    r::preserved::Preserved,
    wire::{
        Detail, Encoding,
        condition::{Condition, Severity},
    },
};

thread_local! {
    /// Where `q()` reports, from wherever R calls it.
    static SOCKET: RefCell<Option<Rc<UnixStream>>> = const { RefCell::new(None) };
}

/// A worker with its session's folder.
#[derive(Debug)]
pub struct Worker {
    socket: Rc<UnixStream>,
    work: PathBuf,
    published: PathBuf,
    cpu_seconds: Option<u64>,
}

impl Worker {
    /// A worker that [`fork::become_worker`] has made.
    #[must_use]
    pub fn new(socket: UnixStream, spec: &protocol::Fork) -> Self {
        let socket = Rc::new(socket);
        SOCKET.set(Some(Rc::clone(&socket)));
        r::console::on_quit(quit);
        Self {
            socket,
            work: spec.folder.join(folder::WORK),
            published: spec.folder.join(folder::FILES),
            cpu_seconds: spec.limits.cpu_seconds,
        }
    }

    /// Carries out commands until there are no more; then ends the process.
    pub fn run(self) -> ! {
        let mut incoming = Incoming::default();
        self.reply(&Reply::Hello, &[]);
        while let Ok(Some(frame)) = channel::receive(&*self.socket, &mut incoming) {
            fork::watch_supervisor(true);
            r::interrupt::clear();
            confine::allow_cpu(self.cpu_seconds);
            let (reply, payload) = self.answer(&frame);
            fork::end_if_child();
            confine::allow_cpu(None);
            fork::watch_supervisor(false);
            self.reply(&reply, &payload);
        }
        fork::end_session(0)
    }

    fn reply(&self, reply: &Reply, payload: &[u8]) {
        if channel::send(&*self.socket, &protocol::encode(reply), payload).is_err() {
            fork::end_session(0);
        }
    }

    fn answer(&self, frame: &Frame) -> (Reply, Vec<u8>) {
        match protocol::decode::<Request>(&frame.header) {
            Some(Request::Execute(execute)) => self.execute(&execute, frame.payload.as_ref()),
            Some(Request::Evaluate(wanted)) => evaluate(&wanted, frame.payload.as_ref()),
            Some(Request::Assign { name }) => (assign(&name, frame.payload.as_ref()), Vec::new()),
            Some(Request::Objects { names, detail, encoding }) => objects(names, detail, encoding),
            Some(Request::Remove { name }) => (remove(&name), Vec::new()),
            Some(Request::End) => r::console::end_session(),
            None => (Reply::Refused("unknown command".to_owned()), Vec::new()),
        }
    }

    fn execute(&self, execute: &Execute, code: &[u8]) -> (Reply, Vec<u8>) {
        let Ok(code) = std::str::from_utf8(code) else {
            return (Reply::Refused("the code is not UTF-8".to_owned()), Vec::new());
        };
        let before = Snapshot::of(&self.work);
        let ending = match parse(code) {
            Ok(code) => r::eval::run(&code, execute.print).into(),
            Err(ending) => ending,
        };
        fork::end_if_child();
        let recorded = r::conditions::take();
        r::graphics::close_unnamed();
        let changed = Snapshot::of(&self.work).since(&before);
        let mut wanted: Vec<&String> = changed.iter().map(|file| &file.path).filter(|path| files::is_unnamed_plot(path)).collect();
        for name in &execute.publish {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
        let published = wanted.into_iter().filter_map(|name| self.publish(name)).collect();
        let (objects, missing) = match r::encode::objects(&execute.objects, Detail::WHOLE, execute.encoding) {
            Ok(encoded) => (encoded.bytes, encoded.missing),
            Err(message) => return (Reply::Refused(message), Vec::new()),
        };
        let executed =
            Executed { ending, conditions: recorded.conditions, dropped_conditions: recorded.dropped as u64, missing, changed, published };
        (Reply::Executed(executed), objects)
    }

    fn publish(&self, name: &str) -> Option<PublishedFile> {
        files::publish(&self.work, &self.published, name)
    }
}

/// Parses code; code that does not parse ends its evaluation.
fn parse(code: &str) -> Result<r::eval::Code, Ending> {
    r::eval::parse(code).map_err(|error| Ending::SyntaxError { message: error.message, line: error.line, column: error.column })
}

impl From<r::eval::Ending> for Ending {
    fn from(ending: r::eval::Ending) -> Self {
        match ending {
            r::eval::Ending::Completed => Self::Completed,
            r::eval::Ending::Failed(condition) => Self::Failed(condition),
            r::eval::Ending::Interrupted => Self::Interrupted,
            r::eval::Ending::CpuLimit => Self::CpuLimit,
        }
    }
}

fn evaluate(wanted: &Use, code: &[u8]) -> (Reply, Vec<u8>) {
    let Ok(code) = std::str::from_utf8(code) else {
        return (Reply::Refused("the code is not UTF-8".to_owned()), Vec::new());
    };
    let value = value(code, wanted);
    fork::end_if_child();
    let recorded = r::conditions::take();
    r::graphics::close_unnamed();
    let written = value.and_then(|value| match wanted {
        Use::Return(encoding) => r::encode::value(&value, *encoding).map_err(failed),
        Use::Assign(_) => Ok(Vec::new()),
    });
    let (ending, bytes) = written.map_or_else(|ending| (ending, Vec::new()), |bytes| (Ending::Completed, bytes));
    let evaluated = Evaluated { ending, conditions: recorded.conditions, dropped_conditions: recorded.dropped as u64 };
    (Reply::Evaluated(evaluated), bytes)
}

/// The value of the last statement, bound to its name if it is to have one.
fn value(code: &str, wanted: &Use) -> Result<Preserved, Ending> {
    let name = match wanted {
        Use::Return(_) => None,
        Use::Assign(name) => Some(symbol(name).map_err(failed)?),
    };
    Ok(r::eval::value(&parse(code)?, name.as_deref())?)
}

/// An error that R has not signalled.
fn failed(message: String) -> Ending {
    Ending::Failed(Condition { severity: Severity::Error, message, call: String::new(), classes: Vec::new() })
}

fn assign(name: &str, serialized: &[u8]) -> Reply {
    let assigned = symbol(name).and_then(|name| r::objects::assign(&name, &r::serialize::read(serialized)?));
    assigned.map_or_else(Reply::Refused, |()| Reply::Assigned)
}

/// A name as R takes it; what else is wrong with it, R says.
fn symbol(name: &str) -> Result<CString, String> {
    CString::new(name).map_err(|_| "a name cannot contain a NUL character".to_owned())
}

fn objects(names: Option<Vec<String>>, detail: Detail, encoding: Encoding) -> (Reply, Vec<u8>) {
    let names = match names.map_or_else(r::objects::names, Ok) {
        Ok(names) => names,
        Err(message) => return (Reply::Refused(message), Vec::new()),
    };
    match r::encode::objects(&names, detail, encoding) {
        Ok(encoded) => (Reply::Objects { missing: encoded.missing }, encoded.bytes),
        Err(message) => (Reply::Refused(message), Vec::new()),
    }
}

fn remove(name: &str) -> Reply {
    match CString::new(name).map_err(drop).map(|name| r::objects::remove(&name)) {
        Err(()) => Reply::Removed(false),
        Ok(Ok(found)) => Reply::Removed(found),
        Ok(Err(message)) => Reply::Refused(message),
    }
}

/// R has been told to quit. A child that R forked just ends: the session is its parent's.
fn quit(status: i32) -> ! {
    if fork::is_worker() {
        let socket = SOCKET.with_borrow(Clone::clone);
        if let Some(socket) = socket {
            let _ = channel::send(&*socket, &protocol::encode(&Reply::Quit(status)), &[]);
        }
    }
    fork::end_session(status)
}
