//! `offshoot project`

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;

use super::{
    administration::identity,
    output::{self, Column, Format},
};
use crate::store::{
    Store,
    images::{ImageArea, ImageFile},
    projects::Project,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the projects, the one that was saved last first
    List {
        /// Only those of this account
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Show a project with its files
    Show {
        /// The project's identity
        id: String,
        #[command(flatten)]
        format: Format,
    },
    /// Remove a project for good
    Remove {
        /// The project's identity
        id: String,
    },
}

/// A project as it is listed.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    owner: String,
    name: String,
    workspace_bytes: u64,
    created: String,
    changed: String,
}

/// A project as it is shown.
#[derive(Debug, Serialize)]
struct Whole {
    #[serde(flatten)]
    project: View,
    /// How many code blocks it remembers.
    history: usize,
    packages: Vec<String>,
    files: Vec<FileView>,
}

/// A file of a project's working folder.
#[derive(Debug, Serialize)]
struct FileView {
    path: String,
    bytes: u64,
}

impl From<&Project> for View {
    fn from(project: &Project) -> Self {
        Self {
            id: project.id.to_string(),
            owner: project.owner.clone(),
            name: project.name.clone(),
            workspace_bytes: project.workspace_bytes,
            created: output::time(project.created),
            changed: output::time(project.changed),
        }
    }
}

impl From<ImageFile> for FileView {
    fn from(file: ImageFile) -> Self {
        Self { path: file.path, bytes: file.blob.size }
    }
}

const LIST: [Column<View>; 5] = [
    ("id", |project| project.id.clone()),
    ("owner", |project| project.owner.clone()),
    ("bytes", |project| project.workspace_bytes.to_string()),
    ("changed", |project| project.changed.clone()),
    ("name", |project| project.name.clone()),
];

const SHOW: [Column<Whole>; 9] = [
    ("id", |whole| whole.project.id.clone()),
    ("owner", |whole| whole.project.owner.clone()),
    ("name", |whole| whole.project.name.clone()),
    ("workspace", |whole| format!("{} bytes", whole.project.workspace_bytes)),
    ("history", |whole| format!("{} code blocks", whole.history)),
    ("packages", |whole| output::words(&whole.packages)),
    ("files", |whole| whole.files.iter().map(|file| format!("{} ({} bytes)", file.path, file.bytes)).collect::<Vec<_>>().join("\n")),
    ("created", |whole| whole.project.created.clone()),
    ("changed", |whole| whole.project.changed.clone()),
];

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { owner, format } => {
            let projects = store.project_list(owner.as_deref()).await?;
            format.list(&projects.iter().map(View::from).collect::<Vec<_>>(), &LIST)
        }
        Command::Show { id, format } => {
            let project = project(store, &id).await?;
            let image = store.image(&project.image).await?;
            let image = image.with_context(|| format!("the project {id:?} has just been removed"))?;
            let whole = Whole {
                project: View::from(&project),
                history: project.state.history.len(),
                packages: image.state.packages,
                files: image.files.into_iter().filter(|file| file.area == ImageArea::Work).map(FileView::from).collect(),
            };
            format.one(&whole, &SHOW)
        }
        Command::Remove { id } => Ok(store.project_remove(project(store, &id).await?.id, None).await?),
    }
}

/// The project with this identity, whoever owns it.
async fn project(store: &Store, text: &str) -> anyhow::Result<Project> {
    let projects = store.project_list(None).await?;
    let found = identity(text).and_then(|id| projects.into_iter().find(|project| project.id == id));
    found.with_context(|| format!("there is no project {text:?}; offshoot project list has the identities"))
}
