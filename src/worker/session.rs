//! A worker's life: read a command, carry it out, reply.

use std::{
    cell::RefCell,
    ffi::CString,
    fmt, io,
    path::{Path, PathBuf},
    rc::Rc,
};

use uuid::Uuid;

use super::{
    evaluation::{self, Begun, Then, listed},
    files::{self, Listing, Watched},
    fork,
    host::Host,
    limits::{self, Processor},
    signals,
};
use crate::{
    link::{
        channel::{Frame, Link},
        command::{
            Assign, Command, Draw, Ending, Files, Image, InputForm, Library, Listed, Load, LoadImage, ObjectNames, Objects, Pages,
            PublishedFile, Remove, RemoveFile, Reply, Request, Save, SaveImage, Stored, Surroundings, Unserialize,
        },
        host::Begin,
        messages::{self, folder},
    },
    r::{
        self,
        exec::RError,
        reports::Warnings,
        toplevel::{self, Next, Reader},
        workspace::SavedObjects,
    },
    wire::{MissingObject, Out, Spill, Written, plain, typed},
    with_sources,
};

/// The payload of a reply that has none.
pub(super) const NOTHING: Written = Written::Bytes(Vec::new());

/// Why a command was not carried out.
pub(super) enum Refusal {
    /// R says so, or the system.
    Failed(String),
    /// The inputs are not as they have to be. A sentence.
    InvalidInput(String),
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Failed(with_sources(&error))
    }
}

/// What a command gives, and the payload that goes with it.
pub(super) type Carried<T> = Result<(T, Written), Refusal>;

thread_local! {
    /// The worker's link, for functions that R calls: `q()` reports by it, and large values are written into its memory.
    static LINK: RefCell<Option<Rc<Link>>> = const { RefCell::new(None) };
}

/// The loop in which a worker carries out the commands for its session. R's own loop waits for it.
pub struct CommandLoop {
    link: Rc<Link>,
    /// The folder that the session works in.
    work: Watched,
    published: PathBuf,
    processor: Processor,
    cpu_seconds: Option<u64>,
    /// The session's folder, and the limit on all files in it.
    folder: PathBuf,
    disk: Option<u64>,
    /// What to do with the outcome of the code that R evaluates.
    then: Option<Then>,
}

impl fmt::Debug for CommandLoop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CommandLoop").field("work", &self.work).finish_non_exhaustive()
    }
}

impl Reader for CommandLoop {
    /// Carries out commands until there is one that evaluates code. Ends the process when there are no more.
    fn read(&mut self, ended: Option<(toplevel::Ending, Warnings)>) -> Next {
        if let (Some((ending, warnings)), Some(then)) = (ended, self.then.take()) {
            let (reply, payload) = then(self, ending, warnings);
            fork::end_if_child();
            self.reply(&reply, payload);
        }
        loop {
            let frame = match self.link.receive() {
                Ok(Some(frame)) => frame,
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    self.reply(&Reply::Refused("what was sent does not fit in the session's memory".to_owned()), NOTHING);
                    continue;
                }
                Ok(None) | Err(_) => fork::end_session(0),
            };
            signals::release_interrupts();
            self.processor.allow(self.cpu_seconds);
            let begun = self.begin(&frame);
            fork::end_if_child();
            match begun {
                Begun::Code(evaluation, then) => {
                    self.then = Some(then);
                    return Next::Code(evaluation);
                }
                Begun::Prompt(host) => return Next::Prompt(host),
                Begun::Over(reply, payload) => self.reply(&reply, payload),
            }
        }
    }
}

impl CommandLoop {
    /// A worker that [`super::setup::become_worker`] has made.
    #[must_use]
    pub fn new(link: Link, spec: &messages::Fork) -> Self {
        let link = Rc::new(link);
        LINK.set(Some(Rc::clone(&link)));
        r::console::on_quit(quit);
        Self {
            link,
            work: Watched::new(spec.folder.join(folder::WORK)),
            published: spec.folder.join(folder::FILES),
            processor: Processor::own(),
            cpu_seconds: spec.limits.cpu_seconds,
            folder: spec.folder.clone(),
            disk: spec.limits.disk,
            then: None,
        }
    }

    /// Carries out commands until there are no more; then ends the process.
    pub fn run(self) -> ! {
        signals::watch_supervisor();
        self.reply(&Reply::Hello { temporary: r::init::temporary_folder() }, NOTHING);
        toplevel::run(Box::new(self))
    }

    /// Replies to a command, which is over with that: what interrupts it now comes too late.
    fn reply(&self, reply: &Reply, payload: Written) {
        signals::hold_interrupts();
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

    /// Carries out a command, or begins to.
    fn begin(&self, frame: &Frame) -> Begun {
        let payload = frame.payload.as_ref();
        let request = match messages::decode::<Request>(&frame.header) {
            Some(Request::Evaluate(command)) => return evaluation::evaluate(command, payload).unwrap_or_else(Begun::from),
            request => request,
        };
        toplevel::suspend_limits();
        let (reply, payload) = match request {
            Some(Request::Execute(command)) => return self.execute(command, payload).unwrap_or_else(Begun::from),
            Some(Request::Host(command)) => return Begun::Prompt(self.host(&command)),
            Some(Request::Evaluate(_) | Request::Tell(_)) | None => (Reply::Refused("unknown command".to_owned()), NOTHING),
            Some(Request::Unserialize(Unserialize { name })) => reply_to::<Unserialize>(unserialize(&name, payload)),
            Some(Request::Objects(command)) => reply_to::<Objects>(objects(command)),
            Some(Request::ObjectNames(ObjectNames)) => reply_to::<ObjectNames>(object_names()),
            Some(Request::Assign(Assign)) => reply_to::<Assign>(bare(assign(payload, &InputForm::Typed))),
            Some(Request::Remove(Remove { name })) => reply_to::<Remove>(bare(remove(&name))),
            Some(Request::Pages(Pages)) => reply_to::<Pages>(bare(Ok(r::graphics::pages()))),
            Some(Request::Draw(command)) => reply_to::<Draw>(draw(&command)),
            Some(Request::Files(Files)) => reply_to::<Files>(bare(Ok(self.look().paths()))),
            Some(Request::RemoveFile(RemoveFile { path })) => reply_to::<RemoveFile>(bare(Ok(files::remove(self.work.folder(), &path)))),
            Some(Request::Load(Load(stored))) => reply_to::<Load>(bare(self.load(&stored))),
            Some(Request::Save(Save { name, file })) => reply_to::<Save>(bare(self.save(&name, file))),
            Some(Request::SaveImage(command)) => reply_to::<SaveImage>(bare(self.save_image(&command))),
            Some(Request::Library(Library)) => reply_to::<Library>(bare(Ok(self.library()))),
            Some(Request::LoadImage(command)) => reply_to::<LoadImage>(bare(self.load_image(&command, payload))),
            Some(Request::End) => r::console::end_session(),
        };
        Begun::Over(reply, payload)
    }

    /// Makes R interactive.
    fn host(&self, command: &Begin) -> Rc<Host> {
        r::repl::set_interactive(command.interactive);
        let host = Host::begin(Rc::clone(&self.link), Processor::own(), self.cpu_seconds, command);
        r::init::set_arguments(&command.arguments);
        r::console::write_output(&r::init::greeting());
        let interactive = if command.interactive { "yes" } else { "" };
        if let Err(error) = r::scripts::ask(c"host_begin", &[command.namespace.as_deref().unwrap_or_default(), interactive]) {
            r::console::report_error(&error.to_string());
        }
        let _ = r::scripts::call_aloud(c"host_start");
        host
    }

    /// The files in the folder that the session works in.
    pub(super) fn look(&self) -> Listing {
        self.work.look()
    }

    /// The limit on processor time.
    pub(super) fn processor(&self) -> &Processor {
        &self.processor
    }

    /// Where a file of R data is, on its way in or out.
    pub(super) fn stored(&self, file: Uuid) -> PathBuf {
        self.published.join(file.to_string())
    }

    pub(super) fn load(&self, stored: &Stored) -> Result<Vec<String>, Refusal> {
        let path = self.stored(stored.file);
        let loaded = r::workspace::load(&path, &stored.name);
        let _ = std::fs::remove_file(path);
        Ok(loaded?)
    }

    fn save(&self, name: &str, file: Uuid) -> Result<bool, Refusal> {
        // No object of R has a name with a NUL.
        if name.contains('\0') {
            return Ok(false);
        }
        Ok(limits::within_disk(&self.folder, self.disk, || r::workspace::save_object(&self.stored(file), name))?)
    }

    /// Writes all objects; see [`r::workspace::save`].
    pub(super) fn save_objects(&self, file: Uuid, pipe: Option<Uuid>, evaluate: bool) -> Result<SavedObjects, RError> {
        let pipe = pipe.map(|pipe| self.stored(pipe));
        limits::within_disk(&self.folder, self.disk, || r::workspace::save(&self.stored(file), pipe.as_deref(), evaluate))
    }

    fn save_image(&self, &SaveImage { pipe, file, evaluate }: &SaveImage) -> Result<Option<Image>, Refusal> {
        r::graphics::close_unnamed();
        let SavedObjects { unsaved, piped } = match self.save_objects(file, pipe, evaluate) {
            Ok(saved) => saved,
            Err(RError::Interrupted | RError::CpuLimit) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut more = Vec::new();
        let surroundings = r::workspace::describe(self.work.folder()).map_or_else(
            |error| {
                more.push(format!("the folder and the attached packages were not saved: {error}"));
                Surroundings::default()
            },
            |(folder, packages)| Surroundings { folder, packages },
        );
        let mut unsaved = listed(unsaved, String::len, "objects that were not saved", &mut more);
        let Listed { files, unsaved: skipped } = list(self.work.folder());
        unsaved.extend(skipped);
        unsaved.append(&mut more);
        Ok(Some(Image { surroundings, files, unsaved, piped }))
    }

    /// The files of the session's own library.
    fn library(&self) -> Listed {
        list(&self.folder.join(folder::LIBRARY))
    }

    fn load_image(&self, LoadImage { workspace, surroundings }: &LoadImage, payload: &[u8]) -> Result<Vec<String>, Refusal> {
        // Packages first: what is loaded may be of their classes.
        let mut warnings = r::workspace::restore(self.work.folder(), &surroundings.folder, &surroundings.packages)?;
        warnings.extend(match workspace {
            Some(stored) => self.load(stored)?,
            None => r::workspace::load_serialized(payload)?,
        });
        Ok(warnings)
    }

    pub(super) fn publish(&self, name: &str) -> Option<PublishedFile> {
        files::publish(self.work.folder(), &self.published, name)
    }
}

/// The files of a folder, and what cannot be saved of it.
fn list(folder: &Path) -> Listed {
    let (listing, mut more) = (Listing::of(folder), Vec::new());
    let skipped = listed(listing.skipped(), String::len, "links and folders that were not saved", &mut more);
    let sentence = |path: &String| format!("'{path}' was not saved, as it is no file, or a folder that is too deep or closed");
    let mut unsaved: Vec<_> = skipped.iter().map(sentence).collect();
    unsaved.append(&mut more);
    Listed { files: listing.paths(), unsaved }
}

/// What a command gave, as its reply.
pub(super) fn reply_to<C: Command>(carried: Carried<C::Reply>) -> (Reply, Written) {
    match carried {
        Ok((reply, payload)) => (C::reply(reply), payload),
        Err(refusal) => (refusal.into(), NOTHING),
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failed(message) => Self::Refused(message),
            Refusal::InvalidInput(sentence) => Self::InvalidInput(sentence),
        }
    }
}

impl From<Refusal> for Begun {
    fn from(refusal: Refusal) -> Self {
        Self::Over(refusal.into(), NOTHING)
    }
}

/// What has no payload.
fn bare<T>(carried: Result<T, Refusal>) -> Carried<T> {
    carried.map(|reply| (reply, NOTHING))
}

/// A buffer for values. Large ones go straight into the memory that the supervisor will map. The kernel does not count that
/// as memory of this process, so we see to it that it fits into the session's limit.
pub(super) fn out() -> Out {
    Out::with_file(|| Ok(Spill { file: link().ok_or(io::ErrorKind::NotFound)?.memory()?, room: limits::memory_left() }))
}

fn link() -> Option<Rc<Link>> {
    LINK.with_borrow(Clone::clone)
}

fn unserialize(name: &str, serialized: &[u8]) -> Carried<Ending> {
    let name = symbol(name)?;
    r::objects::assign(&name, &r::serialize::read(serialized)?)?;
    Ok((Ending::Completed, NOTHING))
}

/// A name that no object can have.
#[derive(Debug, thiserror::Error)]
#[error("a name cannot contain a NUL character")]
pub(super) struct NulInName;

/// A name in the form that R takes. R itself refuses names that are wrong in other ways.
pub(super) fn symbol(name: &str) -> Result<CString, NulInName> {
    CString::new(name).map_err(|_| NulInName)
}

fn objects(Objects { names, detail, encoding }: Objects) -> Carried<Vec<MissingObject>> {
    let names = names.map_or_else(r::objects::names, Ok)?;
    let encoded = r::encode::objects(out(), &names, &[], detail, encoding)?;
    Ok((encoded.missing, encoded.bytes))
}

fn object_names() -> Carried<()> {
    Ok(((), r::encode::names(out(), &r::objects::names()?)?))
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
pub(super) fn assign(inputs: &[u8], form: &InputForm) -> Result<(), Refusal> {
    let inputs = match form {
        InputForm::Typed => typed::input::read(inputs).map_err(|invalid| invalid.to_string()),
        InputForm::Plain(declared) => plain::input::read(inputs, declared.as_deref()).map_err(|unfit| unfit.to_string()),
    };
    let inputs = inputs.map_err(Refusal::InvalidInput)?;
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
