//! The environment as a value, so that reading a configuration is a pure function of its inputs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Secret, container};

/// Environment variables, the program's folder and its memory limit. Values may be secrets, so they are never printed.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    /// The program's folder, where a release installs its adapters.
    program: Option<PathBuf>,
    /// The memory limit of the process, in bytes.
    memory_limit: Option<usize>,
    /// Whether a secret that is not there is left out, with a warning.
    leaves_secrets_out: bool,
}

impl Environment {
    /// The environment of this process. Variables that are not Unicode are left out.
    pub fn of_process() -> Self {
        let pairs = std::env::vars_os();
        let variables: Self =
            pairs.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        // A link to the program is followed, so this is the program's real folder.
        let program = std::env::current_exe().and_then(std::fs::canonicalize).ok();
        let program = program.and_then(|file| Some(file.parent()?.to_owned()));
        Self { program, memory_limit: container::memory_limit(), ..variables }
    }

    /// The same environment for those who serve nothing, such as a command on an operator's machine: a secret that is
    /// not there is left out with a warning, and is no error.
    #[must_use]
    pub fn leaving_secrets_out(self) -> Self {
        Self { leaves_secrets_out: true, ..self }
    }

    /// Whether secrets that are not there are left out.
    pub fn leaves_secrets_out(&self) -> bool {
        self.leaves_secrets_out
    }

    /// The memory that the process may use, as its control group limits it, in bytes. Settings fit into it.
    pub fn memory_limit(&self) -> Option<usize> {
        self.memory_limit
    }

    /// The same environment with a memory limit.
    #[cfg(test)]
    pub(crate) fn limited_to(self, memory_limit: usize) -> Self {
        Self { memory_limit: Some(memory_limit), ..self }
    }

    /// The same environment for a program in this folder.
    #[cfg(test)]
    pub(crate) fn with_program_in(self, folder: &Path) -> Self {
        Self { program: Some(folder.to_owned()), ..self }
    }

    /// The folder of the program, if known.
    pub(crate) fn program_folder(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// A variable's value. An empty variable counts as unset: compose files and shells leave such variables behind.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// A variable's value as a secret, without white space around it.
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret::new(value.trim()))
    }

    /// The variable that holds a provider's key: its own, else the first of the usual ones that is set.
    pub fn key_variable(&self, provider: &str, usual: &[String]) -> Option<String> {
        let own = std::iter::once(provider_key_variable(provider));
        own.chain(usual.iter().cloned()).find(|name| self.get(name).is_some())
    }

    /// The key that `WEIR_PROVIDERS_<NAME>_API_KEY` gives to a provider.
    pub(crate) fn provider_key(&self, provider: &str) -> Option<Secret> {
        self.secret(&provider_key_variable(provider))
    }

    /// Names and values of the variables that have a prefix, empty ones left out.
    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(move |(name, value)| name.starts_with(prefix) && !value.trim().is_empty())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let variables = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { variables, ..Self::default() }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.variables.len())
    }
}

/// `WEIR_PROVIDERS_<NAME>_API_KEY` for a provider.
pub(super) fn provider_key_variable(provider: &str) -> String {
    format!("WEIR_PROVIDERS_{}_API_KEY", as_variable(provider))
}

/// A name as part of a variable's name: upper case, with an underscore for every character that is not a letter or
/// digit.
pub(super) fn as_variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let environment = Environment::from_iter([("A", ""), ("B", " x\n")]);
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.secret("B"), Some(Secret::new("x")));
    }

    #[test]
    fn values_are_never_printed() {
        assert_eq!(format!("{:?}", Environment::from_iter([("KEY", "sk-1")])), "Environment(1 variables)");
    }

    #[test]
    fn a_providers_key_has_a_variable_of_its_own() {
        let environment = Environment::from_iter([("WEIR_PROVIDERS_MY_VLLM_API_KEY", "k")]);
        assert_eq!(environment.provider_key("my-vllm"), Some(Secret::new("k")));
    }
}
