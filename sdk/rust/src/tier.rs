//! Service tiers: each format has its own names for them.

use crate::losses::Losses;

/// Whether this is a format's name for the tier of requests that ask for no other.
pub fn is_usual(tier: &str) -> bool {
    matches!(tier, "default" | "standard" | "standard_only" | "on_demand")
}

/// The name of a tier in OpenAI's format. Compatible servers have names of their own, so only other formats' names for
/// the usual tier are replaced.
pub fn compatible(tier: &str) -> &str {
    if matches!(tier, "standard" | "standard_only") { "default" } else { tier }
}

/// An answer's tier in a format with the names `own`, of which the first is the usual tier's. Clients of many languages
/// read the names as an enumeration, so another format's name is left out.
pub fn answered<'t>(tier: Option<&'t str>, own: &[&'t str], losses: &mut Losses) -> Option<&'t str> {
    // `auto` is what a request asked for: the answer does not tell its tier.
    let tier = tier.filter(|tier| !matches!(*tier, "" | "auto"))?;
    let name = if is_usual(tier) { own.first() } else { own.iter().find(|own| **own == tier) };
    losses.dropped_if(name.is_none(), "service_tier", "there is no tier of this name");
    name.copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatible_servers_keep_their_names() {
        assert_eq!(
            ["standard_only", "standard", "default", "on_demand", "flex"].map(compatible),
            ["default", "default", "default", "on_demand", "flex"]
        );
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
