//! What `cargo xtask dist` is asked for.

use anyhow::{Result, bail};

/// The words of the command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The targets; the machine's own if there are none.
    pub(super) targets: Vec<String>,
    /// Cargo's profile for the program.
    pub(super) profile: String,
    /// Whether the program is optimised by what it counts while it serves.
    pub(super) pgo: bool,
}

impl Order {
    /// Reads the words behind `dist`.
    pub(super) fn read(words: &[String]) -> Result<Self> {
        let mut order = Self { targets: Vec::new(), profile: "release".to_owned(), pgo: false };
        let mut rest = words;
        while !rest.is_empty() {
            rest = match rest {
                [word, rest @ ..] if word == "--pgo" => {
                    order.pgo = true;
                    rest
                }
                [word, target, rest @ ..] if word == "--target" => {
                    order.targets.push(target.clone());
                    rest
                }
                [word, profile, rest @ ..] if word == "--profile" => {
                    profile.clone_into(&mut order.profile);
                    rest
                }
                _ => bail!("usage: cargo xtask dist [--target TARGET]... [--profile PROFILE] [--pgo]"),
            };
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_a_profile_can_be_named() {
        let read = |line: &str| Order::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let order = read("--target a --profile quick --target b").unwrap();
        assert_eq!((order.targets.len(), order.profile.as_str(), order.pgo), (2, "quick", false));
        assert_eq!(read("").unwrap(), Order { targets: Vec::new(), profile: "release".into(), pgo: false });
        assert!(read("--pgo --target a").unwrap().pgo);
        assert!(read("--target").is_err() && read("x y").is_err());
    }
}
