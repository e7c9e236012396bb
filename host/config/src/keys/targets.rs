//! A model's targets.

use super::Price;
use super::providers::choose_auth;
use crate::provider::Metering;
use crate::section::{Count, Given, Located, Section, section};
use crate::{Address, Options, Place, Secret};

section! {
    /// A target of a model's requests, also as an element of `targets`. It names a provider, or has its own `url` with
    /// the adapter of the model's `type`. Targets with the same adapter, url, key and options share one provider.
    TARGET = "target = { ... }" then TargetDraft::complete;
    #[derive(Debug)]
    pub(crate) struct TargetDraft {
        /// The name of the provider.
        provider: Option<Located<String>> => "the model's",
        /// As in `[[providers]]`, instead of `provider`.
        url: Option<Given<Address>> => "as the adapter suggests",
        /// As in `[[providers]]`, together with `url`. Without it no key is sent, which suits servers on your own
        /// machine.
        key "api_key": Option<Given<Secret>>,
        /// As in `[[providers]]`.
        auth: Option<Located<String>> => "as the provider",
        /// The provider's name for the model. `*` stands for the text that the star at the end of the alias matched:
        /// `all/*` with `model = "*"` removes the prefix.
        model: Option<String> => "the name that the client used",
        /// The id of the adapter's format to use.
        format: Option<Located<String>> => "as the provider",
        /// Options that override the provider's, member by member.
        options: Options,
        /// Whether requests are translated even if they could be relayed unchanged.
        translate: Option<bool> => "as the model",
        /// How the tokens of relayed streams are counted.
        metering "usage": Option<Metering> => "as the model",
        /// The target's share under the strategy `weighted`.
        weight: Option<u32> as Option<Count<u32, 1, 1_000_000>> => "1",
        /// What the model costs here.
        price: Option<Price> => "as the model or the bundled file",
    } beside {
        /// Where the table stands.
        place: Place = Place::Unset,
    }
}

impl TargetDraft {
    fn complete(mut self, section: &Section<'_>) -> Self {
        choose_auth(section, self.auth.take(), &mut self.options, self.key.is_some());
        self.place = section.place.clone();
        self
    }
}
