//! A version of a service as a ZIP file, by which it comes to another server: its definition as JSON, and the contents of the image that it
//! runs in. See [`super::archive`].

use std::{
    collections::HashMap,
    io::{Read, Seek, Write},
    path::{Component, Path},
};

use serde::{Deserialize, Serialize};

use super::{
    Blob, ChangeError, Store,
    archive::{ArchiveError, ArchiveReader, ArchiveWriter, Called},
    images::{self, ImageArea, ImageFile, ImageState, StoredImage},
    services::{self, Definition, Service},
};

/// The description in the ZIP file.
const DESCRIPTION: &str = "service.json";
/// Its largest size, in bytes.
const LARGEST: u64 = 64 << 20;
/// The form of the description. A release that changes it reads the earlier ones as well.
const FORMAT: u32 = 1;
/// What the file is called in messages.
const CALLED: Called = Called { whole: "the file of the service", foreign: "this is no service that offshoot has exported" };

/// What a file of any form says of itself.
#[derive(Deserialize)]
struct Form {
    format: u32,
}

/// What a file of this form says of a service. Sizes are not there, as they show when the contents are read.
#[derive(Serialize, Deserialize)]
struct Description {
    format: u32,
    name: String,
    version: String,
    owner: String,
    private: bool,
    definition: Definition,
    image: Option<DescribedImage>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DescribedImage {
    /// Contents are called by their SHA-256.
    workspace: String,
    state: ImageState,
    files: Vec<DescribedFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DescribedFile {
    area: ImageArea,
    path: String,
    content: String,
    executable: bool,
}

impl From<StoredImage> for DescribedImage {
    fn from(image: StoredImage) -> Self {
        let files = image.files.into_iter().map(|ImageFile { area, path, blob, executable }| DescribedFile {
            area,
            path,
            content: blob.hash,
            executable,
        });
        Self { workspace: image.workspace.hash, state: image.state, files: files.collect() }
    }
}

impl DescribedImage {
    /// What its contents are called, each once.
    fn contents(&self) -> Vec<&str> {
        let mut contents: Vec<_> =
            std::iter::once(&self.workspace).chain(self.files.iter().map(|file| &file.content)).map(String::as_str).collect();
        contents.sort_unstable();
        contents.dedup();
        contents
    }

    /// The image of these contents, by what they are called.
    fn stored(self, contents: &HashMap<String, Blob>) -> Result<StoredImage, ArchiveError> {
        let blob = |hash: &str| contents[hash].clone();
        let is_path = |path: &str| !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if let Some(DescribedFile { path, .. }) = self.files.iter().find(|file| !is_path(&file.path)) {
            return Err(CALLED.damaged(format!("{path:?} is no path of a file")));
        }
        let files = self.files.into_iter().map(|DescribedFile { area, path, content, executable }| ImageFile {
            area,
            path,
            blob: blob(&content),
            executable,
        });
        let image = StoredImage::new(blob(&self.workspace), self.state, files.collect());
        match image.files.windows(2).find(|two| (two[0].area, &two[0].path) == (two[1].area, &two[1].path)) {
            Some(two) => Err(CALLED.damaged(format!("it has two files {:?}", two[0].path))),
            None => Ok(image),
        }
    }
}

/// A file with a version of a service.
#[derive(Debug)]
pub struct ServiceFile<R> {
    /// What it is to become. Its owner is the author as well.
    pub service: Service,
    image: Option<DescribedImage>,
    archive: ArchiveReader<R>,
}

impl<R: Read + Seek> ServiceFile<R> {
    /// Reads what a file says of the service in it.
    ///
    /// # Errors
    /// [`ArchiveError`]
    pub fn open(file: R) -> Result<Self, ArchiveError> {
        let mut archive = ArchiveReader::open(file, CALLED)?;
        let mut text = Vec::new();
        archive.extract(DESCRIPTION, LARGEST, &mut text)?;
        let damaged = |error| CALLED.damaged(format!("{DESCRIPTION}: {error}"));
        let Form { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format != FORMAT {
            let sentence = format!("the file is of form {format}, and this release of offshoot reads form {FORMAT}: use a newer one");
            return Err(ArchiveError::Unusable(sentence));
        }
        let Description { name, version, owner, private, definition, image, .. } = serde_json::from_slice(&text).map_err(damaged)?;
        let service = Service { name, version, author: owner.clone(), owner, private, definition, image: None, created: 0, changed: 0 };
        Ok(Self { service, image, archive })
    }
}

impl Store {
    /// Writes a version of a service to `file`.
    ///
    /// # Errors
    /// [`ArchiveError`]
    pub async fn service_export(&self, name: &str, version: &str, file: impl Write + Seek) -> Result<(), ArchiveError> {
        let _keeping = self.blobs.keep().await?;
        let unknown = || ChangeError::unknown(services::KIND, &services::named(name, version));
        let Service { name, version, owner, private, definition, image, .. } = self.service(name, version).await?.ok_or_else(unknown)?;
        let image = match image {
            // If the image is gone, so is the service.
            Some(id) => Some(self.image(&id).await?.ok_or_else(unknown)?.into()),
            None => None,
        };
        let description = Description { format: FORMAT, name, version, owner, private, definition, image };
        let mut archive = ArchiveWriter::new(file);
        serde_json::to_writer_pretty(archive.entry(DESCRIPTION)?, &description).map_err(std::io::Error::from)?;
        for hash in description.image.iter().flat_map(DescribedImage::contents) {
            archive.content(hash, &self.blobs).await?;
        }
        archive.finish()
    }

    /// Publishes the service in a file, whatever its owner may have. All of it appears at once.
    ///
    /// # Errors
    /// [`ArchiveError`]; there is nothing of it in the store then.
    pub async fn service_import<R: Read + Seek>(&self, file: ServiceFile<R>) -> Result<(), ArchiveError> {
        let ServiceFile { mut service, image, mut archive } = file;
        let keeping = self.blobs.keep().await?;
        let image = match image {
            None => None,
            Some(described) => {
                let mut contents = HashMap::new();
                for hash in described.contents() {
                    contents.insert(hash.to_owned(), archive.content(hash, &self.blobs, &keeping).await?);
                }
                Some(described.stored(&contents)?)
            }
        };
        if self.account(&service.owner).await?.is_none() {
            return Err(ChangeError::unknown("account", &service.owner).into());
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        services::claim(&mut transaction, &service.name, &service.owner).await?;
        if let Some(image) = image {
            images::add(&mut transaction, &image).await?;
            service.image = Some(image.id);
        }
        services::add(&mut transaction, &service).await?;
        transaction.commit().await?;
        Ok(())
    }
}
