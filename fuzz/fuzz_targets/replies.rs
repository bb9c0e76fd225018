//! Whatever a worker writes is a reply or ends its session, and takes no memory that it has only announced.
#![no_main]

use std::{cell::RefCell, io::Write};

use libfuzzer_sys::fuzz_target;
use offshoot::session::frames::Frames;

thread_local! {
    static RUNTIME: RefCell<tokio::runtime::Runtime> =
        RefCell::new(tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));
}

/// What fits into a pipe that nobody reads yet.
const PIPE: usize = 60 << 10;

fuzz_target!(|input: (u8, &[u8])| {
    let (odd, bytes) = input;
    RUNTIME.with_borrow(|runtime| {
        runtime.block_on(async {
            let (mut frames, [_commands, replies, memory]) = Frames::new(1 << 20).expect("a link");
            // One in two has written a large reply.
            if odd % 2 == 0 {
                let _ = std::fs::File::from(memory).write_all(bytes);
            }
            let _ = std::fs::File::from(replies).write_all(&bytes[..bytes.len().min(PIPE)]);
            while let Ok(Some((_, payload))) = frames.receive().await {
                assert!(payload.as_ref().len() <= 1 << 20);
            }
        });
    });
});
