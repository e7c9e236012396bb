//! The providers whose own endpoints are passed through.

use super::credential::Credentials;
use super::targets::ModelPart;
use super::{Compiled, targets};
use crate::passthrough::{Passage, Passages};
use crate::pricing::Prices;
use weir_adapters::catalog::Snapshot;
use weir_config::{Config, Problem, Target};
use weir_translate::dialect::endpoints::Endpoints;

/// The passages that the configuration opens. A provider that cannot be served has none.
pub(super) fn passages(
    config: &Config,
    adapters: &Snapshot,
    known: &Compiled,
    prices: &Prices,
    endpoints: &Endpoints,
    problems: &mut Vec<Problem>,
) -> Passages {
    let mut open = config.providers.iter().filter(|provider| !provider.passthrough.is_empty()).peekable();
    if open.peek().is_none() {
        return Passages::default();
    }
    let credentials = Credentials::new(&config.environment);
    let named = config.server.key_headers.iter().map(String::as_str);
    let headers: Vec<&str> = endpoints.credential_headers().chain(named).collect();
    let made = open.filter_map(|provider| {
        let target = Target::of(provider);
        match targets::make(&target, ModelPart::default(), adapters, known, &credentials) {
            Ok(made) => Some(Passage::new(made.priced(&prices.book, None), endpoints.all(), &headers)),
            Err(problem) => {
                if problems.iter().all(|known| known.message != problem.message) {
                    problems.push(problem);
                }
                None
            }
        }
    });
    Passages::new(made)
}
