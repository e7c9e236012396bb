//! A model's targets.

use super::Price;
use super::providers::choose_auth;
use crate::provider::Metering;
use crate::section::{Count, Given, Located, Section, section};
use crate::{Address, Options, Place, Secret};

section! {
    /// Where a model's requests go; each of `targets` is the same. To a provider by name, or to a `url` of its own with
    /// the adapter named by the model's `type`. Targets with the same adapter, url, key and options share one provider.
    TARGET = "target = { ... }" then TargetDraft::complete;
    #[derive(Debug)]
    pub(crate) struct TargetDraft {
        /// The provider.
        provider: Option<Located<String>> => "the model's",
        /// As in `[[providers]]`, instead of `provider`.
        url: Option<Given<Address>> => "as the adapter suggests",
        /// As in `[[providers]]`, together with `url`. Without it no key is sent, as servers on one's own machine
        /// expect it.
        key "api_key": Option<Given<Secret>>,
        /// As in `[[providers]]`.
        auth: Option<Located<String>> => "as the provider",
        /// The provider's name for the model. `*` is what the star at the end of the alias stands for: `all/*` with
        /// `model = "*"` cuts the prefix off.
        model: Option<String> => "the name that the client used",
        /// Which of its formats the adapter uses.
        format: Option<Located<String>> => "as the provider",
        /// Laid over the provider's, member by member.
        options: Options,
        /// Whether even requests that could be relayed untouched are translated.
        translate: Option<bool> => "as the model",
        /// How the tokens of relayed streams are counted.
        metering "usage": Option<Metering> => "as the model",
        /// Its share where the strategy is `weighted`.
        weight: Option<u32> as Option<Count<u32, 1, 1_000_000>> => "1",
        /// What the model costs here.
        price: Option<Price> => "as the model or the bundled file",
    } beside {
        /// The table.
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
