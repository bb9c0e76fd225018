//! `offshoot object`

use std::{
    fs::File,
    io::Seek,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::{
    administration::{identity, whole_file},
    output::{self, Column, Format},
};
use crate::{
    store::{
        Access, Store,
        objects::{Kind, Object},
    },
    wire::rdata::is_r_data,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the objects, newest first
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show an object
    Show {
        /// The object: its identity, or the name of one of the server's own
        object: String,
        #[command(flatten)]
        format: Format,
    },
    /// Put an object of the server's own, and print its identity
    ///
    /// If there is an object of that name, its content is replaced. Its identity stays, and so does who may load it.
    Put {
        /// The object; for a file, the name that R reads it by
        name: String,
        /// The content: what save() or saveRDS() of R has written, or any file
        file: PathBuf,
        /// What it is [default: object if it is R data, else file]
        #[arg(long)]
        kind: Option<Word>,
        /// Who may load it: private (administrators and script managers), role:NAME[,role:NAME...],
        /// authenticated, trusted or anonymous [default for a new one: private]
        #[arg(long, value_name = "WHO")]
        access: Option<Access>,
    },
    /// Change who may load an object of the server's own
    Access {
        /// The object: its identity or name
        object: String,
        /// private, role:NAME[,role:NAME...], authenticated, trusted or anonymous
        access: Access,
    },
    /// Write the content of an object to a new file
    Get {
        /// The object: its identity, or the name of one of the server's own
        object: String,
        /// The file to make; it must not exist yet
        file: PathBuf,
    },
    /// Remove an object, whoever owns it
    Remove {
        /// The object: its identity, or the name of one of the server's own
        object: String,
    },
}

/// What an object is, as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Word {
    /// R objects
    Object,
    /// A whole R workspace
    Workspace,
    /// Any file
    File,
}

impl From<Word> for Kind {
    fn from(word: Word) -> Self {
        match word {
            Word::Object => Self::Object,
            Word::Workspace => Self::Workspace,
            Word::File => Self::File,
        }
    }
}

/// An object as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    kind: &'static str,
    access: String,
    /// The account that owns it; none for the server's own, and for what a caller without a login has saved.
    owner: Option<String>,
    /// Whether it is deleted when a login ends.
    temporary: bool,
    bytes: u64,
    sha256: String,
    created: String,
}

impl From<&Object> for View {
    fn from(object: &Object) -> Self {
        Self {
            id: object.id.to_string(),
            name: object.name.clone(),
            kind: object.kind.word(),
            access: object.access.to_string(),
            owner: object.owner.clone(),
            temporary: object.login.is_some(),
            bytes: object.blob.size,
            sha256: object.blob.hash.clone(),
            created: output::time(object.created),
        }
    }
}

const ID: Column<View> = ("id", |object| object.id.clone());
const NAME: Column<View> = ("name", |object| object.name.clone());
const KIND: Column<View> = ("kind", |object| object.kind.to_owned());
const ACCESS: Column<View> = ("access", |object| object.access.clone());
const OWNER: Column<View> = ("owner", |object| output::or_dash(object.owner.as_ref()));
const STAYS: Column<View> = ("until", |object| if object.temporary { "the login ends" } else { "it is removed" }.to_owned());
const BYTES: Column<View> = ("bytes", |object| object.bytes.to_string());
const SHA256: Column<View> = ("SHA-256", |object| object.sha256.clone());
const CREATED: Column<View> = ("created", |object| object.created.clone());

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { format } => {
            let objects = store.object_list_all().await?;
            format.list(&objects.iter().map(View::from).collect::<Vec<_>>(), &[ID, KIND, ACCESS, OWNER, BYTES, CREATED, NAME])
        }
        Command::Show { object, format } => {
            let view = View::from(&find(store, &object).await?);
            format.one(&view, &[NAME, ID, KIND, ACCESS, OWNER, STAYS, BYTES, SHA256, CREATED])
        }
        Command::Put { name, file, kind, access } => {
            let mut content = File::open(&file).with_context(|| file.display().to_string())?;
            let kind = kind_of(&mut content, kind.map(Kind::from), &file)?;
            let keeping = store.blobs.keep().await?;
            let blob = store.blobs.put(&keeping, tokio::fs::File::from_std(content)).await?;
            let id = store.object_put(&name, kind, access.as_ref(), &blob, &keeping).await?;
            output::print(&format!("{id}\n"))
        }
        Command::Access { object, access } => {
            let object = find(store, &object).await?;
            if object.login.is_some() {
                bail!("{} goes with the login of the user who has saved it: nobody else can be let use it", object.id);
            }
            Ok(store.object_set_access(object.id, &access).await?)
        }
        Command::Get { object, file } => {
            let object = find(store, &object).await?;
            whole_file(&file, async |file| Ok(store.blobs.copy_to(&object.blob.hash, file).await?)).await
        }
        Command::Remove { object } => Ok(store.object_remove(find(store, &object).await?.id).await?),
    }
}

/// The object of that identity, or the server's own of that name.
async fn find(store: &Store, text: &str) -> anyhow::Result<Object> {
    if let Some(id) = identity(text)
        && let Some(object) = store.object(id).await?
    {
        return Ok(object);
    }
    let found = store.object_list(None).await?.into_iter().find(|object| object.name == text);
    found.with_context(|| format!("there is no object {text:?}; offshoot object list has the identities"))
}

/// What a file is, judged by its first bytes. It is an error if these contradict what the administrator says it is.
/// The file is at its beginning afterwards.
fn kind_of(file: &mut File, said: Option<Kind>, path: &Path) -> anyhow::Result<Kind> {
    let named = || path.display().to_string();
    let r_data = is_r_data(&mut *file).with_context(named)?;
    file.rewind().with_context(named)?;
    match (said, r_data) {
        (Some(Kind::File), _) | (None, Some(false)) => Ok(Kind::File),
        (None, Some(true)) => Ok(Kind::Object),
        (Some(kind), Some(true) | None) => Ok(kind),
        (Some(_), Some(false)) => bail!("{} is no R data: save() or saveRDS() write it; --kind file takes any file", named()),
        (None, None) => bail!("{} is compressed by bzip2 or xz, and not looked into: say what it is by --kind", named()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn guess(content: &[u8], said: Option<Kind>) -> Result<Kind, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.rewind().unwrap();
        let kind = kind_of(&mut file, said, Path::new("x")).map_err(|error| error.to_string());
        assert_eq!(file.stream_position().unwrap(), 0);
        kind
    }

    #[test]
    fn a_file_is_what_it_begins_with_and_what_it_is_said_to_be() {
        let data = b"RDX3\nX\n\0\0\0\x03";
        assert_eq!(guess(data, None), Ok(Kind::Object));
        assert_eq!(guess(data, Some(Kind::Workspace)), Ok(Kind::Workspace));
        assert_eq!(guess(data, Some(Kind::File)), Ok(Kind::File));
        assert_eq!(guess(b"a,b\n1,2\n", None), Ok(Kind::File));
        assert!(guess(b"a,b\n1,2\n", Some(Kind::Object)).unwrap_err().contains("is no R data"));
        assert!(guess(b"BZh91AY", None).unwrap_err().contains("--kind"));
        assert_eq!(guess(b"\xfd7zXZ\0", Some(Kind::Object)), Ok(Kind::Object));
    }
}
