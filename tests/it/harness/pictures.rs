//! What R's own `png()` draws, beside what sessions draw.

use std::{path::Path, process::Command};

use reqwest::header;

use super::{client::read, rock::RockSession};

/// PNG files, in order.
type Pages = Vec<Vec<u8>>;

/// The size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
    pub resolution: u32,
}

impl Size {
    /// As parameters of a request.
    pub fn query(self) -> String {
        format!("?width={}&height={}&resolution={}", self.width, self.height, self.resolution)
    }
}

/// An example as a script that prints what R's prompt prints, and does not fail. Random numbers are the same each time.
pub fn script(code: &str) -> String {
    let text = serde_json::to_string(code).unwrap();
    format!(
        "set.seed(1); try(source(exprs = parse(text = {text}, keep.source = FALSE), local = globalenv(), print.eval = TRUE), silent = TRUE)\nNULL"
    )
}

/// The pages of each example in each of the sizes, as `png()` draws them in a new process of R: `pages[example][size]`; `None` if the
/// example does not end in time, or ends R.
pub fn drawn_by_r(examples: &[impl AsRef<str>], sizes: &[Size]) -> Vec<Vec<Option<Pages>>> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("pictures");
    std::fs::write(&program, include_str!("pictures.R")).unwrap();
    for (number, example) in examples.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.R")), script(example.as_ref())).unwrap();
    }
    let sizes_told = sizes.iter().map(|size| format!("{}x{}x{}", size.width, size.height, size.resolution));
    let mut r = Command::new("Rscript");
    r.arg("--vanilla").arg(&program).arg(folder.path()).args(sizes_told).env_remove("R_HOME").env("LC_ALL", "C.UTF-8");
    let output = r.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let pages_of = |example: usize, size: usize| pages(&folder.path().join(format!("{example}/{}", size + 1)));
    (0..examples.len()).map(|example| (0..sizes.len()).map(|size| pages_of(example, size)).collect()).collect()
}

/// The pages in a folder, in order, if all of them are there.
fn pages(folder: &Path) -> Option<Pages> {
    if !folder.join("done").exists() {
        return None;
    }
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some()).collect();
    files.sort();
    Some(files.iter().map(|file| std::fs::read(file).unwrap()).collect())
}

impl RockSession {
    /// How many plots the last operation has drawn.
    pub async fn plots(&self) -> usize {
        self.get("/_plots").await.document().as_array().unwrap().len()
    }

    /// A plot as a PNG file, of this size or else of the size in which it was drawn at first.
    pub async fn plot(&self, number: usize, size: Option<Size>) -> Vec<u8> {
        let path = format!("{}/_plots/{number}{}", self.path, size.map(Size::query).unwrap_or_default());
        let reply = read(self.client.request(reqwest::Method::GET, &path).header(header::ACCEPT, "image/png")).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.body
    }

    /// Draws an example in this size; returns all its plots as they were drawn at first.
    pub async fn draw(&self, example: &str, size: Size) -> Pages {
        let reply = self.client.script(&format!("{}/_eval{}", self.path, size.query()), script(example)).await;
        assert_eq!(reply.status, 200, "{example}: {}", reply.text());
        let mut pages = Vec::new();
        for number in 1..=self.plots().await {
            pages.push(self.plot(number, None).await);
        }
        pages
    }
}
