//! Any bytes, however they are cut, are frames or are refused; headers decode or do not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offshoot::link::{
    command::{Reply, Request},
    frame::Decoder,
    messages::{self, ZygoteReply},
};

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let mut decoder = Decoder::default();
    for piece in bytes.chunks(usize::from(cut) + 1) {
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => {
                    let _ = messages::decode::<Request>(&frame.header);
                    let _ = messages::decode::<Reply>(&frame.header);
                    let _ = messages::decode::<ZygoteReply>(&frame.header);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
