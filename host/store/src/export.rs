//! The log as text: one JSON object a line.

use std::io::Write;

use crate::error::StoreError;
use crate::query::{MAX_OF_PAGE, Query};
use crate::store::Store;

/// Writes all facts that meet a query as JSON lines, newest first, and returns how many these are. Memory for one page
/// is needed, however many they are.
pub fn export_json_lines(store: &dyn Store, query: &Query, out: &mut dyn Write) -> Result<u64, StoreError> {
    let mut query = Query { limit: MAX_OF_PAGE, ..query.clone() };
    let mut count = 0;
    loop {
        let page = store.search(&query)?;
        for fact in &page.facts {
            serde_json::to_writer(&mut *out, fact).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
            count += 1;
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(count),
        }
    }
}
