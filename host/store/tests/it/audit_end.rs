//! The end of the audit log, which a chain of hashes does not protect by itself.

use weir_store::ChainCheck::{Broken, Cut, Intact};
use weir_store::{AuditEntry, AuditEvent, ChainCheck, Store, entry_hash};

use crate::facts::NOON;
use crate::place::Place;

fn write(store: &dyn Store, count: u64) {
    for number in 0..count {
        store.audit(&AuditEvent { time_ms: NOON + number, event: format!("{{\"number\":{number}}}") }).unwrap();
    }
}

/// What a check finds after these statements.
fn found(place: &dyn Place, store: &dyn Store, sql: &str) -> ChainCheck {
    place.execute(sql);
    store.check_audit().unwrap()
}

/// Puts another entry in the place of the last one, with the hash that belongs to it.
fn replaced(place: &dyn Place, last: &AuditEntry, before: &AuditEntry) -> String {
    let hash = entry_hash(&before.hash, last.sequence, last.time_ms, "{}");
    format!("update audit set event = '{{}}', hash = {} where sequence = {}", place.bytes(&hash), last.sequence)
}

pub(crate) fn entries_that_are_cut_off_the_end_are_missed(place: &dyn Place) {
    let store = place.open();
    assert_eq!(store.check_audit().unwrap(), Intact { last: 0 });
    write(&*store, 25);
    let entries = store.audit_page(None, 2).unwrap();
    assert_eq!(found(place, &*store, &replaced(place, &entries[0], &entries[1])), Broken { sequence: 25 });
    assert_eq!(found(place, &*store, "delete from audit where sequence = 25"), Cut { sequence: 25 });
    assert_eq!(found(place, &*store, "delete from audit where sequence > 22"), Cut { sequence: 23 });
    // Neither of the two places where the end is kept is enough alone.
    let put_back = "update counters set value = 22 where name = 'audit'";
    assert_eq!(found(place, &*store, put_back), Cut { sequence: 23 });
    let kept = "update counters set value = 25 where name = 'audit'; delete from audit_head";
    assert_eq!(found(place, &*store, kept), Cut { sequence: 23 });
    assert_eq!(found(place, &*store, "delete from audit"), Cut { sequence: 1 });
}

pub(crate) fn what_is_written_later_hides_nothing_that_was_done_to_the_end(place: &dyn Place) {
    let store = place.open();
    write(&*store, 25);
    let cut = "delete from audit where sequence > 22; update counters set value = 22 where name = 'audit'";
    place.execute(cut);
    write(&*store, 2);
    assert_eq!(store.check_audit().unwrap(), Broken { sequence: 23 });
    drop(store);
    assert_eq!(place.open().check_audit().unwrap(), Broken { sequence: 23 });
}

pub(crate) fn a_log_of_an_earlier_version_gets_its_end_with_the_next_entry(place: &dyn Place) {
    let store = place.open();
    write(&*store, 5);
    place.execute("delete from audit_head");
    assert_eq!(store.check_audit().unwrap(), Intact { last: 5 });
    write(&*store, 1);
    assert_eq!(store.check_audit().unwrap(), Intact { last: 6 });
    // A program of an earlier version writes beside this one, and leaves the head where it is.
    write(&*store, 3);
    let left = "update audit_head set sequence = 6, hash = (select hash from audit where sequence = 6)";
    assert_eq!(found(place, &*store, left), Intact { last: 9 });
    write(&*store, 1);
    assert_eq!(store.check_audit().unwrap(), Intact { last: 10 });
    assert_eq!(found(place, &*store, "delete from audit where sequence = 10"), Cut { sequence: 10 });
}

pub(crate) fn a_damaged_entry_is_found_by_a_check_and_hides_no_other(place: &dyn Place) {
    let store = place.open();
    write(&*store, 5);
    for (number, found_first) in [(5, 5), (2, 2)] {
        let damaged = format!("update audit set hash = {} where sequence = {number}", place.bytes(&[7]));
        assert_eq!(found(place, &*store, &damaged), Broken { sequence: found_first });
        assert_eq!(store.audit_page(None, 10).unwrap().len(), 5);
        assert_eq!(store.head().unwrap().last.map(|entry| entry.sequence), Some(5));
    }
    write(&*store, 1);
    assert_eq!(store.head().unwrap().last.map(|entry| entry.sequence), Some(6));
}
