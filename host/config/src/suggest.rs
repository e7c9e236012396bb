//! Suggestions for mistyped words: "Did you mean ...?"

use std::collections::BTreeSet;

use super::key::Keys;

/// The candidate that is most likely meant by a mistyped word.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min_by_key(|(far, _)| *far)?;
    let allowed = (near.1.len().min(word.len()) / 3).max(1);
    (near.0 <= allowed).then_some(near.1)
}

/// The most names that [`near_names`] returns.
const MAX_NEAR: usize = 3;
/// The longest name that is compared, in bytes: comparing takes time by the product of the lengths.
const MAX_COMPARED: usize = 128;

/// The names that may be meant by a mistyped one, the nearest first. Names of very different lengths are not compared,
/// so that many of them take little time.
pub fn near_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > MAX_COMPARED {
        return Vec::new();
    }
    let name = name.to_lowercase();
    let slips = |other: &str| (other.len().min(name.len()) / 3).max(1);
    let may_be_near = |other: &&str| other.len() <= MAX_COMPARED && other.len().abs_diff(name.len()) <= slips(other);
    let far = |other: &'a str| (strsim::damerau_levenshtein(&name, &other.to_lowercase()), other);
    let near = known.into_iter().filter(may_be_near).map(far).filter(|(far, other)| *far <= slips(other));
    let near: BTreeSet<(usize, &str)> = near.collect();
    near.into_iter().take(MAX_NEAR).map(|(_, other)| other).collect()
}

/// The remedy for an unknown word: a similar known word, or the known words if they are few.
pub(super) fn among<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(near) = nearest(word, known.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let few = !known.is_empty() && known.len() <= 8;
    few.then(|| format!("known: {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")))
}

/// What other programs call a key of a table (its title, the word), and the remedy.
const OTHER_WORDS: [(&str, &str, &str); 5] = [
    ("[[models]]", "model", "`alias` is what clients ask for, `target = { model = \"...\" }` what they get"),
    ("[[models]]", "name", "did you mean `alias`?"),
    ("[server]", "address", HOST_AND_PORT),
    ("[server]", "bind", HOST_AND_PORT),
    ("[server]", "listen", HOST_AND_PORT),
];
const HOST_AND_PORT: &str = "`host` and `port` say where it listens";

/// The remedy for an unknown key: a similar key of its table, or a table that has this key.
pub(super) fn for_key(name: &str, table: &Keys, all: &[&Keys]) -> String {
    let here = table.list.iter().map(|key| key.name);
    if let Some(near) = nearest(name, here.clone()) {
        return format!("did you mean `{near}`?");
    }
    let elsewhere = OTHER_WORDS.iter().find(|(title, word, _)| *title == table.title && *word == name);
    if let Some((.., remedy)) = elsewhere {
        return (*remedy).to_owned();
    }
    let mut others = all.iter().filter(|other| other.has(name));
    if let (Some(other), None) = (others.next(), others.next()) {
        return format!("`{name}` belongs to {}", place_of(other));
    }
    format!("known keys: {}", here.collect::<Vec<_>>().join(", "))
}

fn place_of(table: &Keys) -> String {
    if table.path == Some("") {
        "the top of the file, in front of all tables".to_owned()
    } else {
        format!("`{}`", table.title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys;

    fn for_key(name: &str, table: &Keys) -> String {
        super::for_key(name, table, keys::ALL)
    }

    #[test]
    fn a_slip_is_recognised() {
        assert_eq!(for_key("alais", &keys::MODEL), "did you mean `alias`?");
        assert_eq!(for_key("api-key", &keys::TARGET), "did you mean `api_key`?");
        assert_eq!(for_key("prot", &keys::SERVER), "did you mean `port`?");
    }

    #[test]
    fn a_key_in_the_wrong_table_is_sent_home() {
        assert_eq!(for_key("port", &keys::TOP), "`port` belongs to `[server]`");
        assert!(for_key("log_level", &keys::SERVER).contains("the top of the file"));
    }

    #[test]
    fn the_listeners_address_is_not_looked_for_in_another_table() {
        assert_eq!(for_key("listen", &keys::SERVER), "`host` and `port` say where it listens");
        assert_eq!(for_key("listen", &keys::TOP), "`listen` belongs to `[admin]`");
    }

    #[test]
    fn a_key_of_several_tables_is_sent_to_none_of_them() {
        assert_eq!(for_key("name", &keys::MODEL), "did you mean `alias`?");
        assert!(for_key("name", &keys::RETRY).starts_with("known keys: max_retries"));
    }

    #[test]
    fn something_else_gets_the_list() {
        assert!(for_key("zzzzzzzz", &keys::RETRY).contains("max_retries, retry_delay_ms"));
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn the_nearest_names_come_first_and_a_far_one_never() {
        let known = ["zet-4o-mini", "zet-4o", "zet-4", "aurora", "zet-4.1-mini", "zet-4o-mini"];
        assert_eq!(near_names("zet-4o-mni", known), ["zet-4o-mini", "zet-4.1-mini"]);
        assert_eq!(near_names("ZET-4O", known), ["zet-4o", "zet-4"]);
        assert!(near_names("llama-3.1-8b", known).is_empty() && near_names(&"g".repeat(9_000), known).is_empty());
    }
}
