//! Keeps the gateway's log for tests that search it.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static ONCE: Once = Once::new();

struct Kept;

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
        // Enough for the tests; the oldest lines are dropped first.
        if log.len() > 64 << 20 {
            log.clear();
        }
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts to keep the log of this process, at its finest level, or at the one in `WEIR_TEST_LOG`: a kept log takes
/// memory, which some tests measure.
pub fn begin() {
    ONCE.call_once(|| {
        let level = std::env::var("WEIR_TEST_LOG").unwrap_or_else(|_| "weir=trace,hyper=debug,info".to_owned());
        let filter = tracing_subscriber::EnvFilter::new(level);
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Kept).with_ansi(false);
        log.try_init().expect("this is the only logger");
    });
}

/// The log so far, of all tests in this process.
pub fn text() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
