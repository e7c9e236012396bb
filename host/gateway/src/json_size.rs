//! How long a value is as JSON.

use std::io;

use serde::Serialize;

/// The length of a value's JSON, in bytes, without writing it anywhere.
///
/// # Errors
///
/// The value has no JSON.
pub(crate) fn json_size(value: &impl Serialize) -> Result<usize, serde_json::Error> {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, value)?;
    Ok(size.0)
}

/// Counts the bytes that are written.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
