//! Boots the image: with a read-only root, one writable folder, no shell and an arbitrary user, it answers a recorded
//! request and ends when it is asked to. A second time, it does so with 128 MiB and half a processor, in which it
//! compiles all adapters.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::image::Stage;
use super::limits::{self, Limits};
use crate::check::Outcome;
use crate::process;

/// A user that the image does not know, in the group that may write to the volume.
const UNKNOWN_USER: &str = "1000650000:0";
/// How long the program may take to serve: in the dev profile it compiles its adapters slowly, and this step has less
/// priority than the tests that run at the same time, which leave it a twentieth of a processor at worst.
const START: Duration = Duration::from_mins(20);
/// How long it may take to end.
const END: Duration = Duration::from_secs(20);
const REQUEST: &str = r#"{"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "Hello"}]}"#;

/// Boots the image in this root with a configuration, as compose does. `place` is a folder for the volume.
pub(super) fn boot(stage: &Stage, root: &Path, place: &Path, configuration: &Path) -> Result<Outcome> {
    let can_isolate = process::succeeds_within(Command::new("unshare").args(["--mount", "true"]), END);
    if !can_isolate {
        return Ok(Outcome::Skipped("IMAGE NOT BOOTED: this needs root and `unshare`".to_owned()));
    }
    ensure!(stage.user == "65532:65532", "the image runs as the user {:?}", stage.user);
    ensure!(stage.volumes == ["/data"], "the image has the volumes {:?}", stage.volumes);
    bring_libraries(&root.join("opt/weir/weir"), root)?;
    // A container's runtime makes it.
    for folder in ["proc", "sys"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let volume = place.join("volume");
    fs::create_dir_all(&volume)?;
    // As a platform mounts it: the group may write.
    fs::set_permissions(&volume, fs::Permissions::from_mode(0o770))?;
    fs::copy(configuration, root.join("etc/weir/weir.toml")).context("could not copy the configuration")?;
    let image = Image { stage, root, volume: &volume, log: &place.join("log") };
    image.runs(None)?;
    ensure!(
        fs::read_dir(volume.join("cache")).is_ok_and(|mut files| files.next().is_some()),
        "the volume stayed empty"
    );
    println!("the image boots, answers and ends, with a read-only root and as the user {UNKNOWN_USER}");
    let small = match Limits::new() {
        Ok(small) => small,
        Err(error) => return Ok(Outcome::Skipped(format!("IMAGE NOT BOOTED WITH 128 MiB AND HALF A CPU: {error:#}"))),
    };
    fs::remove_dir_all(volume.join("cache")).context("could not remove the compiled adapters")?;
    image.runs(Some(&small))?;
    let log = fs::read_to_string(image.log).context("there is no log")?;
    ensure!(!log.contains("adapter refused"), "not all adapters are compiled in so little memory: {log}");
    ensure!(log.contains(&limits::MEMORY.to_string()), "it does not know its memory limit: {log}");
    let peak = small.peak().map_or_else(|| "unknown".to_owned(), |bytes| format!("{} MiB", bytes >> 20));
    println!(
        "the image boots, compiles all adapters, answers and ends with 128 MiB and half a processor; its peak, with \
         cached files: {peak}"
    );
    Ok(Outcome::Passed)
}

/// An image that is ready to be started.
struct Image<'a> {
    stage: &'a Stage,
    root: &'a Path,
    volume: &'a Path,
    /// Where its log goes.
    log: &'a Path,
}

impl Image<'_> {
    /// Starts it, in these control groups if there are any, has it answer, and ends it.
    fn runs(&self, limits: Option<&Limits>) -> Result<()> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut program = self.start(port, limits)?;
        let served = serves(&mut program, port);
        let ended = end(&mut program);
        let logged = || fs::read_to_string(self.log).unwrap_or_default();
        served.and(ended).with_context(|| format!("its log:\n{}", logged()))
    }

    fn start(&self, port: u16, limits: Option<&Limits>) -> Result<Child> {
        // The mounts are this process's own, and are gone when it ends.
        let script = "set -e\n\
                      for group in $CONTROL_GROUPS; do echo $$ > \"$group\"; done\n\
                      mount --bind \"$ROOT\" \"$ROOT\"\n\
                      mount --bind \"$VOLUME\" \"$ROOT/data\"\n\
                      mount -t proc proc \"$ROOT/proc\"\n\
                      mount --rbind /sys \"$ROOT/sys\"\n\
                      mount -o remount,bind,ro \"$ROOT\"\n\
                      exec chroot --userspec=\"$UNKNOWN_USER\" --groups=\"\" \"$ROOT\" \"$@\"";
        let [program] = &self.stage.entry[..] else { bail!("the image starts {:?}", self.stage.entry) };
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", program]);
        command.args(["serve", "--config", "/etc/weir/weir.toml"]).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("ROOT", self.root).env("VOLUME", self.volume).env("UNKNOWN_USER", UNKNOWN_USER);
        command.env("CONTROL_GROUPS", limits.map(Limits::to_join).unwrap_or_default());
        command.envs(self.stage.variables.iter().map(|(name, value)| (name, value)));
        command.env("WEIR_SERVER__PORT", port.to_string()).env("WEIR_SERVER__MAX_CONNECTIONS", "64");
        command.env("WEIR_ADMIN__LISTEN", "127.0.0.1:0").env("WEIR_STORE__URL", "sqlite:///data/weir.db");
        command.stdin(Stdio::null()).stderr(fs::File::create(self.log)?).spawn().context("could not start unshare")
    }
}

/// Copies the libraries that the program is linked to, since that of the dev profile is not static.
fn bring_libraries(program: &Path, root: &Path) -> Result<()> {
    let output = Command::new("ldd").arg(program).output().context("could not start ldd")?;
    let list = String::from_utf8_lossy(&output.stdout).into_owned();
    for library in list.split_whitespace().filter(|word| word.starts_with('/')) {
        let place = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(place.parent().unwrap_or(root))?;
        fs::copy(library, place).with_context(|| format!("could not copy {library}"))?;
    }
    Ok(())
}

/// Waits until it serves, and asks a question that is answered from recordings.
fn serves(program: &mut Child, port: u16) -> Result<()> {
    let deadline = Instant::now() + START;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < deadline, "it does not serve");
        if let Some(status) = program.try_wait()? {
            bail!("it ended ({status})");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.set_read_timeout(Some(START))?;
    let head =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close";
    write!(connection, "{head}\r\ncontent-length: {}\r\n\r\n{REQUEST}", REQUEST.len())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"choices\""), "it answered {answer}");
    Ok(())
}

/// Asks it to stop, as a container's runtime does, and waits for its end.
fn end(program: &mut Child) -> Result<()> {
    process::run(Command::new("kill").args(["-TERM", &program.id().to_string()]))?;
    let deadline = Instant::now() + END;
    loop {
        match program.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("it ended badly ({status})"),
            None if Instant::now() > deadline => {
                let _killed = program.kill();
                bail!("it did not end");
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
