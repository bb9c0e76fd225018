//! `offshoot service`

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;

use super::{
    administration::whole_file,
    output::{self, Column, Format},
};
use crate::{
    app,
    store::{
        Store,
        service_files::ServiceFile,
        services::{Definition, Service},
    },
    wire::plain::Parameter,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the versions of all services, in the order in which they were published
    List {
        /// Only those of this account
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
        #[command(flatten)]
        format: Format,
    },
    /// Show a service with its code: all of its versions, or one
    Show {
        /// The service
        name: String,
        /// One of its versions
        version: Option<String>,
        /// Print the code alone, as it is
        #[arg(long, conflicts_with = "json", requires = "version")]
        code: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Remove a service with all of its versions, or one of these
    ///
    /// Calls that run go on to their end.
    Remove {
        /// The service
        name: String,
        /// One of its versions
        version: Option<String>,
    },
    /// Write a version of a service to one ZIP file, for another server
    ///
    /// With what it runs in: objects, files, and the packages that its author's session had installed. Packages in libraries
    /// of the server are not in the file. Only its owner can read the file.
    Export {
        /// The service
        name: String,
        /// The version
        version: String,
        /// The ZIP file to make; it must not exist yet
        file: PathBuf,
    },
    /// Publish the service in a file that `offshoot service export` has made
    ///
    /// If the file is damaged, or if there is this version already, nothing is changed. What the owner may have (services.count,
    /// services.mib) does not matter here.
    Import {
        /// The file
        file: PathBuf,
        /// Whose the service is to be [default: the account of the same name as on the other server]
        #[arg(long, value_name = "ACCOUNT")]
        owner: Option<String>,
        /// Another name for the service
        #[arg(long)]
        name: Option<String>,
        /// Another version
        #[arg(long)]
        version: Option<String>,
    },
}

/// A version of a service as it is shown.
#[derive(Debug, Serialize)]
struct View {
    name: String,
    version: String,
    owner: String,
    author: String,
    private: bool,
    #[serde(flatten)]
    definition: Definition,
    snapshot: Option<String>,
    /// What it runs in.
    image: Option<String>,
    created: String,
    changed: String,
}

impl From<Service> for View {
    fn from(service: Service) -> Self {
        let Service { name, version, owner, author, private, definition, image, created, changed } = service;
        let snapshot = definition.snapshot.map(|snapshot| snapshot.to_string());
        let (created, changed) = (output::time(created), output::time(changed));
        Self { name, version, owner, author, private, definition, snapshot, image, created, changed }
    }
}

const NAME: Column<View> = ("name", |service| service.name.clone());
const VERSION: Column<View> = ("version", |service| service.version.clone());
const OWNER: Column<View> = ("owner", |service| service.owner.clone());
const SEEN_BY: Column<View> = ("seen by", |service| if service.private { service.author.clone() } else { "everybody".to_owned() });
const CHANGED: Column<View> = ("changed", |service| service.changed.clone());
const DESCRIPTION: Column<View> = ("description", |service| service.definition.description.clone());

const SHOW: [Column<View>; 14] = [
    NAME,
    VERSION,
    OWNER,
    ("author", |service| service.author.clone()),
    SEEN_BY,
    DESCRIPTION,
    ("operation", |service| service.definition.operation.clone()),
    ("inputs", |service| parameters(&service.definition.inputs)),
    ("outputs", |service| parameters(&service.definition.outputs)),
    ("files", |service| service.definition.files.join("\n")),
    ("created", |service| service.created.clone()),
    CHANGED,
    ("init code", |service| code(&service.definition.init_code)),
    ("code", |service| code(&service.definition.code)),
];

/// R code beside its heading. Tabs are no harm to a terminal.
fn code(code: &str) -> String {
    code.replace('\t', "    ")
}

/// Parameters, one a line.
fn parameters(parameters: &[Parameter]) -> String {
    parameters.iter().map(|Parameter { name, kind }| format!("{name}:{}", kind.name())).collect::<Vec<_>>().join("\n")
}

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { owner, format } => {
            let services =
                store.service_list(None).await?.into_iter().filter(|service| owner.as_ref().is_none_or(|owner| *owner == service.owner));
            format.list(&services.map(View::from).collect::<Vec<_>>(), &[NAME, VERSION, OWNER, SEEN_BY, CHANGED, DESCRIPTION])
        }
        Command::Show { name, version: Some(version), code, format } => {
            let service = store.service(&name, &version).await?;
            let service = service.with_context(|| format!("there is no service {name:?} with the version {version:?}"))?;
            if code { output::print(&service.definition.code) } else { format.one(&View::from(service), &SHOW) }
        }
        Command::Show { name, version: None, format, .. } => {
            let services = store.service_list(Some(&name)).await?;
            if services.is_empty() {
                bail!("there is no service {name:?}");
            }
            format.each(&services.into_iter().map(View::from).collect::<Vec<_>>(), &SHOW)
        }
        Command::Remove { name, version } => Ok(store.service_remove(&name, version.as_deref()).await?),
        Command::Export { name, version, file } => {
            whole_file(&file, async |file| Ok(store.service_export(&name, &version, file).await?)).await
        }
        Command::Import { file, owner, name, version } => {
            import(store, &file, owner, name, version).await.with_context(|| file.display().to_string())
        }
    }
}

async fn import(store: &Store, file: &Path, owner: Option<String>, name: Option<String>, version: Option<String>) -> anyhow::Result<()> {
    let mut file = ServiceFile::open(BufReader::new(File::open(file)?))?;
    let service = &mut file.service;
    if let Some(owner) = owner {
        service.author.clone_from(&owner);
        service.owner = owner;
    } else if store.account(&service.owner).await?.is_none() {
        bail!("there is no account {:?}, which has the service on the other server: say by --owner whose it is to be", service.owner);
    }
    if let Some(name) = name {
        service.name = name;
    }
    if let Some(version) = version {
        service.version = version;
        // Only a version that was given no name is its author's alone.
        service.private = false;
    }
    app::services::check(service)?;
    Ok(store.service_import(file).await?)
}
