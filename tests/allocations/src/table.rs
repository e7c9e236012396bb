//! A table of figures in `docs/performance.md`, which a test holds its counts against. `UPDATE_DOCS=1` writes it.

use std::fmt::Write as _;
use std::path::PathBuf;

/// A table between two comments of the page.
#[derive(Debug)]
pub struct Table {
    /// The word of the comments around it.
    pub name: &'static str,
    /// The headings of its columns; the first is that of the rows' names.
    pub headings: &'static [&'static str],
}

/// The counts of each row, by its name.
pub type Rows<'a> = [(&'a str, Vec<usize>)];

impl Table {
    /// Compares the counts with the table, or writes it if the environment asks for that. `most` is the percentage of
    /// the known counts up to which the counts of each column may grow; the first column may not fall below 85 %
    /// either.
    pub fn hold(&self, rows: &Rows<'_>, most: &[usize]) {
        for (name, counts) in rows {
            let counts: Vec<String> =
                counts.iter().zip(&self.headings[1..]).map(|(n, of)| format!("{n} {of}")).collect();
            println!("{name}: {}", counts.join(", "));
        }
        let text = std::fs::read_to_string(page()).unwrap();
        let [begin, end] = ["begin", "end"].map(|word| format!("<!-- {}: {word} -->\n", self.name));
        let (before, rest) = text.split_once(&begin).unwrap();
        let (known, after) = rest.split_once(&end).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            return std::fs::write(page(), [before, &begin, &self.written(rows), &end, after].concat()).unwrap();
        }
        for (name, counts) in rows {
            let row = known.lines().find_map(|line| line.strip_prefix(&format!("| {name} | "))).unwrap();
            let cells = row.trim_end_matches(" |").split(" | ").map(|cell| cell.parse::<usize>().unwrap());
            for (place, (now, known)) in counts.iter().zip(cells).enumerate() {
                assert!(
                    now * 100 <= known * most[place],
                    "{name}: {now} {}, {known} before. If that is worth it, write the table with `cargo xtask allocs \
                     --update`",
                    self.headings[place + 1]
                );
                assert!(place > 0 || now * 100 >= known * 85, "{name}: {now}, {known} before: write the table anew");
            }
        }
    }

    fn written(&self, rows: &Rows<'_>) -> String {
        let mut table = format!("| {} |\n|{}\n", self.headings.join(" | "), "---|".repeat(self.headings.len()));
        for (name, counts) in rows {
            let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
            let _ = writeln!(table, "| {name} | {} |", counts.join(" | "));
        }
        table
    }
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/performance.md")
}
