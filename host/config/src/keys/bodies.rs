//! `[[bodies]]` and `bodies` of `[store]`: whose requests are logged with their content.

use weir_ledger::Scope;

use crate::Place;
use crate::raw::Node;
use crate::section::{Entry, Located, Section, Take, joined, part, take_table};

/// Parts of all requests: a share is a whole number of these.
const WHOLE: u32 = 1_000_000;

/// The requests whose contents are kept. The header `x-weir-log` lowers this for one request, and raises it to `full`
/// unless it is [`KeepBodies::Off`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeepBodies {
    /// None, whatever a request asks for.
    #[default]
    Off,
    /// Those that ask for it.
    OnRequest,
    /// Those that failed, and those that ask for it.
    Errors,
    /// This share, in millionths, besides those that failed or ask for it.
    Share(u32),
}

impl KeepBodies {
    /// Whether a request is one of the share. `random` is a number that its id determines.
    pub fn takes(self, random: u64) -> bool {
        matches!(self, Self::Share(share) if random % u64::from(WHOLE) < u64::from(share))
    }

    /// Whether failed requests are kept.
    pub fn takes_errors(self) -> bool {
        matches!(self, Self::Errors | Self::Share(_))
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "on-request" => Some(Self::OnRequest),
            "errors" => Some(Self::Errors),
            "all" => Some(Self::Share(WHOLE)),
            share => {
                let percent: f64 = share.strip_suffix('%')?.trim().parse().ok()?;
                let is_share = (0.0..=100.0).contains(&percent) && !share.starts_with(['+', '-']);
                is_share.then(|| Self::Share((percent * f64::from(WHOLE / 100)).round() as u32))
            }
        }
    }
}

impl Take for KeepBodies {
    type Value = Self;
    const TAKES: &'static str = "\"off\", \"on-request\", \"errors\", \"all\", share";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node)?;
        let keep = Self::parse(text.value.trim());
        if keep.is_none() {
            let message = format!("`{}` must be {}, such as \"5%\"", entry.name, Self::TAKES);
            entry.error(&text.place, message);
        }
        keep
    }

    fn show(default: &Self) -> String {
        match default {
            Self::Off => "\"off\"".to_owned(),
            Self::OnRequest => "\"on-request\"".to_owned(),
            Self::Errors => "\"errors\"".to_owned(),
            Self::Share(share) => format!("\"{}%\"", f64::from(*share) / f64::from(WHOLE / 100)),
        }
    }

    fn example() -> String {
        "\"5%\"".to_owned()
    }
}

part! {
    /// A rule as it is written.
    #[derive(Debug)]
    struct BodiesDraft {
        /// Whose requests: a table with one of `key` (a client's name, or the id of a stored key), `team`, `org`,
        /// `tag`, `model` (an alias).
        scope "for": Option<Scope> => required "such as `for = { key = \"ci\" }`",
        /// The requests that are kept, as `bodies` of `[store]` says.
        keep: Option<KeepBodies> => required "\"off\", \"on-request\", \"errors\", \"all\", or a share such as \"5%\"",
    }
}

joined! {
    /// Whose requests are logged with their content, where that differs from `bodies` of `[store]`. The first table
    /// that fits a request decides.
    BODIES = "[[bodies]]": BodiesDraft::KEYS;
}

/// Whose requests are logged with their content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodiesRule {
    /// Whose.
    pub scope: Scope,
    /// Which of them.
    pub keep: KeepBodies,
    /// Where the rule stands in the file.
    pub place: Place,
}

take_table!(BodiesRule, BODIES, by rule);

fn rule(section: &mut Section<'_>) -> Option<BodiesRule> {
    let place = section.place.clone();
    let draft = BodiesDraft::read(section, BodiesDraft::default());
    Some(BodiesRule { scope: draft.scope?, keep: draft.keep?, place })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_exactly_and_anything_else_is_refused() {
        let share = |text| match KeepBodies::parse(text) {
            Some(KeepBodies::Share(share)) => Some(share),
            _ => None,
        };
        assert_eq!(["all", "5%", "0.5%", "100%", "0%"].map(share), [1_000_000, 50_000, 5_000, 1_000_000, 0].map(Some));
        for text in ["", "5", "101%", "-1%", "+5%", "NaN%", "inf%", "%", "ALL"] {
            assert_eq!(KeepBodies::parse(text), None, "{text}");
        }
    }

    #[test]
    fn about_the_share_of_all_numbers_is_taken() {
        let keep = KeepBodies::Share(100_000);
        let taken = (0..100_000_u64).filter(|number| keep.takes(number.wrapping_mul(0x9e37_79b9_7f4a_7c15))).count();
        assert!((9_500..10_500).contains(&taken), "{taken}");
        assert!(KeepBodies::Share(1_000_000).takes(u64::MAX) && !KeepBodies::Share(0).takes(0));
        assert!(!KeepBodies::Errors.takes(0) && KeepBodies::Errors.takes_errors());
    }
}
