//! Keys and tables of keys as data: what [`part!`](crate::section) makes of each declaration.
//!
//! The reader takes from it what a table may hold, messages take suggestions from it, the short names of environment
//! variables and the reference in `docs/configuration.md` are made from it.

/// A key, as it is declared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it takes, for the reference.
    pub(super) takes: &'static str,
    /// Writes the default as the reference shows it.
    pub(super) shown: fn() -> String,
    /// For a key that must be there: what to write.
    pub(super) required: Option<&'static str>,
    /// One or two sentences, as they stand in the doc comment.
    pub(super) text: &'static str,
    /// Writes a value that it takes, as TOML.
    pub(super) example: fn() -> String,
}

impl Key {
    /// The default: a value as TOML, or a few words. Empty where there is none.
    pub(super) fn default(&self) -> String {
        if self.required.is_some() { "required".to_owned() } else { (self.shown)() }
    }

    /// What the key means.
    pub(super) fn meaning(&self) -> &'static str {
        self.text.trim_start()
    }
}

/// A table of the configuration.
#[derive(Debug)]
pub(super) struct Keys {
    /// As messages and the reference call it.
    pub(super) title: &'static str,
    /// The path to it, where there is just one such table: its keys have short variables.
    pub(super) path: Option<&'static str>,
    /// What the table is for, as it stands in the doc comment.
    pub(super) text: &'static str,
    pub(super) list: &'static [Key],
}

impl Keys {
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        self.list.iter().find(|key| key.name == name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// What the table is for.
    pub(super) fn meaning(&self) -> &'static str {
        self.text.trim_start()
    }

    /// The table with every key in use, as an inline table.
    pub(super) fn example(&self) -> String {
        let members: Vec<String> = self.list.iter().map(|key| format!("{} = {}", key.name, (key.example)())).collect();
        format!("{{ {} }}", members.join(", "))
    }
}

/// The keys of several lists in one. `N` is their number.
pub(super) const fn joined<const N: usize>(lists: &[&[Key]]) -> [Key; N] {
    let mut all = [lists[0][0]; N];
    let (mut at, mut list) = (0, 0);
    while list < lists.len() {
        let mut next = 0;
        while next < lists[list].len() {
            all[at] = lists[list][next];
            at += 1;
            next += 1;
        }
        list += 1;
    }
    all
}

/// The same keys for another table, where one text is enough for all.
pub(super) const fn with_text<const N: usize>(list: &[Key], text: &'static str) -> [Key; N] {
    let mut all = joined(&[list]);
    let mut at = 0;
    while at < N {
        all[at].text = text;
        at += 1;
    }
    all
}
