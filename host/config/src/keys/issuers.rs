//! `[[issuers]]`: identity providers whose tokens are accepted, and what their claims mean here.

use std::time::Duration;

use crate::Place;
use crate::section::{Name, Section, joined, part, section, take_table};

part! {
    /// An identity provider whose tokens (JWT) are accepted in place of keys (`[[issuers]]`).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Issuer {
        /// A name of your choice, for the log and errors.
        name: Option<String> as Option<Name> => required "a name of your choice, for the log and errors",
        /// The issuer, exactly as tokens have it (`iss`).
        issuer: Option<String> => required "the `iss` of its tokens, such as \"https://login.example.com\"",
        /// The audiences of which a token needs one (`aud`).
        audiences: Vec<String> => required "the `aud` of tokens for Weir, such as [\"weir\"]",
        /// Where its keys are (JWKS). If unset, its discovery document names the place.
        jwks_uri: Option<String>,
        /// The signature algorithms that it may use, such as `ES256`. All of them sign with a private key: `none` and
        /// shared secrets do not exist here.
        algorithms: Vec<String> => "all",
        /// How much clocks may differ.
        leeway: Duration = Duration::from_mins(1),
        /// The longest time from a token's issue to its expiry. Longer ones are refused.
        max_lifetime: Option<Duration>,
        /// Claims that a token must have, all of them.
        required: Vec<ClaimRule>,
        /// Claims that name the token's team; the first rule that fits decides. The team's models, limits and budgets
        /// apply, so it must exist in the store.
        team: Vec<ClaimRule>,
        /// The team of tokens to which no rule in `team` fits. If unset, they are refused.
        default_team: Option<String>,
        /// Claims that name the models that may be used, within those of the team. Without rules, the team decides.
        models: Vec<ClaimRule>,
        /// Claims that become tags, for budgets and the request log.
        tags: Vec<ClaimRule>,
        /// Whether its addresses may begin with `http:`, for an issuer on this machine.
        allow_http: bool,
    } beside {
        /// Where the issuer stands in the file.
        place: Place = Place::Unset,
    }
}

joined! {
    /// An identity provider whose tokens are accepted in place of keys: signed tokens (JWT) that it issued for one of
    /// the audiences. Its keys are fetched, kept, and fetched again when they change. With an issuer, requests need a
    /// key or a token.
    ISSUER = "[[issuers]]": Issuer::KEYS;
}

take_table!(Issuer, ISSUER, by Issuer::of_table);

impl Issuer {
    #[allow(clippy::unnecessary_wraps, reason = "tables are read by functions that may fail")]
    fn of_table(section: &mut Section<'_>) -> Option<Self> {
        let place = section.place.clone();
        Some(Self { place, ..Self::read(section, Self::default()) })
    }
}

section! {
    /// From a claim to names.
    CLAIM_RULE = "team = [{ ... }]";
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ClaimRule {
        /// The claim: its name, or a JSON pointer such as `/realm_access/roles`.
        claim: Option<String> => required "a claim's name, or a JSON pointer such as \"/realm_access/roles\"",
        /// The values that count: a name, or a pattern with one `*`.
        pattern: String = "*".to_owned(),
        /// What a value becomes: `{}` is what the `*` matched.
        values: Vec<String> = vec!["{}".to_owned()],
        /// Whether the claim is a list of words in one text, as `scope` is.
        split: bool,
    }
}
