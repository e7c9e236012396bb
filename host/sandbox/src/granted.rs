//! The state behind the WASI of a component with grants. Stores of other components do not have it.

mod clock;
mod output;
mod poll;

use std::fmt::{self, Debug, Formatter};
use std::path::PathBuf;
use std::time::Instant;

use wasmtime_wasi::clocks::MonotonicClock;
use wasmtime_wasi::{FsPerms, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView};

use super::grants::{Grants, guest_path};
pub(super) use clock::{Clock, HasClock};
pub(super) use output::keep_end;
pub(super) use poll::{HasPolls, Polls};

use output::Tail;

/// Most random bytes that one call may request.
const RANDOM_AT_ONCE: u64 = 1 << 20;

/// Error: a granted folder cannot be opened. It does not count against the component.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the granted folder {}: {reason}", path.display())]
pub(super) struct FolderError {
    path: PathBuf,
    reason: String,
}

/// The state behind the WASI of a component with grants.
pub(super) struct Granted {
    ctx: WasiCtx,
    table: ResourceTable,
    /// The machine's clock, if it was granted.
    clock: Option<MonotonicClock>,
    /// When the current call must end. No pause lasts longer.
    until: Instant,
    output: Tail,
}

impl Granted {
    /// Opens the granted folders, and keeps the last `output` bytes of output.
    pub(super) fn new(grants: &Grants, output: usize) -> Result<Self, FolderError> {
        let output = Tail::new(output);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(output.clone()).stderr(output.clone());
        // The calls run on threads that may block.
        wasi.allow_blocking_current_thread(true).max_random_size(RANDOM_AT_ONCE);
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        for folder in &grants.read {
            let failed = |reason: String| FolderError { path: folder.clone(), reason };
            let guest = guest_path(folder).ok_or_else(|| failed("it has no name".to_owned()))?;
            let opened = wasi.preopened_dir(folder, guest, FsPerms::ReadOnly);
            opened.map_err(|error| failed(format!("{error:#}")))?;
        }
        let (ctx, table) = (wasi.build(), ResourceTable::new());
        let clock = grants.clock.then(MonotonicClock::new);
        Ok(Self { ctx, table, clock, until: Instant::now(), output })
    }

    /// Sets when the current call must end.
    pub(super) fn end_at(&mut self, until: Instant) {
        self.until = until;
    }

    /// Takes the end of the guest's output.
    pub(super) fn take_output(&self) -> Vec<u8> {
        self.output.take()
    }

    pub(super) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

impl Default for Granted {
    /// Grants nothing. A store without grants has no function that could reach it.
    fn default() -> Self {
        Self {
            ctx: WasiCtx::default(),
            table: ResourceTable::new(),
            clock: None,
            until: Instant::now(),
            output: Tail::new(0),
        }
    }
}

impl Debug for Granted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("clock", &self.clock.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_about_a_missing_folder_names_its_path() {
        let grants = Grants { read: vec!["/no/such/folder".into()], ..Grants::default() };
        let error = Granted::new(&grants, 16).err().unwrap().to_string();
        assert!(error.starts_with("cannot open the granted folder /no/such/folder: "), "{error}");
    }
}
