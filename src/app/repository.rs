//! The repository as a caller sees it: objects and files of the own login, and those of the server that are for
//! the caller.

use std::{fs::File, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use uuid::Uuid;

use super::{App, Failure};
use crate::{
    auth::{Caller, Login, Permission, permissions},
    link::{
        command::{Files, Load, RemoveFile, Save, SaveImage, Stored},
        messages::folder,
    },
    session::{Admission, Session},
    store::{
        Access, Blob, StoreError,
        blobs::Keeping,
        objects::{Kind, Object},
        policies::Policy,
    },
    wire::rdata::is_r_data,
};

/// A content, piece by piece.
pub type Content = BoxStream<'static, Result<Bytes, object_store::Error>>;

/// Largest upload in MiB, unless the policy says otherwise.
const UPLOAD_MIB: u64 = 256;

impl App {
    /// Largest upload that is taken, in MiB.
    #[must_use]
    pub fn upload_mib(&self) -> u64 {
        self.rules.now().policies.number(Policy::UploadMib, UPLOAD_MIB)
    }

    /// The objects that a caller may use, newest first.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn objects(&self, login: &Login) -> Result<Vec<Object>, Failure> {
        let rules = self.rules.now();
        let caller = Caller::Account(&login.user);
        let mut list = self.store.object_list(Some(login.id)).await?;
        list.retain(|object| object.login == Some(login.id) || permissions::may_use(&rules, &object.access, caller));
        Ok(list)
    }

    /// An object that a caller may use: one of the login's own, or one of the server's that is for the caller.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for all others
    pub async fn object(&self, id: Uuid, login: Option<Uuid>, caller: Caller<'_>) -> Result<Object, Failure> {
        let object = self.store.object(id).await?;
        let rules = self.rules.now();
        let usable = |object: &Object| match object.login {
            None => permissions::may_use(&rules, &object.access, caller),
            own => own == login,
        };
        object.filter(usable).ok_or_else(|| Failure::Unknown(format!("There is no object {id} in the repository.")))
    }

    /// A file with an address.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for all others
    pub async fn file_by_address(&self, id: Uuid) -> Result<Object, Failure> {
        let object = self.store.object(id).await?.filter(has_address);
        object.ok_or_else(|| Failure::Unknown("There is no such file, or it went with the login it belonged to.".to_owned()))
    }

    /// That a content may be R data, as far as its beginning tells.
    ///
    /// # Errors
    /// [`Failure::Invalid`] when it is none
    pub async fn require_r_data(&self, name: &str, blob: &Blob) -> Result<(), Failure> {
        let first = self.store.blobs.get(&blob.hash).await?.next().await;
        let start = first.transpose().map_err(StoreError::from)?.unwrap_or_default();
        if is_r_data(&*start).map_err(StoreError::from)? == Some(false) {
            return Err(Failure::Invalid(format!("{name:?} is no R data, as save() and saveRDS() write it.")));
        }
        Ok(())
    }

    /// Adds a content that was written under `keeping`.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn add_object(&self, login: &Login, name: &str, kind: Kind, blob: Blob, keeping: &Keeping) -> Result<Object, Failure> {
        let owner = if login.is_anonymous() { None } else { Some(login.user.as_str()) };
        let object = Object::of_login(owner, login.id, name, kind, blob);
        self.store.object_add(&object, keeping).await?;
        if login.is_closing() {
            // A logout has looked for objects before this one was there.
            self.store.object_forget(Some(login.id)).await?;
        }
        Ok(object)
    }

    /// The content of an object.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn content(&self, object: &Object) -> Result<Content, Failure> {
        Ok(self.store.blobs.get(&object.blob.hash).await?)
    }

    /// Removes an object of the login, or as a script manager one of the server's.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`]
    pub async fn remove_object(&self, id: Uuid, login: &Login) -> Result<(), Failure> {
        let object = self.object(id, Some(login.id), Caller::Account(&login.user)).await?;
        if object.login.is_none() && !permissions::allows(&self.rules.now(), &login.user, Permission::Scripts) {
            return Err(Failure::Forbidden("This object is the server's: only an administrator can remove it.".to_owned()));
        }
        Ok(self.store.object_remove(id).await?)
    }

    /// Saves one object of a session, or all.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn save_object(&self, session: &Arc<Session>, login: &Login, which: Option<&str>, name: &str) -> Result<Object, Failure> {
        let turn = session.turn(Admission::Immediate)?;
        let file = Uuid::new_v4();
        let kind = match which {
            Some(name) => {
                if !Self::ask(&turn, Save { name: name.to_owned(), file }).await? {
                    return Err(Failure::Unknown(format!("There is no object {name:?} in the R session.")));
                }
                Kind::Object
            }
            None => {
                Self::ask(&turn, SaveImage { file }).await?;
                Kind::Workspace
            }
        };
        let keeping = self.store.blobs.keep().await?;
        let blob = self.collect(session, file, &keeping).await?;
        self.add_object(login, name, kind, blob, &keeping).await
    }

    /// Loads an object of the repository into a session; returns R's warnings.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn load_object(&self, session: &Arc<Session>, object: &Object) -> Result<Vec<String>, Failure> {
        require_data(object)?;
        self.load_upload(session, &object.name, &object.blob).await
    }

    /// Copies a file of the working folder into the repository.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn save_file(&self, session: &Arc<Session>, login: &Login, path: &str, name: &str) -> Result<Object, Failure> {
        let _turn = session.turn(Admission::Immediate)?;
        let file: File = self.open_in(session, folder::WORK, path).await?;
        let keeping = self.store.blobs.keep().await?;
        let blob = self.store.blobs.put(&keeping, tokio::fs::File::from_std(file)).await?;
        self.add_object(login, name, Kind::File, blob, &keeping).await
    }

    /// Copies a file of the repository into the working folder, under its name.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn load_file(&self, session: &Arc<Session>, object: &Object) -> Result<(), Failure> {
        let _turn = session.turn(Admission::Immediate)?;
        self.place(session, &object.blob.hash, folder::WORK, &object.name).await
    }

    /// The files of a session's working folder, by their paths in it, sorted.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn session_files(&self, session: &Arc<Session>) -> Result<Vec<String>, Failure> {
        Self::ask(&session.turn(Admission::Immediate)?, Files).await
    }

    /// Puts an upload into a session's working folder, in place of a file of that name.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn place_upload(&self, session: &Arc<Session>, name: &str, blob: &Blob) -> Result<(), Failure> {
        let _turn = session.turn(Admission::Immediate)?;
        self.place(session, &blob.hash, folder::WORK, name).await
    }

    /// Loads an upload of R data into a session; returns R's warnings.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn load_upload(&self, session: &Arc<Session>, name: &str, blob: &Blob) -> Result<Vec<String>, Failure> {
        let turn = session.turn(Admission::Immediate)?;
        let file = self.bring(session, &blob.hash).await?;
        Self::ask(&turn, Load(Stored { file, name: name.to_owned() })).await
    }

    /// Removes a file of a session's working folder.
    ///
    /// # Errors
    /// [`Failure::Unknown`] when there is none
    pub async fn remove_file(&self, session: &Arc<Session>, path: &str) -> Result<(), Failure> {
        let removed = Self::ask(&session.turn(Admission::Immediate)?, RemoveFile { path: path.to_owned() }).await?;
        if removed { Ok(()) } else { Err(Failure::Unknown(format!("There is no file {path:?} in the R session."))) }
    }
}

/// Whether an object is a file that can be had at an address: one of any login's, or one of the server's that is for
/// everybody. The address is the secret of those that users have uploaded; those of the server have no secret.
#[must_use]
pub fn has_address(object: &Object) -> bool {
    object.kind == Kind::File && (object.login.is_some() || object.access == Access::Anonymous)
}

/// That something is R data. Whoever may bring no code of their own may bring files, and not load them.
pub(super) fn require_data(object: &Object) -> Result<(), Failure> {
    match object.kind {
        Kind::File => Err(Failure::Invalid(format!("The file {:?} is not an R object.", object.name))),
        Kind::Object | Kind::Workspace => Ok(()),
    }
}
