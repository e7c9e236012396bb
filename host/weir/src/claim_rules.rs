//! The rules of the configuration by which claims of a token become names, as tokens are read by.

use weir_config::ClaimRule;
use weir_identity::jwt::{self, ClaimPath, ClaimPathError};

/// A list of rules, unless one of them names no place of a claim.
pub(crate) fn claim_rules(rules: &[ClaimRule]) -> Result<Vec<jwt::ClaimRule>, ClaimPathError> {
    let rule = |one: &ClaimRule| {
        let claim = ClaimPath::parse(one.claim.as_deref().unwrap_or_default())?;
        Ok(jwt::ClaimRule { claim, pattern: one.pattern.clone(), values: one.values.clone(), split: one.split })
    };
    rules.iter().map(rule).collect()
}
