//! Opens files in a granted folder.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::{
    DescriptorFlags, DescriptorType, Host as _, HostDescriptor, OpenFlags, PathFlags,
};

use crate::state::State;

/// The interface, in the version that `wasmtime-wasi` defines.
const FILES: &str = "wasi:filesystem/types@0.2.12";
const OPEN: &str = "[method]descriptor.open-at";

type Arguments = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

/// Replaces the function that opens files by one that opens only plain files and folders. Opening a pipe or a device
/// could block the thread forever, and no deadline would end that.
pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let linked = define(linker);
    linker.allow_shadowing(false);
    linked
}

fn define(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(FILES)?.func_wrap(OPEN, |mut store: StoreContextMut<'_, State>, arguments: Arguments| {
        let state = store.data_mut();
        match open(state, arguments) {
            Ok(opened) => Ok((Ok(opened),)),
            Err(error) => Ok((Err(state.filesystem().convert_error_code(error)?),)),
        }
    })
}

fn open(state: &mut State, arguments: Arguments) -> Result<Resource<Descriptor>, FsError> {
    let (folder, follow, path, how, access) = arguments;
    let mut files = state.filesystem();
    // A path without metadata cannot be opened either, and the error of opening is clearer.
    if let Ok(found) = files.stat_at(Resource::new_borrow(folder.rep()), follow, path.clone()) {
        let is_plain = matches!(
            found.type_,
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
        );
        if !is_plain {
            return Err(ErrorCode::NotPermitted.into());
        }
    }
    files.open_at(folder, follow, path, how, access)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime_wasi::filesystem::WasiFilesystem;

    #[test]
    fn the_function_that_is_replaced_is_there() {
        let mut linker = Linker::new(&wasmtime::Engine::default());
        let files = State::filesystem;
        wasmtime_wasi::p2::bindings::sync::filesystem::types::add_to_linker::<State, WasiFilesystem>(
            &mut linker,
            files,
        )
        .unwrap();
        assert!(define(&mut linker).is_err(), "defined already: it would be replaced");
        assert!(link(&mut linker).is_ok());
    }
}
