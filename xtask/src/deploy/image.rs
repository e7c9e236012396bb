//! The image: the last stage of the Dockerfile, made of the program that is already built. The stage before it builds
//! the program from a toolchain's image, which a machine without a registry cannot have.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{boot, tool};
use crate::check::Outcome;
use crate::dist;
use crate::process;
use crate::workspace::Workspace;

/// Where the first stage leaves what the last one copies.
const BUILT: &str = "/out/";

/// What the last stage of a Dockerfile says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stage {
    /// From the folder of the first stage to the image's root.
    pub(super) copies: Vec<(String, String)>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) user: String,
    pub(super) folder: String,
    pub(super) entry: Vec<String>,
    pub(super) volumes: Vec<String>,
}

impl Stage {
    fn read(dockerfile: &str) -> Result<Self> {
        let (_, last) = dockerfile.rsplit_once("\nFROM ").context("the Dockerfile has one stage")?;
        ensure!(last.starts_with("scratch\n"), "the last stage does not begin with an empty root");
        let mut stage = Self::default();
        for line in last.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (verb, rest) = line.split_once(' ').with_context(|| format!("what is {line:?}?"))?;
            stage.take(verb, rest).with_context(|| format!("in the line {line:?}"))?;
        }
        Ok(stage)
    }

    fn take(&mut self, verb: &str, rest: &str) -> Result<()> {
        match verb {
            "COPY" => {
                let places: Vec<&str> = rest.split(' ').filter(|word| !word.starts_with("--")).collect();
                let [from, to] = places[..] else { bail!("one source and one place are copied") };
                let from = from.strip_prefix(BUILT).context("the last stage copies from the first one only")?;
                self.copies.push((from.to_owned(), to.trim_start_matches('/').to_owned()));
            }
            "ENV" => {
                let (name, value) = rest.split_once('=').context("a variable has a value")?;
                self.variables.push((name.to_owned(), value.to_owned()));
            }
            "USER" => rest.clone_into(&mut self.user),
            "WORKDIR" => rest.clone_into(&mut self.folder),
            "ENTRYPOINT" => self.entry = serde_json::from_str(rest)?,
            "VOLUME" => self.volumes.push(rest.to_owned()),
            "CMD" | "EXPOSE" | "STOPSIGNAL" => {}
            _ => bail!("this check does not know {verb}"),
        }
        Ok(())
    }
}

/// Makes the image, and boots it.
pub(super) fn check(workspace: &Workspace) -> Result<Outcome> {
    let dockerfile = fs::read_to_string(workspace.root.join("deploy/Dockerfile")).context("deploy/Dockerfile")?;
    let stage = Stage::read(&dockerfile)?;
    let place = workspace.target.join("deploy/image");
    super::empty(&place)?;
    let built = place.join("out");
    gather(workspace, &built)?;
    let root = match build(&dockerfile, &place)? {
        Some(root) => root,
        None => replay(&stage, &built, &place.join("root"))?,
    };
    boot::boot(&stage, &root, &place, &workspace.root.join("deploy/weir.toml"))
}

/// Makes what the first stage makes, of the program of the dev profile.
fn gather(workspace: &Workspace, built: &Path) -> Result<()> {
    dist::gather(workspace, &super::program(workspace), &built.join("weir"), &workspace.root)?;
    for folder in ["data", "etc"] {
        fs::create_dir_all(built.join(folder))?;
    }
    fs::set_permissions(built.join("data"), fs::Permissions::from_mode(0o775))?;
    Ok(())
}

/// Lets buildah run the last stage, with the built folder as its context; returns the root of the image.
fn build(dockerfile: &str, place: &Path) -> Result<Option<PathBuf>> {
    let Some(buildah) = tool::find("buildah", "buildah") else {
        println!("buildah is not installed (Debian: buildah): the steps of the image are done by hand");
        return Ok(None);
    };
    let (_, last) = dockerfile.rsplit_once("\nFROM ").context("the Dockerfile has one stage")?;
    let last = format!("FROM {last}").replace("--from=build ", "").replace(BUILT, "out/");
    fs::write(place.join("Dockerfile"), last)?;
    let (storage, state) = (place.join("storage"), place.join("state"));
    let buildah = || {
        let mut command = Command::new(&buildah);
        command
            .current_dir(place)
            .args(["--storage-driver", "vfs", "--root"])
            .arg(&storage)
            .arg("--runroot")
            .arg(&state);
        command
    };
    let made = process::run(buildah().args(["bud", "--quiet", "--isolation", "chroot", "--tag", "weir", "."]));
    if let Err(error) = made {
        println!("buildah cannot work here ({error:#}): the steps of the image are done by hand");
        return Ok(None);
    }
    let container = process::read(buildah().args(["from", "weir"]))?;
    let root = process::read(buildah().args(["mount", container.trim()]))?;
    Ok(Some(root.trim().into()))
}

/// Does the steps of the last stage in an empty root.
fn replay(stage: &Stage, built: &Path, root: &Path) -> Result<PathBuf> {
    for (from, to) in &stage.copies {
        dist::copy(&built.join(from), &root.join(to))?;
        fs::create_dir_all(root.join(to))?;
    }
    Ok(root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_is_read() {
        let text = "FROM rust AS build\nRUN x\n\nFROM scratch\n# why\nCOPY --from=build --chown=1:0 /out/weir /opt/weir\n\
                    ENV A=b=c\nUSER 65532:65532\nWORKDIR /etc/weir\nVOLUME /data\nENTRYPOINT [\"/opt/weir/weir\"]\nCMD [\"serve\"]\n";
        let stage = Stage::read(text).unwrap();
        let expected = Stage {
            copies: vec![("weir".into(), "opt/weir".into())],
            variables: vec![("A".into(), "b=c".into())],
            user: "65532:65532".into(),
            folder: "/etc/weir".into(),
            entry: vec!["/opt/weir/weir".into()],
            volumes: vec!["/data".into()],
        };
        assert_eq!(stage, expected);
        for wrong in ["FROM scratch\n", "FROM a\n\nFROM debian\nUSER 1\n", "FROM a\n\nFROM scratch\nRUN x\n"] {
            assert!(Stage::read(wrong).is_err(), "{wrong}");
        }
    }
}
