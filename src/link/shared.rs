//! Payloads in shared memory: written once, sealed, and mapped by the receiver without a copy.
//!
//! The supervisor makes all this memory. It takes no descriptor from a worker, because closing one can block, and a worker could send any
//! number of them. So a worker writes a large reply into memory that it was given beforehand.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, OwnedFd},
};

use memmap2::Mmap;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

/// The seals without which a mapping could change or shrink while it is read.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

/// New memory, to be written and then sealed. The writer's limit on file sizes applies to it as well.
///
/// # Errors
/// Errors of the system.
pub fn create() -> io::Result<OwnedFd> {
    Ok(memfd_create("offshoot", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?)
}

/// Sealed memory that holds `bytes`.
///
/// # Errors
/// When the system has no memory.
pub fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut memory = File::from(create()?);
    memory.write_all(bytes)?;
    seal(&memory)?;
    Ok(memory.into())
}

/// Maps sealed memory of exactly `length` bytes.
///
/// # Errors
/// When it is not sealed, or has another length: its sender cannot be trusted.
pub fn map(memory: OwnedFd, length: usize) -> io::Result<Mmap> {
    let file = File::from(memory);
    if !fcntl_get_seals(&file)?.contains(SEALS) || file.metadata()?.len() != length as u64 {
        return Err(invalid("a payload that is not sealed"));
    }
    // SAFETY: the seals were just checked, and prevent for ever that the memory is written, shrunk or grown.
    unsafe { Mmap::map(&file) }
}

/// Seals memory into which another process has written `length` bytes, and maps it. May block for a moment, while the kernel waits for
/// pages that are in use.
///
/// # Errors
/// When it cannot be sealed, has another length, or has holes. Reading holes would cost the reader memory that the writer has not used.
pub fn take(memory: OwnedFd, length: usize) -> io::Result<Mmap> {
    seal(&memory)?;
    if rustix::fs::seek(&memory, rustix::fs::SeekFrom::Hole(0))? < length as u64 {
        return Err(invalid("a payload with holes"));
    }
    map(memory, length)
}

/// Seals memory for all processes, including those that have it open.
fn seal(memory: impl AsFd) -> io::Result<()> {
    Ok(fcntl_add_seals(memory, SEALS | SealFlags::SEAL)?)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_are_mapped_and_unsealed_ones_refused() {
        let mapped = map(sealed(b"abc").unwrap(), 3).unwrap();
        assert_eq!(&mapped[..], b"abc");
        assert!(map(sealed(b"abc").unwrap(), 4).is_err());
        assert!(map(create().unwrap(), 0).is_err());
    }

    #[test]
    fn what_somebody_else_has_written_is_sealed_first() {
        let memory = create().unwrap();
        let mut writer = File::from(memory.try_clone().unwrap());
        writer.write_all(b"abc").unwrap();
        assert_eq!(&take(memory, 3).unwrap()[..], b"abc");
        assert!(writer.write_all(b"d").is_err());

        let holes = create().unwrap();
        File::from(holes.try_clone().unwrap()).set_len(1 << 30).unwrap();
        assert!(take(holes, 1 << 30).is_err());

        let mapped = create().unwrap();
        let file = File::from(mapped.try_clone().unwrap());
        file.set_len(3).unwrap();
        // SAFETY: nobody else knows of this memory.
        #[expect(unsafe_code, reason = "a mapping that can be written keeps memory from being sealed")]
        let kept = unsafe { memmap2::MmapMut::map_mut(&file) }.unwrap();
        assert!(take(mapped, 3).is_err());
        drop(kept);
    }
}
