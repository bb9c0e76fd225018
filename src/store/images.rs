//! Images: what sessions were at one moment. An image never changes, and may have several names: a project, a snapshot. It is there as
//! long as something names it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::{FromRow, Row, SqliteConnection, query, query_as, sqlite::SqliteRow, types::Json};

use super::{Blob, Store, StoreError, blobs::Keeping};

/// What names images. Another table that does so is added here, and nowhere else.
macro_rules! images_in_use {
    () => {
        "SELECT image FROM project UNION SELECT image FROM snapshot UNION SELECT image FROM service_version WHERE image IS NOT NULL
         UNION SELECT image FROM batch WHERE image IS NOT NULL"
    };
}

/// The folder of a session that a file was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase")]
pub enum ImageArea {
    /// The working folder.
    Work,
    /// The library for packages that the session has installed.
    Library,
}

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// The folder that it was in.
    pub area: ImageArea,
    /// Its path in this folder.
    pub path: String,
    /// Its content.
    pub blob: Blob,
    /// Whether its owner could execute it.
    pub executable: bool,
}

impl FromRow<'_, SqliteRow> for ImageFile {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            area: row.try_get("area")?,
            path: row.try_get("path")?,
            blob: super::blob(row, "blob")?,
            executable: row.try_get("executable")?,
        })
    }
}

/// What an image has beside objects and files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageState {
    /// Attached packages, in the order in which they were attached.
    pub packages: Vec<String>,
    /// The current folder, relative to the working folder.
    pub folder: String,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its identity: the same for the same content.
    pub id: String,
    /// The objects of the global environment.
    pub workspace: Blob,
    /// What else it has.
    pub state: ImageState,
    /// Its files, those of the working folder first, sorted by path.
    pub files: Vec<ImageFile>,
}

/// What the identity of an image is the SHA-256 of, as JSON.
#[derive(Serialize)]
struct Manifest<'a> {
    workspace: &'a str,
    state: &'a ImageState,
    files: Vec<(ImageArea, &'a str, &'a str, bool)>,
}

impl StoredImage {
    /// An image of these contents.
    ///
    /// # Panics
    /// Never: all of it can be said in JSON.
    #[must_use]
    pub fn new(workspace: Blob, state: ImageState, mut files: Vec<ImageFile>) -> Self {
        files.sort_by(|one, other| (one.area, &one.path).cmp(&(other.area, &other.path)));
        let listed = files.iter().map(|file| (file.area, file.path.as_str(), file.blob.hash.as_str(), file.executable));
        let manifest = Manifest { workspace: &workspace.hash, state: &state, files: listed.collect() };
        let manifest = serde_json::to_vec(&manifest).expect("invariant: all of it can be said in JSON");
        Self { id: hex::encode(Sha256::digest(manifest)), workspace, state, files }
    }

    /// The size of all contents together, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(self.workspace.size, |sum, file| sum.saturating_add(file.blob.size))
    }
}

impl Store {
    /// An image with its files.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn image(&self, id: &str) -> Result<Option<StoredImage>, StoreError> {
        // The files first: if the image is still there afterwards, these are all of them.
        let files = query_as("SELECT area, path, blob, size, executable FROM image_file WHERE image = $1 ORDER BY area = 'library', path");
        let files = files.bind(id).fetch_all(&self.pool).await?;
        let row = query("SELECT workspace, size, state FROM image WHERE id = $1").bind(id).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let state = row.try_get::<Json<_>, _>("state")?.0;
        Ok(Some(StoredImage { id: id.to_owned(), workspace: super::blob(&row, "workspace")?, state, files }))
    }

    /// Adds an image, whose contents have been written under `_keeping`, unless it is there. To be named before `_keeping` is let go.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn image_add(&self, image: &StoredImage, _keeping: &Keeping) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        add(&mut transaction, image).await?;
        Ok(transaction.commit().await?)
    }
}

/// Adds an image, unless it is there.
pub(super) async fn add(connection: &mut SqliteConnection, image: &StoredImage) -> sqlx::Result<()> {
    let added = query("INSERT INTO image (id, workspace, size, state, bytes) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING")
        .bind(&image.id)
        .bind(&image.workspace.hash)
        .bind(super::size(&image.workspace))
        .bind(Json(&image.state))
        .bind(i64::try_from(image.bytes()).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    // An image that is there has the same files.
    let files = if added.rows_affected() == 0 { &[] } else { &image.files[..] };
    for file in files {
        query("INSERT INTO image_file (image, area, path, blob, size, executable) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(&image.id)
            .bind(file.area)
            .bind(&file.path)
            .bind(&file.blob.hash)
            .bind(super::size(&file.blob))
            .bind(file.executable)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Removes the images that nothing names. To be called while nobody adds one.
pub(super) async fn forget_unnamed(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    query(concat!("DELETE FROM image WHERE id NOT IN (", images_in_use!(), ")")).execute(connection).await?;
    Ok(())
}
