//! Limits of manifests, and checks that their names can be printed. The host keeps manifests and searches their lists
//! for requests, so their size is bounded like everything else that a component controls.

use super::{Manifest, Problems};

/// Maximum total size as JSON, in bytes. The largest bundled manifest has some 60 KB.
const BYTES: usize = 1 << 20;
/// Maximum number of entries in a list.
const ENTRIES: usize = 256;
/// Maximum length of a name, and of the description, in bytes.
const NAME: usize = 128;
const DESCRIPTION: usize = 1024;

/// Checks sizes, and texts that are printed in lists and logs.
pub(super) fn check(manifest: &Manifest) -> Result<(), Problems> {
    let p = &mut Problems::default();
    let size = serde_json::to_vec(manifest).map_or(usize::MAX, |json| json.len());
    p.unless(size <= BYTES, "the manifest", format_args!("has {size} bytes, the limit is {BYTES}"));
    let lists = [
        ("formats", manifest.formats.len()),
        ("faces", manifest.faces.len()),
        ("accepts", manifest.accepts.len()),
        ("auth", manifest.auth.len()),
        ("suggests.models", manifest.suggests.models.len()),
        ("suggests.origins", manifest.suggests.origins.len()),
        ("suggests.key-variables", manifest.suggests.key_variables.len()),
        ("faces.prefixes", manifest.faces.iter().map(|face| face.prefixes.len()).sum()),
    ];
    for (name, entries) in lists {
        p.unless(entries <= ENTRIES, name, format_args!("has {entries} entries, the limit is {ENTRIES}"));
    }
    text("version", &manifest.version, NAME, p);
    text("family", &manifest.family, NAME, p);
    text("description", &manifest.description, DESCRIPTION, p);
    let formats = manifest.formats.iter().map(|format| &format.id);
    let named = formats.chain(manifest.faces.iter().map(|face| &face.format));
    for id in named.chain(manifest.accepts.iter().map(|accepts| &accepts.format)).take(3 * ENTRIES) {
        text("format", id, NAME, p);
    }
    for auth in manifest.auth.iter().take(ENTRIES) {
        text("auth", &auth.name, NAME, p);
    }
    if p.lines().is_empty() { Ok(()) } else { Err(std::mem::take(p)) }
}

fn text(place: &str, text: &str, limit: usize, p: &mut Problems) {
    p.unless(text.len() <= limit, place, format_args!("has {} bytes, the limit is {limit}", text.len()));
    p.unless(!text.chars().any(char::is_control), place, "has a control character");
}

/// Whether a path has no dot segments, no empty ones, and no character that would end it.
pub(super) fn is_plain_path(path: &str) -> bool {
    let steps_up = path.split('/').any(|segment| segment == ".." || segment == ".");
    !steps_up && !path.contains("//") && !path.contains(|c: char| matches!(c, '?' | '#' | '\\' | ' ') || c.is_control())
}
