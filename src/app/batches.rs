//! Batches: many calls of a service, which the server carries out while its caller is away. Each call has a session of its own, which counts
//! as the caller's. Results are kept in the store as soon as they are there, and a server that is started again carries out the rest.
//!
//! A call that fails has a result that says so. A batch fails only if it could not be brought to its end: its owner may not call services
//! any more, or the store failed.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream, FuturesUnordered},
};
use tokio::{io::AsyncReadExt, task::JoinHandle, time::Instant};
use uuid::Uuid;

use super::{
    App, Failure, calls,
    files::{Area, FileError},
    results,
    services::{Consumed, Definition, Service},
    sessions::{Author, Ephemeral},
};
pub use crate::store::batches::{Batch, BatchState};
use crate::{
    auth::{Principal, ServiceRight, authentication::may_be_used},
    session::{Cause, OpenError, OperationError, Session, Stop, Tombstone},
    store::{
        Blob, StoreError,
        batches::{BatchItem, BatchResult},
        blobs::Keeping,
        images::StoredImage,
    },
};

/// How many calls run at the same time unless the caller says otherwise.
const PARALLEL: u64 = 10;
/// Time between two attempts to open a session while there are too many.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a call waits for a session.
const WAIT: Duration = Duration::from_hours(1);
/// How much is read of results at a time, in bytes, unless a single one is larger; and how many of them.
const PIECE: u64 = 256 << 10;
const PIECE_RESULTS: usize = 500;

/// The batches that this server is carrying out.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<Uuid, JoinHandle<()>>>);

impl Running {
    fn table(&self) -> MutexGuard<'_, HashMap<Uuid, JoinHandle<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what is being done for a batch, its sessions included.
    async fn cancel(&self, id: Uuid) {
        let task = self.table().remove(&id);
        end(task).await;
    }

    async fn cancel_all(&self) {
        let tasks = std::mem::take(&mut *self.table());
        end(tasks.into_values()).await;
    }
}

async fn end(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.abort();
        let _ = task.await;
    }
}

/// A file of a session, by its path in the working folder, and its size.
type Left = (String, File, u64);

impl App {
    /// Begins a batch: calls of a service with each object of an array in JSON, `parallel` of them at the same time. Whether the inputs are
    /// as they are declared is seen by the calls.
    ///
    /// # Errors
    /// [`Failure::Invalid`] if that is no such array, or the principal has too many batches, and others
    pub async fn batch_start(
        self: &Arc<Self>,
        principal: &Principal,
        service: &Service,
        inputs: &str,
        parallel: Option<u64>,
    ) -> Result<Uuid, Failure> {
        self.service_require(principal, ServiceRight::Call)?;
        let most = &self.config.services;
        let inputs = calls::read(inputs, most.batch_items)?;
        let allowed = if most.batch_parallel == 0 { u64::MAX } else { most.batch_parallel };
        let parallel = parallel.unwrap_or(PARALLEL).clamp(1, allowed);
        let batch = self.store.batch_add(principal.name(), service, parallel, &inputs, most).await?;
        let id = batch.id;
        tracing::info!(batch = %id, user.name = batch.owner, service = batch.service, calls = batch.total, "batch begun");
        self.batch_resume(batch);
        Ok(id)
    }

    /// The principal's batches of a version of a service, oldest first. The service may be gone.
    ///
    /// # Errors
    /// [`Failure::Unknown`] if there is neither a batch nor a service
    pub async fn batch_list(&self, principal: &Principal, service: &str, version: &str) -> Result<Vec<Uuid>, Failure> {
        let mut batches = self.store.batch_list(principal.name()).await?;
        batches.retain(|batch| batch.service == service && batch.version == version);
        if batches.is_empty() {
            self.service(principal, service, version).await?;
        }
        Ok(batches.iter().map(|batch| batch.id).collect())
    }

    /// One of the principal's batches of a version of a service.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for all others
    pub async fn batch(&self, principal: &Principal, service: &str, version: &str, id: Uuid) -> Result<Batch, Failure> {
        let found = self.store.batch(id, principal.name()).await?;
        let found = found.filter(|batch| batch.service == service && batch.version == version);
        found.ok_or_else(|| Failure::Unknown(format!("There is no batch {id}.")))
    }

    /// The results that a batch has, in the order of the inputs, as an array in JSON, which is read from the store while it is sent. Returns
    /// also how many there are.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn batch_results(&self, batch: &Batch) -> Result<(u64, BoxStream<'static, io::Result<Bytes>>), Failure> {
        let (store, id) = (self.store.clone(), batch.id);
        let sizes = store.batch_sizes(id).await?;
        let pieces = pieces(&sizes);
        let end = pieces.last().copied();
        let read = stream::iter(pieces).then(move |piece| {
            let store = store.clone();
            async move {
                let (first, last) = piece;
                let results = store.batch_results(id, first, last).await.map_err(io::Error::other)?;
                if i64::try_from(results.len()) != Ok(last - first + 1) {
                    return Err(io::Error::other("the batch was removed"));
                }
                let after = if Some(piece) == end { &b""[..] } else { b"," };
                Ok(Bytes::from([&results.join(&b","[..]), after].concat()))
            }
        });
        Ok((sizes.len() as u64, read.boxed()))
    }

    /// The files that one call of a batch has left, by their paths in the working folder. A call that has no result yet has none.
    ///
    /// # Errors
    /// [`Failure::Unknown`] if the batch has no such call
    pub async fn batch_files(&self, batch: &Batch, number: u64) -> Result<Vec<(String, Blob)>, Failure> {
        if number >= batch.total {
            return Err(Failure::Unknown(format!("The batch {} has no call {number}: they are counted from 0.", batch.id)));
        }
        Ok(self.store.batch_files(batch.id, i64::try_from(number).unwrap_or(i64::MAX)).await?)
    }

    /// The content of a file that one call of a batch has left, and its size.
    ///
    /// # Errors
    /// [`Failure::Unknown`] if there is none
    pub async fn batch_file(
        &self,
        batch: &Batch,
        number: u64,
        name: &str,
    ) -> Result<(BoxStream<'static, Result<Bytes, object_store::Error>>, u64), Failure> {
        let files = self.batch_files(batch, number).await?;
        let found = files.into_iter().find(|(path, _)| path == name);
        let (_, blob) = found.ok_or_else(|| Failure::Unknown(format!("There is no file {name:?} of the call {number}.")))?;
        Ok((self.store.blobs.get(&blob.hash).await?, blob.size))
    }

    /// Ends one of the principal's batches, if it is under way, and removes it with its results and files.
    ///
    /// # Errors
    /// [`Failure::Unknown`]
    pub async fn batch_remove(&self, principal: &Principal, batch: &Batch) -> Result<(), Failure> {
        self.batches.cancel(batch.id).await;
        Ok(self.store.batch_remove(batch.id, principal.name()).await?)
    }

    /// Carries out the batches of the store that have not ended, if nobody does.
    pub(super) async fn batch_resume_all(self: &Arc<Self>) -> Result<(), StoreError> {
        self.store.batch_list_open().await?.into_iter().for_each(|batch| self.batch_resume(batch));
        Ok(())
    }

    /// Forgets the batches under way, because the store was replaced, and carries out those that are there now.
    pub(super) async fn batch_replace_all(self: &Arc<Self>) -> Result<(), StoreError> {
        self.batches.cancel_all().await;
        self.batch_resume_all().await
    }

    /// Carries out what is left of a batch, if nobody does.
    fn batch_resume(self: &Arc<Self>, batch: Batch) {
        // Held until the task is in the table: otherwise the task might have ended before.
        if let Entry::Vacant(place) = self.batches.table().entry(batch.id) {
            let app = Arc::clone(self);
            place.insert(self.tasks.spawn(async move {
                app.batch_run(&batch).await;
                app.batches.table().remove(&batch.id);
            }));
        }
    }

    async fn batch_run(self: &Arc<Self>, batch: &Batch) {
        let ended = tokio::select! {
            biased;
            // What is not finished is left for the next start.
            () = self.stopping.cancelled() => return,
            ended = self.batch_calls(batch) => ended,
        };
        let problem = ended.err().map(|failure| results::reason(&failure));
        tracing::info!(batch = %batch.id, user.name = batch.owner, problem, "batch ended");
        if let Err(error) = self.store.batch_end(batch.id, problem.as_deref()).await {
            tracing::error!(error = &error as &dyn std::error::Error, batch = %batch.id, "the end of a batch could not be noted");
        }
    }

    /// Carries out the calls that have no result.
    async fn batch_calls(self: &Arc<Self>, batch: &Batch) -> Result<(), Failure> {
        let begun = tokio::sync::Mutex::new(batch.state != BatchState::Pending);
        let image = match &batch.image {
            Some(image) => Some(self.image(image).await?),
            None => None,
        };
        let parallel = usize::try_from(batch.parallel).unwrap_or(usize::MAX);
        let (mut calls, mut next) = (FuturesUnordered::new(), Some(0));
        loop {
            while let Some(from) = next.filter(|_| calls.len() < parallel) {
                let item = self.store.batch_item_next(batch.id, from).await?;
                next = item.as_ref().map(|item| item.number + 1);
                calls.extend(item.map(|item| self.batch_item(batch, image.as_deref(), item, &begun)));
            }
            match calls.next().await {
                Some(kept) => kept?,
                None => return Ok(()),
            }
        }
    }

    /// Carries out one call, and keeps its result.
    ///
    /// # Errors
    /// Why the batch cannot go on.
    async fn batch_item(
        self: &Arc<Self>,
        batch: &Batch,
        image: Option<&StoredImage>,
        item: BatchItem,
        begun: &tokio::sync::Mutex<bool>,
    ) -> Result<(), Failure> {
        loop {
            let called = match self.batch_session(batch, begun).await {
                Ok(session) => self.service_call(session, &batch.definition, image, &item.inputs).await,
                Err(failure) => Err(failure),
            };
            if !was_stopped(&called) {
                return self.batch_keep(batch, item.number, called).await;
            }
        }
    }

    /// Opens a session for a call. While there are too many, or R is stopped, the call waits. Of one batch, one call waits, and the others for
    /// that.
    async fn batch_session(self: &Arc<Self>, batch: &Batch, begun: &tokio::sync::Mutex<bool>) -> Result<Ephemeral, Failure> {
        let mut begun = begun.lock().await;
        let deadline = Instant::now() + WAIT;
        loop {
            match self.session_open_ephemeral(&self.batch_owner(batch)?, None, Author::Another).await {
                Ok(session) => {
                    if !*begun {
                        self.store.batch_begin(batch.id).await?;
                        *begun = true;
                    }
                    return Ok(session);
                }
                Err(error @ (OpenError::Person(_) | OpenError::LoginOver)) => return Err(error.into()),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The owner of a batch, who may have lost the right to call services since it began.
    fn batch_owner(&self, batch: &Batch) -> Result<Principal, Failure> {
        let rules = self.rules.now();
        let account = rules.account(&batch.owner).ok_or_else(|| Failure::Forbidden("The account is gone.".to_owned()))?;
        may_be_used(account).map_err(|error| Failure::Forbidden(format!("The calls were not made: {error}.")))?;
        let principal = Principal::of_account(&rules, &batch.owner);
        self.service_require(&principal, ServiceRight::Call)?;
        Ok(principal)
    }

    /// Keeps what has become of a call.
    async fn batch_keep(&self, batch: &Batch, number: i64, called: Result<Consumed, Failure>) -> Result<(), Failure> {
        let kept = match called {
            Ok(consumed) => self.batch_keep_result(batch, number, consumed).await,
            Err(failure) => Err(failure),
        };
        match kept {
            Err(failure @ (Failure::Forbidden(_) | Failure::Unknown(_) | Failure::Store(_))) => Err(failure),
            Err(failure) => {
                let json = results::failed(&results::reason(&failure)).into_bytes();
                let result = BatchResult { success: false, json, files: Vec::new() };
                Ok(self.store.batch_item_end(batch.id, number, &result, None, None).await?)
            }
            Ok(()) => Ok(()),
        }
    }

    async fn batch_keep_result(&self, batch: &Batch, number: i64, consumed: Consumed) -> Result<(), Failure> {
        let success = consumed.outcome.failure().is_none();
        let left = self.batch_files_left(&consumed, &batch.definition).await?;
        let (mut files, mut keeping) = (Vec::with_capacity(left.len()), None);
        if !left.is_empty() {
            let size = left.iter().fold(0, |sum: u64, (_, _, size)| sum.saturating_add(*size));
            let most = &self.config.services;
            if size > most.files_mib << 20 {
                return Err(Failure::Invalid(format!(
                    "The files of the call are larger than {} MiB (services.files_mib).",
                    most.files_mib
                )));
            }
            // Before they are written: nobody collects them at once if there is no room.
            self.store.batch_room(&batch.owner, size, most).await?;
            let under = self.store.blobs.keep().await?;
            for file in left {
                files.push(self.batch_file_put(file, &under).await?);
            }
            keeping = Some(under);
        }
        let result = BatchResult { success, json: consumed.into_json().concat(), files };
        Ok(self.store.batch_item_end(batch.id, number, &result, Some(&self.config.services), keeping.as_ref()).await?)
    }

    async fn batch_file_put(&self, (path, file, size): Left, keeping: &Keeping) -> Result<(String, Blob), Failure> {
        // The session may be writing more of it.
        let content = tokio::fs::File::from_std(file).take(size);
        Ok((path, self.store.blobs.put(keeping, content).await?))
    }

    /// The files that a call has left: those that the service declares, and those that its code has written.
    async fn batch_files_left(&self, consumed: &Consumed, definition: &Definition) -> Result<Vec<Left>, Failure> {
        let session: &Arc<Session> = &consumed.session.session;
        let changed = consumed.outcome.executed.changed.iter().map(|file| &file.path);
        let paths: BTreeSet<&String> = definition.files.iter().chain(changed).collect();
        let mut left = Vec::with_capacity(paths.len());
        for path in paths {
            match self.file_open(session, Area::Work, path).await {
                Ok(file) => {
                    let size = file.metadata()?.len();
                    left.push((path.clone(), file, size));
                }
                Err(FileError::System(error)) => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(left)
    }
}

/// Whether a call was ended by the stop of R, so that it is to be carried out again.
fn was_stopped(called: &Result<Consumed, Failure>) -> bool {
    match called {
        Ok(consumed) => consumed.outcome.stopped == Some(Stop::Close),
        Err(Failure::Operation(OperationError::Dead(tombstone) | OperationError::Closed(Some(tombstone)))) => {
            matches!(tombstone, Tombstone { cause: Cause::Stopped, .. })
        }
        Err(_) => false,
    }
}

/// Calls whose results are read together, as the numbers of the first and the last. There is no other call between them.
fn pieces(sizes: &[(i64, u64)]) -> Vec<(i64, i64)> {
    let (mut pieces, mut taken, mut count): (Vec<(i64, i64)>, u64, usize) = (Vec::new(), 0, 0);
    for &(number, size) in sizes {
        let fits = taken.saturating_add(size) <= PIECE && count < PIECE_RESULTS;
        match pieces.last_mut() {
            Some((_, last)) if fits && *last + 1 == number => *last = number,
            _ => {
                pieces.push((number, number));
                (taken, count) = (0, 0);
            }
        }
        taken = taken.saturating_add(size);
        count += 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_in_pieces_of_a_bounded_size_without_those_that_are_not_there() {
        assert_eq!(pieces(&[]), []);
        assert_eq!(pieces(&[(0, 1), (1, 1), (3, 1), (4, PIECE), (5, 2 * PIECE), (6, 1), (7, 1)]), [(0, 1), (3, 3), (4, 4), (5, 5), (6, 7)]);
        let small: Vec<_> = (0..1_001).map(|number| (number, 1)).collect();
        assert_eq!(pieces(&small), [(0, 499), (500, 999), (1_000, 1_000)]);
    }
}
