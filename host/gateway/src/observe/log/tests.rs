//! A log in memory, for tests that examine it.

use std::io;
use std::sync::{Arc, Mutex};

use super::Line;

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines logged while `say` runs, in this format.
pub(crate) fn logged(line: Line, say: impl FnOnce()) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).event_format(line);
    tracing::subscriber::with_default(log.finish(), say);
    String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
}
