//! Files in trouble: full, read-only, gone, damaged, taken. Requests are unharmed, and writing goes on when it can.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_store::ChainCheck::Broken;
use weir_store::{
    Change, Condition, Day, Expect, Query, Retention, Sqlite, SqliteOptions, Store, StoreError, Writer, WriterOptions,
};

use crate::facts::{NOON, Seed, batch, today};
use crate::place::{Files, Place};
use crate::suite::user;
use crate::writer::{SECONDS, count, quick, record, until};

const DAY_MS: u64 = 86_400_000;

#[test]
fn a_full_disk_costs_facts_and_nothing_else() {
    let files = Files::new();
    let options = SqliteOptions { most_pages: Some(40) };
    let store: Arc<dyn Store> = Arc::new(Sqlite::open_with(files.main(), options).unwrap());
    let writer =
        Writer::start(Arc::clone(&store), WriterOptions { most_rows: 500, batch_rows: 50, ..quick() }).unwrap();
    let recorder = writer.recorder();
    let mut seed = Seed(1);
    until("the disk is full", || {
        record(&recorder, &mut seed, 50);
        matches!(&recorder.health().log, Condition::Failing { reason, .. } if reason.contains("full"))
    });
    until("drops are counted", || {
        record(&recorder, &mut seed, 50);
        recorder.health().dropped_facts.full > 0
    });
    let written = recorder.health().written_facts;
    assert_eq!(count(&*store), written);
    assert!(written > 0 && store.search(&Query::default()).unwrap().facts.len() == 50);
    // Room for the day: the file goes, as retention or an operator would have it.
    fs::remove_file(files.folder().join(format!("weir-{}.db", today()))).unwrap();
    until("facts are written again", || recorder.health().written_facts > written);
    let health = writer.close(Duration::ZERO);
    assert!(health.dropped_facts.failed > 0 || health.is_well(), "{health:?}");
}

#[test]
fn days_end_while_the_disk_is_full() {
    let files = Files::new();
    let options = SqliteOptions { most_pages: Some(40) };
    let store: Arc<dyn Store> = Arc::new(Sqlite::open_with(files.main(), options).unwrap());
    let retention = Some(Retention { days: 1, bytes: u64::MAX });
    let options = WriterOptions { retention, retain_every: Duration::from_millis(10), ..quick() };
    let writer = Writer::start(Arc::clone(&store), options).unwrap();
    let (recorder, mut seed) = (writer.recorder(), Seed(1));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    until("the disk is full", || {
        for _ in 0..50 {
            let _is_taken = recorder.record(&seed.fact(now));
        }
        matches!(&recorder.health().log, Condition::Failing { reason, .. } if reason.contains("full"))
    });
    store.append(&batch([Seed(2).fact(now - 10 * DAY_MS)])).unwrap();
    until("the old day ends", || store.days().unwrap().len() == 1);
    assert!(matches!(recorder.health().log, Condition::Failing { .. }), "today's file is as full as before");
    writer.close(Duration::ZERO);
}

#[test]
fn a_folder_that_vanishes_and_returns_is_written_again() {
    let files = Files::new();
    let folder = files.folder().join("state");
    fs::create_dir(&folder).unwrap();
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.join("weir.db")).unwrap());
    let writer = Writer::start(Arc::clone(&store), quick()).unwrap();
    let recorder = writer.recorder();
    assert_eq!(record(&recorder, &mut Seed(1), 10), 10);
    assert!(recorder.flush(SECONDS));
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(record(&recorder, &mut Seed(2), 10), 10);
    let sums = weir_store::LedgerSums { units: 1, ..weir_store::LedgerSums::default() };
    let rows = [weir_store::UseRow { subjects: 1, price_dim: "", bucket: "", sums }];
    recorder.book(&[weir_store::Use { hour: 1, subjects: &[("key:", "s")], provider: "", served: "", rows: &rows }]);
    until("both fail", || {
        let health = recorder.health();
        matches!(health.log, Condition::Failing { .. }) && matches!(health.money, Condition::Failing { .. })
    });
    assert!(store.check().is_err() && store.search(&Query::default()).is_err());
    // A folder that is not there is not made: it may be a disk that comes back.
    assert!(!folder.exists());
    fs::create_dir(&folder).unwrap();
    assert!(recorder.flush(SECONDS));
    assert!(recorder.health().is_well());
    assert_eq!(count(&*store), 10);
    let query = weir_store::LedgerQuery { from_hour: 0, to_hour: 9, subject: None };
    assert_eq!(store.ledger(&query).unwrap().len(), 1);
}

#[test]
fn a_damaged_day_is_put_aside() {
    let files = Files::new();
    let path = files.folder().join(format!("weir-{}.db", today()));
    fs::write(&path, "this is not a database, but a long enough text. ".repeat(100)).unwrap();
    let store = files.open();
    store.append(&batch(Seed(1).facts(10, NOON, 1_000))).unwrap();
    assert_eq!(count(&*store), 10);
    assert!(files.folder().join(format!("weir-{}.db.damaged-1", today())).exists());
    assert_eq!(store.days().unwrap().len(), 1);
    // Pages that are broken while the file is open.
    let text = fs::read(&path).unwrap();
    drop(store);
    let broken: Vec<u8> = text.iter().enumerate().map(|(at, byte)| if at > 4_096 { 0xa5 } else { *byte }).collect();
    fs::write(&path, broken).unwrap();
    let store = files.open();
    let writer = Writer::start(Arc::clone(&store), quick()).unwrap();
    record(&writer.recorder(), &mut Seed(2), 10);
    assert!(writer.recorder().flush(SECONDS));
    assert_eq!(writer.close(SECONDS).written_facts, 10);
    assert_eq!(count(&*store), 10);
}

#[test]
fn a_damaged_day_of_the_past_hides_no_other_and_its_file_ends_with_it() {
    for damage in [|bytes: &mut Vec<u8>| bytes.truncate(6_000), |bytes: &mut Vec<u8>| bytes[4_096..].fill(0xa5)] {
        let files = Files::new();
        let before = NOON - 3 * DAY_MS;
        let store = files.open();
        for until in [before, NOON] {
            store.append(&batch(Seed(until).facts(10, until, 1_000))).unwrap();
        }
        drop(store);
        let path = files.folder().join(format!("weir-{}.db", Day::of(before)));
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let all = Query { limit: 100, ..Query::default() };
        // Who only reads leaves the file where it is.
        let reader = Sqlite::open_to_read(files.main()).unwrap();
        assert!(matches!(reader.search(&all), Err(StoreError::Damaged(_))) && path.exists());
        let store = files.open();
        assert!(matches!(store.search(&all), Err(StoreError::Damaged(_))), "nobody takes a part for all");
        assert_eq!(store.search(&all).unwrap().facts.len(), 10);
        let aside = files.folder().join(format!("weir-{}.db.damaged-1", Day::of(before)));
        assert!(aside.exists() && !path.exists());
        assert_eq!((store.days().unwrap().len(), store.erase(&user("nobody")).unwrap()), (2, 0));
        assert!(!path.exists());
        let ended = store.retain(NOON, &Retention { days: 2, bytes: u64::MAX }).unwrap();
        assert_eq!(ended, [Day::of(before)]);
        let left = fs::read_dir(files.folder()).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("damaged")));
    }
}

#[test]
fn other_users_of_the_machine_do_not_read_the_files() {
    let files = Files::new();
    let store = files.open();
    store.append(&batch(Seed(1).facts(10, NOON, 1_000))).unwrap();
    let modes = || {
        let files = fs::read_dir(files.folder()).unwrap().map(|entry| entry.unwrap());
        let of_store = files.filter(|file| file.file_name().to_string_lossy().contains(".db"));
        let of_store = of_store.filter(|file| !file.file_name().to_string_lossy().ends_with(".lock"));
        of_store.map(|file| file.metadata().unwrap().permissions().mode() & 0o777).collect::<Vec<_>>()
    };
    // Two files with what SQLite puts beside them.
    assert!(modes().len() > 4 && modes().iter().all(|mode| mode % 8 == 0), "{:?}", modes());
    // What an operator allows stays.
    fs::set_permissions(files.main(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(store);
    files.open().check().unwrap();
    assert!(modes().contains(&0o644), "{:?}", modes());
}

#[test]
fn a_second_process_is_refused_with_a_plain_message() {
    let files = Files::new();
    let first = files.open();
    let error = Sqlite::open(files.main()).unwrap_err();
    assert!(
        matches!(error, StoreError::InUse(_)) && error.to_string().contains("in use by another process"),
        "{error}"
    );
    // Reading is for all.
    first.append(&batch(Seed(1).facts(10, NOON, 1_000))).unwrap();
    let reader = Sqlite::open_to_read(files.main()).unwrap();
    assert_eq!(count(&reader), 10);
    assert!(matches!(reader.append(&batch(Vec::new())), Ok(())));
    let refused = reader.append(&batch(Seed(2).facts(1, NOON, 1_000))).unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)));
    drop(first);
    files.open().check().unwrap();
}

#[test]
fn a_store_that_cannot_be_written_at_the_start_is_written_later() {
    let files = Files::new();
    drop(files.open());
    let log = files.folder().join("weir.db-wal");
    fs::create_dir(&log).unwrap();
    let store = files.open();
    assert!(matches!(store.check(), Err(StoreError::Unavailable(_))));
    fs::remove_dir(&log).unwrap();
    store.check().unwrap();
}

#[test]
fn tables_of_a_newer_program_are_left_alone() {
    let files = Files::new();
    drop(files.open());
    let connection = rusqlite::Connection::open(files.main()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Sqlite::open(files.main()).unwrap_err();
    assert!(matches!(&error, StoreError::Settings(text) if text.contains("99")), "{error}");
}

#[test]
fn an_entry_of_the_audit_log_that_was_altered_is_found() {
    let files = Files::new();
    let store = files.open();
    for number in 0..3_000 {
        let event = weir_store::AuditEvent { time_ms: NOON, event: format!("{{\"number\":{number}}}") };
        store.audit(&event).unwrap();
    }
    let connection = rusqlite::Connection::open(files.main()).unwrap();
    let check = |sql: &str| {
        connection.execute_batch("begin").unwrap();
        connection.execute_batch(sql).unwrap();
        connection.execute_batch("commit").unwrap();
        store.check_audit().unwrap()
    };
    assert_eq!(check("update audit set event = '{}' where sequence = 2500"), Broken { sequence: 2_500 });
    assert_eq!(check("delete from audit where sequence = 1700"), Broken { sequence: 1_701 });
    assert_eq!(check("update audit set time_ms = 1 where sequence = 1"), Broken { sequence: 1 });
}

/// The name of the folder for the process that is not root.
const FOLDER: &str = "WEIR_STORE_READ_ONLY";

#[test]
fn a_read_only_folder_is_read_and_costs_no_request() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return look_at_read_only(folder.as_ref());
    }
    let files = Files::new();
    let folder = files.folder();
    let store = files.open();
    store.append(&batch(Seed(1).facts(10, NOON, 1_000))).unwrap();
    drop(store);
    // For root, nothing is read-only: the test goes on as another user.
    let is_root = fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0);
    let exe = folder.join("test");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).chain([folder.clone()]) {
        if is_root {
            chown(&path, Some(65_534), Some(65_534)).unwrap();
        }
    }
    let mut command = Command::new(exe);
    command.args(["--exact", "trouble::a_read_only_folder_is_read_and_costs_no_request"]).env(FOLDER, &folder);
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let output = command.current_dir("/").output().unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn look_at_read_only(folder: &std::path::Path) {
    let main = folder.join("weir.db");
    let set = |mode| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        for path in files.filter(|path| path.file_name().is_some_and(|name| name != "test")) {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o111)).unwrap();
    };
    // It becomes read-only while it is open.
    let store: Arc<dyn Store> = Arc::new(Sqlite::open(&main).unwrap());
    let writer = Writer::start(Arc::clone(&store), quick()).unwrap();
    let recorder = writer.recorder();
    set(0o444);
    record(&recorder, &mut Seed(2), 10);
    until("it fails", || matches!(recorder.health().log, Condition::Failing { .. }));
    let change = Change { kind: "key".to_owned(), id: "a".to_owned(), expect: Expect::Any, body: None };
    let _ = store.change(&[change], None);
    set(0o644);
    assert!(recorder.flush(SECONDS));
    assert_eq!(count(&*store), 20);
    writer.close(SECONDS);
    drop((recorder, store));
    // It is read-only from the beginning.
    set(0o444);
    assert!(matches!(Sqlite::open(&main), Err(StoreError::Unavailable(_))));
    let reader = Sqlite::open_to_read(&main).unwrap();
    assert_eq!((count(&reader), reader.version().unwrap() <= 1), (20, true));
    assert_eq!(reader.search(&Query::default()).unwrap().facts.len(), 20);
}

#[test]
fn a_document_that_is_damaged_in_its_file_is_none_and_takes_no_other_away() {
    crate::suite::a_damaged_document_is_none_and_takes_no_other_away(&Files::new());
    crate::suite::rows_with_damaged_names_are_found_and_removed_alone(&Files::new());
}
