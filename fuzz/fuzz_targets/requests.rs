//! Any bytes are a request, and all that is read of it before a call works on it is read, or refused with a sentence: the
//! gate, cookies, credentials, what the client takes, the path, the query, and the body as each dialect reads it: forms,
//! inputs in them (the only JSON that clients send), forms of several parts, R code. Without R.
#![no_main]

use std::sync::LazyLock;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use multer::{Constraints, SizeLimit};
use offshoot::{
    api::{
        basic, body,
        file::attachment,
        form::Form,
        parts::{Parts, boundary},
        path_cookie,
        pieces::Pieces,
        revodeployr::{cookie::session_cookies, identifiers, request::check_file_name},
        rock,
    },
    auth::{Arrival, Gate},
    config::{Config, host},
    wire::typed::input,
};

/// Parameters that a form may have here.
const FIELDS: usize = 20;
/// What is kept of a form.
const KEPT: usize = 4096;

static GATES: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let (mut named, mut any) = (Config::default(), Config::default());
    named.http.hosts = vec!["a".to_owned(), "[::1]:80".to_owned()];
    named.http.cors_origins = vec!["https://a".to_owned()];
    any.http.cors_origins = vec!["*".to_owned()];
    any.revodeployr.web_context = "https://a:1/b".to_owned();
    [Config::default(), named, any].map(|config| Gate::new(&config, None).unwrap()).into()
});

fuzz_target!(|input: (u8, bool, bool, &[u8])| {
    let (cut, loopback, forwarded, bytes) = input;
    let Some((request, body)) = request(bytes) else { return };
    for gate in GATES.iter() {
        if let Err(refused) = gate.check(Arrival { loopback, forwarded }, &request) {
            assert!(refused.to_string().ends_with('.') && refused.status().is_client_error());
        }
    }
    let request = path_cookie::take(request);
    look_at_path(request.uri().path());
    look_at_head(request.headers());
    let mut query = Form::new(FIELDS);
    let _ = query.add(request.uri().query().unwrap_or_default().as_bytes());
    look_at_form(&query);
    look_at_body(request.headers(), body, usize::from(cut) + 1);
    look_at_code(request.headers(), body, usize::from(cut) + 1);
});

/// The first line, the others up to an empty one, and what stands behind it.
fn request(bytes: &[u8]) -> Option<(Request, &[u8])> {
    let at = bytes.windows(2).position(|end| end == b"\n\n").unwrap_or(bytes.len());
    let (head, body) = (&bytes[..at], bytes.get(at + 2..).unwrap_or_default());
    let mut lines = head.split(|&byte| byte == b'\n');
    let mut first = std::str::from_utf8(lines.next()?).ok()?.splitn(2, ' ');
    let mut request = Request::builder().method(first.next()?).uri(first.next()?);
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    Some((request.body(Body::empty()).ok()?, body))
}

fn look_at_path(path: &str) {
    for part in path.split('/') {
        for prefix in ["FILE", "CFILE", "LIVE", "CBNRY", "PROJ", "SCRPT"] {
            // An identifier has one form, or else what it names would have several addresses.
            if let Some(id) = identifiers::parse(prefix, part) {
                assert!(part.eq_ignore_ascii_case(&format!("{prefix}-{id}")));
            }
        }
        if check_file_name(part).is_ok() {
            assert!(!part.is_empty() && part != "..");
        }
    }
    let name = attachment(path);
    assert!(name.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
}

fn look_at_head(headers: &HeaderMap) {
    let _ = basic::credentials(headers);
    let _ = boundary(headers);
    let _ = offshoot::api::address(headers);
    let _ = (rock::accept::MediaType::negotiate(headers), rock::accept::takes(headers, "text/event-stream"));
    assert!(rock::accept::prefer(headers, ["image/png", "image/svg+xml"]).is_none_or(|at| at < 2));
    for value in headers.get_all(header::COOKIE) {
        let _ = session_cookies(value.as_bytes()).count();
    }
    for text in headers.values().filter_map(|value| value.to_str().ok()) {
        let _ = (host::Name::parse(text), host::split(text), host::is_loopback(text), host::of_address(text));
        let _ = rock::request::boolean(Some(text), true);
    }
}

fn look_at_form(form: &Form) {
    for name in ["", "a", "format", "session", "name"] {
        let _ = (form.get(name), form.all(name), form.list(name), form.boolean(name), form.count(name), form.content(name));
    }
    if let Ok(Some(inputs)) = form.get("inputs")
        && let Err(invalid) = input::read(inputs.as_bytes())
    {
        assert!(invalid.to_string().ends_with('.'));
    }
}

/// R code as a body of its own.
fn look_at_code(headers: &HeaderMap, code: &[u8], cut: usize) {
    let pieces: Vec<_> = code.chunks(cut).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let most = body::Limit::AnonymousKib(KEPT as u64 >> 10);
    let (http, stream) = (Config::default().http, Body::from_stream(futures_util::stream::iter(pieces)));
    let reading = body::read(&http, most, headers, stream);
    match runtime.block_on(reading) {
        Ok(read) => {
            assert!(read == code && code.len() <= KEPT);
            let (text, latin1) = (body::text(read.to_vec()), body::from_latin1(&read));
            assert_eq!(latin1.chars().count(), code.len());
            assert!(std::str::from_utf8(code).is_err() || text.as_bytes() == code);
        }
        Err(error) => assert!(error.status().is_client_error()),
    }
}

fn look_at_body(headers: &HeaderMap, body: &[u8], cut: usize) {
    let mut form = Form::new(FIELDS);
    let Some(boundary) = boundary(headers) else {
        let mut pieces = Pieces::new("file", KEPT);
        let mut size = 0;
        for piece in body.chunks(cut).map(Some).chain([None]) {
            match pieces.push(piece.unwrap_or_default(), piece.is_none(), &mut form) {
                Ok(of_file) => size += of_file.map_or(0, |of_file| of_file.len()),
                Err(_) => return,
            }
        }
        assert!(size <= body.len());
        return look_at_form(&form);
    };
    let pieces = futures_util::stream::iter(body.chunks(cut).map(|piece| Ok(Bytes::copy_from_slice(piece))));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let limits = Constraints::new().size_limit(SizeLimit::new().per_field(KEPT as u64));
        let (mut parts, mut left, mut count) = (Parts::new(pieces, boundary, FIELDS, limits), KEPT, 0);
        while let Ok(Some(mut part)) = parts.next().await {
            count += 1;
            let (name, file) = (part.name().to_owned(), part.file_name().map(str::to_owned));
            assert!(file.is_none_or(|file| !file.contains(['/', '\\'])));
            let Ok(content) = part.content(&mut left).await else { break };
            let _ = form.push(&name, content);
        }
        assert!(count <= FIELDS);
    });
    look_at_form(&form);
}
