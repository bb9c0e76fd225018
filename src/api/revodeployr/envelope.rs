//! The envelope of every answer, in JSON and in XML (contract, sections 1, 2 and 4).
//!
//! Values come from the worker in their final form. The envelope is written around them without parsing them.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::{
    api::body::PartsBody,
    wire::{
        Out, Text,
        text::{push_cdata, push_json, push_xml_escaped},
    },
};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `format=json`, and the default.
    #[default]
    Json,
    /// `format=xml`.
    Xml,
    /// `format=text` of an upload by a form: JSON that a browser shows as a page, because the client's script reads the text of that page
    /// (contract, section 6).
    Page,
}

/// A group of named things in an answer: files, projects...
#[derive(Debug, Default)]
pub struct Group {
    /// The member in JSON; empty to leave it out there.
    pub json: &'static str,
    /// In XML, the element of the group and the elements inside it; empty to leave the group out there.
    pub xml: (&'static str, &'static str),
    /// The things.
    pub entries: Vec<Entry>,
}

/// One thing of a group.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// An identifier or a URL.
    pub value: String,
    /// Its description; JSON only.
    pub description: Option<String>,
    /// The URL of its content; JSON only.
    pub url: Option<String>,
}

impl Entry {
    /// An entry with a name and a value.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), description: None, url: None }
    }
}

impl Group {
    /// A group of files: names with URLs.
    #[must_use]
    pub fn files(entries: Vec<Entry>) -> Self {
        Self { json: "files", xml: ("files", "file"), entries }
    }
}

/// The content of an answer. Fields that are `None` or empty are left out, unless they say otherwise.
#[derive(Debug, Default)]
pub struct Answer {
    /// The message and the code of an error; its presence makes `success` false.
    pub error: Option<(String, u16)>,
    /// A session's identifier.
    pub session: Option<String>,
    /// The cookie of a new login.
    pub cookie: Option<String>,
    /// A cookie to be set, and its attributes.
    pub set_cookie: Option<(String, String)>,
    /// User name and display name.
    pub identity: Option<(String, String)>,
    /// Groups written before the objects.
    pub groups: Vec<Group>,
    /// Encoded objects.
    pub robjects: Option<Bytes>,
    /// Groups written after the objects.
    pub later_groups: Vec<Group>,
    /// Identifiers of live sessions.
    pub live: Option<Vec<String>>,
    /// Console text; written even if it is empty, unless it is `None`.
    pub console: Option<String>,
    /// Texts of warnings.
    pub warnings: Vec<String>,
    /// Code blocks.
    pub history: Option<Vec<Arc<str>>>,
}

impl Answer {
    /// The response; its caller may set another status.
    #[must_use]
    pub fn render(self, call: &str, format: Format) -> Response {
        let mut out = Out::new();
        let head;
        match format {
            Format::Json | Format::Page => {
                self.json_head(&mut out, call);
                head = out.len();
                self.json_tail(&mut out);
            }
            Format::Xml => {
                self.xml_head(&mut out, call);
                head = out.len();
                self.xml_tail(&mut out);
            }
        }
        let envelope = out.finish().unwrap_or_default();
        let envelope = Bytes::from(if format == Format::Page { for_page(&envelope) } else { envelope });
        let head = head.min(envelope.len());
        let (head, tail) = (envelope.slice(..head), envelope.slice(head..));
        let body = match self.robjects {
            None => Body::from(envelope),
            Some(objects) => Body::new(PartsBody::new([head, objects, tail])),
        };
        let content_type = match format {
            Format::Json => "application/json; charset=utf-8",
            Format::Xml => "application/xml; charset=utf-8",
            Format::Page => "text/html; charset=utf-8",
        };
        let mut response = body.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        // An answer is for one user at one moment, so no cache may keep it.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((cookie, attributes)) = &self.set_cookie
            && let Ok(value) = HeaderValue::from_str(&format!("JSESSIONID={cookie}; {attributes}"))
        {
            response.headers_mut().insert(header::SET_COOKIE, value);
        }
        response
    }

    /// Everything before the objects.
    fn json_head(&self, out: &mut Out, call: &str) {
        out.push(b"{\"deployr\":{\"response\":{\"success\":");
        out.push(if self.error.is_none() { b"true" } else { b"false" });
        member(out, "call", call);
        if let Some((message, code)) = &self.error {
            member(out, "error", message);
            out.push(format!(",\"errorCode\":{code}").as_bytes());
        }
        if let Some(session) = &self.session {
            member(out, "session", session);
        }
        if let Some(cookie) = &self.cookie {
            member(out, "cookie", cookie);
        }
        if let Some((user, display_name)) = &self.identity {
            out.push(b",\"identity\":{\"username\":");
            push_json(out, Text::of(user));
            member(out, "displayname", display_name);
            out.byte(b'}');
        }
        json_groups(out, &self.groups);
        if self.robjects.is_some() {
            out.push(b",\"robjects\":");
        }
    }

    /// Everything after the objects.
    fn json_tail(&self, out: &mut Out) {
        json_groups(out, &self.later_groups);
        if let Some(live) = &self.live {
            out.push(b",\"live\":[");
            for (at, session) in live.iter().enumerate() {
                if at > 0 {
                    out.byte(b',');
                }
                push_json(out, Text::of(session));
            }
            out.byte(b']');
        }
        if let Some(console) = &self.console {
            out.push(b",\"console\":{\"value\":");
            push_json(out, Text::of(console));
            out.byte(b'}');
        }
        if !self.warnings.is_empty() {
            let entries = self.warnings.iter().enumerate().map(|(at, warning)| Entry::new(warning_name(at + 1), warning)).collect();
            json_groups(out, &[Group { json: "warnings", entries, ..Group::default() }]);
        }
        if let Some(history) = &self.history {
            out.push(b",\"history\":[");
            for (at, block) in history.iter().enumerate() {
                if at > 0 {
                    out.byte(b',');
                }
                push_json(out, Text::of(block));
            }
            out.byte(b']');
        }
        out.push(b"}}}");
    }

    fn xml_head(&self, out: &mut Out, call: &str) {
        out.push(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<deployr><response success=\"");
        out.push(if self.error.is_none() { b"true" } else { b"false" });
        out.byte(b'"');
        attribute(out, "call", call);
        if let Some(session) = &self.session {
            attribute(out, "session", session);
        }
        if let Some(cookie) = &self.cookie {
            attribute(out, "cookie", cookie);
        }
        out.byte(b'>');
        if let Some((message, code)) = &self.error {
            out.push(format!("<error value=\"{code}\">").as_bytes());
            push_xml_escaped(out, message.as_bytes());
            out.push(b"</error>");
        }
        if let Some((user, display_name)) = &self.identity {
            out.push(b"<identity");
            attribute(out, "username", user);
            attribute(out, "displayname", display_name);
            out.push(b"/>");
        }
        xml_groups(out, &self.groups);
        match &self.robjects {
            Some(objects) if objects.is_empty() => out.push(b"<robjects/>"),
            Some(_) => out.push(b"<robjects>"),
            None => {}
        }
    }

    fn xml_tail(&self, out: &mut Out) {
        if self.robjects.as_ref().is_some_and(|objects| !objects.is_empty()) {
            out.push(b"</robjects>");
        }
        xml_groups(out, &self.later_groups);
        if let Some(live) = &self.live {
            let entries = live.iter().map(|session| Entry::new("", session)).collect();
            xml_groups(out, &[Group { xml: ("live", "session"), entries, ..Group::default() }]);
        }
        if let Some(console) = &self.console {
            out.push(b"<console>");
            push_cdata(out, console);
            out.push(b"</console>");
        }
        if !self.warnings.is_empty() {
            out.push(b"<warnings>");
            for (at, warning) in self.warnings.iter().enumerate() {
                out.push(b"<warning");
                attribute(out, "name", &warning_name(at + 1));
                attribute(out, "value", warning);
                out.push(b"/>");
            }
            out.push(b"</warnings>");
        }
        if let Some(history) = &self.history {
            out.push(b"<history>");
            for block in history {
                out.push(b"<command>");
                push_cdata(out, block);
                out.push(b"</command>");
            }
            out.push(b"</history>");
        }
        out.push(b"</response></deployr>");
    }
}

fn warning_name(number: usize) -> String {
    format!("warning{number:03}")
}

/// `,"name":"value"`
fn member(out: &mut Out, name: &str, value: &str) {
    out.push(format!(",\"{name}\":").as_bytes());
    push_json(out, Text::of(value));
}

/// `,"files":{"a":{"value":"1"}}`
fn json_groups(out: &mut Out, groups: &[Group]) {
    for group in groups.iter().filter(|group| !group.json.is_empty()) {
        out.push(format!(",\"{}\":{{", group.json).as_bytes());
        for (at, (entry, key)) in group.entries.iter().zip(keys(&group.entries)).enumerate() {
            if at > 0 {
                out.byte(b',');
            }
            push_json(out, Text::of(&key));
            out.push(b":{\"value\":");
            push_json(out, Text::of(&entry.value));
            if let Some(description) = &entry.description {
                member(out, "descr", description);
            }
            if let Some(url) = &entry.url {
                member(out, "url", url);
            }
            out.byte(b'}');
        }
        out.byte(b'}');
    }
}

/// The names of the members in JSON, which can hold each name only once. The first of several equal names stays; the others get a number
/// that makes them unlike all other names (contract, section 4).
fn keys(entries: &[Entry]) -> Vec<Cow<'_, str>> {
    let mut taken: HashSet<Cow<str>> = entries.iter().map(|entry| Cow::from(&entry.name)).collect();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut keys = Vec::with_capacity(entries.len());
    for Entry { name, .. } in entries {
        let number = numbers.entry(name).or_default();
        let mut key = Cow::from(name);
        while *number > 0 && !taken.insert(key.clone()) {
            *number += 1;
            key = Cow::from(format!("{name} ({number})"));
        }
        *number = (*number).max(1);
        keys.push(key);
    }
    keys
}

/// `<files><file name="a" value="1"/></files>`
fn xml_groups(out: &mut Out, groups: &[Group]) {
    for Group { xml: (group, element), entries, .. } in groups.iter().filter(|group| !group.xml.0.is_empty()) {
        if entries.is_empty() {
            out.push(format!("<{group}/>").as_bytes());
            continue;
        }
        out.push(format!("<{group}>").as_bytes());
        for entry in entries {
            out.push(format!("<{element}").as_bytes());
            if !entry.name.is_empty() {
                attribute(out, "name", &entry.name);
            }
            attribute(out, "value", &entry.value);
            out.push(b"/>");
        }
        out.push(format!("</{group}>").as_bytes());
    }
}

/// Escapes the characters of JSON that mean something in HTML. They occur only in strings, so JSON's own escapes will do.
fn for_page(json: &[u8]) -> Vec<u8> {
    let mut page = Vec::with_capacity(json.len());
    for &byte in json {
        match byte {
            b'<' => page.extend_from_slice(b"\\u003c"),
            b'>' => page.extend_from_slice(b"\\u003e"),
            b'&' => page.extend_from_slice(b"\\u0026"),
            byte => page.push(byte),
        }
    }
    page
}

/// ` name="value"`
fn attribute(out: &mut Out, name: &str, value: &str) {
    out.push(format!(" {name}=\"").as_bytes());
    push_xml_escaped(out, value.as_bytes());
    out.byte(b'"');
}
