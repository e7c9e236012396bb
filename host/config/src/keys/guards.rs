//! `[[guards]]`: components that judge requests and answers, and whose.

use std::time::Duration;

use super::names::first_of_each_name;
use super::traces::Endpoint;
use crate::section::{Located, Name, Reader, Section, joined, part, section, take_table, words};
use crate::{Alias, Options, Place, Secret};

words! {
    /// What a guard's verdicts do.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum GuardMode {
        /// They hold.
        #[default]
        Enforce = "enforce",
        /// They are counted, logged and named in a header, and change nothing.
        Monitor = "monitor",
    }
}

words! {
    /// What becomes of a request that a guard fails to judge.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum GuardFailure {
        /// It is refused.
        #[default]
        Closed = "closed",
        /// It passes.
        Open = "open",
    }
}

section! {
    /// Whose requests a guard judges. A request has to fit each list that is given.
    GUARD_SCOPE = "for = { ... }";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct GuardScope {
        /// Models, by the client's names for them, or patterns with `*`. Requests without a model fit only without this
        /// list.
        models: Vec<Alias> => "all",
        /// Names of `[[clients]]`.
        clients: Vec<String> => "all",
        /// Ids of teams, of stored keys or as `[[clients]]` name them.
        teams: Vec<String> => "all",
    }
}

section! {
    /// What a guard may see beyond the facts of an exchange (client, model, format, estimated tokens), as far as its
    /// manifest asks for it. It never sees a key.
    GUARD_GRANTS = "grants = { prompt = ... }";
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct GuardGrants {
        /// The request, which a guard that replaces may also change.
        prompt: bool,
        /// The answer to a chat, event by event. It is then translated, even where it could be relayed.
        answer: bool,
        /// The client's labels (`metadata`) and its name for its end user, within the request.
        metadata: bool,
    }
}

section! {
    /// A service that judges requests in place of a component. It gets them as JSON; docs/guards.md has the protocol.
    GUARD_WEBHOOK = "webhook = { url = ... }";
    #[derive(Debug, Clone)]
    pub struct GuardWebhook {
        /// Where requests are posted.
        url: String as Endpoint => required "where requests are posted, such as \"https://guard.example/judge\"",
        /// Signs each call, so that the service knows who calls: HMAC-SHA256 in `x-weir-signature`.
        secret: Option<Secret>,
        /// Whether the url may lead to a private network or this machine, and begin with `http://`.
        private: bool,
    }
}

part! {
    /// A component that judges requests and answers.
    #[derive(Debug, Clone)]
    pub struct Guard {
        /// A name of your choice, for errors, metrics, the log and the header `x-weir-guards`.
        name: Option<String> as Option<Name> => required "a name of your choice, such as that of the component",
        /// The component: `NAME` of the file `NAME.wasm` in the plugins folder.
        plugin: Option<String> as Option<Name> => "the guard's name",
        /// A service to ask in place of a component; `plugin` has no meaning then. It judges requests, not answers.
        webhook: Option<GuardWebhook> => "none",
        /// `enforce`: verdicts hold. `monitor`: verdicts are counted, logged and named in a header, and change nothing.
        mode: GuardMode,
        /// What becomes of a request that the guard fails to judge, because it is missing, traps or takes too long:
        /// `closed` refuses the request, `open` lets it pass.
        fail: GuardFailure,
        /// Processor time that one call of the guard may take; a large request gets more. By the clock, it may take ten
        /// times as long, or just as long while the guard is new or has missed a deadline lately. Of a webhook, time by
        /// the clock.
        deadline: Duration = Duration::from_millis(250),
        /// Pieces of a stream that come within this time after others were judged wait for its end, and are judged
        /// together. It applies where text is held back anyway.
        judge_every: Duration = Duration::from_millis(40),
        /// Whose requests it judges.
        scope "for": GuardScope => "all",
        /// Options of the guard itself; docs/guards.md has those of the bundled ones.
        options: Options,
        /// What it may see.
        grants: GuardGrants => "nothing but facts",
    } beside {
        /// Where the guard stands in the file.
        place: Place = Place::Unset,
    }
}

joined! {
    /// A component that judges requests before they are sent, and answers, whatever their format: it lets them pass,
    /// refuses them or changes them. Guards judge in the order of the file. See docs/guards.md.
    GUARD = "[[guards]]": Guard::KEYS;
}

take_table!(Guard, GUARD, by Guard::of_table);

impl Guard {
    #[allow(clippy::unnecessary_wraps, reason = "tables are read by functions that may fail")]
    fn of_table(section: &mut Section<'_>) -> Option<Self> {
        let place = section.place.clone();
        Some(Self { place, ..Self::read(section, Self::default()) })
    }

    /// The guard's name; empty if the table has none, which is an error of the file.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The name of the component.
    pub fn plugin(&self) -> &str {
        self.plugin.as_deref().unwrap_or(self.name())
    }
}

/// Reports guards that share a name.
pub(crate) fn checked_guards(reader: &Reader<'_>, tables: Vec<Located<Guard>>) -> Vec<Guard> {
    let help = "give each a name of its own, and name the component in `plugin`";
    first_of_each_name(reader, tables, "guard", help, Guard::name)
}
