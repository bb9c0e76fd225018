//! The cost of our own code on values that are already in memory, and lower bounds for comparison: a copy of memory, the fastest known
//! formatting of doubles, a fork of an empty process.
//!
//! `make bench-core`, or `cargo bench --bench micro -- NAME` for some of them.

#![expect(clippy::unwrap_used, reason = "a program that prints figures, or fails")]

use divan::{Bencher, counter::BytesCount, counter::ItemsCount};
use offshoot::{
    link::shared,
    wire::{
        Class, Out, Shape, Spill, Storage, Text, Value, Written,
        typed::{self, Scratch, Slice},
    },
};

/// Elements of a vector.
const LENGTH: usize = 100_000;

fn main() {
    fork::with_environment_of_r();
    divan::main();
}

/// Numbers like those of R's `runif`, but the same each time.
fn numbers() -> Vec<f64> {
    (1..=LENGTH).map(|at| (at as f64 * 0.754_877_666_246_692_7).fract()).collect()
}

fn words() -> Vec<String> {
    (0..LENGTH).map(|at| format!("string {at:07}")).collect()
}

/// A vector in the form that the encoders take.
#[derive(Clone, Copy)]
enum Vector<'a> {
    Integers(&'a [i32]),
    Doubles(&'a [f64]),
    Strings(&'a [String]),
}

impl<'a> Value<'a> for Vector<'a> {
    type Held = &'a str;

    fn storage(self) -> Storage {
        match self {
            Self::Integers(_) => Storage::Integer,
            Self::Doubles(_) => Storage::Double,
            Self::Strings(_) => Storage::String,
        }
    }
    fn len(self) -> usize {
        LENGTH
    }
    fn shape(self) -> Shape {
        Shape::Vector
    }
    fn class(self) -> Class {
        Class::None
    }
    fn class_name(self) -> Text<'a> {
        Text::of("numeric")
    }
    fn integers(self, from: usize, to: usize, mut each: impl FnMut(&[i32])) {
        if let Self::Integers(elements) = self {
            each(&elements[from..to]);
        }
    }
    fn doubles(self, from: usize, to: usize, mut each: impl FnMut(&[f64])) {
        if let Self::Doubles(elements) = self {
            each(&elements[from..to]);
        }
    }
    fn string(self, at: usize) -> Text<'a> {
        match self {
            Self::Strings(elements) => Text::of(&elements[at]),
            _ => Text::Na,
        }
    }
    fn held_strings(self) -> Option<&'a [&'a str]> {
        None
    }
    fn text(held: &'a str) -> Text<'a> {
        Text::of(held)
    }
    fn item(self, _at: usize) -> Self {
        self
    }
    fn is_named(self) -> bool {
        false
    }
    fn name(self, _at: usize) -> Text<'a> {
        Text::Na
    }
    fn levels(self) -> usize {
        0
    }
    fn level(self, _at: usize) -> Text<'a> {
        Text::Na
    }
    fn time_zone(self) -> Text<'a> {
        Text::of("")
    }
}

/// A worker's output buffer. Large output goes to the memory that the worker shares with the server.
fn out() -> Out {
    Out::with_file(|| Ok(Spill { file: shared::create()?.into(), room: usize::MAX }))
}

fn as_json(value: Vector<'_>) -> Written {
    let mut out = out();
    typed::json::object(&mut out, &mut Scratch::default(), value, Slice::ALL);
    out.finish_anywhere().unwrap()
}

fn as_xml(value: Vector<'_>) -> Written {
    let mut out = out();
    typed::xml::object(&mut out, &mut Scratch::default(), Text::of("x"), value, Slice::ALL);
    out.finish_anywhere().unwrap()
}

fn length(written: &Written) -> usize {
    match written {
        Written::Bytes(bytes) => bytes.len(),
        Written::File(_, length) => *length,
    }
}

/// From memory into JSON and XML.
mod encode {
    use super::{Bencher, BytesCount, ItemsCount, LENGTH, Vector, as_json, as_xml, length, numbers, words};

    #[divan::bench]
    fn doubles_as_json(bencher: Bencher) {
        let numbers = numbers();
        bencher.counter(ItemsCount::new(LENGTH)).bench(|| as_json(Vector::Doubles(&numbers)));
    }

    #[divan::bench]
    fn doubles_as_xml(bencher: Bencher) {
        let numbers = numbers();
        bencher.counter(ItemsCount::new(LENGTH)).bench(|| as_xml(Vector::Doubles(&numbers)));
    }

    #[divan::bench]
    fn doubles_limit_formatting_alone(bencher: Bencher) {
        let numbers = numbers();
        bencher.counter(ItemsCount::new(LENGTH)).bench(|| {
            let mut buffer = zmij::Buffer::new();
            numbers.iter().map(|&number| buffer.format_finite(number).len()).sum::<usize>()
        });
    }

    #[divan::bench]
    fn integers_as_json(bencher: Bencher) {
        let numbers: Vec<i32> = (0..).take(LENGTH).map(|at: i32| at.wrapping_mul(7919)).collect();
        bencher.counter(ItemsCount::new(LENGTH)).bench(|| as_json(Vector::Integers(&numbers)));
    }

    #[divan::bench]
    fn integers_limit_formatting_alone(bencher: Bencher) {
        let numbers: Vec<i32> = (0..).take(LENGTH).map(|at: i32| at.wrapping_mul(7919)).collect();
        bencher.counter(ItemsCount::new(LENGTH)).bench(|| {
            let mut buffer = itoa::Buffer::new();
            numbers.iter().map(|&number| buffer.format(number).len()).sum::<usize>()
        });
    }

    #[divan::bench]
    fn strings_as_json(bencher: Bencher) {
        let words = words();
        bencher.counter(BytesCount::new(length(&as_json(Vector::Strings(&words))))).bench(|| as_json(Vector::Strings(&words)));
    }

    /// The same bytes, copied string by string.
    #[divan::bench]
    fn strings_limit_copying_alone(bencher: Bencher) {
        let words = words();
        let length = length(&as_json(Vector::Strings(&words)));
        bencher.counter(BytesCount::new(length)).bench(|| {
            let mut bytes = Vec::with_capacity(length);
            for word in &words {
                bytes.extend_from_slice(word.as_bytes());
            }
            bytes
        });
    }
}

/// From JSON and XML into memory.
mod decode {
    use offshoot::wire::typed::input;

    use super::{Bencher, BytesCount, numbers, words};

    fn vector(json: &impl serde::Serialize) -> Vec<u8> {
        serde_json::to_vec(&serde_json::json!({"x": {"type": "vector", "value": json}})).unwrap()
    }

    #[divan::bench]
    fn doubles_from_json(bencher: Bencher) {
        let sent = vector(&numbers());
        assert!(input::read(&sent).is_ok());
        bencher.counter(BytesCount::new(sent.len())).bench(|| drop(input::read(&sent)));
    }

    /// The library alone, which only makes a vector of doubles.
    #[divan::bench]
    fn doubles_limit_serde_json_alone(bencher: Bencher) {
        let sent = serde_json::to_vec(&numbers()).unwrap();
        bencher.counter(BytesCount::new(sent.len())).bench(|| serde_json::from_slice::<Vec<f64>>(&sent).unwrap());
    }

    #[divan::bench]
    fn strings_from_json(bencher: Bencher) {
        let sent = vector(&words());
        assert!(input::read(&sent).is_ok());
        bencher.counter(BytesCount::new(sent.len())).bench(|| drop(input::read(&sent)));
    }

    #[divan::bench]
    fn doubles_from_xml(bencher: Bencher) {
        let values: Vec<_> = numbers().iter().map(|number| format!("<value>{number}</value>")).collect();
        let sent = format!("<inputs><x type=\"vector\" rclass=\"numeric\">{}</x></inputs>", values.concat()).into_bytes();
        bencher.counter(BytesCount::new(sent.len())).bench(|| drop(input::read(&sent)));
    }
}

/// Frames from a worker to the server, over a pipe, in one thread.
mod frames {
    use std::{
        io::Read,
        os::{fd::OwnedFd, unix::net::UnixStream},
    };

    use offshoot::{
        link::{
            channel::{Link, Outgoing},
            frame::Decoder,
            shared,
        },
        wire::Written,
    };

    use super::{Bencher, BytesCount};

    /// One direction: the work of two processes, without their waiting for each other.
    #[divan::bench(args = [0, 1_000, 50_000])]
    fn inline(bencher: Bencher, payload: usize) {
        let (commands, _ours) = UnixStream::pair().unwrap();
        let (mut replies, theirs) = std::io::pipe().unwrap();
        let link = Link::new(commands, theirs.into(), shared::create().unwrap());
        let (header, payload) = ([7; 40], vec![1; payload]);
        let (mut decoder, mut bytes) = (Decoder::default(), [0; 16 << 10]);
        bencher.counter(BytesCount::new(payload.len())).with_inputs(|| Written::Bytes(payload.clone())).bench_local_values(|payload| {
            link.send(&header, payload).unwrap();
            loop {
                let count = replies.read(&mut bytes).unwrap();
                decoder.push(&bytes[..count]);
                if let Some(frame) = decoder.next_frame().unwrap() {
                    return frame;
                }
            }
        });
    }

    #[divan::bench(args = [1_000_000, 10_000_000])]
    fn shared(bencher: Bencher, payload: usize) {
        let (commands, ours) = UnixStream::pair().unwrap();
        let (mut replies, theirs) = std::io::pipe().unwrap();
        let link = Link::new(commands, theirs.into(), shared::create().unwrap());
        let (header, payload) = ([7; 40], vec![1; payload]);
        let mut bytes = [0; offshoot::link::frame::PREFIX + 40];
        bencher.counter(BytesCount::new(payload.len())).with_inputs(|| Written::Bytes(payload.clone())).bench_local_values(|payload| {
            let (memory, length): (OwnedFd, usize) = (shared::create().unwrap(), super::length(&payload));
            let descriptors = [std::os::fd::AsFd::as_fd(&memory)];
            Outgoing::inline(&header, &[], true).send(&ours, &descriptors).unwrap();
            link.receive().unwrap();
            link.send(&header, payload).unwrap();
            replies.read_exact(&mut bytes).unwrap();
            // Reads the first byte, so that the mapping is really made.
            shared::take(memory, length).unwrap()[0]
        });
    }

    #[divan::bench(args = [1_000_000, 10_000_000])]
    fn shared_limit_seal_and_map(bencher: Bencher, payload: usize) {
        let payload = vec![1; payload];
        bencher
            .counter(BytesCount::new(payload.len()))
            .bench_local(|| shared::map(shared::sealed(&payload).unwrap(), payload.len()).unwrap()[0]);
    }

    #[divan::bench(args = [0, 1_000, 50_000])]
    fn inline_limit_write_and_read(bencher: Bencher, payload: usize) {
        use std::io::{Read, Write};
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let payload = vec![1; payload + 56];
        let mut read = vec![0; payload.len()];
        bencher.counter(BytesCount::new(payload.len())).bench_local(|| {
            one.write_all(&payload).unwrap();
            other.read_exact(&mut read).unwrap();
        });
    }

    #[divan::bench(args = [1_000_000, 10_000_000])]
    fn limit_memory_copy(bencher: Bencher, length: usize) {
        let bytes = vec![1_u8; length];
        bencher.counter(BytesCount::new(length)).bench(|| bytes.clone());
    }
}

/// A fork with the child's end and its reaping: of this process as it is, and then with a warm R in it.
mod fork {
    use std::{os::unix::process::CommandExt, process::Command, sync::OnceLock};

    use offshoot::{
        r,
        worker::fork::{self, Side},
    };

    use super::Bencher;

    static R: OnceLock<()> = OnceLock::new();

    /// Starts this program anew by R's own start script, because R looks for its parts in the environment in which its process was started.
    pub(super) fn with_environment_of_r() {
        if std::env::var_os("R_SHARE_DIR").is_none() {
            let program = std::env::current_exe().unwrap();
            let error =
                Command::new("R").args(["CMD"]).arg(program).args(std::env::args_os().skip(1)).env("OPENBLAS_NUM_THREADS", "1").exec();
            panic!("R CMD does not run: {error}");
        }
    }

    fn and_reap() {
        match fork::fork().unwrap() {
            Side::Child => fork::end(0),
            Side::Parent(child) => {
                let child = rustix::process::Pid::from_raw(child).unwrap();
                rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).unwrap();
            }
        }
    }

    /// Benches run in the order of their names.
    #[divan::bench]
    fn a_process_without_r(bencher: Bencher) {
        assert!(R.get().is_none(), "R has been started already");
        bencher.bench_local(and_reap);
    }

    #[divan::bench]
    fn b_process_with_r(bencher: Bencher) {
        R.get_or_init(|| r::init::start().unwrap());
        bencher.bench_local(and_reap);
    }
}
