//! Service tiers: each format has its own names for them.

use crate::losses::Losses;

/// Whether this is a format's name for the tier of requests that ask for no other.
pub fn is_usual(tier: &str) -> bool {
    matches!(tier, "default" | "standard" | "standard_only" | "on_demand")
}

/// The names in OpenAI Chat's answers, and those that a compatible server has for its usual tier and a faster one.
pub const CHAT: &[&str] = &["default", "auto", "flex", "scale", "priority", "fast", "on_demand", "performance"];
/// The names in answers of OpenAI's Responses.
pub const RESPONSES: &[&str] = &["default", "auto", "flex", "scale", "priority", "fast", "ultrafast"];

/// Names that no server of OpenAI Chat has: of batches, of throughput that was bought in advance, and one of Responses.
pub const NOT_IN_CHAT: &[&str] = &["batch", "reserved", "ultrafast"];
/// The same of Responses.
pub const NOT_IN_RESPONSES: &[&str] = &["batch", "reserved"];

/// The name of a request's tier in a format of OpenAI's, which has none of the names `elsewhere`. Compatible servers
/// have names of their own, so only other formats' names are replaced or left out.
pub fn compatible<'t>(tier: Option<&'t str>, elsewhere: &[&str], losses: &mut Losses) -> Option<&'t str> {
    let tier = tier?;
    if matches!(tier, "standard" | "standard_only") {
        return Some("default");
    }
    let is_foreign = elsewhere.contains(&tier);
    losses.dropped_if(is_foreign, "service_tier", UNKNOWN);
    (!is_foreign).then_some(tier)
}

/// An answer's tier in a format with the names `own`, of which the first is the usual tier's. Clients of many languages
/// read the names as an enumeration, so another format's name is left out.
pub fn answered<'t>(tier: Option<&'t str>, own: &[&'t str], losses: &mut Losses) -> Option<&'t str> {
    let tier = tier.filter(|tier| !tier.is_empty())?;
    let same = own.iter().find(|own| **own == tier);
    let name = same.or_else(|| own.first().filter(|_| is_usual(tier)));
    // `auto` is what a request asked for: the answer does not tell its tier.
    losses.dropped_if(name.is_none() && tier != "auto", "service_tier", UNKNOWN);
    name.copied()
}

const UNKNOWN: &str = "there is no tier of this name";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_servers_keep_their_names() {
        let asked = |tier| {
            let mut losses = Losses::default();
            (compatible(Some(tier), NOT_IN_CHAT, &mut losses), losses.into_losses().len())
        };
        for usual in ["standard_only", "standard", "default"] {
            assert_eq!(asked(usual), (Some("default"), 0));
        }
        for own in ["on_demand", "flex", "auto", "theirs"] {
            assert_eq!(asked(own), (Some(own), 0));
        }
        for foreign in ["batch", "reserved", "ultrafast"] {
            assert_eq!(asked(foreign), (None, 1));
        }
        assert_eq!(compatible(Some("ultrafast"), NOT_IN_RESPONSES, &mut Losses::default()), Some("ultrafast"));
    }

    #[test]
    fn answers_of_openais_formats_have_no_tiers_of_others() {
        let told = |own| move |tier| answered(Some(tier), own, &mut Losses::default());
        let names = ["standard", "on_demand", "batch", "reserved", "ultrafast", "auto", "priority"];
        let chat = [Some("default"), Some("on_demand"), None, None, None, Some("auto"), Some("priority")];
        assert_eq!(names.map(told(CHAT)), chat);
        let responses =
            [Some("default"), Some("default"), None, None, Some("ultrafast"), Some("auto"), Some("priority")];
        assert_eq!(names.map(told(RESPONSES)), responses);
    }

    #[test]
    fn the_usual_tier_has_the_formats_name_and_others_only_their_own() {
        let own = ["standard", "priority"];
        let lost = |tier| {
            let mut losses = Losses::default();
            let name = answered(tier, &own, &mut losses);
            (name, losses.into_losses().len())
        };
        for usual in ["default", "standard", "standard_only", "on_demand"] {
            assert_eq!(lost(Some(usual)), (Some("standard"), 0));
        }
        assert_eq!(lost(Some("priority")), (Some("priority"), 0));
        assert_eq!(lost(Some("flex")), (None, 1));
        for untold in [None, Some(""), Some("auto")] {
            assert_eq!(lost(untold), (None, 0));
        }
    }
}
