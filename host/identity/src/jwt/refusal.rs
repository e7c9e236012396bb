//! Why a token is refused. No refusal holds any of the token.

use jiff::Timestamp;

/// A token that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no signed token as Weir reads them.
    #[error("the token is malformed: {0}")]
    Malformed(MalformedToken),
    /// It uses an algorithm that its issuer may not use.
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// Its issuer is not configured.
    #[error("the token's issuer is not known here")]
    UnknownIssuer,
    /// Its issuer is not configured any more, or with other rules.
    #[error("the rules for tokens of this issuer have changed here")]
    OtherRules,
    /// Its issuer publishes no key for it.
    #[error("the issuer {issuer} has no such key")]
    UnknownKey {
        /// The issuer's name in the configuration.
        issuer: String,
    },
    /// The issuer's keys are not at hand.
    #[error("the keys of the issuer {issuer} cannot be fetched at present")]
    KeysUnavailable {
        /// The issuer's name in the configuration.
        issuer: String,
    },
    /// The signature is not that of the issuer.
    #[error("the token's signature is wrong")]
    Signature,
    /// It is over.
    #[error("the token expired at {0}")]
    Expired(Timestamp),
    /// It is not yet valid, or was issued in the future.
    #[error("the token is not valid yet; are the clocks right?")]
    NotYet,
    /// It is valid for longer than the operator allows.
    #[error("the token is valid for too long a time")]
    Lifetime,
    /// It was issued for others.
    #[error("the token is meant for another audience")]
    Audience,
    /// It lacks a claim, or has it with an unusable value.
    #[error("the token lacks the claim `{0}` or has an unusable value there")]
    Claim(String),
    /// It does not have what the operator requires.
    #[error("the token's claim `{0}` does not have what is required here")]
    Requirement(String),
    /// No rule finds a team for it.
    #[error("the token's claims belong to no team here")]
    NoTeam,
}

/// What is wrong with the form of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedToken {
    /// It is longer than any token may be.
    #[error("it is too long")]
    Length,
    /// It does not have three parts in base64url.
    #[error("it does not have three parts in base64url")]
    Parts,
    /// Its header is no JSON object with unique members.
    #[error("its header is not a JSON object with unique members")]
    Header,
    /// Its claims are no JSON object with unique members.
    #[error("its claims are no JSON object with unique members")]
    Claims,
    /// It needs an extension (`crit`), and Weir has none.
    #[error("it needs extensions that are not supported")]
    Critical,
    /// It is of another type (`typ`).
    #[error("it is of another type than JWT")]
    Type,
    /// Its key id is longer than any may be, or no text.
    #[error("its key id is not a text of at most 256 bytes")]
    KeyId,
}

impl Refusal {
    /// The HTTP status: 401 if another token may help, 403 if the account lacks something, 503 if it is not known.
    pub fn status(&self) -> u16 {
        match self {
            Self::Requirement(_) | Self::NoTeam => 403,
            Self::KeysUnavailable { .. } => 503,
            _ => 401,
        }
    }

    /// The code in errors. Codes do not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Requirement(_) | Self::NoTeam => "token_not_permitted",
            Self::KeysUnavailable { .. } => "issuer_unavailable",
            Self::Expired(_) => "token_expired",
            _ => "invalid_token",
        }
    }
}
