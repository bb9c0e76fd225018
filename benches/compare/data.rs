//! The data that goes from R to the client and back. R and Rust make the same values for all back ends.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{qap, report::grouped};

/// An object of R.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name in reports.
    pub title: String,
    /// Its name in R.
    pub name: String,
    /// R code that makes the object and binds it to its name.
    pub code: String,
    /// How many numbers, strings and so on the object contains.
    pub cells: usize,
}

impl Object {
    pub fn doubles(length: usize) -> Self {
        let code = format!("set.seed(1); doubles <- runif({length})");
        Self { title: format!("{} doubles", grouped(&length.to_string())), name: "doubles".to_owned(), code, cells: length }
    }

    pub fn strings(length: usize) -> Self {
        let code = format!("strings <- sprintf('string %07d', seq_len({length}) - 1L)");
        Self { title: format!("{} strings", grouped(&length.to_string())), name: "strings".to_owned(), code, cells: length }
    }

    /// Ten columns: four of doubles, two of integers, one of logical values, three of strings.
    pub fn frame(rows: usize) -> Self {
        let code = format!(
            "set.seed(1); n <- {rows}L; frame <- data.frame(a = runif(n), b = rnorm(n), c = rexp(n), d = runif(n) * 1e6, \
             e = seq_len(n), f = sample.int(1000L, n, TRUE), g = runif(n) < 0.5, h = sprintf('row %07d', seq_len(n)), \
             i = sample(c('north', 'east', 'south', 'west'), n, TRUE), j = sample(month.name, n, TRUE))"
        );
        let title = format!("data frame, {} x 10", grouped(&rows.to_string()));
        Self { title, name: "frame".to_owned(), code, cells: rows * 10 }
    }

    /// Checks that JSON can be complete: there is a comma between any two cells.
    pub fn check_json(&self, json: &[u8]) -> Result<()> {
        let commas = memchr::memchr_iter(b',', json).count();
        ensure!(commas + 1 >= self.cells, "{} cells asked for, {} bytes of JSON with {commas} commas received", self.cells, json.len());
        Ok(())
    }
}

/// The form in which data is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As JSON.
    Json,
    /// As bytes of R's `serialize()`, or in the protocol's own binary form.
    Binary,
}

/// The client's data in all forms that back ends take. It is made before anything is measured.
#[derive(Debug)]
pub struct Sent {
    pub title: String,
    /// Its name in R.
    pub name: &'static str,
    /// As arrays; a data frame is an object of columns.
    pub json: Vec<u8>,
    /// As JSON in RevoDeployR's type model.
    pub inputs: String,
    /// In Rserve's protocol.
    pub qap: Option<qap::Value>,
    /// As R's `serialize()` writes it.
    pub rds: Vec<u8>,
    /// The RDS in base64.
    pub base64: Vec<u8>,
    /// R code that stops if the value differs from the one that was sent.
    pub check: String,
}

/// Pseudo-random numbers that are the same each time (Marsaglia's xorshift).
fn numbers(length: usize) -> Vec<f64> {
    let mut state = 88_172_645_463_325_252_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let number = (state >> 11) as f64 / (1_u64 << 53) as f64;
        number
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn words(length: usize) -> Vec<String> {
    (0..length).map(|at| format!("string {at:07}")).collect()
}

/// Makes R serialize a value that is given as JSON, after `as.data.frame` if the code says so. Returns the bytes, and their base64.
pub type Serialize<'s> = &'s dyn Fn(&str, &[u8]) -> Result<(Vec<u8>, Vec<u8>)>;

impl Sent {
    pub fn doubles(length: usize, serialize: Serialize) -> Result<Self> {
        let values = numbers(length);
        let check =
            format!("stopifnot(is.double(sent), length(sent) == {length}, abs(sum(sent) - {:.9}) < 1e-6)", values.iter().sum::<f64>());
        let typed = json!({"type": "vector", "rclass": "numeric", "value": values});
        let qap = Some(qap::Value::doubles(&values));
        Self::new(format!("{} doubles", grouped(&length.to_string())), &json!(values), typed, qap, check, serialize)
    }

    pub fn strings(length: usize, serialize: Serialize) -> Result<Self> {
        let values = words(length);
        let check = format!("stopifnot(is.character(sent), length(sent) == {length}, sent[{length}] == '{}')", values[length - 1]);
        let typed = json!({"type": "vector", "rclass": "character", "value": values});
        let qap = Some(qap::Value::strings(values.iter().map(String::as_str)));
        Self::new(format!("{} strings", grouped(&length.to_string())), &json!(values), typed, qap, check, serialize)
    }

    /// Ten columns as in [`Object::frame`].
    pub fn frame(rows: usize, serialize: Serialize) -> Result<Self> {
        let reals = numbers(rows);
        let ordinals: Vec<_> = (0..rows).collect();
        let words = words(rows);
        let regions: Vec<_> = ordinals.iter().map(|at| ["north", "east", "south", "west"][at % 4]).collect();
        let columns = [
            ("a", json!(reals)),
            ("b", json!(reals.iter().map(|x| x - 0.5).collect::<Vec<_>>())),
            ("c", json!(reals.iter().map(|x| x * x).collect::<Vec<_>>())),
            ("d", json!(reals.iter().map(|x| x * 1e6).collect::<Vec<_>>())),
            ("e", json!(ordinals)),
            ("f", json!(ordinals.iter().map(|at| at % 1000).collect::<Vec<_>>())),
            ("g", json!(reals.iter().map(|&x| x < 0.5).collect::<Vec<_>>())),
            ("h", json!(words)),
            ("i", json!(regions)),
            ("j", json!(words)),
        ];
        let check =
            format!("stopifnot(is.data.frame(sent), nrow(sent) == {rows}, ncol(sent) == 10, sent[['h']][{rows}] == '{}')", words[rows - 1]);
        let members: serde_json::Map<_, _> =
            columns.iter().map(|(name, values)| ((*name).to_owned(), json!({"type": "vector", "value": values}))).collect();
        let typed = json!({"type": "dataframe", "rclass": "data.frame", "value": members});
        let plain = Value::Object(columns.into_iter().map(|(name, values)| (name.to_owned(), values)).collect());
        Self::new(format!("data frame, {} x 10", grouped(&rows.to_string())), &plain, typed, None, check, serialize)
    }

    fn new(title: String, plain: &Value, typed: Value, qap: Option<qap::Value>, check: String, serialize: Serialize) -> Result<Self> {
        let json = serde_json::to_vec(plain)?;
        let inputs = serde_json::to_string(&json!({"sent": typed}))?;
        let as_frame = if plain.is_object() { "as.data.frame" } else { "" };
        let (rds, base64) = serialize(as_frame, &json)?;
        Ok(Self { title, name: "sent", json, inputs, qap, rds, base64, check })
    }
}
