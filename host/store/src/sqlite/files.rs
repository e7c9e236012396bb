//! The files of a store: one for what is not divided by day, and one for each day beside it.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::StoreError;
use crate::id::Day;
use crate::retention::DaySize;

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
        let bad = || StoreError::Settings(format!("{} is no name of a file", main.display()));
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

    pub(super) fn lock(&self) -> PathBuf {
        beside(&self.main, ".lock")
    }

    /// The days that have a file, oldest first, with the bytes of their files.
    pub(super) fn days(&self) -> Result<Vec<DaySize>, StoreError> {
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let day = name.to_str().and_then(|name| self.day_of(name));
            let Some(day) = day else { continue };
            let path = self.day(day);
            let sizes = BESIDE.iter().map(|suffix| size(&beside(&path, suffix)));
            days.push(DaySize { day, bytes: size(&path) + sizes.sum::<u64>() });
        }
        days.sort_by_key(|size| size.day);
        Ok(days)
    }

    fn day_of(&self, name: &str) -> Option<Day> {
        let rest = name.strip_prefix(&self.stem)?.strip_prefix('-')?;
        rest.strip_suffix(&self.extension)?.parse().ok()
    }

    /// Removes a day's files.
    pub(super) fn remove(&self, day: Day) -> Result<(), StoreError> {
        let path = self.day(day);
        for path in BESIDE.iter().map(|suffix| beside(&path, suffix)).chain([path.clone()]) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts a day's damaged file aside under another name, so that the day can go on in a new one.
    pub(super) fn put_aside(&self, day: Day) -> Result<PathBuf, StoreError> {
        let path = self.day(day);
        let aside = (1..1_000).map(|number| beside(&path, &format!(".damaged-{number}"))).find(|path| !path.exists());
        let aside = aside.unwrap_or_else(|| beside(&path, ".damaged"));
        for suffix in BESIDE {
            let (from, to) = (beside(&path, suffix), beside(&aside, suffix));
            match fs::rename(from, to) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        fs::rename(&path, &aside)?;
        Ok(aside)
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
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

/// How long a lock is waited for: a process that ends may hold it for a moment longer, and so may a child that it forked.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Keeps other processes from writing into the same files. Ends with the value, and with the process.
pub(super) fn lock(files: &Files) -> Result<fs::File, StoreError> {
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(files.lock())?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
            Err(fs::TryLockError::WouldBlock) if begun.elapsed() >= LOCK_WAIT => {
                return Err(StoreError::InUse(files.main.clone()));
            }
            Err(fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
