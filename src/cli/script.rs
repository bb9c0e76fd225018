//! `offshoot script`

use std::{io::Read, path::PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use super::{
    administration::identity,
    output::{self, Column, Format},
};
use crate::store::{
    Access, Store,
    scripts::{Parameter, Script, ScriptChange, Version},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the scripts
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Show a script, its code or its versions
    Show {
        /// The script, by name or identity
        name: String,
        /// Print the code alone, as it is
        #[arg(long, conflicts_with_all = ["json", "versions"])]
        code: bool,
        /// List its versions, newest first
        #[arg(long, conflicts_with = "version")]
        versions: bool,
        /// This version, in place of the newest
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        #[command(flatten)]
        format: Format,
    },
    /// Save a script: a new one, or a new version of one that is there
    ///
    /// Options that are not given leave an existing script as it is. The code is not checked: errors in it show when the
    /// script runs.
    Put {
        /// The script: letters, digits, blanks, dots, dashes and underscores
        name: String,
        /// The R code, in UTF-8; - reads it from standard input
        file: Option<PathBuf>,
        /// Who may run it: private (administrators and script managers), role:NAME[,role:NAME...],
        /// authenticated (every account), trusted (callers from the addresses of the policy trusted-ip-filter as
        /// well) or anonymous (everybody) [default for a new one: private]
        #[arg(long, value_name = "WHO")]
        access: Option<Access>,
        /// What it does
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// An R object that it reads, as NAME:TYPE:TEXT; may be given several times, and replaces all earlier ones
        ///
        /// TYPE is one of the API's: primitive, vector, date, matrix, factor, list, dataframe.
        #[arg(long = "input", value_name = "NAME[:TYPE[:TEXT]]", value_parser = parameter)]
        inputs: Vec<Parameter>,
        /// The value of an input in the request on the script's page, as NAME=JSON; may be given several times
        ///
        /// Without it, the page makes up a value from the input's type. JSON is what callers send, such as 'x=3'. {server}
        /// in it stands for the address of the API: 'file="{server}/r/repository/get/binary/CFILE-..."'.
        #[arg(long = "example", value_name = "NAME=JSON", value_parser = example)]
        examples: Vec<(String, Value)>,
        /// An R object that it makes, in the same way
        #[arg(long = "output", value_name = "NAME[:TYPE[:TEXT]]", value_parser = parameter)]
        outputs: Vec<Parameter>,
        /// The R boundary that limits its runs
        #[arg(long, value_name = "NAME", conflicts_with = "no_boundary")]
        boundary: Option<String>,
        /// Take its boundary away
        #[arg(long)]
        no_boundary: bool,
        /// Who has written this version
        #[arg(long, value_name = "TEXT", default_value = "admin")]
        author: String,
    },
    /// Save an earlier version again, as the newest
    Revert {
        /// The script
        name: String,
        /// The version
        #[arg(value_name = "N")]
        to: i64,
        /// Who saves the new version
        #[arg(long, value_name = "TEXT", default_value = "admin")]
        author: String,
    },
    /// Give a script another name; its identity and its versions stay
    Rename {
        /// The script
        name: String,
        /// Its name from now on
        to: String,
    },
    /// Remove a script with all its versions
    Remove {
        /// The script
        name: String,
    },
}

/// Reads `NAME[:TYPE[:TEXT]]`.
fn parameter(text: &str) -> Result<Parameter, String> {
    let mut parts = text.splitn(3, ':').map(|part| part.trim().to_owned());
    let name = parts.next().filter(|name| !name.is_empty()).ok_or("the name of an R object is missing")?;
    Ok(Parameter { name, kind: parts.next().unwrap_or_default(), description: parts.next().unwrap_or_default(), example: None })
}

/// Reads `NAME=JSON`.
fn example(text: &str) -> Result<(String, Value), String> {
    let (name, json) = text.split_once('=').ok_or("this is not NAME=JSON")?;
    let value = serde_json::from_str(json).map_err(|error| format!("{json} is not JSON, in which a text has quotes: {error}"))?;
    Ok((name.trim().to_owned(), value))
}

/// A script as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    access: String,
    boundary: Option<String>,
    #[serde(flatten)]
    version: VersionView,
}

/// A version of a script as it is shown.
#[derive(Debug, Serialize)]
struct VersionView {
    version: i64,
    author: String,
    changed: String,
    description: String,
    inputs: Vec<Parameter>,
    outputs: Vec<Parameter>,
    code: String,
}

impl From<Version> for VersionView {
    fn from(of: Version) -> Self {
        let Version { version, author, created, description, inputs, outputs, code } = of;
        Self { version, author, changed: output::time(created), description, inputs, outputs, code }
    }
}

impl From<Script> for View {
    fn from(of: Script) -> Self {
        let Script { id, name, access, boundary, version, code, description, inputs, outputs, author, changed } = of;
        let version = VersionView { version, author, changed: output::time(changed), description, inputs, outputs, code };
        Self { id: id.to_string(), name, access: access.to_string(), boundary, version }
    }
}

const NAME: Column<View> = ("name", |script| script.name.clone());
const ID: Column<View> = ("id", |script| script.id.clone());
const ACCESS: Column<View> = ("access", |script| script.access.clone());
const BOUNDARY: Column<View> = ("boundary", |script| output::or_dash(script.boundary.as_ref()));
const VERSION: Column<View> = ("version", |script| script.version.version.to_string());
const AUTHOR: Column<View> = ("author", |script| script.version.author.clone());
const CHANGED: Column<View> = ("changed", |script| script.version.changed.clone());
const DESCRIPTION: Column<View> = ("description", |script| script.version.description.clone());
const INPUTS: Column<View> = ("inputs", |script| parameters(&script.version.inputs));
const EXAMPLES: Column<View> = ("examples", |script| examples(&script.version.inputs));
const OUTPUTS: Column<View> = ("outputs", |script| parameters(&script.version.outputs));

const VERSIONS: [Column<VersionView>; 4] = [
    ("version", |version| version.version.to_string()),
    ("author", |version| version.author.clone()),
    ("changed", |version| version.changed.clone()),
    ("description", |version| version.description.clone()),
];

/// Parameters as they are given on the command line, one a line.
fn parameters(parameters: &[Parameter]) -> String {
    let lines = parameters.iter().map(|parameter| format!("{}:{}:{}", parameter.name, parameter.kind, parameter.description));
    lines.map(|line| line.trim_end_matches(':').to_owned()).collect::<Vec<_>>().join("\n")
}

fn examples(inputs: &[Parameter]) -> String {
    let lines = inputs.iter().filter_map(|input| Some(format!("{}={}", input.name, input.example.as_ref()?)));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) async fn run(command: Command, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List { format } => {
            let scripts: Vec<View> = store.script_list().await?.into_iter().map(View::from).collect();
            format.list(&scripts, &[NAME, ACCESS, VERSION, AUTHOR, CHANGED, DESCRIPTION])
        }
        Command::Show { name, code, versions, version, format } => show(store, &name, code, versions, version, format).await,
        Command::Put { name, file, access, description, inputs, examples, outputs, boundary, no_boundary, author } => {
            let nothing = ScriptChange { author: author.clone(), ..ScriptChange::default() };
            let change = ScriptChange {
                code: file.as_ref().map(code_of).transpose()?,
                description,
                inputs: with_examples(store, &name, inputs, examples).await?,
                outputs: Some(outputs).filter(|outputs| !outputs.is_empty()),
                access,
                boundary: if no_boundary { Some(None) } else { boundary.map(Some) },
                author,
            };
            if change == nothing {
                bail!("nothing to save: give a file with R code, or see offshoot script put --help");
            }
            store.script_put(&name, &change).await?;
            Ok(())
        }
        Command::Revert { name, to, author } => Ok(store.script_revert(&name, to, &author).await?),
        Command::Rename { name, to } => Ok(store.script_rename(&name, &to).await?),
        Command::Remove { name } => Ok(store.script_remove(&name).await?),
    }
}

/// The inputs to save: those that are given, or else the existing ones, with new examples where these are given.
async fn with_examples(
    store: &Store,
    script: &str,
    mut inputs: Vec<Parameter>,
    examples: Vec<(String, Value)>,
) -> anyhow::Result<Option<Vec<Parameter>>> {
    if inputs.is_empty() && !examples.is_empty() {
        inputs = store.script(script).await?.map(|script| script.inputs).unwrap_or_default();
    }
    for (name, example) in examples {
        let input = inputs.iter_mut().find(|input| input.name == name);
        input.with_context(|| format!("the script {script:?} has no input {name:?} to give an example of"))?.example = Some(example);
    }
    Ok(Some(inputs).filter(|inputs| !inputs.is_empty()))
}

async fn show(store: &Store, name: &str, code: bool, versions: bool, version: Option<i64>, format: Format) -> anyhow::Result<()> {
    let script = match store.script(name).await? {
        None => match identity(name) {
            Some(id) => store.script(&id.to_string()).await?,
            None => None,
        },
        found => found,
    };
    let script = script.with_context(|| format!("there is no script {name:?}"))?;
    let all = store.script_versions(script.id).await?;
    if versions {
        return format.list(&all.into_iter().map(VersionView::from).collect::<Vec<_>>(), &VERSIONS);
    }
    let mut view = View::from(script);
    if let Some(number) = version {
        let found = all.into_iter().find(|one| one.version == number);
        view.version = found.with_context(|| format!("the script {name:?} has no version {number}; --versions lists them"))?.into();
    }
    if code {
        return output::print(&view.version.code);
    }
    format.one(&view, &[NAME, ID, DESCRIPTION, INPUTS, EXAMPLES, OUTPUTS, ACCESS, BOUNDARY, VERSION, AUTHOR, CHANGED])
}

/// The R code in a file: text that is not empty.
fn code_of(file: &PathBuf) -> anyhow::Result<String> {
    let (named, bytes) = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
        ("standard input".to_owned(), bytes)
    } else {
        let named = file.display().to_string();
        let bytes = std::fs::read(file).with_context(|| named.clone())?;
        (named, bytes)
    };
    let text = String::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{named} is not UTF-8 text: R code is kept as UTF-8, see iconv"))?;
    // Some editors put a byte order mark before the text, which R would take for part of a name.
    let code = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if code.trim().is_empty() {
        bail!("{named} is empty: a script needs R code");
    }
    if code.contains('\0') {
        bail!("{named} holds NUL characters: this is no R code");
    }
    Ok(code.to_owned())
}
