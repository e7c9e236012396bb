//! What was read of files of requests: who finds it, and when it goes.

use weir_store::{RequestFile, Retention, Store};

use crate::place::Place;

const DAY_MS: u64 = 24 * 3_600_000;

fn file(tenant: &str, id: &str, made_ms: u64) -> RequestFile {
    let (tenant, id) = (tenant.to_owned(), id.to_owned());
    RequestFile { body: format!("{{\"of\":\"{tenant}\"}}"), tenant, id, made_ms }
}

/// The tenants whose files with these ids are there.
fn found(store: &dyn Store, ids: &[&str]) -> Vec<String> {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let found = store.request_files(&ids).unwrap();
    found.into_iter().map(|file| format!("{} {}", file.tenant, file.id)).collect()
}

pub(crate) fn what_was_read_of_a_file_is_found_by_its_id_and_stays_as_it_was(place: &dyn Place) {
    let store = place.open();
    let first = [file("one", "file-1", 5), file("one", "file-2", 6)];
    store.keep_request_files(&first).unwrap();
    let other = RequestFile { body: "{}".to_owned(), ..file("one", "file-1", 9) };
    store.keep_request_files(&[other.clone(), other, file("two", "file-1", 7)]).unwrap();
    let ids = ["file-1", "file-3"].map(str::to_owned);
    let expected = vec![first[0].clone(), file("two", "file-1", 7)];
    assert_eq!(store.request_files(&ids).unwrap(), expected);
    drop(store);
    assert_eq!(place.open().request_files(&ids).unwrap(), expected);
    // What one of the databases cannot keep is not kept by the other.
    let store = place.open();
    let long = "x".repeat(20_000);
    let odd = [
        file("one", "file-\0", 1),
        file(&long, "file-3", 1),
        RequestFile { body: long.clone(), ..file("one", "file-4", 1) },
        file("one", "file-5", 1),
    ];
    store.keep_request_files(&odd).unwrap();
    assert_eq!(found(&*store, &["file-\0", &long, "file-3", "file-4", "file-5"]), ["one file-5"]);
}

pub(crate) fn files_go_when_they_are_old_or_their_tenant_has_too_many(place: &dyn Place) {
    let store = place.open();
    let now = 100 * DAY_MS;
    store.keep_request_files(&[file("old", "file-1", now - 31 * DAY_MS), file("new", "file-2", now)]).unwrap();
    store.retain(now, &Retention::default()).unwrap();
    assert_eq!(found(&*store, &["file-1", "file-2"]), ["new file-2"]);
    let of = |tenant: &str, count: u64| -> Vec<RequestFile> {
        (1..=count).map(|number| file(tenant, &format!("{tenant}-{number}"), now + number)).collect()
    };
    store.keep_request_files(&of("many", 4_096)).unwrap();
    assert_eq!(found(&*store, &["many-1"]), ["many many-1"]);
    store.keep_request_files(&[file("many", "many-last", now + 5_000)]).unwrap();
    assert_eq!(found(&*store, &["many-1", "many-2", "many-last"]), ["many many-2", "many many-last"]);
    assert_eq!(found(&*store, &["file-2"]), ["new file-2"], "others keep what they have");
    for tenant in 0..16 {
        store.keep_request_files(&of(&format!("t{tenant:02}"), 4_096)).unwrap();
    }
    store.retain(now, &Retention::default()).unwrap();
    assert_eq!(found(&*store, &["file-2", "t07-1", "t07-4096"]), ["t07 t07-4096"], "the oldest of all go");
}
