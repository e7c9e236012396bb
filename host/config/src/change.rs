//! Compares the settings of two configurations.

use super::Place;
use super::keys::{Grants, Plugins};

impl Plugins {
    /// Whether the settings are equal, apart from their place, the compiler, and grants, which a reload applies.
    pub fn is_as(&self, other: &Self) -> bool {
        let bare = |plugins: &Self| Self { place: Place::Unset, compiler: None, ..plugins.without_grants() };
        bare(self) == bare(other)
    }

    /// Returns the settings without grants, and without tables that have nothing but grants.
    fn without_grants(&self) -> Self {
        let mut plugins = self.clone();
        plugins.adapters.values_mut().for_each(|settings| settings.grants = Grants::default());
        plugins.adapters.retain(|_, settings| *settings != self.defaults);
        plugins
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::AdapterSettings;
    use super::*;

    #[test]
    fn grants_alone_are_no_change_and_anything_else_is() {
        let with =
            |settings: AdapterSettings| Plugins { adapters: [("a".into(), settings)].into(), ..Plugins::default() };
        let granted =
            AdapterSettings { grants: Grants { clock: true, ..Grants::default() }, ..AdapterSettings::default() };
        assert!(with(granted.clone()).is_as(&Plugins::default()) && Plugins::default().is_as(&with(granted.clone())));
        assert!(!with(AdapterSettings { prewarm: 1, ..granted }).is_as(&Plugins::default()));
    }
}
