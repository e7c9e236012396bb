//! `weir keys`, `weir teams`, `weir budgets` and `weir prices`: what the admin API does, as commands.

mod access_args;
pub(super) mod admin;
pub(super) mod budgets;
mod document;
pub(super) mod keys;
pub(super) mod prices;
pub(super) mod teams;

use serde_json::Value;

/// Rows as columns of their own widths, under a heading.
fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(|name| name.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(heading)).chain(rows).collect::<Vec<_>>().join("\n")
}

/// A value as a cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "lang", "x"], ["bcd", "-", "y"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(["ID", "NAME", "T"], &rows), "ID   NAME  T\na    lang  x\nbcd  -     y");
    }
}
