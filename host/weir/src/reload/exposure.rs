//! Configurations that a reload refuses because they would let strangers in. A file that is being written, or that a
//! full disk has emptied, is a sound configuration as far as it goes: one without clients and without a token.

use weir_config::Config;

/// What is the matter with a configuration that is to replace another one while requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Nothing is set in the file, where something was.
    #[error(
        "the configuration file sets nothing any more, as if it had been emptied by mistake; a restart would take it as it is"
    )]
    Empty,
    /// Requests needed a key, and would need none.
    #[error(
        "without any `[[clients]]` or `[[issuers]]`, requests would need no key any more; if that is meant, restart Weir, or set \
         `server.anonymous = true`"
    )]
    NoKeys,
    /// The admin endpoints needed a token, and would need none.
    #[error("without `admin.token`, the admin endpoints would need no token any more; if that is meant, restart Weir")]
    NoAdminToken,
}

/// Finds out whether a configuration would let in whom the present one keeps out. `is_keyed` says that keys of the
/// store are needed in any case.
pub(super) fn of(current: &Config, next: &Config, is_keyed: bool) -> Result<(), Exposure> {
    if next.is_blank() && !current.is_blank() {
        return Err(Exposure::Empty);
    }
    let has_callers = |config: &Config| !config.clients.is_empty() || !config.issuers.is_empty();
    if has_callers(current) && !has_callers(next) && !is_keyed && !next.server.anonymous {
        return Err(Exposure::NoKeys);
    }
    let has_token = |config: &Config| config.admin.token.is_some() || config.admin.login.is_some();
    if has_token(current) && !has_token(next) {
        return Err(Exposure::NoAdminToken);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_config::Environment;

    fn config(text: &str) -> Config {
        Config::parse("weir.toml", text, std::path::Path::new(""), Environment::default()).unwrap()
    }

    #[test]
    fn what_keeps_strangers_out_stays_until_a_restart() {
        let client = "[[clients]]\nname = 'a'\nkey = 'sk-0123456789abcdef'\n";
        let token = "[admin]\ntoken = 'let-me-in-please'\n";
        let open = "log_level = 'debug'\n";
        let both = format!("{client}{token}");
        let cases = [
            (client, "", false, Err(Exposure::Empty)),
            (open, "# nothing\n\n", false, Err(Exposure::Empty)),
            ("", "", false, Ok(())),
            (client, open, false, Err(Exposure::NoKeys)),
            (client, open, true, Ok(())),
            (client, "server.anonymous = true", false, Ok(())),
            (&both, client, false, Err(Exposure::NoAdminToken)),
            (&both, token, false, Err(Exposure::NoKeys)),
            (&both, &both, false, Ok(())),
            (open, &both, false, Ok(())),
        ];
        for (current, next, is_keyed, expected) in cases {
            assert_eq!(of(&config(current), &config(next), is_keyed), expected, "{current} -> {next}");
        }
    }
}
