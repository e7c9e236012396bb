//! What pages for readers show of a configuration is one that Weir takes, as far as a part of a file can be.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::keys;

/// Pages, and folders with pages.
const PLACES: [&str; 5] = ["README.md", "docs", "plugins", "guards", "sdk/templates"];
/// How the examples begin that are files of other kinds: of a client, of an adapter's project, of rules for recordings.
const OTHER_FILES: [&str; 5] =
    ["model = \"small\"", "web_search = ", "name = \"demo\"", "# The adapter's name, ", "off = [\"phone\""];
/// What an example may lack: it is a part of a file, whose other parts the text around it names.
const PARTS: [&str; 4] = ["` needs `", "no provider is called `", "no alias matches", "there is no folder"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The examples in TOML of a page, each with the number of its first line.
fn examples(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        let is_fence = line.trim_start().starts_with("```");
        match &mut open {
            Some(_) if is_fence => found.extend(open.take()),
            Some((_, text)) => text.extend([line, "\n"]),
            None if line.trim() == "```toml" => open = Some((number + 2, String::new())),
            None => {}
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = PLACES.iter().map(|place| root().join(place)).collect();
    let mut pages = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|kind| kind == "md") {
            pages.push(path);
        }
    }
    pages
}

/// The variables that an example names, with values that any key of the configuration takes.
fn variables(example: &str) -> Vec<(String, &'static str)> {
    let names = example.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next());
    let value = |name: &str| match name {
        _ if name.contains("DATABASE") => "postgres://weir@127.0.0.1/weir",
        _ if name.contains("VALKEY") => "redis://127.0.0.1:6379",
        _ if name.contains("PROXY") => "http://127.0.0.1:3128",
        _ if name.contains("WEBHOOK") || name.contains("BASE") => "https://example.com/",
        _ if name.contains("HEADERS") => "authorization=Basic%20eA",
        _ => "access:a-secret-that-is-long-enough-for-a-key-of-any-kind",
    };
    names.map(|name| (name.to_owned(), value(name))).collect()
}

#[test]
fn examples_on_pages_are_parts_of_a_configuration_without_mistakes() {
    let mut mistakes = Vec::new();
    let mut read = 0;
    for path in pages() {
        let page = path.strip_prefix(root()).unwrap().display().to_string();
        for (line, example) in examples(&fs::read_to_string(&path).unwrap()) {
            if OTHER_FILES.iter().any(|beginning| example.starts_with(beginning)) {
                continue;
            }
            read += 1;
            let text = example.replace("sha256:…", &format!("sha256:{}", "0".repeat(64)));
            let variables = variables(&text);
            let named = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let Err(problems) = Config::parse("example", &text, &root(), named) else { continue };
            let found = problems.to_string();
            let wrong = found.lines().filter(|mistake| !PARTS.iter().any(|part| mistake.contains(part)));
            mistakes.extend(wrong.map(|mistake| format!("{page}, the example at line {line}: {mistake}")));
        }
    }
    assert!(read > 40, "only {read} examples were found");
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[test]
fn a_wrong_key_in_an_example_is_found() {
    let page = "# Page\n\n```toml\n[server]\nprot = 80\n```\n\n```sh\nweir\n```\n";
    let found = examples(page);
    assert_eq!(found, [(4, "[server]\nprot = 80\n".to_owned())]);
    let problems = Config::parse("example", &found[0].1, &root(), environment(&[])).unwrap_err().to_string();
    assert!(problems.contains("unknown key `prot`"), "{problems}");
}

/// No key at the top of a file is how an example of another kind begins.
#[test]
fn examples_of_other_files_are_none_of_weirs() {
    for beginning in OTHER_FILES {
        let word = beginning.split(' ').next().unwrap();
        assert!(keys::TOP.find(word).is_none(), "{beginning}");
    }
}
