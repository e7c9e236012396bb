//! An entry of the cache as a file: the code, its description, and a seal over both.
//!
//! The code comes first, so that the file can be mapped as it is. The seal at the end holds the length of the
//! description (four bytes, little-endian), the digest of everything before it, and [`MAGIC`].

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use super::Described;
use weir_sandbox::digest::Digest;

/// End of every entry.
const MAGIC: &[u8; 8] = b"weir-e4\n";
/// Size of the seal in bytes.
const SEAL: u64 = 4 + 32 + 8;

/// An intact entry.
pub(super) struct Entry {
    pub(super) described: Described,
    /// Length of the code in bytes.
    code: u64,
}

impl Entry {
    /// Reads an entry; `None` if it differs in any bit from what was written.
    pub(super) fn read(file: &File) -> Option<Self> {
        Self::try_read(file).ok().flatten()
    }

    fn try_read(mut file: &File) -> io::Result<Option<Self>> {
        let Some(sealed) = file.metadata()?.len().checked_sub(SEAL) else { return Ok(None) };
        file.seek(SeekFrom::Start(sealed))?;
        let mut seal = [0; SEAL as usize];
        file.read_exact(&mut seal)?;
        let Some((length, digest)) = open(&seal) else { return Ok(None) };
        let Some(code) = sealed.checked_sub(length) else { return Ok(None) };
        file.seek(SeekFrom::Start(0))?;
        if Digest::of_stream(file.take(sealed).chain(length_of(&seal)))? != digest {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(code))?;
        let mut described = Vec::new();
        file.take(length).read_to_end(&mut described)?;
        Ok(serde_json::from_slice(&described).ok().map(|described| Self { described, code }))
    }

    /// Copies the code.
    pub(super) fn code(&self, mut file: &File) -> io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(0))?;
        let mut code = Vec::new();
        file.take(self.code).read_to_end(&mut code)?;
        Ok(code)
    }
}

/// The seal of code and description.
pub(super) fn seal(code: &[u8], described: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(described.len()).map_err(io::Error::other)?.to_le_bytes();
    let digest = Digest::of_stream(code.chain(described).chain(&length[..]))?;
    Ok([&length[..], digest.bytes(), MAGIC].concat())
}

/// The length of the description as the seal begins with it.
fn length_of(seal: &[u8]) -> &[u8] {
    seal.get(..4).unwrap_or_default()
}

/// The description's length and the digest that a seal holds.
fn open(seal: &[u8]) -> Option<(u64, Digest)> {
    let (length, rest) = seal.split_first_chunk::<4>()?;
    let (digest, magic) = rest.split_first_chunk::<32>()?;
    (magic == MAGIC).then(|| (u64::from(u32::from_le_bytes(*length)), Digest::from(*digest)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn entry(parts: &[&[u8]]) -> Option<Entry> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&parts.concat()).unwrap();
        Entry::read(&file)
    }

    #[test]
    fn an_entry_with_wrong_lengths_is_ignored() {
        for length in [0_u32, 1, 2, 3, 9, u32::MAX] {
            let (code, length) = (b"{}", length.to_le_bytes());
            let digest = Digest::of(&[&code[..], &length].concat());
            assert!(entry(&[code, &length, digest.bytes(), MAGIC]).is_none());
        }
        let seal = seal(b"code", b"{}").unwrap();
        assert!(entry(&[b"code", b"{}", &seal]).is_none(), "not a description");
        for length in 0..seal.len() {
            assert!(entry(&[&seal[..length]]).is_none());
        }
    }
}
