//! Who made which objects: what the next process finds, and what goes.

use weir_store::{ObjectOwner, Retention, Store};

use crate::place::Place;

const DAY_MS: u64 = 24 * 3_600_000;

fn owner(tenant: &str, id: &str, made_ms: u64) -> ObjectOwner {
    ObjectOwner { id: id.to_owned(), tenant: tenant.to_owned(), is_answer: false, made_ms }
}

/// The objects of a tenant.
fn of(store: &dyn Store, tenant: &str) -> Vec<String> {
    let owners = store.object_owners(0).unwrap();
    owners.into_iter().filter(|owner| owner.tenant == tenant).map(|owner| owner.id).collect()
}

pub(crate) fn an_object_stays_with_the_client_that_made_it(place: &dyn Place) {
    let store = place.open();
    let answer = ObjectOwner { is_answer: true, ..owner("one", "resp-1", 6) };
    store.keep_object_owners(&[owner("one", "file-1", 5), answer.clone(), owner("two", "file-1", 7)]).unwrap();
    store.keep_object_owners(&[owner("two", "file-1", 4), owner("two", "file-2", 9)]).unwrap();
    let expected = [owner("one", "file-1", 5), answer, owner("two", "file-2", 9)];
    assert_eq!(store.object_owners(0).unwrap(), expected);
    drop(store);
    let store = place.open();
    assert_eq!(store.object_owners(6).unwrap(), expected[1..]);
    // What one of the databases cannot keep is not kept by the other.
    store.keep_object_owners(&[owner("odd", "file-\0", 9), owner("odd", &"x".repeat(2_000), 9)]).unwrap();
    assert_eq!(of(&*store, "odd"), [""; 0]);
}

pub(crate) fn owners_go_when_they_are_old_or_their_tenant_has_too_many(place: &dyn Place) {
    let store = place.open();
    let now = 100 * DAY_MS;
    store.keep_object_owners(&[owner("few", "old", now - 31 * DAY_MS), owner("few", "file-1", now)]).unwrap();
    let answer = ObjectOwner { is_answer: true, ..owner("few", "resp-1", now) };
    store.keep_object_owners(&[answer]).unwrap();
    let many: Vec<_> = (1..=65_536).map(|number| owner("many", &format!("many-{number}"), now + number)).collect();
    store.keep_object_owners(&many).unwrap();
    store.retain(now, &Retention::default()).unwrap();
    assert_eq!(of(&*store, "few"), ["file-1", "resp-1"]);
    let left = of(&*store, "many");
    assert_eq!((left.len(), left.first().map(String::as_str)), (65_535, Some("many-2")));
}
