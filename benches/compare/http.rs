//! An HTTP client that does as little as possible, so that it does not affect the measurements.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

/// One connection, kept alive.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    /// Header lines for each request, with their line ends.
    pub headers: String,
}

impl Client {
    /// Connects to `address`, a host and a port.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_mins(2)))?;
        Ok(Self { stream: BufReader::with_capacity(256 << 10, stream), headers: String::new() })
    }

    /// Sends a GET request; returns the body of the answer.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>> {
        self.send("GET", path, "", &[])
    }

    /// Sends a POST request with this body; `more` has further header lines, with their line ends.
    pub fn post(&mut self, path: &str, more: &str, body: &[u8]) -> Result<Vec<u8>> {
        self.send("POST", path, more, body)
    }

    /// Sends any request; returns the body of the answer, which has to be a success.
    pub fn send(&mut self, method: &str, path: &str, more: &str, body: &[u8]) -> Result<Vec<u8>> {
        let length = if method == "GET" { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}{more}{length}\r\n", self.headers);
        let socket = self.stream.get_mut();
        if body.len() < 16 << 10 {
            socket.write_all(&[head.as_bytes(), body].concat())?;
        } else {
            socket.write_all(head.as_bytes())?;
            socket.write_all(body)?;
        }
        let answer = self.receive().with_context(|| format!("{method} {path}"))?;
        ensure!((200..300).contains(&answer.0), "{method} {path}: {} {}", answer.0, String::from_utf8_lossy(&answer.1));
        Ok(answer.1)
    }

    fn receive(&mut self) -> Result<(u16, Vec<u8>)> {
        let (mut line, mut length, mut status) = (String::new(), None, None);
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the server has closed the connection");
            let head = line.trim_end();
            if status.is_none() {
                status = Some(head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?);
            } else if head.is_empty() {
                break;
            } else if let Some((name, value)) = head.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let status = status.unwrap_or(0);
        let Some(length) = length.or((status == 204).then_some(0)) else { bail!("an answer without Content-Length") };
        let mut body = Vec::with_capacity(length);
        (&mut self.stream).take(length as u64).read_to_end(&mut body)?;
        ensure!(body.len() == length, "the answer was cut short");
        Ok((status, body))
    }
}

/// The text between two others.
pub fn between<'t>(text: &'t str, before: &str, after: &str) -> Result<&'t str> {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    Ok(found.with_context(|| format!("no {before} in {}", text.chars().take(300).collect::<String>()))?.0)
}
