//! Stores of earlier versions, brought up to this one.

use std::sync::Arc;

use postgres::{Client, NoTls};
use rusqlite::Connection;
use weir_store::{AuditEvent, ChainCheck, Sqlite, Store};

use crate::place::{Files, Place};
use crate::server::Schema;
use crate::usage::{sums_of_days_agree, write_usage};

#[test]
fn files_with_sums_of_hours_alone_get_those_of_days() {
    let files = Files::new();
    write_usage(&*files.open(), 1);
    let as_before = "drop trigger ledger_inserted; drop trigger ledger_updated; drop table ledger_days; drop table budget_counts; drop table open_work; \
                     drop table audit_head; drop table request_files; drop table object_owners; pragma user_version = 2;";
    Connection::open(files.main()).unwrap().execute_batch(as_before).unwrap();
    sums_of_days_agree(&Sqlite::open_to_read(files.main()).unwrap());
    let store = files.open();
    sums_of_days_agree(&*store);
    write_usage(&*store, 2);
    sums_of_days_agree(&*store);
    assert_eq!(store.request_files(&["file-1".to_owned()]).unwrap(), [], "what later versions keep has its place");
    assert_eq!(store.object_owners(0).unwrap(), []);
}

#[test]
fn a_database_with_sums_of_hours_alone_gets_those_of_days_also_from_a_program_that_knows_none() {
    let Some(schema) = Schema::new() else { return };
    let earlier = schema.open();
    write_usage(&*earlier, 1);
    let name = &schema.name;
    let as_before = format!(
        "drop trigger ledger_kept_by_day on {name}.ledger; drop function {name}.ledger_to_days(); \
         drop table {name}.ledger_days; drop table {name}.budget_counts; drop table {name}.open_work; \
         drop table {name}.audit_head; drop table {name}.request_files; drop table {name}.object_owners; \
         alter table {name}.facts drop column similarity_millionths; \
         alter table {name}.facts drop column region; alter table {name}.facts drop column model_named; \
         update {name}.schema_version set version = 2"
    );
    Client::connect(&schema.url, NoTls).unwrap().batch_execute(&as_before).unwrap();
    write_usage(&*earlier, 2);
    let newer = schema.open();
    sums_of_days_agree(&*newer);
    assert_eq!(newer.request_files(&["file-1".to_owned()]).unwrap(), [], "what later versions keep has its place");
    assert_eq!(newer.object_owners(0).unwrap(), []);
    // The earlier program writes on beside the newer one.
    write_usage(&*earlier, 3);
    write_usage(&*newer, 4);
    sums_of_days_agree(&*newer);
}

#[test]
fn an_audit_log_of_an_earlier_version_is_checked_and_goes_on() {
    let event = |number: u64| AuditEvent { time_ms: number, event: "{}".to_owned() };
    let goes_on = |before: Arc<dyn Store>, as_before: &dyn Fn(), open: &dyn Fn() -> Arc<dyn Store>| {
        for number in 0..3 {
            before.audit(&event(number)).unwrap();
        }
        drop(before);
        as_before();
        let store = open();
        assert_eq!(store.check_audit().unwrap(), ChainCheck::Intact { last: 3 });
        assert_eq!(store.audit(&event(3)).unwrap().sequence, 4);
        assert_eq!(store.check_audit().unwrap(), ChainCheck::Intact { last: 4 });
    };
    let files = Files::new();
    let as_before = || {
        files.execute(
            "drop table audit_head; drop table request_files; drop table object_owners; pragma user_version = 7",
        );
    };
    goes_on(files.open(), &as_before, &|| {
        // Also if it is only read, by a program that must not change its tables.
        let read = Sqlite::open_to_read(files.main()).unwrap();
        assert_eq!(read.check_audit().unwrap(), ChainCheck::Intact { last: 3 });
        files.open()
    });
    let Some(schema) = Schema::new() else { return };
    let as_before = || {
        schema.execute("drop table audit_head; drop table request_files; drop table object_owners; update schema_version set version = 7");
    };
    goes_on(schema.open(), &as_before, &|| schema.open());
}
