//! Checks that no file contains a path of a developer's machine.

use std::path::Path;

use super::Findings;
use super::source::Tree;

pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    let places = places(&tree.root, std::env::var("HOME").ok().as_deref());
    for file in tree.files.iter().filter(|file| !file.is_a("lock")) {
        for (at, line) in file.text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
                findings.problem(format!("{}:{}: {place} is a place on this machine", file.path, at + 1));
            }
        }
    }
}

/// The folders to search for: the checkout, the home folder, and the checkout's parent if it is the project's own, with
/// recordings in it. Any other parent may be a common folder.
fn places(root: &Path, home: Option<&str>) -> Vec<String> {
    let mut folders = vec![root.to_path_buf()];
    folders.extend(home.map(Into::into));
    folders.extend(root.parent().filter(|around| around.join("shared/fixtures").is_dir()).map(Into::into));
    let is_telling = |folder: &std::path::PathBuf| folder.components().count() > 1;
    folders.into_iter().filter(is_telling).map(|folder| format!("{}/", folder.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_all_files_tells_nothing() {
        assert_eq!(places(Path::new("/src/weir"), Some("/")), ["/src/weir/"]);
        assert_eq!(places(Path::new("/src/weir"), Some("/home/ada")), ["/src/weir/", "/home/ada/"]);
    }
}
