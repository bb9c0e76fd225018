//! What the store of a demonstration contains beside accounts: the scripts of the API's guide (sections 8.1 and 8.5),
//! a script that everybody may run, and a file to try them with.

use crate::{
    api::revodeployr::identifiers,
    store::{
        Access, Store,
        objects::Kind,
        scripts::{Parameter, ScriptChange},
    },
};

/// Name, type, description, and an example in JSON, in which `{file}` is the address of the file.
type Described = (&'static str, &'static str, &'static str, &'static str);

struct Script {
    name: &'static str,
    code: &'static str,
    description: &'static str,
    access: Access,
    inputs: &'static [Described],
    outputs: &'static [Described],
}

/// Data for the first script.
const SAMPLE: &str = r#"{"type":"dataframe","value":{"a":{"type":"vector","value":[1,2,3,4]},"b":{"type":"vector","value":[4,5,7,9]}}}"#;

const SCRIPTS: [Script; 3] = [
    Script {
        name: "Sample Script",
        code: include_str!("../../demo/sample-script.R"),
        description: "Fits a linear model to two variables, prints its formula and makes the four plots of its residuals",
        access: Access::Authenticated,
        inputs: &[
            ("df", "dataframe", "The data", SAMPLE),
            ("x", "primitive", "The dependent variable, as an R expression: df$b", r#""df$b""#),
            ("y", "primitive", "The independent variable, as an R expression: df$a", r#""df$a""#),
        ],
        outputs: &[],
    },
    Script {
        name: "Sample Analysis Script",
        code: include_str!("../../demo/sample-analysis-script.R"),
        description: "Reads a CSV file, fits a linear model to two of its columns, prints its formula and makes the four plots of its residuals",
        access: Access::Authenticated,
        inputs: &[
            ("myFile", "primitive", "Address of the CSV file, as an upload has given it", r#""{file}""#),
            ("dependent", "primitive", "Name of the column with the dependent variable", r#""VerbalSAT""#),
            ("independent", "primitive", "Name of the column with the independent variable", r#""MathSAT""#),
        ],
        outputs: &[("df", "dataframe", "The data that were read", "null")],
    },
    Script {
        name: "average",
        code: include_str!("../../demo/average.R"),
        description: "The mean of some numbers",
        access: Access::Anonymous,
        inputs: &[("numbers", "vector", "The numbers", "[1,2,6]")],
        outputs: &[("average", "primitive", "Their mean", "null")],
    },
];

/// A file, by name and content. It has to be for everybody: R reads it by its address, and has no login.
const FILE: (&str, &str) = ("satscores.csv", include_str!("../../demo/satscores.csv"));

/// Puts all of it into the store.
pub(super) async fn fill(store: &Store) -> anyhow::Result<()> {
    let (name, content) = FILE;
    let keeping = store.blobs.keep().await?;
    let blob = store.blobs.put(&keeping, content.as_bytes()).await?;
    let file = store.object_put(name, Kind::File, Some(&Access::Anonymous), &blob, &keeping).await?;
    let address = identifiers::upload_url("{server}", file);
    for script in SCRIPTS {
        let parameters = |described: &[Described]| described.iter().map(|one| parameter(one, &address)).collect::<Result<_, _>>();
        let change = ScriptChange {
            code: Some(script.code.to_owned()),
            description: Some(script.description.to_owned()),
            inputs: Some(parameters(script.inputs)?),
            outputs: Some(parameters(script.outputs)?),
            access: Some(script.access),
            author: "admin".to_owned(),
            ..ScriptChange::default()
        };
        store.script_put(script.name, &change).await?;
    }
    Ok(())
}

fn parameter(&(name, kind, description, example): &Described, address: &str) -> serde_json::Result<Parameter> {
    let example = serde_json::from_str(&example.replace("{file}", address))?;
    Ok(Parameter { name: name.to_owned(), kind: kind.to_owned(), description: description.to_owned(), example })
}
