//! The dashboard's files, compressed when the program was built.

use std::io::Read as _;

use flate2::read::GzDecoder;

/// A file of `ui/`.
#[derive(Debug)]
pub(super) struct Asset {
    /// Below `ui/`, with forward slashes.
    pub(super) path: &'static str,
    /// Its media type.
    pub(super) kind: &'static str,
    /// Its entity tag, which differs if a byte differs.
    pub(super) tag: &'static str,
    /// Its bytes, compressed.
    pub(super) gzip: &'static [u8],
}

static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/ui.rs"));

/// The file of this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// The file as it was. Few clients ask for that.
    pub(super) fn plain(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What was compressed by the build can be read; a short file would be seen by the tests below.
        let _read = GzDecoder::new(self.gzip).read_to_end(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    /// What all files may weigh, compressed.
    const MAX_ASSETS_BYTES: usize = 150 * 1024;

    #[test]
    fn the_dashboard_is_small() {
        let all: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(all <= MAX_ASSETS_BYTES, "{all} bytes");
        assert!(ASSETS.iter().all(|asset| !asset.plain().is_empty()));
    }

    #[test]
    fn vendored_files_are_those_of_their_checksums() {
        let sums = include_str!("../../ui/vendor/SHA256SUMS");
        let served = ASSETS.iter().filter(|asset| asset.path.starts_with("vendor/")).count();
        assert_eq!(served, sums.lines().count());
        for (sum, name) in sums.lines().filter_map(|line| line.split_once("  ")) {
            let bytes = find(&format!("vendor/{name}")).unwrap().plain();
            assert_eq!(format!("{:x}", Sha256::digest(&bytes)), sum, "{name}");
        }
    }

    #[test]
    fn no_page_makes_markup_from_text_or_names_another_host() {
        for asset in ASSETS.iter().filter(|asset| !asset.path.starts_with("vendor/")) {
            let text = String::from_utf8(asset.plain()).unwrap();
            let forbidden = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "javascript:"];
            for word in forbidden.into_iter().chain(["https://", "//cdn", " style=\"", "onclick=\""]) {
                assert!(!text.contains(word), "{}: {word}", asset.path);
            }
        }
    }
}
