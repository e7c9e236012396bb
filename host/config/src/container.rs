//! The memory that this process may use, as its control group says, and settings that fit into it: a container is ended
//! when it needs more.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Plugins, Server, StoreSettings};

/// A limit of this size or more means that there is no limit: version 1 then writes a number near 2^63.
const NONE: u64 = 1 << 60;

/// The memory limit of this process's control group, in bytes; `None` if it has none.
pub(crate) fn memory_limit() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    limit_of(&groups, Path::new("/sys/fs/cgroup"))
}

/// The lowest limit of the groups in `/proc/self/cgroup` and of those above them. `root` is where groups are mounted:
/// of a container its own group may stand there, so that the path in the list leads nowhere.
fn limit_of(groups: &str, root: &Path) -> Option<usize> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (folder, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            list if list.split(',').any(|one| one == "memory") => (root.join("memory"), "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        files(&folder, path, file)
    });
    let limits = limits.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    limits.filter(|limit| *limit < NONE).min().and_then(|limit| usize::try_from(limit).ok())
}

/// A file of a group and of each group above it.
fn files(folder: &Path, path: &str, file: &str) -> Vec<PathBuf> {
    let group = folder.join(path.trim_start_matches('/'));
    group.ancestors().take_while(|one| one.starts_with(folder)).map(|one| one.join(file)).collect()
}

/// Lowers what is held in memory to shares of the limit: half of it together, and a quarter for what instances of
/// adapters take beyond what they begin with, since the program and its adapters need the rest.
pub(crate) fn fit(server: &mut Server, store: &mut StoreSettings, plugins: &mut Plugins, limit: usize) {
    for (bytes, part) in [
        (&mut server.max_buffered_bytes, 4),
        (&mut server.cache_bytes, 16),
        (&mut server.semantic_cache_bytes, 32),
        (&mut server.recall_bytes, 32),
        // Facts have such a queue, and contents another one.
        (&mut store.max_queue_bytes, 32),
        (&mut plugins.total_memory, 4),
    ] {
        *bytes = (*bytes).min(limit / part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Environment};

    fn write(file: &Path, text: &str) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn the_lowest_limit_of_a_group_and_those_above_it_counts() {
        let root = tempfile::tempdir().unwrap();
        let at = |file: &str| root.path().join(file);
        write(&at("memory/pod/memory.limit_in_bytes"), "134217728\n");
        write(&at("memory/pod/container/memory.limit_in_bytes"), "9223372036854771712\n");
        write(&at("memory.max"), "max\n");
        let first = "9:cpu,cpuacct:/pod\n4:memory:/pod/container\n0::/\n";
        assert_eq!(limit_of(first, root.path()), Some(128 << 20));
        assert_eq!(limit_of("4:memory:/elsewhere\n", root.path()), None);
        assert_eq!(limit_of("0::/\n", root.path()), None);
        write(&at("memory.max"), "1000000\n");
        assert_eq!(limit_of("0::/a/b\n", root.path()), Some(1_000_000), "a container's own group is the root");
        for strange in ["", "0", "x:y", "0::", "4:memory:/../..\n"] {
            let _is_none_or_the_root = limit_of(strange, root.path());
        }
    }

    #[test]
    fn a_configuration_fits_into_the_container_that_it_is_read_in() {
        let text = "[server]\nmax_buffered_bytes = \"1GiB\"";
        let environment = Environment::default().limited_to(256 << 20);
        let config = Config::parse("weir.toml", text, Path::new(""), environment).unwrap();
        assert_eq!((config.server.max_buffered_bytes, config.store.max_queue_bytes), (64 << 20, 8 << 20));
        let config = Config::parse("weir.toml", text, Path::new(""), Environment::default()).unwrap();
        assert_eq!(config.server.max_buffered_bytes, 1 << 30);
    }

    #[test]
    fn what_is_held_is_half_of_the_limit_at_most_and_never_more_than_is_set() {
        let (mut server, mut store, mut plugins) = (Server::default(), StoreSettings::default(), Plugins::default());
        let usual = (server.cache_bytes, plugins.total_memory);
        fit(&mut server, &mut store, &mut plugins, 128 << 20);
        let queues = 2 * store.max_queue_bytes;
        let all =
            server.max_buffered_bytes + server.cache_bytes + server.semantic_cache_bytes + server.recall_bytes + queues;
        assert!(all <= 64 << 20, "{all}");
        assert_eq!((server.max_buffered_bytes, plugins.total_memory), (32 << 20, 32 << 20));
        let (mut server, mut store, mut plugins) = (Server::default(), StoreSettings::default(), Plugins::default());
        fit(&mut server, &mut store, &mut plugins, 64 << 30);
        assert_eq!((server.cache_bytes, plugins.total_memory), usual);
        assert_eq!(store, StoreSettings::default());
    }
}
