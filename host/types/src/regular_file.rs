//! Reading a whole file at a path that is given from outside.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes of a file; of one that has more than `most`, the first `most + 1`, which shows its reader that it is too
/// large.
///
/// # Errors
///
/// The file cannot be read, or is no regular one: a read of a pipe or a device might never end.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_more_than_the_most_is_read_and_only_of_regular_files() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let whole = fs::read(folder.join("Cargo.toml")).unwrap();
        assert_eq!(read(&folder.join("Cargo.toml"), u64::MAX).unwrap(), whole);
        assert_eq!(read(&folder.join("Cargo.toml"), 8).unwrap(), whole[..9]);
        assert_eq!(read(&folder.join("none"), 8).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(read(folder, 8).unwrap_err().to_string().contains("no regular file"));
    }
}
