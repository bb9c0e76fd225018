//! Images of sessions: objects, files, packages that the session has installed, and its surroundings, as they are during one turn. What is
//! saved and brought back is an image: a project or a snapshot only names one.

use std::{
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    sync::Arc,
};

use bytes::Bytes;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    App, Failure,
    contents::blocking,
    files::{Area, draft_put},
};
use crate::{
    link::{
        command::{Image, Library, Listed, LoadImage, SaveImage, Stored, Surroundings},
        frame::INLINE,
        messages::folder,
    },
    session::{Session, queue::Turn},
    store::{
        Blob, StoreError,
        blobs::{Keeping, PIECE, Writer},
        images::{ImageArea, ImageFile, ImageState, StoredImage},
    },
    system::{
        folder::{FileError, draft_pipe},
        tree,
    },
    wire::rdata,
};

/// The bit of a file's mode that lets its owner execute it.
const EXECUTABLE: u32 = 0o100;

impl ImageArea {
    fn of_session(self) -> Area {
        match self {
            Self::Work => Area::Work,
            Self::Library => Area::Library,
        }
    }
}

impl App {
    /// Puts an image of a session into the store. Returns also what could not be saved, a sentence each, and what protects the image until
    /// something names it.
    ///
    /// # Errors
    /// [`Failure`]; there is no image then.
    pub(super) async fn image_capture(&self, session: &Arc<Session>, turn: &Turn) -> Result<(StoredImage, Vec<String>, Keeping), Failure> {
        let keeping = self.store.blobs.keep().await?;
        let (Image { surroundings, files, mut unsaved, .. }, workspace) = self.image_write(session, turn, &keeping).await?;
        let Listed { files: library, unsaved: skipped } = Self::ask(turn, Library).await?;
        unsaved.extend(skipped);
        let mut saved = Vec::with_capacity(files.len() + library.len());
        for (area, paths) in [(ImageArea::Work, files), (ImageArea::Library, library)] {
            for path in paths {
                let content = match self.file_open(session, area.of_session(), &path).await {
                    Ok(content) => content,
                    Err(FileError::Missing) => continue, // It has gone meanwhile.
                    Err(error) => {
                        unsaved.push(format!("file {path:?} was not saved: {error}"));
                        continue;
                    }
                };
                let executable = content.metadata()?.permissions().mode() & EXECUTABLE != 0;
                let blob = self.store.blobs.put(&keeping, tokio::fs::File::from_std(content)).await?;
                saved.push(ImageFile { area, path, blob, executable });
            }
        }
        let Surroundings { folder, packages } = surroundings;
        let image = StoredImage::new(workspace, ImageState { packages, folder }, saved);
        self.store.image_add(&image, &keeping).await?;
        Ok((image, unsaved, keeping))
    }

    /// Brings an image into a session. What the session has stays, unless the image has something of the same name. Returns warnings. The
    /// image has to be named by something that is not removed meanwhile; if it is removed, this may fail.
    ///
    /// # Errors
    /// [`Failure`]; a part of the image may be there then.
    pub(super) async fn image_restore(&self, session: &Arc<Session>, turn: &Turn, image: &str) -> Result<Vec<String>, Failure> {
        self.image_bring(session, turn, &*self.image(image).await?).await
    }

    /// An image of the store.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Store`]
    pub(super) async fn image(&self, image: &str) -> Result<Arc<StoredImage>, Failure> {
        let found = self.store.image(image).await?;
        found.map(Arc::new).ok_or_else(|| Failure::Unknown(format!("There is no image {image}.")))
    }

    /// Brings an image into a session.
    ///
    /// # Errors
    /// [`Failure`]; a part of the image may be there then.
    pub(super) async fn image_bring(&self, session: &Arc<Session>, turn: &Turn, image: &StoredImage) -> Result<Vec<String>, Failure> {
        let StoredImage { workspace, state: ImageState { packages, folder }, files, .. } = image;
        for file in files {
            let permissions = PermissionsExt::from_mode(if file.executable { 0o700 } else { 0o600 });
            self.content_place_as(session, &file.blob.hash, file.area.of_session(), &file.path, permissions).await?;
        }
        // Few objects go with the command. A file would have to be written, moved and removed for them.
        let payload = self.content_of_few(workspace).await?;
        let workspace = match payload {
            Some(_) => None,
            None => Some(Stored { file: self.content_bring(session, &workspace.hash).await?, name: String::new() }),
        };
        let surroundings = Surroundings { folder: folder.clone(), packages: packages.clone() };
        Ok(turn.operate(LoadImage { workspace, surroundings }, payload.unwrap_or_default()).await?.reply)
    }

    /// The objects of a workspace, if they are few and not compressed.
    async fn content_of_few(&self, workspace: &Blob) -> Result<Option<Bytes>, Failure> {
        if workspace.size > INLINE as u64 {
            return Ok(None);
        }
        let (blobs, hash) = (self.store.blobs.clone(), workspace.hash.clone());
        let content = blocking(move || {
            let mut content = Vec::new();
            blobs.file(&hash)?.take(INLINE as u64).read_to_end(&mut content)?;
            Ok(content)
        });
        let content = Bytes::from(content.await?);
        Ok(rdata::serialized(&content).map(|objects| content.slice_ref(objects)))
    }

    /// Has a session's worker save all objects. If it is stopped, at a limit for instance, it saves what needs no computing.
    ///
    /// # Errors
    /// [`Failure`]
    pub(super) async fn image_write(&self, session: &Arc<Session>, turn: &Turn, keeping: &Keeping) -> Result<(Image, Blob), Failure> {
        for evaluate in [true, false] {
            if let Some(written) = self.image_try(session, turn, keeping, evaluate).await? {
                return Ok(written);
            }
        }
        Err(Failure::R("the objects could not be saved: R was stopped".to_owned()))
    }

    /// One attempt to save all objects; `None` if R was stopped. The worker writes into a pipe, and we read it at the same time, so that a
    /// large workspace takes neither memory nor space in the session's folder. If it cannot be written at once, the worker finds out what can,
    /// and writes that into a file.
    async fn image_try(
        &self,
        session: &Arc<Session>,
        turn: &Turn,
        keeping: &Keeping,
        evaluate: bool,
    ) -> Result<Option<(Image, Blob)>, Failure> {
        let [pipe, file] = [Uuid::new_v4(), Uuid::new_v4()];
        let receiver = self.pipe_make(session, pipe).await?;
        let room = room(session).await?;
        let over = CancellationToken::new();
        let saving = async {
            let saved = Self::ask(turn, SaveImage { pipe: Some(pipe), file, evaluate }).await;
            over.cancel();
            saved
        };
        let (saved, received) = tokio::join!(saving, receive(receiver, self.store.blobs.writer(keeping), room, &over));
        // The session may have replaced the pipe; only the name is removed.
        let _ = tokio::fs::remove_file(session.folder.join(folder::FILES).join(pipe.to_string())).await;
        let Some(mut image) = saved? else { return Ok(None) };
        if image.piped {
            if let Some(writer) = received?.filter(|writer| writer.size > 0) {
                return Ok(Some((image, writer.finish().await?)));
            }
            // The last bytes were too many, or the session has replaced the pipe.
            let Some(again) = Self::ask(turn, SaveImage { pipe: None, file, evaluate }).await? else { return Ok(None) };
            image = again;
        }
        let blob = self.content_collect(session, file, keeping).await?;
        Ok(Some((image, blob)))
    }

    /// Makes a pipe that a session's worker can write to; returns the end for reading.
    async fn pipe_make(&self, session: &Arc<Session>, name: Uuid) -> Result<Receiver, Failure> {
        let uploads = self.uploads.clone();
        let (pipe, draft) = blocking(move || draft_pipe(&uploads)).await?;
        draft_put(session, Area::Exchange, &name.to_string(), pipe.try_clone()?, draft, false).await?;
        Ok(Receiver::from_file(pipe)?)
    }
}

/// The bytes by which a session may exceed what its files take, for a moment.
async fn room(session: &Arc<Session>) -> io::Result<u64> {
    let session = Arc::clone(session);
    let most = session.limits.disk.unwrap_or(u64::MAX);
    let file = session.limits.file_size.unwrap_or(u64::MAX);
    blocking(move || Ok(tree::room(folder::ALL.map(|name| session.folder.join(name)), most).min(file))).await
}

/// Reads a pipe until the operation is over that writes to it; then what is still in it. `None` if that is more than `most` bytes: nobody
/// reads the pipe then, and whoever writes to it is told so.
///
/// The end of the pipe says nothing: a process that the session has started may keep it open for ever, or have closed it before the worker
/// has opened it.
async fn receive(pipe: Receiver, mut writer: Writer, most: u64, over: &CancellationToken) -> Result<Option<Writer>, StoreError> {
    let mut piece = vec![0; PIECE];
    loop {
        let is_over = over.is_cancelled();
        let read = if is_over {
            // Not by the runtime, which may not have heard yet of what was written last.
            rustix::io::read(&pipe, &mut piece).map_err(io::Error::from)
        } else {
            tokio::select! {
                ready = pipe.readable() => ready?,
                () = over.cancelled() => continue,
            }
            pipe.try_read(&mut piece)
        };
        match read {
            Ok(0) if is_over => return Ok(Some(writer)),
            Ok(0) => over.cancelled().await,
            Ok(count) if writer.size.saturating_add(count as u64) > most => return Ok(None),
            Ok(count) => writer.write(&piece[..count]).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && is_over => return Ok(Some(writer)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}
