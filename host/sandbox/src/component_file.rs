//! Reading the file of a component, and what it is like if it is none.

use std::io;
use std::path::Path;

use weir_types::regular_file;

/// The largest file that is read whole. Components may have much less ([`crate::limits::Structure`]), which is said of
/// them when they are checked.
const MOST: u64 = 256 << 20;

/// The custom section of a component that holds fixtures.
pub const FIXTURES: &str = "weir:fixtures";

/// The bytes of a component's file.
///
/// # Errors
///
/// It cannot be read, is larger than any component, or is no regular file: a read of a pipe or a device might never
/// end.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = regular_file::read(path, MOST)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other(format!("it has more than {MOST} bytes")));
    }
    Ok(bytes)
}

/// What a file that is not of WebAssembly looks like.
pub(crate) fn likeness(bytes: &[u8]) -> &'static str {
    const BEGINNINGS: [(&[u8], &str); 8] = [
        (b"<", "a page of HTML or XML"),
        (b"{", "JSON"),
        (b"[", "JSON or TOML"),
        (b"(component", "a component as text: `wasm-tools parse` makes a file of it"),
        (b"(module", "a module as text, which is no component"),
        (b"version https://git-lfs", "a pointer of Git LFS: `git lfs pull` fetches the file"),
        (b"\x1f\x8b", "a file packed with gzip"),
        (b"PK\x03\x04", "a ZIP archive"),
    ];
    let text = bytes.trim_ascii_start();
    let known = BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning));
    known.map_or("something else", |(_, likeness)| likeness)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn only_regular_files_of_bounded_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(&path, b"\0asm").unwrap();
        assert_eq!(read(&path).unwrap(), b"\0asm");
        assert!(read(folder.path()).unwrap_err().to_string().contains("no regular file"));
        File::create(&path).unwrap().set_len(MOST + 1).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("more than"));
    }

    #[test]
    fn what_is_no_component_is_likened_to_what_it_may_be() {
        for (text, expected) in [
            ("{\"a\": 1}", "JSON"),
            ("[1]", "JSON or TOML"),
            ("\n[server]\nport = 1", "JSON or TOML"),
            ("port", "something else"),
        ] {
            assert_eq!(likeness(text.as_bytes()), expected, "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_an_end_is_not_read() {
        assert!(read(Path::new("/dev/zero")).unwrap_err().to_string().contains("no regular file"));
    }
}
