//! Whether a target can serve what a request asks for, as far as that can be told without reading it. Pure.

use weir_config::Capabilities;

/// Bytes of a request for each token of it at the least, where it is mostly text: one that is too long by this is most
/// likely too long.
const BYTES_PER_TOKEN: usize = 6;

/// What a request asks for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Needs<'a> {
    /// Features by the names that manifests use: `vision`, `tools`, ...
    pub features: &'a [String],
    /// Length of its body.
    pub body_len: usize,
}

/// How a target fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Everything that is asked for is known to be there.
    Known,
    /// Nothing speaks against it.
    Unknown,
    /// It seems to be too long for it. That is an estimate: somebody who counts may find otherwise.
    Long,
    /// It lacks this.
    Lacks(String),
}

impl Needs<'_> {
    /// How a target with these abilities fits.
    pub fn fit(&self, able: &Capabilities) -> Fit {
        // Thinking aloud is a wish that adapters leave out where it cannot be had.
        let asked = || self.features.iter().filter(|name| *name != "reasoning");
        if let Some(lacking) = asked().find(|name| able.feature(name) == Some(false)) {
            return Fit::Lacks(lacking.clone());
        }
        if able.context.is_some_and(|context| self.least_tokens() > context) {
            return Fit::Long;
        }
        if asked().all(|name| able.feature(name) == Some(true)) { Fit::Known } else { Fit::Unknown }
    }

    /// Fewer tokens than this it hardly has. Media are not told apart from text without reading, so nothing is said of
    /// requests that have some.
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
    fn what_is_known_to_be_lacking_is_told_and_what_is_unknown_is_not() {
        let features = ["vision".to_owned(), "reasoning".to_owned()];
        let needs = Needs { features: &features, body_len: 10_000_000 };
        let able = |vision| Capabilities { vision, context: Some(1000), ..Capabilities::default() };
        assert_eq!(needs.fit(&able(Some(true))), Fit::Known, "the bytes are the image's");
        assert_eq!(needs.fit(&able(None)), Fit::Unknown);
        assert_eq!(needs.fit(&able(Some(false))), Fit::Lacks("vision".into()));
    }

    #[test]
    fn only_what_is_far_too_long_is_too_long() {
        let able = Capabilities { context: Some(1000), ..Capabilities::default() };
        let fit = |body_len| Needs { features: &[], body_len }.fit(&able);
        assert_eq!(fit(5000), Fit::Known);
        assert_eq!(fit(7000), Fit::Long);
    }
}
