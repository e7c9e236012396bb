//! An entry of the cache as a file: the code, its description, and a seal over both.
//!
//! The code comes first, so that the file can be mapped as it is. The seal at the end holds the length of the
//! description (four bytes, little-endian), a checksum of everything before it (XXH3, 128 bits), and [`MAGIC`].
//!
//! The checksum finds damage. It does not protect from an attacker who can write here: such an attacker controls the
//! process anyhow. A cryptographic digest of all entries would make a start a sixth longer.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};

use twox_hash::xxhash3_128::Hasher;

use super::Described;

/// End of every entry.
const MAGIC: &[u8; 8] = b"weir-e5\n";
/// Size of the seal in bytes.
const SEAL: u64 = 4 + 16 + 8;
/// Size of a piece that is read to be summed, in bytes.
const PIECE: usize = 32 << 10;

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
        let Some((length, sum)) = open(&seal) else { return Ok(None) };
        let Some(code) = sealed.checked_sub(length) else { return Ok(None) };
        file.seek(SeekFrom::Start(0))?;
        if checksum(file.take(sealed).chain(length_of(&seal)))? != sum {
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
    let sum = checksum(code.chain(described).chain(&length[..]))?;
    Ok([&length[..], &sum.to_le_bytes(), MAGIC].concat())
}

/// The checksum of everything that a reader returns.
fn checksum(mut reader: impl Read) -> io::Result<u128> {
    let (mut hasher, mut piece) = (Hasher::new(), vec![0; PIECE]);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish_128()),
            Ok(length) => hasher.write(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The length of the description as the seal begins with it.
fn length_of(seal: &[u8]) -> &[u8] {
    seal.get(..4).unwrap_or_default()
}

/// The description's length and the checksum that a seal holds.
fn open(seal: &[u8]) -> Option<(u64, u128)> {
    let (length, rest) = seal.split_first_chunk::<4>()?;
    let (sum, magic) = rest.split_first_chunk::<16>()?;
    (magic == MAGIC).then(|| (u64::from(u32::from_le_bytes(*length)), u128::from_le_bytes(*sum)))
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
            let sum = checksum(code.chain(&length[..])).unwrap().to_le_bytes();
            assert!(entry(&[code, &length, &sum, MAGIC]).is_none());
        }
        let seal = seal(b"code", b"{}").unwrap();
        assert!(entry(&[b"code", b"{}", &seal]).is_none(), "not a description");
        for length in 0..seal.len() {
            assert!(entry(&[&seal[..length]]).is_none());
        }
    }
}
