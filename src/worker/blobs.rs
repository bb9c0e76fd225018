//! Blobs: bytes that both R and its client can reach.

use std::collections::BTreeMap;

use crate::link::host::{BlobReply, BlobRequest};

/// The blobs of a session.
#[derive(Debug)]
pub(super) struct Blobs {
    all: BTreeMap<u64, Vec<u8>>,
    last: u64,
    size: u64,
    /// The most bytes of all together.
    most: u64,
}

impl Blobs {
    pub(super) fn new(most: u64) -> Self {
        // Clients take 0 for no blob, and some count from 2.
        Self { all: BTreeMap::new(), last: 1, size: 0, most }
    }

    /// Makes a blob of these bytes, and returns its id.
    ///
    /// # Errors
    /// A sentence, if there is no room for it.
    pub(super) fn add(&mut self, bytes: Vec<u8>) -> Result<u64, String> {
        self.make_room(bytes.len())?;
        self.last += 1;
        self.size += bytes.len() as u64;
        self.all.insert(self.last, bytes);
        Ok(self.last)
    }

    /// The bytes of a blob.
    ///
    /// # Errors
    /// A sentence, if there is no such blob.
    pub(super) fn get(&self, id: u64) -> Result<&[u8], String> {
        self.all.get(&id).map(Vec::as_slice).ok_or_else(|| missing(id))
    }

    /// Forgets a blob, if there is one with this id.
    pub(super) fn destroy(&mut self, id: u64) {
        if let Some(gone) = self.all.remove(&id) {
            self.size -= gone.len() as u64;
        }
    }

    /// Does what a client wants. Returns the reply, if there is to be one, and its payload.
    pub(super) fn carry_out(&mut self, request: BlobRequest, payload: &[u8]) -> Option<(BlobReply, Vec<u8>)> {
        let done = match request {
            BlobRequest::Create => self.add(Vec::new()).map(|id| (BlobReply::Created(id), Vec::new())),
            BlobRequest::Write(id, at) => self.write(id, at, payload).map(|size| (BlobReply::Size(size), Vec::new())),
            BlobRequest::Read(id, from, count) => self.read(id, from, count).map(|bytes| (BlobReply::Read, bytes)),
            BlobRequest::Size(id) => self.get(id).map(|bytes| (BlobReply::Size(bytes.len() as u64), Vec::new())),
            BlobRequest::Resize(id, size) => self.resize(id, size).map(|size| (BlobReply::Size(size), Vec::new())),
            BlobRequest::Destroy(ids) => {
                ids.into_iter().for_each(|id| self.destroy(id));
                return None;
            }
        };
        Some(done.unwrap_or_else(|why| (BlobReply::Refused(why), Vec::new())))
    }

    fn write(&mut self, id: u64, at: Option<u64>, bytes: &[u8]) -> Result<u64, String> {
        let length = self.get(id)?.len();
        let at = at.map_or(Ok(length), usize::try_from).ok().filter(|&at| at <= length);
        let at = at.ok_or_else(|| format!("blob {id} has {length} bytes, and nothing can be written behind its end"))?;
        let more = (at + bytes.len()).saturating_sub(length);
        self.make_room(more)?;
        let Some(blob) = self.all.get_mut(&id) else { return Err(missing(id)) };
        blob.try_reserve(more).map_err(|_| "the blob does not fit in the session's memory")?;
        let within = bytes.len().min(length - at);
        blob[at..at + within].copy_from_slice(&bytes[..within]);
        blob.extend_from_slice(&bytes[within..]);
        self.size += more as u64;
        Ok(blob.len() as u64)
    }

    fn read(&self, id: u64, from: u64, count: Option<u64>) -> Result<Vec<u8>, String> {
        let bytes = self.get(id)?;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
        let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX).min(bytes.len() - from);
        let mut copy = Vec::new();
        copy.try_reserve_exact(count).map_err(|_| "the bytes do not fit in the session's memory once more; read fewer at a time")?;
        copy.extend_from_slice(&bytes[from..from + count]);
        Ok(copy)
    }

    fn resize(&mut self, id: u64, size: u64) -> Result<u64, String> {
        let length = self.get(id)?.len();
        let wanted = usize::try_from(size).map_err(|_| "no blob has so many bytes")?;
        self.make_room(wanted.saturating_sub(length))?;
        let Some(blob) = self.all.get_mut(&id) else { return Err(missing(id)) };
        blob.try_reserve(wanted.saturating_sub(length)).map_err(|_| "the blob does not fit in the session's memory")?;
        blob.resize(wanted, 0);
        self.size = self.size - length as u64 + size;
        Ok(size)
    }

    fn make_room(&self, more: usize) -> Result<(), String> {
        if self.size.saturating_add(more as u64) > self.most {
            return Err(format!("all blobs of a session may have {} bytes together; destroy some that are not needed", self.most));
        }
        Ok(())
    }
}

fn missing(id: u64) -> String {
    format!("there is no blob {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_written_at_any_place_that_they_have() {
        let mut blobs = Blobs::new(10);
        let id = blobs.add(b"abc".to_vec()).unwrap();
        assert_eq!(blobs.write(id, None, b"de"), Ok(5));
        assert_eq!(blobs.write(id, Some(4), b"XYZ"), Ok(7));
        assert_eq!(blobs.get(id), Ok(&b"abcdXYZ"[..]));
        assert!(blobs.write(id, Some(8), b"no").is_err());
        assert!(blobs.write(id, None, b"more").is_err(), "there is room for 10 bytes");
        assert_eq!(blobs.read(id, 5, Some(9)), Ok(b"YZ".to_vec()));
        assert_eq!(blobs.read(id, 99, Some(1)), Ok(Vec::new()));
        assert_eq!(blobs.resize(id, 2), Ok(2));
        assert_eq!(blobs.add(vec![0; 8]), Ok(id + 1));
        blobs.destroy(id);
        assert!(blobs.get(id).is_err() && blobs.add(vec![0; 2]).is_ok());
    }
}
