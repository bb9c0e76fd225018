//! What a demonstration has in its store beside accounts: the scripts of the API's guide (sections 8.1 and 8.5),
//! one for everybody, and a file to try them with.

use crate::store::{
    Access, Store,
    objects::Kind,
    scripts::{Parameter, ScriptChange},
};

struct Script {
    name: &'static str,
    code: &'static str,
    description: &'static str,
    access: Access,
    /// Name, type, description.
    inputs: &'static [(&'static str, &'static str, &'static str)],
    outputs: &'static [(&'static str, &'static str, &'static str)],
}

const SCRIPTS: [Script; 3] = [
    Script {
        name: "Sample Script",
        code: include_str!("../../demo/sample-script.R"),
        description: "Fits a linear model to two variables, prints its formula and makes the four plots of its residuals",
        access: Access::Authenticated,
        inputs: &[
            ("df", "dataframe", "The data"),
            ("x", "primitive", "The dependent variable, as an R expression: df$b"),
            ("y", "primitive", "The independent variable, as an R expression: df$a"),
        ],
        outputs: &[],
    },
    Script {
        name: "Sample Analysis Script",
        code: include_str!("../../demo/sample-analysis-script.R"),
        description: "Reads a CSV file, fits a linear model to two of its columns, prints its formula and makes the four plots of its residuals",
        access: Access::Authenticated,
        inputs: &[
            ("myFile", "primitive", "Address of the CSV file, as an upload has given it"),
            ("dependent", "primitive", "Name of the column with the dependent variable"),
            ("independent", "primitive", "Name of the column with the independent variable"),
        ],
        outputs: &[("df", "dataframe", "The data that were read")],
    },
    Script {
        name: "average",
        code: include_str!("../../demo/average.R"),
        description: "The mean of some numbers",
        access: Access::Anonymous,
        inputs: &[("numbers", "vector", "The numbers")],
        outputs: &[("average", "primitive", "Their mean")],
    },
];

/// A file of that name, for everybody: R, which reads it by its address, has no login.
const FILE: (&str, &str) = ("satscores.csv", include_str!("../../demo/satscores.csv"));

/// Puts all of it into the store.
pub(super) async fn fill(store: &Store) -> anyhow::Result<()> {
    for script in SCRIPTS {
        let change = ScriptChange {
            code: Some(script.code.to_owned()),
            description: Some(script.description.to_owned()),
            inputs: Some(script.inputs.iter().map(parameter).collect()),
            outputs: Some(script.outputs.iter().map(parameter).collect()),
            access: Some(script.access),
            author: "admin".to_owned(),
            ..ScriptChange::default()
        };
        store.script_put(script.name, &change).await?;
    }
    let (name, content) = FILE;
    let keeping = store.blobs.keep().await?;
    let blob = store.blobs.put(&keeping, content.as_bytes()).await?;
    store.object_put(name, Kind::File, Some(&Access::Anonymous), &blob, &keeping).await?;
    Ok(())
}

fn parameter(&(name, kind, description): &(&str, &str, &str)) -> Parameter {
    Parameter { name: name.to_owned(), kind: kind.to_owned(), description: description.to_owned() }
}
