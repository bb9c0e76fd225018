//! QAP1, the binary protocol of Rserve, as far as the suite needs it: eval, assign, files.
//!
//! Written from the protocol's public description (the header file Rsrv.h). Numbers are little-endian. A message has a head of 16 bytes
//! (command, length, 0, upper half of the length), and parameters with heads of their own. The lowest byte of such a head is a type, and
//! the upper three are a length; if the type has the flag 64, four more bytes of the length follow.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use anyhow::{Context, Result, bail, ensure};

const CMD_VOID_EVAL: u32 = 0x002;
const CMD_EVAL: u32 = 0x003;
const CMD_OPEN_FILE: u32 = 0x010;
const CMD_CREATE_FILE: u32 = 0x011;
const CMD_CLOSE_FILE: u32 = 0x012;
const CMD_READ_FILE: u32 = 0x013;
const CMD_WRITE_FILE: u32 = 0x014;
const CMD_SET_SEXP: u32 = 0x020;
const RESP_OK: u32 = 0x1_0001;

const DT_INT: u8 = 1;
const DT_STRING: u8 = 4;
const DT_BYTESTREAM: u8 = 5;
const DT_SEXP: u8 = 10;

/// Type of an array of doubles.
pub const XT_ARRAY_DOUBLE: u8 = 33;
/// Type of an array of strings, each of which ends with a NUL.
pub const XT_ARRAY_STRING: u8 = 34;
/// Type of raw bytes, which follow their count.
pub const XT_RAW: u8 = 37;
const XT_HAS_ATTRIBUTES: u8 = 128;

/// Flag of a type: the length has seven bytes.
const LARGE: u8 = 64;
/// The longest content whose length fits three bytes.
const SMALL: usize = 0xff_fff0;

/// An R value in the form in which it is sent: its type, and its content.
#[derive(Debug, Clone)]
pub struct Value {
    pub kind: u8,
    pub content: Vec<u8>,
}

impl Value {
    pub fn doubles(values: &[f64]) -> Self {
        Self { kind: XT_ARRAY_DOUBLE, content: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    pub fn strings<'t>(values: impl Iterator<Item = &'t str>) -> Self {
        let mut content = Vec::new();
        for value in values {
            content.extend_from_slice(value.as_bytes());
            content.push(0);
        }
        content.resize(content.len().next_multiple_of(4), 1);
        Self { kind: XT_ARRAY_STRING, content }
    }

    pub fn raw(bytes: &[u8]) -> Result<Self> {
        let mut content = u32::try_from(bytes.len())?.to_le_bytes().to_vec();
        content.extend_from_slice(bytes);
        content.resize(content.len().next_multiple_of(4), 0);
        Ok(Self { kind: XT_RAW, content })
    }
}

/// A head with a type and the length of the content.
fn head(kind: u8, length: usize) -> Vec<u8> {
    if length <= SMALL {
        let [a, b, c, ..] = length.to_le_bytes();
        vec![kind, a, b, c]
    } else {
        let [a, b, c, d, e, f, g, _] = (length as u64).to_le_bytes();
        vec![kind | LARGE, a, b, c, d, e, f, g]
    }
}

/// Reads a head; returns the type, the length, and the bytes after the head.
fn read_head(bytes: &[u8]) -> Result<(u8, usize, &[u8])> {
    let (&[kind, a, b, c], rest) = bytes.split_first_chunk().context("no head")?;
    if kind & LARGE == 0 {
        return Ok((kind, u32::from_le_bytes([a, b, c, 0]) as usize, rest));
    }
    let (&[d, e, f, g], rest) = rest.split_first_chunk().context("no upper half of a length")?;
    Ok((kind & !LARGE, usize::try_from(u64::from_le_bytes([a, b, c, d, e, f, g, 0]))?, rest))
}

/// The type of the value in the answer to an eval, and the range of its content, which comes after its attributes.
fn content(answer: &[u8]) -> Result<(u8, std::ops::Range<usize>)> {
    let (parameter, _, value) = read_head(answer)?;
    ensure!(parameter == DT_SEXP, "the answer is no value but {parameter}");
    let (kind, length, mut rest) = read_head(value)?;
    let end = answer.len() - rest.len() + length;
    ensure!(end <= answer.len(), "the value is cut short");
    if kind & XT_HAS_ATTRIBUTES != 0 {
        let (_, length, after) = read_head(rest)?;
        rest = after.get(length..).context("the attributes are cut short")?;
    }
    Ok((kind & !XT_HAS_ATTRIBUTES, answer.len() - rest.len()..end))
}

/// A connection, which is a session of Rserve.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub fn open(address: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(std::time::Duration::from_mins(2)))?;
        let mut greeting = [0; 32];
        stream.read_exact(&mut greeting)?;
        ensure!(&greeting[..4] == b"Rsrv" && &greeting[8..12] == b"QAP1", "not a server of Rserve's protocol");
        Ok(Self { stream })
    }

    /// Evaluates code; its value stays in R.
    pub fn run(&mut self, code: &str) -> Result<()> {
        self.send(CMD_VOID_EVAL, &[(DT_STRING, &[], &text(code))]).map(drop)
    }

    /// Evaluates code; returns the answer unchanged.
    pub fn eval(&mut self, code: &str) -> Result<Vec<u8>> {
        self.send(CMD_EVAL, &[(DT_STRING, &[], &text(code))])
    }

    /// Evaluates code whose value has this type; returns the bytes of its elements.
    pub fn eval_to(&mut self, kind: u8, code: &str) -> Result<Vec<u8>> {
        let mut answer = self.eval(code)?;
        let (found, range) = content(&answer)?;
        ensure!(found == kind, "the value is of type {found}, not {kind}");
        // Raw bytes have a count before them, and padding after them.
        let skip = if kind == XT_RAW { 4 } else { 0 };
        let end = match kind {
            XT_RAW => {
                let (count, _) = answer[range.clone()].split_first_chunk().context("no count of bytes")?;
                (range.start + skip).saturating_add(u32::from_le_bytes(*count) as usize).min(range.end)
            }
            XT_ARRAY_STRING => answer[range.clone()].iter().rposition(|&byte| byte == 0).map_or(range.start, |at| range.start + at),
            _ => range.end,
        };
        answer.truncate(end);
        answer.drain(..range.start + skip);
        Ok(answer)
    }

    /// Binds a value to a name in the global environment.
    pub fn assign(&mut self, name: &str, value: &Value) -> Result<()> {
        let head = head(value.kind, value.content.len());
        self.send(CMD_SET_SEXP, &[(DT_STRING, &[], &text(name)), (DT_SEXP, &head, &value.content)]).map(drop)
    }

    pub fn write_file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.send(CMD_CREATE_FILE, &[(DT_STRING, &[], &text(name))])?;
        for piece in bytes.chunks(4 << 20) {
            self.send(CMD_WRITE_FILE, &[(DT_BYTESTREAM, &[], piece)])?;
        }
        self.send(CMD_CLOSE_FILE, &[]).map(drop)
    }

    pub fn read_file(&mut self, name: &str) -> Result<Vec<u8>> {
        const PIECE: u32 = 4 << 20;
        self.send(CMD_OPEN_FILE, &[(DT_STRING, &[], &text(name))])?;
        let mut bytes = Vec::new();
        loop {
            let piece = self.send(CMD_READ_FILE, &[(DT_INT, &[], &PIECE.to_le_bytes())])?;
            if piece.is_empty() {
                break;
            }
            bytes.extend_from_slice(&piece);
        }
        self.send(CMD_CLOSE_FILE, &[])?;
        Ok(bytes)
    }

    /// Sends a command with parameters, each a type and two pieces of content.
    fn send(&mut self, command: u32, parameters: &[(u8, &[u8], &[u8])]) -> Result<Vec<u8>> {
        let heads: Vec<_> = parameters.iter().map(|(kind, first, second)| head(*kind, first.len() + second.len())).collect();
        let length: usize = heads.iter().zip(parameters).map(|(head, (_, first, second))| head.len() + first.len() + second.len()).sum();
        let [a, b, c, d, e, f, g, h] = (length as u64).to_le_bytes();
        let mut message = Vec::with_capacity(64 << 10);
        message.extend_from_slice(&command.to_le_bytes());
        message.extend_from_slice(&[a, b, c, d, 0, 0, 0, 0, e, f, g, h]);
        for (head, (_, first, second)) in heads.iter().zip(parameters) {
            message.extend_from_slice(head);
            message.extend_from_slice(first);
            if second.len() > 64 << 10 {
                self.stream.write_all(&message)?;
                message.clear();
                self.stream.write_all(second)?;
            } else {
                message.extend_from_slice(second);
            }
        }
        self.stream.write_all(&message)?;
        self.receive()
    }

    fn receive(&mut self) -> Result<Vec<u8>> {
        let mut head = [0; 16];
        self.stream.read_exact(&mut head)?;
        let [a, b, c, d, e, f, g, h, _, _, _, _, i, j, k, l] = head;
        let length = u64::from_le_bytes([e, f, g, h, i, j, k, l]);
        let mut answer = Vec::with_capacity(usize::try_from(length)?);
        (&mut self.stream).take(length).read_to_end(&mut answer)?;
        ensure!(answer.len() as u64 == length, "the answer was cut short");
        match u32::from_le_bytes([a, b, c, d]) {
            response if response & 0xff_ffff == RESP_OK => Ok(answer),
            response => bail!("Rserve answers with error {}", response >> 24),
        }
    }
}

/// Text as a parameter: it ends with a NUL, and is padded to four bytes.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
