//! Generates the reference of keys as Markdown from the list of keys.

use std::fmt::Write;

use super::key::Keys;
use super::{keys, overrides};

/// All keys with their types, defaults and meanings: the reference in `docs/configuration.md`.
pub fn reference() -> String {
    let mut text = String::new();
    for table in keys::ALL {
        section(&mut text, table);
    }
    text.push_str("### Short variables\n\n");
    for (name, path) in overrides::short_names() {
        line(&mut text, format_args!("- `{name}`: `{}`", path.join(".")));
    }
    line(&mut text, format_args!("- `WEIR_PROVIDERS_DEFAULT`: `default_provider`"));
    line(&mut text, format_args!("- `WEIR_PROVIDERS_<NAME>_API_KEY`: the key of the provider `NAME`"));
    text
}

fn section(text: &mut String, table: &Keys) {
    let title = if table.path == Some("") { table.title.to_owned() } else { format!("`{}`", table.title) };
    line(text, format_args!("### {title}\n"));
    if !table.meaning().is_empty() {
        line(text, format_args!("{}\n", table.meaning()));
    }
    text.push_str("| key | takes | default | meaning |\n|---|---|---|---|\n");
    for key in table.list {
        line(text, format_args!("| `{}` | {} | {} | {} |", key.name, key.takes, key.default(), key.meaning()));
    }
    text.push('\n');
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{arguments}");
}
