//! `SHA256SUMS`: the digests of what is handed out, as `sha256sum --check` reads them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The file of the digests.
pub(super) const NAME: &str = "SHA256SUMS";

/// Writes the digests of all files of the folder whose names begin with `prefix`: those of earlier calls for other
/// targets, too.
pub(super) fn write(folder: &Path, prefix: &str) -> Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("could not read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name.starts_with(prefix) {
            files.push((name, of_file(&entry.path())?));
        }
    }
    files.sort_unstable();
    let mut text = String::new();
    for (name, sum) in files {
        let _ = writeln!(text, "{sum}  {name}");
    }
    fs::write(folder.join(NAME), text).with_context(|| format!("could not write {NAME}"))
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(super) fn of_file(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("could not read {}", file.display()))?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_this_version_has_its_sum_and_folders_have_none() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in
            [("weir-1-b.tar.gz", "abc"), ("weir-1-a.tar.gz", ""), ("weir-0-a.tar.gz", "old"), (NAME, "x")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        fs::create_dir(folder.path().join("weir-1-a")).unwrap();
        write(folder.path(), "weir-1-").unwrap();
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  weir-1-a.tar.gz\n\
                        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  weir-1-b.tar.gz\n";
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), expected);
    }
}
