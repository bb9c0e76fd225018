//! A client's plot window.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{client::Client, start::started};
use crate::harness::{Size, png_size};

/// What the window gets unless the test says another size.
pub(super) const USUAL: Size = Size { width: 360, height: 360, resolution: 96 };

/// A page that was sent, or that there is none any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) device: String,
    pub(super) page: String,
    pub(super) path: String,
    /// The place of the page in the history, and how many pages that has.
    pub(super) place: (i64, i64),
    pub(super) picture: Bytes,
}

impl Shown {
    fn read(json: &str, picture: Bytes) -> Self {
        let (device, page, path, number, active, count): (String, String, String, i64, i64, i64) = serde_json::from_str(json).unwrap();
        assert!(number > 1 && uuid::Uuid::parse_str(&device).is_ok() && uuid::Uuid::parse_str(&page).is_ok(), "{json}");
        Self { device, page, path, place: (active, count), picture }
    }

    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        png_size(&self.picture)
    }
}

/// A client whose plots are shown in a window.
pub(super) struct Window {
    pub(super) client: Client,
    prompt: u64,
    /// The size of its window.
    pub(super) size: Size,
    /// Where the user clicks when R asks for places. After that, they have had enough.
    pub(super) clicks: VecDeque<[f64; 2]>,
    /// The devices that were closed.
    pub(super) closed: Vec<String>,
}

impl Window {
    /// A client that has done all that clients do at their start.
    pub(super) async fn open(id: &str) -> Self {
        let (client, prompt) = started(id).await;
        let mut window = Self::of(client, prompt);
        // Tests count messages, which must not depend on how fast the machine is.
        window.sends_after("Inf").await;
        window
    }

    /// Sets how many seconds R computes before it sends what there is of a page.
    pub(super) async fn sends_after(&mut self, seconds: &str) {
        let set = format!("assign('quick', {seconds}, environment(get('history_open', asNamespace('rtvs'))))");
        assert_eq!(self.client.eval(&set, "0").await.error, None);
    }

    /// The window of a client that is at this prompt.
    pub(super) fn of(client: Client, prompt: u64) -> Self {
        Self { client, prompt, size: USUAL, clicks: VecDeque::new(), closed: Vec::new() }
    }

    /// Types code, all in one answer. Returns what is shown until the next prompt.
    pub(super) async fn types(&mut self, code: &str) -> Vec<Shown> {
        self.client.answer(self.prompt, &format!("{code}\n")).await;
        let mut shown = Vec::new();
        loop {
            let message = self.client.next().await.expect("the connection is open");
            match message.name.as_str() {
                "?PlotDeviceCreate" => {
                    let Size { width, height, resolution } = self.size;
                    self.client.reply(message.id, &message.name, json!([width, height, resolution])).await;
                }
                "?Locator" => {
                    let place = self.clicks.pop_front().map_or(json!([false, 0, 0]), |[x, y]| json!([true, x, y]));
                    self.client.reply(message.id, &message.name, place).await;
                }
                "!Plot" => shown.push(Shown::read(&message.json, message.blob)),
                "!PlotDeviceDestroy" => {
                    let [device] = serde_json::from_str(&message.json).unwrap();
                    self.closed.push(device);
                }
                "?>" => {
                    self.prompt = message.id;
                    return shown;
                }
                "!!" => panic!("{code}: {}", message.json),
                _ => {}
            }
        }
    }

    /// Types each line of the code in an answer of its own. Returns what all of them show.
    pub(super) async fn types_lines(&mut self, code: &str) -> Vec<Shown> {
        let mut shown = Vec::new();
        for line in code.lines() {
            shown.extend(self.types(line.trim()).await);
        }
        shown
    }

    /// Evaluates code that shows nothing.
    pub(super) async fn value(&mut self, code: &str) -> Value {
        let value = self.client.value(code).await;
        assert_eq!(self.types("").await, []);
        value
    }

    /// The content of a blob.
    pub(super) async fn blob(&mut self, id: &Value) -> Bytes {
        self.client.blob(id).await
    }
}

/// The pictures of what is shown.
pub(super) fn pictures(shown: &[Shown]) -> Vec<&[u8]> {
    shown.iter().map(|shown| &*shown.picture).collect()
}

/// The places of what is shown.
pub(super) fn places(shown: &[Shown]) -> Vec<(i64, i64)> {
    shown.iter().map(|shown| shown.place).collect()
}
