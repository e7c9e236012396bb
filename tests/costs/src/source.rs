//! The recordings' providers: the adapter that reads each, by whose prices its answers are priced, and where they tell
//! their cost.

use weir_ledger::Nano;

/// A provider of recordings.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The folder of its recordings.
    pub folder: &'static str,
    /// Its name on the page.
    pub name: &'static str,
    /// The adapter that reads its answers, whose prices hold.
    pub kind: &'static str,
    /// Where its answers tell their cost, as `cost_place` has it.
    pub cost_place: Option<&'static str>,
    /// Whether answers are booked by what they tell, since there is no price list for the provider.
    pub books_reported: bool,
}

const fn own(folder: &'static str, name: &'static str) -> Source {
    Source { folder, name, kind: name, cost_place: None, books_reported: false }
}

/// A provider that the adapter of OpenAI's format serves.
const fn compatible(folder: &'static str) -> Source {
    Source { kind: "openai", ..own(folder, folder) }
}

/// All that tell their usage.
pub const SOURCES: [Source; 26] = [
    own("anthropic", "anthropic"),
    own("azure_openai", "azure-openai"),
    own("bedrock", "bedrock"),
    compatible("cerebras"),
    compatible("cloudflare"),
    own("cohere", "cohere"),
    compatible("crusoe"),
    own("databricks", "databricks"),
    own("deepseek", "deepseek"),
    compatible("doubleword"),
    own("gemini", "gemini"),
    own("groq", "groq"),
    compatible("heroku"),
    own("huggingface", "huggingface"),
    own("mistral", "mistral"),
    own("ollama", "ollama"),
    own("openai", "openai"),
    Source { cost_place: Some("/usage/cost"), books_reported: true, ..own("openrouter", "openrouter") },
    Source { cost_place: Some("/usage/cost/total_cost"), ..own("perplexity", "perplexity") },
    own("replicate", "replicate"),
    compatible("snowflake"),
    own("together", "together"),
    Source { cost_place: Some("/usage/cost"), books_reported: true, ..compatible("vercel_gateway") },
    own("vertex", "vertex"),
    own("xai", "xai"),
    compatible("zai"),
];

/// The makers of models as routers name them, and the adapter that has their prices.
const MAKERS: [(&str, &str); 7] = [
    ("anthropic/", "anthropic"),
    ("deepseek/", "deepseek"),
    ("google/", "gemini"),
    ("mistralai/", "mistral"),
    ("openai/", "openai"),
    ("perplexity/", "perplexity"),
    ("x-ai/", "xai"),
];

/// The adapter and the name by which the maker of a router's model prices it.
pub fn maker(model: &str) -> Option<(&'static str, &str)> {
    MAKERS.iter().find_map(|(prefix, kind)| Some((*kind, model.strip_prefix(prefix)?)))
}

/// A cost that an answer tells, with the finest amount that it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedCost {
    /// In nano-dollars.
    pub nanos: i64,
    /// One in its last decimal, in nano-dollars; 1 for anything finer.
    pub unit: i64,
}

impl ReportedCost {
    /// A decimal number of dollars, as JSON writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let nanos = Nano::nearest(text).ok()?.get();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let decimals = mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let decimals = i64::try_from(decimals).ok()? - exponent.parse::<i64>().ok()?;
        let unit = u32::try_from(9 - decimals).map_or(1, |power| 10_i64.saturating_pow(power));
        Some(Self { nanos, unit })
    }

    /// Whether a bill of so many nano-dollars is the same as far as this is written. It may be the sum of three that
    /// were rounded.
    pub fn agrees(self, nanos: i64) -> bool {
        let difference = (self.nanos - nanos).abs();
        if self.unit == 1 { difference <= 1 } else { 2 * difference <= 3 * self.unit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_agrees_as_far_as_it_is_written() {
        let told = |text: &str| ReportedCost::parse(text).unwrap();
        assert_eq!(told("0.00528"), ReportedCost { nanos: 5_280_000, unit: 10_000 });
        assert_eq!(told("3.36e-5"), ReportedCost { nanos: 33_600, unit: 100 });
        assert!(told("0.00528").agrees(5_284_000) && !told("0.00528").agrees(5_296_000));
        assert!(told("3.36e-5").agrees(33_600) && !told("3.36e-5").agrees(33_800));
    }
}
