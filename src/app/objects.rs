//! The repository: objects and files of the principal's login, and those of the server that the principal may use.

use std::{fs::File, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use uuid::Uuid;

use super::{App, Failure, contents::blocking, files::Area, sessions::login, uploads::Received};
pub use crate::store::{
    Access,
    objects::{Kind, Object},
};
use crate::{
    auth::{Permission, Principal, permissions},
    link::command::{Load, Save, Stored},
    session::{Admission, Session, queue::Turn},
    store::{Blob, StoreError, blobs::Keeping},
    wire::rdata::is_r_data,
};

/// A content, read piece by piece.
pub type Content = BoxStream<'static, Result<Bytes, object_store::Error>>;

impl App {
    /// The objects that the principal may use, newest first.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn object_list(&self, principal: &Principal) -> Result<Vec<Object>, Failure> {
        let rules = self.rules.now();
        let login = principal.login().map(|login| login.id);
        let mut list = self.store.object_list(login).await?;
        list.retain(|object| object.login.is_some() && object.login == login || permissions::may_use(&rules, &object.access, principal));
        Ok(list)
    }

    /// An object that the principal may use: one of the login's own, or one of the server's that is for the principal.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for all others
    pub async fn object(&self, id: Uuid, principal: &Principal) -> Result<Object, Failure> {
        let object = self.store.object(id).await?;
        let rules = self.rules.now();
        let usable = |object: &Object| match object.login {
            None => permissions::may_use(&rules, &object.access, principal),
            own => own == principal.login().map(|login| login.id),
        };
        object.filter(usable).ok_or_else(|| Failure::Unknown(format!("There is no object {id} in the repository.")))
    }

    /// A file of the repository that has an address.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for all others
    pub async fn object_at(&self, id: Uuid) -> Result<Object, Failure> {
        let object = self.store.object(id).await?.filter(has_address);
        object.ok_or_else(|| Failure::Unknown("There is no such file, or it went with the login it belonged to.".to_owned()))
    }

    /// Adds an upload to the repository. The description may be empty.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for an object that is not R data, and others
    pub async fn object_upload(
        &self,
        principal: &Principal,
        name: &str,
        description: &str,
        kind: Kind,
        received: Received,
    ) -> Result<Object, Failure> {
        let (blob, keeping) = received.into_content(self).await?;
        if kind == Kind::Object {
            self.require_r_data(name, &blob).await?;
        }
        self.object_add(principal, name, description, kind, blob, &keeping).await
    }

    /// Checks by the first bytes of a content that it may be R data.
    async fn require_r_data(&self, name: &str, blob: &Blob) -> Result<(), Failure> {
        let first = self.store.blobs.get(&blob.hash).await?.next().await;
        let start = first.transpose().map_err(StoreError::from)?.unwrap_or_default();
        require_r_data(name, is_r_data(&*start).map_err(StoreError::from)?)
    }

    /// Adds a content, which `keeping` protects until then. The object belongs to the principal's login.
    pub(super) async fn object_add(
        &self,
        principal: &Principal,
        name: &str,
        description: &str,
        kind: Kind,
        blob: Blob,
        keeping: &Keeping,
    ) -> Result<Object, Failure> {
        let login = login(principal)?;
        let description = description.to_owned();
        let object = Object { description, ..Object::of_login(principal.account(), login.id, name, kind, blob) };
        self.store.object_add(&object, keeping).await?;
        if login.is_closing() {
            // A logout removed the login's objects before this one was there.
            self.store.object_forget(Some(login.id)).await?;
        }
        Ok(object)
    }

    /// The content of an object.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn object_content(&self, object: &Object) -> Result<Content, Failure> {
        Ok(self.store.blobs.get(&object.blob.hash).await?)
    }

    /// Removes an object of the principal's login. A script manager may also remove one of the server's.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`]
    pub async fn object_remove(&self, id: Uuid, principal: &Principal) -> Result<(), Failure> {
        let object = self.object(id, principal).await?;
        if object.login.is_none() && !permissions::allows(&self.rules.now(), principal, Permission::Scripts) {
            return Err(Failure::Forbidden("This object is the server's: only an administrator can remove it.".to_owned()));
        }
        Ok(self.store.object_remove(id).await?)
    }

    /// Saves one object of a session.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn object_save(&self, session: &Arc<Session>, principal: &Principal, which: &str, name: &str) -> Result<Object, Failure> {
        let turn = session.turn(Admission::Immediate)?;
        let file = Uuid::new_v4();
        if !Self::ask(&turn, Save { name: which.to_owned(), file }).await? {
            return Err(Failure::Unknown(format!("There is no object {which:?} in the R session.")));
        }
        self.object_collect(session, principal, file, name, Kind::Object).await
    }

    /// Saves all objects of a session. Returns also what could not be saved, a sentence each.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn workspace_save(
        &self,
        session: &Arc<Session>,
        principal: &Principal,
        name: &str,
    ) -> Result<(Object, Vec<String>), Failure> {
        let turn = session.turn(Admission::Immediate)?;
        let keeping = self.store.blobs.keep().await?;
        let (image, blob) = self.image_write(session, &turn, &keeping).await?;
        let object = self.object_add(principal, name, "", Kind::Workspace, blob, &keeping).await?;
        Ok((object, image.unsaved))
    }

    /// Moves a file that a session's worker has written for the server into the repository.
    pub(super) async fn object_collect(
        &self,
        session: &Arc<Session>,
        principal: &Principal,
        file: Uuid,
        name: &str,
        kind: Kind,
    ) -> Result<Object, Failure> {
        let keeping = self.store.blobs.keep().await?;
        let blob = self.content_collect(session, file, &keeping).await?;
        self.object_add(principal, name, "", kind, blob, &keeping).await
    }

    /// Loads an object of the repository into a session; returns R's warnings. An object without a name gets that of the file that it
    /// came in.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn object_load(&self, session: &Arc<Session>, object: &Object) -> Result<Vec<String>, Failure> {
        require_data(object)?;
        let turn = session.turn(Admission::Immediate)?;
        let file = self.content_bring(session, &object.blob.hash).await?;
        Self::ask(&turn, Load(Stored { file, name: object_name(&object.name) })).await
    }

    /// Loads a file of R data that was uploaded into a session; returns R's warnings. An object without a name gets that of the file.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for what is no R data, and others
    pub async fn object_load_upload(&self, session: &Arc<Session>, name: &str, received: Received) -> Result<Vec<String>, Failure> {
        let turn = session.turn(Admission::Immediate)?;
        self.object_load_received(&turn, session, name, object_name(name), received).await
    }

    /// A file as R's `save()` writes it, with one object of a session, and its length; `None` when there is no such object. The session
    /// ends first what it is running.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn object_file(&self, session: &Arc<Session>, name: &str) -> Result<Option<(File, u64)>, Failure> {
        let turn = session.turn(Admission::Queued)?;
        let file = Uuid::new_v4();
        if !Self::ask(&turn, Save { name: name.to_owned(), file }).await? {
            return Ok(None);
        }
        let content = self.file_open(session, Area::Exchange, &file.to_string()).await?;
        // What is open can be read to its end; the session has to see no file of it.
        self.exchange_remove(session, file).await;
        let length = content.metadata()?.len();
        Ok(Some((content, length)))
    }

    /// Binds an upload to a name in a session: what `serialize()` or `saveRDS()` has written. A file of `save()` has names of its own. The
    /// session ends first what it is running.
    ///
    /// # Errors
    /// [`Failure::Invalid`] for what is no R data, and others
    pub async fn object_bind_upload(&self, session: &Arc<Session>, name: &str, received: Received) -> Result<Vec<String>, Failure> {
        let turn = session.turn(Admission::Queued)?;
        self.object_load_received(&turn, session, name, name.to_owned(), received).await
    }

    /// Loads an upload; `object` is the name of an object that has none.
    async fn object_load_received(
        &self,
        turn: &Turn,
        session: &Arc<Session>,
        name: &str,
        object: String,
        received: Received,
    ) -> Result<Vec<String>, Failure> {
        let beginning = received.beginning(self).await?;
        require_r_data(name, blocking(move || is_r_data(beginning)).await?)?;
        let file = Uuid::new_v4();
        self.file_put(session, Area::Exchange, &file.to_string(), received, false).await?;
        Self::ask(turn, Load(Stored { file, name: object })).await
    }

    /// Copies a file of the working folder into the repository, where it keeps its name. The description may be empty.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn file_save(&self, session: &Arc<Session>, principal: &Principal, path: &str, description: &str) -> Result<Object, Failure> {
        let _turn = session.turn(Admission::Immediate)?;
        let file = self.file_open(session, Area::Work, path).await?;
        let keeping = self.store.blobs.keep().await?;
        let blob = self.store.blobs.put(&keeping, tokio::fs::File::from_std(file)).await?;
        let name = path.rsplit('/').next().unwrap_or(path);
        self.object_add(principal, name, description, Kind::File, blob, &keeping).await
    }

    /// Copies a file of the repository into the working folder, where it keeps its name.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn file_load(&self, session: &Arc<Session>, object: &Object) -> Result<(), Failure> {
        let _turn = session.turn(Admission::Immediate)?;
        self.content_place(session, &object.blob.hash, Area::Work, &object.name).await
    }
}

/// The name of the object in a file of `saveRDS()`, which has none itself: that of the file, without the ending for R data.
pub(super) fn object_name(file: &str) -> String {
    let (stem, ending) = file.rsplit_once('.').unwrap_or((file, ""));
    let is_data = ["rds", "rdata", "rda"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    if is_data && !stem.is_empty() { stem } else { file }.to_owned()
}

/// Checks what [`is_r_data`] has found.
fn require_r_data(name: &str, is_data: Option<bool>) -> Result<(), Failure> {
    if is_data == Some(false) {
        return Err(Failure::Invalid(format!("{name:?} is no R data, as save() and saveRDS() write it.")));
    }
    Ok(())
}

/// Whether an object is a file that has an address: one of any login's, or one of the server's that is for everybody. The address of a
/// user's file is its secret; the server's files for everybody need none.
#[must_use]
pub fn has_address(object: &Object) -> bool {
    object.kind == Kind::File && (object.login.is_some() || object.access == Access::Anonymous)
}

/// Checks that an object is R data. A caller who may not bring code may still upload files, but may not load them as objects.
pub(super) fn require_data(object: &Object) -> Result<(), Failure> {
    match object.kind {
        Kind::File => Err(Failure::Invalid(format!("The file {:?} is not an R object.", object.name))),
        Kind::Object | Kind::Workspace => Ok(()),
    }
}
