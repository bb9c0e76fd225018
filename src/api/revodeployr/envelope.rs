//! The envelope of every answer, in JSON and in XML (contract, sections 1, 2 and 4).
//!
//! Values come from the worker in their final form and are not looked at again: the envelope is written
//! around them.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use crate::{
    api::body::{Parts, bytes_of},
    wire::{
        Out, Text,
        text::{push_cdata, push_json, push_xml_escaped},
    },
    worker::channel::Payload,
};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `format=json`, and where none is named.
    #[default]
    Json,
    /// `format=xml`.
    Xml,
}

/// What an answer holds. What is `None` or empty is left out, unless said otherwise.
#[derive(Debug, Default)]
pub struct Answer {
    /// The message and the code of an error; its presence makes `success` false.
    pub error: Option<(String, u16)>,
    /// A session's identifier.
    pub session: Option<String>,
    /// The cookie of a new login, and the path it is for.
    pub cookie: Option<(String, String)>,
    /// User name and display name.
    pub identity: Option<(String, String)>,
    /// Files by name, with their URLs; written as `files` and as `objects`, as clients read either.
    pub files: Option<Vec<(String, String)>>,
    /// Encoded objects.
    pub robjects: Option<Payload>,
    /// Console text; written when it is there, even if empty.
    pub console: Option<String>,
    /// Texts of warnings.
    pub warnings: Vec<String>,
    /// Code blocks.
    pub history: Option<Vec<Arc<str>>>,
}

impl Answer {
    /// The response, without a status of its own.
    #[must_use]
    pub fn render(self, call: &str, format: Format) -> Response {
        let mut out = Out::new();
        let head;
        match format {
            Format::Json => {
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
        let envelope = Bytes::from(out.finish().unwrap_or_default());
        let (head, tail) = (envelope.slice(..head), envelope.slice(head..));
        let body = match self.robjects {
            None => Body::from(envelope),
            Some(payload) => Body::new(Parts::new([head, bytes_of(payload), tail])),
        };
        let content_type = match format {
            Format::Json => "application/json; charset=utf-8",
            Format::Xml => "application/xml; charset=utf-8",
        };
        let mut response = body.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        // Answers are about one user and one moment.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((cookie, path)) = &self.cookie
            && let Ok(value) = HeaderValue::from_str(&format!("JSESSIONID={cookie}; Path={path}; HttpOnly"))
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
        if let Some((cookie, _)) = &self.cookie {
            member(out, "cookie", cookie);
        }
        if let Some((user, display_name)) = &self.identity {
            out.push(b",\"identity\":{\"username\":");
            push_json(out, Text::of(user));
            member(out, "displayname", display_name);
            out.byte(b'}');
        }
        if let Some(files) = &self.files {
            for group in ["files", "objects"] {
                out.push(format!(",\"{group}\":").as_bytes());
                group_of_values(out, files.iter().map(|(name, url)| (name.as_str(), url.as_str())));
            }
        }
        if self.robjects.is_some() {
            out.push(b",\"robjects\":");
        }
    }

    /// Everything after the objects.
    fn json_tail(&self, out: &mut Out) {
        if let Some(console) = &self.console {
            out.push(b",\"console\":{\"value\":");
            push_json(out, Text::of(console));
            out.byte(b'}');
        }
        if !self.warnings.is_empty() {
            let names: Vec<_> = (1..=self.warnings.len()).map(warning_name).collect();
            out.push(b",\"warnings\":");
            group_of_values(out, names.iter().map(String::as_str).zip(self.warnings.iter().map(String::as_str)));
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
        if let Some((cookie, _)) = &self.cookie {
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
        if let Some(files) = &self.files {
            for (group, element) in [("objects", "object"), ("files", "file")] {
                if files.is_empty() {
                    out.push(format!("<{group}/>").as_bytes());
                    continue;
                }
                out.push(format!("<{group}>").as_bytes());
                for (name, url) in files {
                    out.push(format!("<{element}").as_bytes());
                    attribute(out, "name", name);
                    attribute(out, "value", url);
                    out.push(b"/>");
                }
                out.push(format!("</{group}>").as_bytes());
            }
        }
        match &self.robjects {
            Some(objects) if objects.as_ref().is_empty() => out.push(b"<robjects/>"),
            Some(_) => out.push(b"<robjects>"),
            None => {}
        }
    }

    fn xml_tail(&self, out: &mut Out) {
        if self.robjects.as_ref().is_some_and(|objects| !objects.as_ref().is_empty()) {
            out.push(b"</robjects>");
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

/// `{"a":{"value":"1"}}`. Of equal names the last one counts, as JSON can hold one only.
fn group_of_values<'a>(out: &mut Out, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    out.byte(b'{');
    for (at, (name, value)) in entries.enumerate() {
        if at > 0 {
            out.byte(b',');
        }
        push_json(out, Text::of(name));
        out.push(b":{\"value\":");
        push_json(out, Text::of(value));
        out.byte(b'}');
    }
    out.byte(b'}');
}

/// ` name="value"`
fn attribute(out: &mut Out, name: &str, value: &str) {
    out.push(format!(" {name}=\"").as_bytes());
    push_xml_escaped(out, value.as_bytes());
    out.byte(b'"');
}
