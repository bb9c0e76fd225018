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

/// Sealed memory that holds `bytes`.
///
/// # Errors
/// When the system gives none: memory, or the limit on file sizes, which holds for it as well.
pub fn seal(bytes: &[u8]) -> io::Result<OwnedFd> {
    let descriptor = memfd_create("offshoot", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(descriptor);
    file.write_all(bytes)?;
    let descriptor = OwnedFd::from(file);
    fcntl_add_seals(&descriptor, SEALS | SealFlags::SEAL)?;
    Ok(descriptor)
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
        let mapped = map(seal(b"abc").unwrap(), 3).unwrap();
        assert_eq!(&mapped[..], b"abc");
        assert!(map(seal(b"abc").unwrap(), 4).is_err());
        let open = memfd_create("test", MemfdFlags::ALLOW_SEALING).unwrap();
        assert!(map(open, 0).is_err());
    }
}
