//! `weir client-key`: creates a client's key and its hash.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::ExitCode;

use clap::Args;

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
    /// Reads the key from standard input instead of creating one, and prints only its hash.
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
        Err(message) => {
            super::print_stderr(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn given() -> Result<String, String> {
    let mut key = String::new();
    let read = std::io::stdin().take(MAX_KEY_BYTES).read_to_string(&mut key);
    read.map_err(|error| format!("no key can be read: {error}"))?;
    let key = key.trim();
    if key.is_empty() { Err("standard input is empty".to_owned()) } else { Ok(key.to_owned()) }
}

fn made() -> Result<String, String> {
    let mut random = [0u8; RANDOM];
    getrandom::fill(&mut random).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(random.iter().fold("weir-".to_owned(), |mut key, byte| {
        // Infallible: it writes to a `String`.
        let _ = write!(key, "{byte:02x}");
        key
    }))
}
