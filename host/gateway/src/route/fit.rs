//! Whether a target can serve a request, judged by its features and length. Pure.

use weir_config::Capabilities;

/// The bytes of a text request for one token, at most: a request that is too long by this estimate almost certainly
/// is.
const BYTES_PER_TOKEN: usize = 6;

/// The requirements of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs<'a> {
    /// The features that the request uses, by their names in the manifest: `vision`, `tools`, ...
    pub features: &'a [String],
    /// The length of the body in bytes.
    pub body_len: usize,
}

/// How well a target matches a request, best first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// The target is known to have every feature.
    Known,
    /// The target is not known to lack a feature.
    Unknown,
    /// The request seems to be too long for the target's context. This is an estimate, which the provider's count may
    /// contradict.
    Long,
    /// The target is known to lack this feature.
    Lacks(String),
}

impl Needs<'_> {
    /// How well a target with these abilities matches.
    pub fn fit(&self, capabilities: &Capabilities) -> Fit {
        // Reasoning is optional: adapters leave it out if it is not available.
        let asked = || self.features.iter().filter(|name| *name != "reasoning");
        if let Some(lacking) = asked().find(|name| capabilities.feature(name) == Some(false)) {
            return Fit::Lacks(lacking.clone());
        }
        if capabilities.context.is_some_and(|context| self.least_tokens() > context) {
            return Fit::Long;
        }
        if asked().all(|name| capabilities.feature(name) == Some(true)) { Fit::Known } else { Fit::Unknown }
    }

    /// The least number of tokens that the request is estimated to have; 0 if it contains media, which cannot be
    /// distinguished from text without parsing.
    fn least_tokens(&self) -> u64 {
        let media = ["vision", "audio", "documents"];
        let has_media = self.features.iter().any(|name| media.contains(&name.as_str()));
        if has_media { 0 } else { (self.body_len / BYTES_PER_TOKEN) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_features_that_are_known_to_lack_exclude_a_target() {
        let features = ["vision".to_owned(), "reasoning".to_owned()];
        let needs = Needs { features: &features, body_len: 10_000_000 };
        let capabilities = |vision| Capabilities { vision, context: Some(1000), ..Capabilities::default() };
        assert_eq!(needs.fit(&capabilities(Some(true))), Fit::Known, "the bytes are the image's");
        assert_eq!(needs.fit(&capabilities(None)), Fit::Unknown);
        assert_eq!(needs.fit(&capabilities(Some(false))), Fit::Lacks("vision".into()));
    }

    #[test]
    fn only_a_request_that_is_far_too_long_counts_as_too_long() {
        let capabilities = Capabilities { context: Some(1000), ..Capabilities::default() };
        let fit = |body_len| Needs { features: &[], body_len }.fit(&capabilities);
        assert_eq!(fit(5000), Fit::Known);
        assert_eq!(fit(7000), Fit::Long);
    }
}
