//! Prices and abilities of models from the bundled file `host/gateway/data/models.json`, which names its source and
//! licence. The configuration takes precedence over it.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use weir_config::{Capabilities, Price};

static FILE: LazyLock<File> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/models.json")).unwrap_or_else(|error| {
        tracing::error!(%error, "the bundled file of models cannot be read");
        File { models: HashMap::new() }
    })
});

#[derive(Debug, Deserialize)]
struct File {
    /// Rows by adapter and by the provider's name for the model. The file names the columns; missing ones at the end
    /// of a row are left out.
    models: HashMap<String, HashMap<String, Vec<Option<f64>>>>,
}

/// The known facts of a model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Facts {
    /// The model's abilities.
    pub capabilities: Capabilities,
    /// The model's token prices.
    pub price: Option<Price>,
}

/// The bundled facts of a model of this adapter's provider; empty if the model is unknown.
pub fn of(adapter: &str, model: &str) -> Facts {
    FILE.models.get(adapter).and_then(|models| models.get(model)).map(|row| facts(row)).unwrap_or_default()
}

/// Whether the bundled file names a model of this adapter's provider.
pub(crate) fn has(adapter: &str, model: &str) -> bool {
    FILE.models.get(adapter).is_some_and(|models| models.contains_key(model))
}

/// Whether the bundled file has prices for this adapter's provider.
pub(crate) fn has_prices(adapter: &str) -> bool {
    let is_priced = |row: &Vec<Option<f64>>| facts(row).price.is_some();
    FILE.models.get(adapter).is_some_and(|models| models.values().any(is_priced))
}

/// Merges capabilities; `own` takes precedence.
pub fn over(own: Capabilities, other: Capabilities) -> Capabilities {
    Capabilities {
        vision: own.vision.or(other.vision),
        tools: own.tools.or(other.tools),
        audio: own.audio.or(other.audio),
        documents: own.documents.or(other.documents),
        schema: own.schema.or(other.schema),
        reasoning: own.reasoning.or(other.reasoning),
        context: own.context.or(other.context),
        output: own.output.or(other.output),
    }
}

fn facts(row: &[Option<f64>]) -> Facts {
    let at = |column: usize| row.get(column).copied().flatten();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of tokens are whole and small")]
    let count = |column| at(column).map(|figure| figure as u64);
    let flag = |column| at(column).map(|figure| figure > 0.0);
    let capabilities = Capabilities {
        context: count(0),
        output: count(1),
        vision: flag(2),
        tools: flag(3),
        reasoning: flag(8),
        ..Capabilities::default()
    };
    let price = Price { input: at(4), output: at(5), cache_read: at(6), cache_write: at(7), reasoning: None };
    Facts { capabilities, price: price.input.is_some().then_some(price) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_file_parses_and_has_many_models() {
        assert!(FILE.models.values().map(HashMap::len).sum::<usize>() > 1000);
        for (adapter, models) in &FILE.models {
            for (name, row) in models {
                assert!(row.len() <= 9 && row.iter().flatten().all(|figure| *figure >= 0.0), "{adapter} {name}");
                assert_eq!(of(adapter, name), facts(row), "{adapter} {name}");
                assert_eq!(of("no such adapter", name), Facts::default());
            }
            assert_eq!(of(adapter, "no such model"), Facts::default());
        }
    }

    #[test]
    fn the_columns_have_their_meaning() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../data/models.json")).unwrap();
        let columns = [
            "context tokens",
            "output tokens",
            "vision",
            "tools",
            "input",
            "output",
            "cache read",
            "cache write",
            "reasoning",
        ];
        assert_eq!(file["columns"], serde_json::json!(columns));
        let known = facts(&[Some(128_000.0), None, Some(1.0), Some(0.0), Some(0.15), Some(0.6)]);
        let Capabilities { context, output, vision, tools, audio, .. } = known.capabilities;
        assert_eq!((context, output, vision, tools, audio), (Some(128_000), None, Some(true), Some(false), None));
        assert_eq!(
            known.price.map(|price| (price.input, price.output, price.cache_read)),
            Some((Some(0.15), Some(0.6), None))
        );
        assert_eq!(facts(&[Some(8.0)]).price, None);
        assert_eq!(known.capabilities.reasoning, None);
        let reasons = |flag| facts(&[None, None, None, None, None, None, None, None, flag]).capabilities.reasoning;
        assert_eq!([None, Some(0.0), Some(1.0)].map(reasons), [None, Some(false), Some(true)]);
    }

    #[test]
    fn the_configuration_takes_precedence() {
        let own = Capabilities { vision: Some(false), ..Capabilities::default() };
        let other = Capabilities { vision: Some(true), tools: Some(true), ..Capabilities::default() };
        let merged = over(own, other);
        assert_eq!((merged.vision, merged.tools), (Some(false), Some(true)));
    }
}
