//! The files of a store: one for what is not divided by day, and one for each day beside it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::StoreError;
use crate::file_lock::lock_file;
use crate::id::Day;
use crate::retention::DaySize;

/// What the name of a day's earlier part has after the day.
const EARLIER: &str = "-earlier";
/// What the name of a damaged file that was put aside has after its former name.
const DAMAGED: &str = ".damaged";
/// What SQLite puts beside a file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) struct Files {
    main: PathBuf,
    folder: PathBuf,
    /// `weir` of `weir.db`.
    stem: String,
    /// `.db` of `weir.db`.
    extension: String,
}

impl Files {
    pub(super) fn of(main: &Path) -> Result<Self, StoreError> {
        let bad = || StoreError::Settings(format!("{} is not the name of a file", main.display()));
        let stem = main.file_stem().and_then(|stem| stem.to_str()).ok_or_else(bad)?;
        let extension = main.extension().and_then(|text| text.to_str());
        let folder = main.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self {
            main: main.to_owned(),
            folder: folder.to_owned(),
            stem: stem.to_owned(),
            extension: extension.map_or(String::new(), |text| format!(".{text}")),
        })
    }

    pub(super) fn main(&self) -> &Path {
        &self.main
    }

    pub(super) fn day(&self, day: Day) -> PathBuf {
        self.folder.join(format!("{}-{day}{}", self.stem, self.extension))
    }

    /// The part of a day that was full, while [`Files::day`] goes on.
    pub(super) fn earlier(&self, day: Day) -> PathBuf {
        self.folder.join(format!("{}-{day}{EARLIER}{}", self.stem, self.extension))
    }

    /// A day's files that exist, the newest first.
    pub(super) fn parts(&self, day: Day) -> impl Iterator<Item = PathBuf> {
        [self.day(day), self.earlier(day)].into_iter().filter(|path| path.exists())
    }

    /// Bytes of the file that a day's facts go to now.
    pub(super) fn size_of(&self, day: Day) -> u64 {
        size_of_all(&self.day(day))
    }

    pub(super) fn lock(&self) -> PathBuf {
        beside(&self.main, ".lock")
    }

    /// The days that have a file, oldest first, with the bytes of their files. Those that were put aside count too, so
    /// that they end with their day.
    pub(super) fn days(&self) -> Result<Vec<DaySize>, StoreError> {
        let mut days = BTreeMap::<Day, u64>::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let (whole, aside) = name.to_str().map_or((None, None), |name| (self.day_of(name), self.day_aside(name)));
            let path = self.folder.join(&name);
            if let Some(day) = whole {
                *days.entry(day).or_default() += size_of_all(&path);
            } else if let Some(day) = aside {
                *days.entry(day).or_default() += size(&path);
            }
        }
        Ok(days.into_iter().map(|(day, bytes)| DaySize { day, bytes }).collect())
    }

    /// The day of a file that was put aside, or of what SQLite had put beside it.
    fn day_aside(&self, name: &str) -> Option<Day> {
        self.day_of(name.split_once(DAMAGED)?.0)
    }

    fn day_of(&self, name: &str) -> Option<Day> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        let day = rest.strip_suffix(&self.extension)?;
        day.strip_suffix(EARLIER).unwrap_or(day).parse().ok()
    }

    /// Removes a day's files, those that were put aside too.
    pub(super) fn remove(&self, day: Day) -> Result<(), StoreError> {
        [self.day(day), self.earlier(day)].iter().try_for_each(|path| remove(path))?;
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if name.to_str().and_then(|name| self.day_aside(name)) == Some(day) {
                remove_one(&self.folder.join(&name))?;
            }
        }
        Ok(())
    }

    /// Makes a day's file its earlier part, in place of the one that it has. Its write-ahead log has to be empty.
    pub(super) fn make_earlier(&self, day: Day) -> Result<(), StoreError> {
        let (path, earlier) = (self.day(day), self.earlier(day));
        remove_beside(&earlier)?;
        fs::rename(&path, &earlier)?;
        // The next file of this name must not find the log of this one.
        remove_beside(&path)
    }
}

/// Puts a damaged file of a day aside under another name, so that the day can go on in a new one.
pub(super) fn put_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let aside = (1..1_000).map(|number| beside(path, &format!("{DAMAGED}-{number}"))).find(|path| !path.exists());
    let aside = aside.unwrap_or_else(|| beside(path, DAMAGED));
    for suffix in BESIDE {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        match fs::rename(from, to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    fs::rename(path, &aside)?;
    Ok(aside)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Removes a file with what SQLite puts beside it.
fn remove(path: &Path) -> Result<(), StoreError> {
    remove_beside(path)?;
    remove_one(path)
}

fn remove_beside(path: &Path) -> Result<(), StoreError> {
    BESIDE.iter().try_for_each(|suffix| remove_one(&beside(path, suffix)))
}

fn remove_one(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Bytes of a file with what SQLite puts beside it.
fn size_of_all(path: &Path) -> u64 {
    size(path) + BESIDE.iter().map(|suffix| size(&beside(path, suffix))).sum::<u64>()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}

/// Distinguishes a file from another one that has its name later: a file that was removed is written no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// The identity of the file that has this name now.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let data = fs::metadata(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Ok(Self(data.dev(), data.ino()))
        }
        #[cfg(not(unix))]
        {
            // Elsewhere an open file cannot be removed.
            Ok(Self(0, u64::from(data.is_file())))
        }
    }
}

/// How long a lock is waited for: a process that ends may hold it for a moment longer, and so may a child that it
/// forked.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Keeps other processes from writing into the same files. Ends with the value, and with the process.
pub(super) fn lock(files: &Files) -> Result<fs::File, StoreError> {
    lock_file(&files.lock(), LOCK_WAIT).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => StoreError::InUse(files.main.clone()),
        _ => error.into(),
    })
}
