//! Payloads in shared memory: written once, sealed, mapped by the receiver without a copy.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
};

use memmap2::Mmap;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

/// The seals without which a mapping could change, or end, under its reader.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE);

/// Memory to be written to, and then sealed. The limit on file sizes holds for it as well.
///
/// # Errors
/// The system's.
pub fn create() -> io::Result<File> {
    Ok(memfd_create("offshoot", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into())
}

/// Seals what [`create`] has made: nobody can change it any more.
///
/// # Errors
/// The system's.
pub fn seal(memory: File) -> io::Result<OwnedFd> {
    fcntl_add_seals(&memory, SEALS | SealFlags::SEAL)?;
    Ok(memory.into())
}

/// Sealed memory that holds `bytes`.
///
/// # Errors
/// When the system gives none.
pub fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut memory = create()?;
    memory.write_all(bytes)?;
    seal(memory)
}

/// Maps sealed memory of exactly `length` bytes.
///
/// # Errors
/// When it is not sealed, or not of that length: its sender is not to be trusted.
pub fn map(descriptor: OwnedFd, length: usize) -> io::Result<Mmap> {
    let file = File::from(descriptor);
    if !fcntl_get_seals(&file)?.contains(SEALS) || file.metadata()?.len() != length as u64 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a payload that is not sealed"));
    }
    // SAFETY: the seals just checked keep the memory from being written, shrunk or grown for good.
    unsafe { Mmap::map(&file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_are_mapped_and_unsealed_ones_refused() {
        let mapped = map(sealed(b"abc").unwrap(), 3).unwrap();
        assert_eq!(&mapped[..], b"abc");
        assert!(map(sealed(b"abc").unwrap(), 4).is_err());
        let open = memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(map(open, 0).is_err());
    }
}
