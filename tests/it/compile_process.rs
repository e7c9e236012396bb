//! Compilation runs in a process that can be killed, starved and cut off, and its results are cached safely. Here Weir
//! runs as the program itself.

use std::path::Path;
use std::process::Command;

use weir_tests::{Answer, Folder, Program, TIMEOUT, Upstream, plugins, program};

use crate::wire_format::{TEXT, ZETA, config, provider};

fn folder() -> Folder {
    Folder::with(&["hostile", "zeta"])
}

fn cache() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn serves(program: &Program) {
    answers(program.address()).await;
}

async fn answers(address: std::net::SocketAddr) {
    let reply = program::ask(address, &ZETA.request("zeta", false)).await;
    assert_eq!(ZETA.parsed(&reply, false).text, TEXT, "{}", reply.text());
}

/// Counts a folder's files with this ending.
fn count(folder: &Path, ending: &str) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().is_some_and(|name| name.ends_with(ending))).count()
}

/// Compiling child processes of this program, and orphaned ones.
fn compiling() -> Vec<u32> {
    let file = program::file().canonicalize().unwrap();
    let numbers =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_ours = |number: &u32| {
        let about = |what: &str| format!("/proc/{number}/{what}");
        let words = std::fs::read(about("cmdline")).unwrap_or_default();
        let status = std::fs::read_to_string(about("stat")).unwrap_or_default();
        std::fs::read_link(about("exe")).is_ok_and(|exe| exe == file)
            && words.windows(9).any(|word| word == b"__compile")
            // Children of process 1, or of the process that adopts orphans here: no live process started it.
            && status.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some("1")
    };
    numbers.filter(is_ours).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn adapters_are_compiled_by_a_child_once_and_then_found_in_the_cache() {
    let upstream = provider(ZETA).await;
    let (folder, cache) = (folder(), cache());
    let first = Program::start(&folder, cache.path(), &config(&upstream));
    serves(&first).await;
    assert!(first.log().contains("compiling adapter 1 of 2") && first.log().contains("compiling adapter 2 of 2"));
    assert_eq!((count(cache.path(), ".cwasm"), count(cache.path(), "")), (2, 2));
    let second = Program::start(&folder, cache.path(), &config(&upstream));
    serves(&second).await;
    assert!(!second.log().contains("compiling adapter"), "{}", second.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_much_to_compile_is_refused_with_the_reason() {
    let upstream = provider(ZETA).await;
    for (bounds, reason) in [("memory = \"64MiB\"", "takes more memory than 64 MiB"), ("time = \"1ms\"", "longer than")]
    {
        let (folder, cache) = (folder(), cache());
        let settings = format!("[plugins]\ncompile = {{ {bounds} }}\n{}", config(&upstream));
        let program = Program::start(&folder, cache.path(), &settings);
        let address = program.address();
        assert!(program.log().contains(reason), "{}", program.log());
        assert_eq!(program::ask(address, &weir_tests::Request::get("/livez")).await.status(), 200);
        assert_eq!(count(cache.path(), ""), 0, "nothing is kept of what failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_midst_of_compiling_leaves_nothing_that_disturbs_the_next() {
    let upstream = provider(ZETA).await;
    let (folder, cache) = (folder(), cache());
    for log in ["compiling adapter 1 of 2", "adapter serves", "compiling adapter 2 of 2"] {
        let program = Program::start(&folder, cache.path(), &config(&upstream));
        program.until(log);
        drop(program);
        if log == "adapter serves" {
            // Once more from an empty cache.
            std::fs::remove_dir_all(cache.path()).unwrap();
        }
    }
    let ended = async {
        while !compiling().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(TIMEOUT, ended).await.is_ok(), "children end with their parents");
    let program = Program::start(&folder, cache.path(), &config(&upstream));
    serves(&program).await;
    assert_eq!(count(cache.path(), ".cwasm"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_midst_of_a_swap_leaves_nothing_that_disturbs_the_next() {
    let upstream = provider(ZETA).await;
    let (folder, cache) = (folder(), cache());
    for build in 2..6 {
        let program = Program::start(&folder, cache.path(), &config(&upstream));
        serves(&program).await;
        folder.put("zeta", &plugins::zeta_build(build));
        // In one round while it compiles, in another when the new version takes over.
        program.until(if build % 2 == 0 { "compiling adapter" } else { "adapter serves" });
        drop(program);
    }
    let program = Program::start(&folder, cache.path(), &config(&upstream));
    let address = program.address();
    answers(address).await;
    let adapters = program::ask(address, &weir_tests::Request::get("/admin/plugins")).await;
    assert!(adapters.text().contains("zeta-build-0005"), "{}", adapters.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_may_fill_one_cache_at_the_same_time() {
    let upstream = provider(ZETA).await;
    let (folder, cache) = (folder(), cache());
    let all: Vec<_> = (0..3).map(|_| Program::start(&folder, cache.path(), &config(&upstream))).collect();
    for one in &all {
        serves(one).await;
        assert!(!one.log().contains("cache"), "{}", one.log());
    }
    let late = Program::start(&folder, cache.path(), &config(&upstream));
    serves(&late).await;
    assert!(!late.log().contains("compiling adapter"), "{}", late.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_the_cache_and_nothing_else() {
    let upstream = provider(ZETA).await;
    let (folder, cache) = (folder(), cache());
    // No file may exceed 256 KiB: the write fails half-way, as on a full disk.
    let mut starved = Command::new("bash");
    starved.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$0\" \"$@\""]).arg(program::file());
    let program = Program::start_as(starved, &folder, cache.path(), &config(&upstream));
    serves(&program).await;
    assert!(program.log().contains("could not be kept in the cache"), "{}", program.log());
    assert_eq!(count(cache.path(), ""), 0, "no half files");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let upstream = Upstream::always(Answer::json(200, ZETA.whole())).await;
    let (folder, cache) = (Folder::with(&["hostile", "zeta"]), cache());
    std::fs::set_permissions(cache.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = Program::start(&folder, cache.path(), &config(&upstream));
    serves(&program).await;
    assert!(program.log().contains("others may write there"), "{}", program.log());
    assert_eq!(count(cache.path(), ""), 0);
}
