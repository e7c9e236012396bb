//! Rules for names and ids. Source: the patterns of the service model.

use weir_sdk::names::IdRule;

use crate::model::Model;

/// The format's rule for ids of calls.
pub(crate) const ID: IdRule = IdRule { max: 64, also: Some("_.:-"), exact: false };
/// Claude's rule for ids of calls.
const CLAUDE_ID: IdRule = IdRule { max: 64, also: Some("_-"), exact: false };

/// The rule for the ids of a model's calls.
pub(crate) fn ids(model: Model) -> IdRule {
    if model.takes_claudes_ids() { CLAUDE_ID } else { ID }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c46_ids_outside_the_pattern_become_the_same_fitting_id_each_time() {
        let (claude, kimi) = (Model::of("anthropic.claude-sonnet-4-5"), Model::of("moonshot.kimi-k2-thinking"));
        assert_eq!(ids(kimi).fit("functions.get:0"), "functions.get:0");
        let fitting = ids(claude).fit("functions.get:0");
        assert_eq!(fitting, ids(claude).fit("functions.get:0"));
        assert_ne!(fitting, ids(claude).fit("functions.get:1"));
        for id in ["", "a|b", "é", &"x".repeat(65)] {
            let fitting = ids(claude).fit(id);
            assert!((1..=64).contains(&fitting.len()) && ids(claude).fits(&fitting), "{id}: {fitting}");
        }
    }
}
