//! What R code asks and tells the client of an interactive R, by the functions of `r-init/host/`.

use super::host::{Host, short};
use crate::{
    link::host::{Choices, HostAnswer, HostQuestion, Notice, Plot, Say},
    r::natives::{Argument, CallError, NativeServer, NativeValue},
};

impl NativeServer for Host {
    fn call(&self, name: &str, arguments: Vec<Argument>) -> Result<NativeValue, CallError> {
        let given = Arguments(arguments);
        if let Some(notice) = notice(name, &given) {
            self.say(&Say::Notice(notice), &[]);
            return Ok(NativeValue::Nothing);
        }
        match name {
            "plot" => {
                let plot = Plot {
                    device: given.text(0),
                    page: given.text(1),
                    path: given.text(2),
                    number: given.whole(3),
                    active: given.number(4).map_or(-1, |active| clamp(active, -1.0, i32::MAX)),
                    count: given.whole(5),
                };
                self.say(&Say::Plot(plot), given.bytes(6));
                Ok(NativeValue::Nothing)
            }
            "blob_create" => {
                let id = self.blobs.borrow_mut().add(given.bytes(0).to_vec()).map_err(CallError::Refused)?;
                Ok(NativeValue::Numbers(vec![id as f64]))
            }
            "blob_get" => Ok(NativeValue::Bytes(self.blobs.borrow().get(given.id(0)).map_err(CallError::Refused)?.to_vec())),
            "blob_size" => Ok(NativeValue::Numbers(vec![self.blobs.borrow().get(given.id(0)).map_err(CallError::Refused)?.len() as f64])),
            "blob_destroy" => {
                given.numbers(0).iter().for_each(|&id| self.blobs.borrow_mut().destroy(whole(id)));
                Ok(NativeValue::Nothing)
            }
            _ => self.put(name, &given),
        }
    }
}

impl Host {
    /// Puts a question of R code.
    fn put(&self, name: &str, given: &Arguments) -> Result<NativeValue, CallError> {
        let mut payload = String::new();
        let question = match name {
            "edit" => {
                let text = given.0.first().and_then(Argument::as_text);
                text.unwrap_or_default().clone_into(&mut payload);
                HostQuestion::Edit { text: text.is_some(), file: given.0.get(1).and_then(Argument::as_text).map(short) }
            }
            "device_size" => HostQuestion::DeviceSize(given.text(0)),
            "locate" => HostQuestion::Locate(given.text(0)),
            "before_packages" => HostQuestion::BeforePackages,
            "after_packages" => HostQuestion::AfterPackages,
            "confirm" => {
                let choices = match given.text(1).as_str() {
                    "ok_cancel" => Choices::OkCancel,
                    "yes_no" => Choices::YesNo,
                    _ => Choices::YesNoCancel,
                };
                HostQuestion::Confirm { text: given.text(0), choices, contexts: crate::r::repl::contexts() }
            }
            _ => return Err(CallError::Refused(format!("there is no function '{name}'"))),
        };
        if !self.may_ask() {
            return Err(CallError::Refused("nobody can be asked in this evaluation".to_owned()));
        }
        let (answer, text) = self.ask(question, payload.as_bytes()).ok_or(CallError::Stopped)?;
        Ok(match answer {
            HostAnswer::Text => NativeValue::Text(String::from_utf8_lossy(text.as_ref()).into_owned()),
            HostAnswer::Yes if name == "confirm" => NativeValue::Text("yes".to_owned()),
            HostAnswer::No if name == "confirm" => NativeValue::Text("no".to_owned()),
            HostAnswer::Cancel if name == "confirm" => NativeValue::Text("cancel".to_owned()),
            HostAnswer::Yes => NativeValue::Flag(true),
            HostAnswer::No => NativeValue::Flag(false),
            HostAnswer::Cancel | HostAnswer::Nothing => NativeValue::Nothing,
            HostAnswer::Size(width, height, resolution) => NativeValue::Numbers(vec![width.into(), height.into(), resolution.into()]),
            HostAnswer::Point(x, y) => NativeValue::Numbers(vec![x as f64 / 1e3, y as f64 / 1e3]),
        })
    }
}

/// What R code tells, by its name.
fn notice(name: &str, given: &Arguments) -> Option<Notice> {
    Some(match name {
        "message" => Notice::Message(given.text(0)),
        "folder" => Notice::Folder(given.text(0)),
        "packages" => Notice::Packages,
        "packages_removed" => Notice::PackagesRemoved,
        "file" => Notice::File { path: given.text(0), title: given.text(1), delete: given.flag(2) },
        "view" => Notice::View { expression: given.text(0), title: given.text(1) },
        "page" => Notice::Page(given.text(0)),
        "fetch" => Notice::Fetch { name: given.text(0), blob: given.id(1), target: given.text(2), silent: given.flag(3) },
        "device_closed" => Notice::DeviceClosed(given.text(0)),
        "workspace_left" => Notice::WorkspaceLeft,
        "workspace_taken" => Notice::WorkspaceTaken,
        _ => return None,
    })
}

/// The arguments of a call. One that is missing or of another type is empty.
struct Arguments(Vec<Argument>);

impl Arguments {
    fn text(&self, at: usize) -> String {
        self.0.get(at).and_then(Argument::as_text).map(short).unwrap_or_default()
    }

    fn flag(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Argument::Flag(true)))
    }

    fn numbers(&self, at: usize) -> &[f64] {
        if let Some(Argument::Numbers(numbers)) = self.0.get(at) { numbers } else { &[] }
    }

    fn number(&self, at: usize) -> Option<f64> {
        self.numbers(at).first().copied()
    }

    fn id(&self, at: usize) -> u64 {
        self.number(at).map_or(0, whole)
    }

    fn whole(&self, at: usize) -> u32 {
        u32::try_from(self.id(at)).unwrap_or(u32::MAX)
    }

    fn bytes(&self, at: usize) -> &[u8] {
        if let Some(Argument::Bytes(bytes)) = self.0.get(at) { bytes } else { &[] }
    }
}

impl Argument {
    fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// A number as one that counts; what is none is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and NaN becomes 0")]
fn whole(number: f64) -> u64 {
    number as u64
}

#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn clamp(number: f64, least: f64, most: i32) -> i32 {
    (number.max(least) as i32).min(most)
}
