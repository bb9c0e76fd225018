//! The commands that evaluate a user's code: what is done before R evaluates it, and what with the outcome.
//!
//! R evaluates in its own loop, where code that fails throws the frames of our functions away. So each command is two
//! functions, and what the second one needs of the first is kept in between.

use std::{collections::HashSet, ffi::CString, rc::Rc};

use super::{
    files::{self, Listing},
    fork,
    host::Host,
    limits,
    session::{Carried, CommandLoop, NOTHING, Refusal, assign, out, symbol},
};
use crate::{
    link::command::{Ending, Evaluate, Execute, Executed, InputForm, Reply, Reporting, Use},
    r::{
        self,
        eval::Code,
        graphics::Plots,
        reports::{Told, Warnings},
        toplevel::{self, Statements},
    },
    wire::{MissingObject, Written, condition::Condition},
    with_sources,
};

/// Most bytes of names in each list of a reply to an evaluation. The lists are in the header of a frame, whose size is
/// limited.
const LIST: usize = 128 << 10;

/// What is to be done with the outcome of code that R evaluates.
pub(super) type Then = Box<dyn FnOnce(&CommandLoop, toplevel::Ending, Warnings) -> (Reply, Written)>;

/// A command that evaluates code, when all has been done that comes before.
pub(super) enum Begun {
    /// R is to evaluate this.
    Code(Statements, Then),
    /// Nothing is to be evaluated.
    Over(Reply, Written),
    /// R is to ask this client at its prompt from now on.
    Prompt(Rc<Host>),
}

impl CommandLoop {
    /// Begins a run of code: loads what it needs, and binds its inputs.
    pub(super) fn execute(&self, execute: Execute, payload: &[u8]) -> Result<Begun, Refusal> {
        let (inputs, code) =
            payload.split_at_checked(execute.inputs).ok_or_else(|| Refusal::Failed("the inputs are cut short".to_owned()))?;
        let code = text(code)?;
        let mut warnings = Vec::new();
        for stored in &execute.preload {
            warnings.extend(self.load(stored)?);
        }
        // Parameters that are declared are missed also where nothing is sent.
        if !inputs.is_empty() || execute.form != InputForm::Typed {
            assign(inputs, &execute.form)?;
        }
        r::graphics::begin(Plots::Files(execute.plots.size));
        let before = self.look();
        let code = match r::eval::parse(code) {
            Ok(code) => code,
            Err(r::eval::SyntaxError { message, line, column }) => {
                if execute.reporting == Reporting::Console {
                    r::console::report_error(&message);
                }
                let ending = Ending::SyntaxError { message, line, column };
                let (reply, payload) = reply_to(self.executed(&execute, ending, &before, warnings, 0));
                return Ok(Begun::Over(reply, payload));
            }
        };
        if execute.limits.cpu_seconds.is_some() {
            self.processor().allow(execute.limits.cpu_seconds);
        }
        limits::lower_memory(execute.limits.memory);
        let told = match execute.reporting {
            Reporting::Caller => Told::Caller,
            Reporting::Console => Told::Console,
        };
        let statements = Statements { code, print: execute.print, told, name: None };
        let then: Then = Box::new(move |worker, ending, told| {
            toplevel::suspend_limits();
            if execute.limits.memory.is_some() {
                limits::restore_memory();
            }
            warnings.extend(told.messages);
            let (ending, _) = ended(ending);
            reply_to(worker.executed(&execute, ending, &before, warnings, told.dropped))
        });
        Ok(Begun::Code(statements, then))
    }

    /// What there is to tell of a run that has ended.
    fn executed(
        &self,
        execute: &Execute,
        ending: Ending,
        before: &Listing,
        mut warnings: Vec<String>,
        dropped: usize,
    ) -> Carried<Executed> {
        r::graphics::close_unnamed();
        let changed = listed(self.look().since(before), |file| file.path.len(), "changed files", &mut warnings);
        let plots = changed.iter().map(|file| &file.path).filter(|path| execute.plots.publish && files::is_unnamed_plot(path));
        let mut known = HashSet::new();
        let wanted: Vec<&String> = plots.chain(&execute.publish).filter(|name| known.insert(*name)).collect();
        let wanted = listed(wanted, |name| name.len(), "files to be published", &mut warnings);
        let published = wanted.into_iter().filter_map(|name| self.publish(name)).collect();
        let encoded = r::encode::objects(out(), &execute.objects, &execute.kinds, crate::wire::Detail::WHOLE, execute.encoding)?;
        let size = |object: &MissingObject| object.name.len() + object.error.as_ref().map_or(0, String::len);
        let missing = listed(encoded.missing, size, "objects that could not be had", &mut warnings);
        let mut saved = false;
        if let Some(file) = execute.save.filter(|_| ending == Ending::Completed) {
            match self.save_objects(file, None, true) {
                Ok(saved_objects) => {
                    warnings.extend(saved_objects.unsaved);
                    saved = true;
                }
                Err(error) => warnings.push(format!("the workspace could not be saved: {error}")),
            }
        }
        let executed = Executed { ending, warnings, dropped_warnings: dropped as u64, missing, changed, published, saved };
        Ok((executed, encoded.bytes))
    }
}

/// Begins an evaluation of code for its value.
pub(super) fn evaluate(Evaluate { value: wanted, canvas }: Evaluate, code: &[u8]) -> Result<Begun, Refusal> {
    let code = text(code)?;
    r::graphics::begin(Plots::Recorded([canvas.width, canvas.height, canvas.resolution]));
    let (code, name) = match prepare(code, &wanted) {
        Ok(prepared) => prepared,
        Err(ending) => return Ok(Begun::Over(Reply::Evaluate(ending), NOTHING)),
    };
    let statements = Statements { code, print: false, told: Told::Console, name };
    Ok(Begun::Code(statements, Box::new(move |_, ending, _| evaluated(&wanted, ending))))
}

/// Parsed code, and the name that its value is to have.
fn prepare(code: &str, wanted: &Use) -> Result<(Code, Option<CString>), Ending> {
    let name = match wanted {
        Use::Return(_) => None,
        Use::Assign(name) => Some(symbol(name).map_err(|error| failed(error.to_string()))?),
    };
    let code = r::eval::parse(code).map_err(|r::eval::SyntaxError { message, line, column }| {
        r::console::report_error(&message);
        Ending::SyntaxError { message, line, column }
    })?;
    Ok((code, name))
}

/// The reply with the value of code that has ended.
fn evaluated(wanted: &Use, ending: toplevel::Ending) -> (Reply, Written) {
    r::graphics::close_unnamed();
    let (ending, value) = ended(ending);
    let written = match (value, wanted) {
        (Some(value), Use::Return(encoding)) => r::encode::value(out(), &value, *encoding).map_err(|error| failed(with_sources(&error))),
        _ => Ok(NOTHING),
    };
    match written {
        Ok(written) => (Reply::Evaluate(ending), written),
        Err(ending) => (Reply::Evaluate(ending), NOTHING),
    }
}

/// How code has ended, and its value if it has one.
fn ended(ending: toplevel::Ending) -> (Ending, Option<r::preserved::Preserved>) {
    // A child that R has forked comes here as well, when it was interrupted or forgot to end.
    fork::end_if_child();
    match ending {
        toplevel::Ending::Completed(value) => (Ending::Completed, Some(value)),
        toplevel::Ending::Failed(condition) => (Ending::Failed(condition), None),
        toplevel::Ending::Interrupted => (Ending::Interrupted, None),
        toplevel::Ending::CpuLimit => (Ending::CpuLimit, None),
    }
}

/// Ends an evaluation with an error of ours, or with one of R's that it has not reported on the console.
fn failed(message: String) -> Ending {
    r::console::report_error(&message);
    Ending::Failed(Condition::new(message, String::new()))
}

fn reply_to(carried: Carried<Executed>) -> (Reply, Written) {
    super::session::reply_to::<Execute>(carried)
}

/// Code as text.
fn text(code: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(code).map_err(|_| Refusal::Failed("the code is not UTF-8".to_owned()))
}

/// As many items as fit into a reply. If there are more, a warning says so.
pub(super) fn listed<T>(mut items: Vec<T>, size: impl Fn(&T) -> usize, what: &str, warnings: &mut Vec<String>) -> Vec<T> {
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
