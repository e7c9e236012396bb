//! Suggestions for mistyped words: "Did you mean ...?"

use super::key::Keys;

/// The candidate that is most likely meant by a mistyped word.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
    let near = candidates.into_iter().map(|candidate| (distance(candidate), candidate)).min_by_key(|(far, _)| *far)?;
    let allowed = (near.1.len().min(word.len()) / 3).max(1);
    (near.0 <= allowed).then_some(near.1)
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

/// The remedy for an unknown key: a similar key of its table, or a table that has this key.
pub(super) fn for_key(name: &str, table: &Keys, all: &[&Keys]) -> String {
    let here = table.list.iter().map(|key| key.name);
    if let Some(near) = nearest(name, here.clone()) {
        return format!("did you mean `{near}`?");
    }
    if let Some(other) = all.iter().find(|other| other.has(name)) {
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
    fn something_else_gets_the_list() {
        assert!(for_key("zzzzzzzz", &keys::RETRY).contains("max_retries, retry_delay_ms"));
        assert_eq!(nearest("x", []), None);
    }
}
