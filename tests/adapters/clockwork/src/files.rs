//! Uses a file in a granted folder and returns the outcome.

use crate::wasi::wasi::filesystem::preopens;
use crate::wasi::wasi::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

/// Most bytes that are read from a file.
const LENGTH: u64 = 1000;

/// Returns the outcome: the file's text, `done`, or the name of an error.
pub(crate) fn answer(wanted: &str, dir: &str, path: &str) -> String {
    let folders = preopens::get_directories();
    let Some((folder, _)) = folders.iter().find(|(_, name)| name == dir) else {
        return format!("no folder {dir}");
    };
    let done = match wanted {
        "read" => return read(folder, path).unwrap_or_else(|error| error.name().to_owned()),
        "write" => open(folder, path, OpenFlags::CREATE, DescriptorFlags::WRITE).map(drop),
        "overwrite" => open(folder, path, OpenFlags::empty(), DescriptorFlags::READ)
            .and_then(|file| file.write(b"changed", 0).map(drop)),
        "make" => folder.create_directory_at(path),
        "link" => folder.symlink_at("anywhere", path),
        "rename" => folder.rename_at(path, folder, "renamed"),
        "remove" => folder.unlink_file_at(path),
        _ => return format!("cannot do {wanted}"),
    };
    done.map_or_else(|error| error.name().to_owned(), |()| "done".to_owned())
}

fn open(folder: &Descriptor, path: &str, how: OpenFlags, access: DescriptorFlags) -> Result<Descriptor, ErrorCode> {
    folder.open_at(PathFlags::SYMLINK_FOLLOW, path, how, access)
}

fn read(folder: &Descriptor, path: &str) -> Result<String, ErrorCode> {
    let file = open(folder, path, OpenFlags::empty(), DescriptorFlags::READ)?;
    let (bytes, _) = file.read(LENGTH, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
