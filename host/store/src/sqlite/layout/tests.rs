//! Both forms of a day.

use super::*;
use crate::fact::Fact;
use crate::id::RequestId;
use crate::sql::Sql;
use crate::sqlite::connection::{Purpose, open, open_to_follow, transact};

fn day() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.db");
    (folder, path)
}

/// Makes a file as the versions 1 to 4 made it.
fn make_whole(path: &std::path::Path, version: i64) {
    let columns = columns::definitions();
    let mut text = format!("create table facts ({columns}, primary key (id)) without rowid;");
    text.push_str("alter table facts drop column region; alter table facts drop column model_named;");
    if version < 4 {
        text.push_str("alter table facts drop column similarity_millionths;");
    }
    if version < 2 {
        text.push_str("alter table facts drop column saved_nano;");
    }
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&format!("{text} pragma user_version = {version};")).unwrap();
}

/// Makes a file as version 5 or 6 made it.
fn make_split(path: &std::path::Path, version: i64) {
    let (mut view, mut text) = (view(), format!("{} drop view facts;", tables()));
    for (_, column) in ADDED_TO_ROUTES.iter().filter(|(added, _)| *added > version) {
        view = view.replace(&format!(",{column}"), "");
        text.extend([" alter table routes drop column ", column, ";"]);
    }
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(&format!("{text} {view} pragma user_version = {version};")).unwrap();
}

fn fact(number: u64) -> Fact {
    let mut fact = Fact::of(RequestId::new(number, [0; 10]));
    (fact.sequence, fact.saved_nano, fact.similarity_millionths) = (number, Some(7), Some(9));
    (fact.key, fact.model_asked) = (format!("key-{}", number % 3), format!("m{}", number % 2));
    (fact.client, fact.user) = ("zeta/1".to_owned(), format!("user-{number}"));
    (fact.region, fact.model_named) = ("eu".to_owned(), "m-1".to_owned());
    fact
}

/// Inserts facts in one transaction and returns how many were new.
fn insert(connection: &mut Connection, layout: &mut Layout, facts: &[Fact]) -> usize {
    let packed: Vec<PackedFact> = facts.iter().map(PackedFact::from).collect();
    let all: Vec<&PackedFact> = packed.iter().collect();
    transact(connection, |lite| layout.insert(lite, &all).map(|new| new.len())).unwrap()
}

fn stored(connection: &Connection) -> Vec<Fact> {
    let rows = Lite(connection).query(&format!("select {} from facts order by id", columns::names()), &[]).unwrap();
    rows.into_iter().map(|mut row| columns::read(&mut row).unwrap()).collect()
}

fn count_of(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn what_repeats_is_stored_once_and_facts_are_read_as_they_were() {
    let (_folder, path) = day();
    let mut connection = open(&path, Purpose::Day, None).unwrap();
    let mut layout = Layout::of(&connection).unwrap();
    let facts: Vec<Fact> = (0..60).map(fact).collect();
    for part in facts.chunks(7) {
        assert_eq!(insert(&mut connection, &mut layout, part), part.len());
    }
    assert_eq!((count_of(&connection, "callers"), count_of(&connection, "routes")), (3, 2));
    assert_eq!(stored(&connection), facts);
    assert_eq!(insert(&mut connection, &mut layout, &facts), 0);
}

#[test]
fn each_fact_is_stored_once_whichever_of_those_beside_it_are_there() {
    let (_folder, path) = day();
    let mut connection = open(&path, Purpose::Day, None).unwrap();
    let mut layout = Layout::of(&connection).unwrap();
    let mut facts: Vec<Fact> = (0..4 * TOGETHER as u64 + 3).map(fact).collect();
    facts.iter_mut().step_by(5).for_each(|fact| (fact.user, fact.saved_nano) = (String::new(), None));
    let last_of_second_group = facts[2 * TOGETHER - 1].clone();
    assert_eq!(insert(&mut connection, &mut layout, &[facts[1].clone(), last_of_second_group]), 2);
    assert_eq!(insert(&mut connection, &mut layout, &facts), facts.len() - 2);
    assert_eq!(insert(&mut connection, &mut layout, &facts), 0);
    assert_eq!(stored(&connection), facts);
}

#[test]
fn callers_that_no_request_has_any_more_go_and_are_not_referred_to() {
    let (_folder, path) = day();
    let mut connection = open(&path, Purpose::Day, None).unwrap();
    let mut layout = Layout::of(&connection).unwrap();
    let facts: Vec<Fact> = (0..30).map(fact).collect();
    assert_eq!(insert(&mut connection, &mut layout, &facts), 30);
    let erased = facts[0].key.clone();
    let day = facts[0].id.day();
    let subject = crate::erase::ErasureSubject::Key(erased.clone());
    let count = facts.iter().filter(|fact| fact.key == erased).count();
    let removed =
        transact(&mut connection, |lite| crate::sqlite::parts::erase(lite, &mut layout, day, &subject)).unwrap();
    assert_eq!(removed as usize, count);
    let mut named = connection.prepare("select count(*) from callers where api_key = ?1").unwrap();
    assert_eq!(named.query_row([&erased], |row| row.get::<_, i64>(0)).unwrap(), 0);
    drop(named);
    // Who comes again has a row again.
    assert_eq!(insert(&mut connection, &mut layout, &facts), count);
    assert_eq!(stored(&connection), facts);
}

#[test]
fn rows_of_a_transaction_that_failed_are_not_referred_to() {
    let (_folder, path) = day();
    let mut connection = open(&path, Purpose::Day, None).unwrap();
    let mut layout = Layout::of(&connection).unwrap();
    let (one, other) = (fact(1), fact(2));
    let failed = transact(&mut connection, |lite| {
        layout.insert(lite, &[&PackedFact::from(&one)])?;
        Err::<(), _>(StoreError::Refused("no".to_owned()))
    });
    assert!(failed.is_err());
    layout.forget();
    let both = [one, other];
    insert(&mut connection, &mut layout, &both);
    assert_eq!(stored(&connection), both);
}

#[test]
fn callers_without_end_take_no_more_memory_than_may_be() {
    let (_folder, path) = day();
    let mut connection = open(&path, Purpose::Day, None).unwrap();
    let mut layout = Layout::of(&connection).unwrap();
    let facts: Vec<Fact> =
        (0..20_000).map(|number| Fact { client: "x".repeat(200) + &number.to_string(), ..fact(number) }).collect();
    insert(&mut connection, &mut layout, &facts);
    assert!(layout.callers.bytes <= MAX_KNOWN + 512 && layout.callers.known.len() < facts.len());
    assert_eq!(stored(&connection), facts);
}

#[test]
fn a_search_reads_its_range_and_no_more() {
    let (_folder, path) = day();
    let connection = open(&path, Purpose::Day, None).unwrap();
    let plan = |condition: &str| {
        let query = format!("explain query plan select {} from facts where {condition}", columns::names());
        let mut statement = connection.prepare(&format!("{query} order by id desc limit 50")).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    let looked_up =
        "SEARCH callers USING INTEGER PRIMARY KEY (rowid=?); SEARCH routes USING INTEGER PRIMARY KEY (rowid=?)";
    for condition in ["", " and team = 'a' and model_asked = 'm'", " and tags like '%a%'"] {
        let found = plan(&format!("id >= x'00' and id < x'ff'{condition}"));
        assert_eq!(found, format!("SEARCH requests USING PRIMARY KEY (id>? AND id<?); {looked_up}"));
    }
    let failed = plan("id >= x'00' and id < x'ff' and error_kind is not null");
    assert_eq!(failed, format!("SEARCH requests USING INDEX facts_failed (id>? AND id<?); {looked_up}"));
}

#[test]
fn a_file_of_an_earlier_version_gets_what_was_added_since_and_goes_on_in_its_form() {
    for version in 1..VERSION {
        let (_folder, path) = day();
        if version < SPLIT_SINCE {
            make_whole(&path, version);
        } else {
            make_split(&path, version);
        }
        assert!(stored(&open_to_follow(&path).unwrap()).is_empty());
        let mut connection = open(&path, Purpose::Day, None).unwrap();
        let mut layout = Layout::of(&connection).unwrap();
        let facts: Vec<Fact> = (0..5).map(fact).collect();
        insert(&mut connection, &mut layout, &facts);
        let read = stored(&open_to_follow(&path).unwrap());
        assert_eq!((layout.is_whole, read), (version < SPLIT_SINCE, facts));
        connection.execute("delete from facts", []).unwrap();
        assert!(stored(&connection).is_empty());
    }
}

#[test]
fn a_file_of_an_earlier_version_is_brought_up_to_date_once() {
    for make in [|path: &std::path::Path| make_split(path, 5), |path: &std::path::Path| make_whole(path, 4)] {
        for _ in 0..20 {
            let (_folder, path) = day();
            make(&path);
            // Such a file is one with a log, as the earlier version opened it.
            let connection = Connection::open(&path).unwrap();
            connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
            std::thread::scope(|scope| {
                let opened: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| open(&path, Purpose::Day, None).map(drop))).collect();
                for opened in opened {
                    opened.join().unwrap().unwrap();
                }
            });
        }
    }
}

#[test]
fn a_file_that_is_being_made_is_read_as_one_without_facts_or_with_all_of_its_tables() {
    for _ in 0..40 {
        let (_folder, path) = day();
        std::thread::scope(|scope| {
            let made = scope.spawn(|| open(&path, Purpose::Day, None).unwrap());
            while !made.is_finished() {
                // The file itself may not be there yet.
                if path.exists() {
                    let read = open_to_follow(&path);
                    assert!(!matches!(read, Err(StoreError::Settings(_))), "{read:?}");
                }
            }
        });
        assert!(stored(&open_to_follow(&path).unwrap()).is_empty());
    }
}
