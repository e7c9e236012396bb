//! `weir client-key`: creates a client's key and its hash.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::process::ExitCode;

use clap::Args;

use super::failure::{CommandError, Failure};
use weir_config::KeyHash;

/// Number of random bytes in a key.
const RANDOM: usize = 24;
/// Maximum length of a key on standard input, in bytes.
const MAX_KEY_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(super) struct ClientKey {
    /// The client's name in the configuration.
    #[arg(long, value_name = "NAME", default_value = "team-a")]
    name: String,
    /// Reads the key from standard input instead of creating one, and does not print it.
    #[arg(long)]
    stdin: bool,
}

pub(super) fn run(asked: &ClientKey) -> ExitCode {
    match if asked.stdin { given() } else { made() } {
        Ok(key) => {
            if !asked.stdin {
                super::print(&format!("# The key (shown only once):\n{key}\n\n# For the configuration:"));
            }
            let (name, hash) = (toml::Value::from(asked.name.as_str()), KeyHash::of(&key));
            super::print(&format!("[[clients]]\nname = {name}\nhashes = [\"{hash}\"]"));
            ExitCode::SUCCESS
        }
        Err(error) => Failure::from(error).report(),
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
enum NoKey {
    /// Standard input cannot be read.
    #[error("no key can be read: {0}")]
    Unreadable(#[source] io::Error),
    /// Nothing stands on standard input.
    #[error("standard input is empty")]
    Empty,
    /// The system has no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl CommandError for NoKey {}

fn given() -> Result<String, NoKey> {
    let mut key = String::new();
    let read = io::stdin().take(MAX_KEY_BYTES).read_to_string(&mut key);
    read.map_err(NoKey::Unreadable)?;
    let key = key.trim();
    if key.is_empty() { Err(NoKey::Empty) } else { Ok(key.to_owned()) }
}

fn made() -> Result<String, NoKey> {
    let mut random = [0u8; RANDOM];
    getrandom::fill(&mut random).map_err(NoKey::Random)?;
    Ok(random.iter().fold("weir-".to_owned(), |mut key, byte| {
        // Infallible: it writes to a `String`.
        let _ = write!(key, "{byte:02x}");
        key
    }))
}
