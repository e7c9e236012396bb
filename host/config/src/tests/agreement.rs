//! The list of keys and the code that reads them are generated from the same declarations, and agree.

use super::mistakes::with_key;
use super::*;
use crate::key::Key;
use crate::overrides;

fn all_keys() -> impl Iterator<Item = (&'static keys::Keys, &'static Key)> {
    keys::ALL.iter().flat_map(|table| table.list.iter().map(move |key| (*table, key)))
}

/// The mistakes found while a text is read, except for keys that need or exclude one another, and for folders that are
/// not on this machine. Nothing is joined.
fn found_reading(text: &str) -> Vec<String> {
    let (root, problems) = raw::parse(text);
    let environment = environment(&[("KEY", "name=a-value-that-is-long-enough-to-seal-with")]);
    let reader = section::Reader::new(Path::new("/etc/weir"), &environment, keys::ALL, false, problems);
    keys::read(&reader, root);
    let found = reader.problems.into_inner().into_iter().map(|problem| problem.message);
    let elsewhere = ["` needs `", "there is no folder"];
    found.filter(|found| !elsewhere.iter().any(|part| found.contains(part)) && !found.starts_with("both `")).collect()
}

#[test]
fn every_declared_key_takes_its_example() {
    for (table, key) in all_keys() {
        let text = with_key(table, key.name, &(key.example)());
        assert_eq!(found_reading(&text), [""; 0], "{text}");
    }
}

#[test]
fn every_declared_key_takes_its_default() {
    for (table, key) in all_keys() {
        let default = key.default();
        if toml::de::DeValue::parse(&default).is_ok() {
            let text = with_key(table, key.name, &default);
            assert_eq!(found_reading(&text), [""; 0], "{text}");
        }
    }
}

/// An example that no key accepts is noticed: the two tests above can fail.
#[test]
fn a_key_without_a_declaration_is_unknown_in_every_table() {
    for table in keys::ALL {
        let text = with_key(table, "undeclared", "1");
        let found = found_reading(&text);
        assert!(found.len() == 1 && found[0].starts_with("unknown key `undeclared`"), "{text}\n{found:#?}");
    }
}

#[test]
fn every_key_is_declared_once_in_its_table_and_explained() {
    for (table, key) in all_keys() {
        let same = table.list.iter().filter(|other| other.name == key.name).count();
        assert_eq!(same, 1, "{} in {}", key.name, table.title);
        let meaning = key.meaning();
        assert!(meaning.ends_with('.') && !meaning.contains(['|', '\n']), "{} in {}: {meaning}", key.name, table.title);
    }
}

#[test]
fn every_short_variable_reaches_its_key() {
    for (variable, path) in overrides::short_names() {
        let (key, table) = path.split_last().unwrap();
        let table = keys::ALL.iter().find(|known| known.path == Some(&table.join("."))).unwrap();
        let value = (table.find(key).unwrap().example)();
        let value = value.trim_matches('"');
        let result = read_with("", &[(&variable, value), ("KEY", "name=a-value-long-enough")]);
        let found = result.map_or_else(|problems| problems.to_string(), |config| format!("{:?}", config.warnings));
        let is_refused = found.contains("unknown") || found.contains("must be") || found.contains("cannot be");
        assert!(!is_refused, "{variable}={value}: {found}");
    }
}
