//! A worker's life: read a command, carry it out, reply.

use std::{cell::RefCell, collections::HashSet, ffi::CString, io, path::PathBuf, rc::Rc};

use uuid::Uuid;

use super::{
    files,
    files::Snapshot,
    fork,
    limits::{self, Processor},
    signals, with_sources,
};
use crate::{
    link::{
        channel::{Frame, Link},
        command::{
            Assign, Command, Draw, Ending, Evaluate, Execute, Executed, Files, Image, Load, LoadImage, Objects, Pages, PublishedFile,
            Remove, RemoveFile, Reply, Request, Save, SaveImage, Stored, Surroundings, Unserialize, Use,
        },
        messages::{self, folder},
    },
    r,
    r::{graphics::Plots, preserved::Preserved},
    wire::{
        Detail, MissingObject, Out, Spill, Written,
        condition::{Condition, Severity},
        typed::input,
    },
};

/// Most bytes of names in each list of a reply to an evaluation. The lists are in the header of a frame, whose size is
/// limited.
const LIST: usize = 128 << 10;
/// The payload of a reply that has none.
const NOTHING: Written = Written::Bytes(Vec::new());

/// Why a command was not carried out.
enum Refusal {
    /// R says so, or the system.
    Failed(String),
    /// The inputs are not as they have to be. A sentence.
    InvalidInput(String),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(with_sources(error))
    }
}

/// What a command gives, and the payload that goes with it.
type Carried<T> = Result<(T, Written), Refusal>;

thread_local! {
    /// The worker's link, for functions that R calls: `q()` reports by it, and large values are written into its memory.
    static LINK: RefCell<Option<Rc<Link>>> = const { RefCell::new(None) };
}

/// A worker with its session's folder.
#[derive(Debug)]
pub struct Worker {
    link: Rc<Link>,
    work: PathBuf,
    published: PathBuf,
    processor: Processor,
    cpu_seconds: Option<u64>,
}

impl Worker {
    /// A worker that [`super::setup::become_worker`] has made.
    #[must_use]
    pub fn new(link: Link, spec: &messages::Fork) -> Self {
        let link = Rc::new(link);
        LINK.set(Some(Rc::clone(&link)));
        r::console::on_quit(quit);
        Self {
            link,
            work: spec.folder.join(folder::WORK),
            published: spec.folder.join(folder::FILES),
            processor: Processor::own(),
            cpu_seconds: spec.limits.cpu_seconds,
        }
    }

    /// Carries out commands until there are no more; then ends the process.
    pub fn run(self) -> ! {
        signals::watch_supervisor();
        self.reply(&Reply::Hello { temporary: r::init::temporary_folder() }, NOTHING);
        loop {
            let frame = match self.link.receive() {
                Ok(Some(frame)) => frame,
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    self.reply(&Reply::Refused("what was sent does not fit in the session's memory".to_owned()), NOTHING);
                    continue;
                }
                Ok(None) | Err(_) => break,
            };
            r::interrupt::clear();
            self.processor.allow(self.cpu_seconds);
            let (reply, payload) = self.answer(&frame);
            fork::end_if_child();
            self.reply(&reply, payload);
        }
        fork::end_session(0)
    }

    fn reply(&self, reply: &Reply, payload: Written) {
        let refuse = |message: &str| self.link.send(&messages::encode(&Reply::Refused(message.to_owned())), NOTHING);
        let sent = match self.link.send(&messages::encode(reply), payload) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                refuse("the result is larger than the session's memory or the limit on the size of files allows")
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => refuse("there are more names in the answer than can be told"),
            sent => sent,
        };
        if sent.is_err() {
            fork::end_session(0);
        }
    }

    fn answer(&self, frame: &Frame) -> (Reply, Written) {
        let payload = frame.payload.as_ref();
        match messages::decode::<Request>(&frame.header) {
            Some(Request::Execute(command)) => reply_to::<Execute>(self.execute(&command, payload)),
            Some(Request::Evaluate(command)) => reply_to::<Evaluate>(evaluate(&command, payload)),
            Some(Request::Unserialize(Unserialize { name })) => reply_to::<Unserialize>(unserialize(&name, payload)),
            Some(Request::Objects(command)) => reply_to::<Objects>(objects(command)),
            Some(Request::Assign(Assign)) => reply_to::<Assign>(bare(assign(payload))),
            Some(Request::Remove(Remove { name })) => reply_to::<Remove>(bare(remove(&name))),
            Some(Request::Pages(Pages)) => reply_to::<Pages>(bare(Ok(r::graphics::pages()))),
            Some(Request::Draw(command)) => reply_to::<Draw>(draw(&command)),
            Some(Request::Files(Files)) => reply_to::<Files>(bare(Ok(Snapshot::of(&self.work).paths()))),
            Some(Request::RemoveFile(RemoveFile { path })) => reply_to::<RemoveFile>(bare(Ok(files::remove(&self.work, &path)))),
            Some(Request::Load(Load(stored))) => reply_to::<Load>(bare(self.load(&stored))),
            Some(Request::Save(Save { name, file })) => reply_to::<Save>(bare(self.save(&name, file))),
            Some(Request::SaveImage(SaveImage { file })) => reply_to::<SaveImage>(bare(self.save_image(file))),
            Some(Request::LoadImage(command)) => reply_to::<LoadImage>(bare(self.load_image(&command))),
            Some(Request::End) => r::console::end_session(),
            None => (Reply::Refused("unknown command".to_owned()), NOTHING),
        }
    }

    fn execute(&self, execute: &Execute, payload: &[u8]) -> Carried<Executed> {
        let (inputs, code) =
            payload.split_at_checked(execute.inputs).ok_or_else(|| Refusal::Failed("the inputs are cut short".to_owned()))?;
        let code = text(code)?;
        let mut warnings = Vec::new();
        for stored in &execute.preload {
            warnings.extend(self.load(stored)?);
        }
        if !inputs.is_empty() {
            assign(inputs)?;
        }
        r::graphics::begin(Plots::Files);
        let before = Snapshot::of(&self.work);
        if execute.limits.cpu_seconds.is_some() {
            self.processor.allow(execute.limits.cpu_seconds);
        }
        limits::lower_memory(execute.limits.memory);
        let ending = r::eval::parse(code).map_or_else(Ending::from, |code| r::eval::run(&code, execute.print).into());
        limits::restore_memory();
        fork::end_if_child();
        let recorded = r::conditions::take();
        r::graphics::close_unnamed();
        let changed = listed(Snapshot::of(&self.work).since(&before), |file| file.path.len(), "changed files", &mut warnings);
        let plots = changed.iter().map(|file| &file.path).filter(|path| files::is_unnamed_plot(path));
        let mut known = HashSet::new();
        let wanted: Vec<&String> = plots.chain(&execute.publish).filter(|name| known.insert(*name)).collect();
        let wanted = listed(wanted, |name| name.len(), "files to be published", &mut warnings);
        let published = wanted.into_iter().filter_map(|name| self.publish(name)).collect();
        let encoded = r::encode::objects(out(), &execute.objects, Detail::WHOLE, execute.encoding)?;
        let size = |object: &MissingObject| object.name.len() + object.error.as_ref().map_or(0, String::len);
        let missing = listed(encoded.missing, size, "objects that could not be had", &mut warnings);
        let mut saved = false;
        if let Some(file) = execute.save.filter(|_| ending == Ending::Completed) {
            match r::workspace::save(&self.stored(file)) {
                Ok(()) => saved = true,
                Err(error) => warnings.push(format!("the workspace could not be saved: {error}")),
            }
        }
        let conditions = warnings.into_iter().map(Condition::warning).chain(recorded.conditions).collect();
        let executed = Executed { ending, conditions, dropped_conditions: recorded.dropped as u64, missing, changed, published, saved };
        Ok((executed, encoded.bytes))
    }

    /// Where a file of R data is, on its way in or out.
    fn stored(&self, file: Uuid) -> PathBuf {
        self.published.join(file.to_string())
    }

    fn load(&self, stored: &Stored) -> Result<Vec<String>, Refusal> {
        let path = self.stored(stored.file);
        let loaded = r::workspace::load(&path, &stored.name);
        let _ = std::fs::remove_file(path);
        Ok(loaded?)
    }

    fn save(&self, name: &str, file: Uuid) -> Result<bool, Refusal> {
        Ok(r::workspace::save_object(&self.stored(file), name)?)
    }

    fn save_image(&self, file: Uuid) -> Result<Image, Refusal> {
        r::graphics::close_unnamed();
        r::workspace::save(&self.stored(file))?;
        let (folder, packages) = r::workspace::describe(&self.work)?;
        Ok(Image { surroundings: Surroundings { folder, packages }, files: Snapshot::of(&self.work).paths() })
    }

    fn load_image(&self, LoadImage { workspace, surroundings }: &LoadImage) -> Result<Vec<String>, Refusal> {
        // Packages first: what is loaded may be of their classes.
        let mut warnings = r::workspace::restore(&self.work, &surroundings.folder, &surroundings.packages)?;
        warnings.extend(self.load(workspace)?);
        Ok(warnings)
    }

    fn publish(&self, name: &str) -> Option<PublishedFile> {
        files::publish(&self.work, &self.published, name)
    }
}

/// What a command gave, as its reply.
fn reply_to<C: Command>(carried: Carried<C::Reply>) -> (Reply, Written) {
    match carried {
        Ok((reply, payload)) => (C::reply(reply), payload),
        Err(Refusal::Failed(message)) => (Reply::Refused(message), NOTHING),
        Err(Refusal::InvalidInput(sentence)) => (Reply::InvalidInput(sentence), NOTHING),
    }
}

/// What has no payload.
fn bare<T>(carried: Result<T, Refusal>) -> Carried<T> {
    carried.map(|reply| (reply, NOTHING))
}

/// Code as text.
fn text(code: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(code).map_err(|_| Refusal::Failed("the code is not UTF-8".to_owned()))
}

/// A buffer for values. Large ones go straight into the memory that the supervisor will map. The kernel does not count that
/// as memory of this process, so we see to it that it fits into the session's limit.
fn out() -> Out {
    Out::with_file(|| Ok(Spill { file: link().ok_or(io::ErrorKind::NotFound)?.memory()?, room: limits::memory_left() }))
}

fn link() -> Option<Rc<Link>> {
    LINK.with_borrow(Clone::clone)
}

/// As many items as fit into a reply. If there are more, a warning says so.
fn listed<T>(mut items: Vec<T>, size: impl Fn(&T) -> usize, what: &str, warnings: &mut Vec<String>) -> Vec<T> {
    // The size of the numbers beside each name.
    const BESIDE: usize = 16;
    let mut room = LIST;
    let fits = |item: &&T| {
        let left = room.checked_sub(size(item) + BESIDE);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let (kept, all) = (items.iter().take_while(fits).count(), items.len());
    if kept < all {
        warnings.push(format!("there are {all} {what}, of which {kept} are listed"));
        items.truncate(kept);
    }
    items
}

impl From<r::eval::SyntaxError> for Ending {
    fn from(r::eval::SyntaxError { message, line, column }: r::eval::SyntaxError) -> Self {
        Self::SyntaxError { message, line, column }
    }
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

fn evaluate(Evaluate { value: wanted, canvas }: &Evaluate, code: &[u8]) -> Carried<Ending> {
    let code = text(code)?;
    r::graphics::begin(Plots::Recorded([canvas.width, canvas.height, canvas.resolution]));
    let value = value(code, wanted);
    fork::end_if_child();
    drop(r::conditions::take());
    r::graphics::close_unnamed();
    let written = value.and_then(|value| match wanted {
        Use::Return(encoding) => r::encode::value(out(), &value, *encoding).map_err(|error| failed(with_sources(error))),
        Use::Assign(_) => Ok(NOTHING),
    });
    Ok(written.map_or_else(|ending| (ending, NOTHING), |bytes| (Ending::Completed, bytes)))
}

/// The value of the last statement, bound to its name if it is to have one.
fn value(code: &str, wanted: &Use) -> Result<Preserved, Ending> {
    let name = match wanted {
        Use::Return(_) => None,
        Use::Assign(name) => Some(symbol(name).map_err(|error| failed(error.to_string()))?),
    };
    let code = r::eval::parse(code).inspect_err(|error| r::console::report_error(&error.message))?;
    Ok(r::eval::value(&code, name.as_deref())?)
}

/// Ends an evaluation with an error of ours, or with one of R's that it has not reported on the console.
fn failed(message: String) -> Ending {
    r::console::report_error(&message);
    Ending::Failed(Condition::new(Severity::Error, message, String::new(), Vec::new()))
}

fn unserialize(name: &str, serialized: &[u8]) -> Carried<Ending> {
    let name = symbol(name)?;
    r::objects::assign(&name, &r::serialize::read(serialized)?)?;
    Ok((Ending::Completed, NOTHING))
}

/// A name that no object can have.
#[derive(Debug, thiserror::Error)]
#[error("a name cannot contain a NUL character")]
struct NulInName;

/// A name in the form that R takes. R itself refuses names that are wrong in other ways.
fn symbol(name: &str) -> Result<CString, NulInName> {
    CString::new(name).map_err(|_| NulInName)
}

fn objects(Objects { names, detail, encoding }: Objects) -> Carried<Vec<MissingObject>> {
    let names = names.map_or_else(r::objects::names, Ok)?;
    let encoded = r::encode::objects(out(), &names, detail, encoding)?;
    Ok((encoded.missing, encoded.bytes))
}

fn draw(&Draw { page, svg, width, height, resolution }: &Draw) -> Carried<bool> {
    let size = r::graphics::recorded_size().filter(|_| page > 0 && page <= r::graphics::pages());
    let Some([own_width, own_height, own_resolution]) = size else {
        return Ok((false, NOTHING));
    };
    let (width, height, resolution) = (width.unwrap_or(own_width), height.unwrap_or(own_height), resolution.unwrap_or(own_resolution));
    let form = if svg { "svg" } else { "png" };
    let file = r::graphics::render(page, form, [width, height, resolution])?;
    let picture = std::fs::read(&file);
    let _ = std::fs::remove_file(&file);
    Ok((true, Written::Bytes(picture?)))
}

/// Binds inputs: all of them, or none where this fails.
fn assign(inputs: &[u8]) -> Result<(), Refusal> {
    let inputs = input::read(inputs).map_err(|invalid| Refusal::InvalidInput(invalid.to_string()))?;
    Ok(r::build::assign(&inputs)?)
}

fn remove(name: &str) -> Result<bool, Refusal> {
    // No object of R has a name with a NUL.
    let Ok(name) = CString::new(name) else { return Ok(false) };
    Ok(r::objects::remove(&name)?)
}

/// Ends the session when R quits. A child that R has forked only ends itself.
fn quit(status: i32) -> ! {
    if fork::is_worker()
        && let Some(link) = link()
    {
        let _ = link.send(&messages::encode(&Reply::Quit(status)), NOTHING);
    }
    fork::end_session(status)
}
