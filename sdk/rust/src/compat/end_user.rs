//! The client's name for its end user: under which of two names it goes, and how long it may be.

use std::borrow::Cow;

use super::names::IdRule;
use super::quirks::Quirks;
use crate::json::{self, Str};
use crate::losses::{Losses, extension};
use crate::types::Extension;

/// The newer name of `user`. A request that has only this one keeps it as an extension without a value.
pub const SAFETY: &str = "safety_identifier";

/// The end user by either name; a note of the client's format records that it was the newer one.
pub fn read(format: &str, user: Option<Str<'_>>, safety: Option<Str<'_>>, kept: &mut Vec<Extension>) -> Option<String> {
    let extension = |json: String| Extension { format: format.to_owned(), key: SAFETY.to_owned(), json };
    match (user, safety) {
        (Some(user), Some(safety)) => {
            let mut json = String::new();
            json::quote(&mut json, &safety);
            kept.push(extension(json));
            Some(user.into_string())
        }
        (None, Some(safety)) => {
            kept.push(extension("null".to_owned()));
            Some(safety.into_string())
        }
        (user, None) => user.map(Str::into_string),
    }
}

/// The name of the member that a client of this format used.
pub fn member(extensions: &[Extension], format: &str) -> &'static str {
    if extension(extensions, format, SAFETY) == Some("null") { SAFETY } else { "user" }
}

/// The name in at most as many characters as the provider takes: a longer one keeps its beginning and ends in a hash,
/// so that the same user has the same name in each request.
pub fn fit<'u>(quirks: &Quirks, user: &'u str, losses: &mut Losses) -> Cow<'u, str> {
    if user.chars().count() <= quirks.max_user {
        return Cow::Borrowed(user);
    }
    losses.approximated("user", "it is too long for the provider: shortened, with a hash of the whole");
    Cow::Owned(IdRule { max: quirks.max_user, ..IdRule::ANY }.fit(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::LossKind;

    const SHORT: Quirks = Quirks { max_user: 64, ..Quirks::COMPATIBLE };

    fn fitted(quirks: &Quirks, user: &str) -> (String, Vec<(String, LossKind)>) {
        let mut losses = Losses::default();
        let fitting = fit(quirks, user, &mut losses).into_owned();
        (fitting, losses.into_losses().into_iter().map(|loss| (loss.field, loss.kind)).collect())
    }

    #[test]
    fn a_long_name_of_an_end_user_is_shortened_in_the_same_way_each_time() {
        // As Claude Code names its users.
        let user = format!("user_{}_account__session_{}", "a".repeat(64), "b".repeat(36));
        let (short, losses) = fitted(&SHORT, &user);
        assert!(short.chars().count() == 64 && user.starts_with(&short[..51]), "{short}");
        assert_eq!(losses, [("user".into(), LossKind::Approximated)]);
        assert_eq!(short, fitted(&SHORT, &user).0);
        assert_ne!(short, fitted(&SHORT, &format!("{user}b")).0);
        assert_eq!(fitted(&Quirks::COMPATIBLE, &user), (user, Vec::new()));
    }

    #[test]
    fn a_name_that_fits_is_unchanged() {
        for user in ["", "jane", &"é".repeat(64)] {
            assert_eq!(fitted(&SHORT, user), (user.to_owned(), Vec::new()));
        }
    }
}
