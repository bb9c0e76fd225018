//! A worker's life: read a command, carry it out, reply.

use std::{cell::RefCell, ffi::CString, os::unix::net::UnixStream, path::PathBuf, rc::Rc};

use super::{
    channel::{self, Frame, Incoming},
    confine, files,
    files::Snapshot,
    fork,
    protocol::{self, Ending, Execute, Executed, PublishedFile, Reply, Request, folder},
};
use crate::{
    r,
    wire::{Detail, Encoding, typed::input},
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
            Some(Request::Objects { names, detail, encoding }) => objects(names, detail, encoding),
            Some(Request::Assign) => (assign(frame.payload.as_ref()), Vec::new()),
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
        let ending = match r::eval::parse(code) {
            Err(error) => Ending::SyntaxError { message: error.message, line: error.line, column: error.column },
            Ok(code) => match r::eval::run(&code, execute.print) {
                r::eval::Ending::Completed => Ending::Completed,
                r::eval::Ending::Failed(condition) => Ending::Failed(condition),
                r::eval::Ending::Interrupted => Ending::Interrupted,
                r::eval::Ending::CpuLimit => Ending::CpuLimit,
            },
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

/// Binds inputs: all of them, or none where the reply is not [`Reply::Assigned`].
fn assign(inputs: &[u8]) -> Reply {
    match input::read(inputs).map(|inputs| r::build::assign(&inputs)) {
        Ok(Ok(())) => Reply::Assigned,
        Ok(Err(message)) => Reply::Refused(message),
        Err(invalid) => Reply::InvalidInput(invalid.to_string()),
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
