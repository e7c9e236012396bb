//! Renders the pages: `docs/contract.md` with the ideas and an index, `docs/contract/FILE.md` with the items of a file
//! of `wit/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wit_parser::{Docs, Function, Interface, Type, TypeDef, TypeDefKind};

use super::read::{Contract, File};
use super::types::{Piece, params};

/// The handwritten parts of the index page, above and below the generated ones.
const HEAD: &str = include_str!("head.md");
const TAIL: &str = include_str!("guards.md");
const INDEX: &str = "docs/contract.md";
/// The folder of the files' pages.
pub(super) const FOLDER: &str = "docs/contract";

/// The folder of a contract, and the link at the top of its pages.
struct ContractFolder {
    path: &'static str,
    link: &'static str,
}

const ADAPTERS: ContractFolder = ContractFolder { path: "wit", link: "[The contract](../contract.md)" };
const GUARDS: ContractFolder =
    ContractFolder { path: "wit/hook", link: "[The contract of guards](../contract.md#guards)" };

/// All pages of both contracts, as path and text.
pub(super) fn pages(adapters: &Contract, guards: &Contract) -> Vec<(String, String)> {
    let mut pages = file_pages(adapters, &ADAPTERS);
    pages.extend(file_pages(guards, &GUARDS));
    pages.push((INDEX.to_owned(), index(adapters, guards)));
    pages
}

fn file_pages(contract: &Contract, folder: &ContractFolder) -> Vec<(String, String)> {
    let users = users(contract);
    let page = |file: &File| (format!("{FOLDER}/{}.md", file.name), page(contract, folder, file, &users));
    contract.files.iter().map(page).collect()
}

// ---- The index ---------------------------------------------------------------------------------------------------

fn index(contract: &Contract, guards: &Contract) -> String {
    let mut text = HEAD.replace("{version}", &contract.version);
    text += "\n## Interfaces\n\n";
    interfaces(&mut text, contract);
    text += "\n## Index\n";
    for file in &contract.files {
        for interface in contract.interfaces(file) {
            let _ = write!(text, "\n**{}**\n\n", interface.name.as_deref().unwrap_or_default());
            text += &contents(contract, file, interface, &format!("contract/{}.md", file.name));
        }
    }
    text += "\n## Worlds\n\nOne for each interface: an adapter includes those that it has.\n\n";
    worlds(&mut text, contract);
    text += "\n";
    text += &TAIL.replace("{version}", &contract.version).replace("{guards}", &guards.version);
    text += "\n";
    interfaces(&mut text, guards);
    text += "\n";
    worlds(&mut text, guards);
    text
}

fn worlds(text: &mut String, contract: &Contract) {
    *text += "| world | has |\n|---|---|\n";
    for (name, has) in &contract.worlds {
        let _ = writeln!(text, "| `{name}` | `{has}` |");
    }
}

/// A table of a contract's interfaces.
fn interfaces(text: &mut String, contract: &Contract) {
    *text += "| interface | what it is |\n|---|---|\n";
    for file in &contract.files {
        for interface in contract.interfaces(file) {
            let name = interface.name.as_deref().unwrap_or_default();
            let link = format!("[`{name}`](contract/{}.md#{})", file.name, slug(name));
            let _ = writeln!(text, "| {link} | {} |", cell(&first_sentence(&interface.docs)));
        }
    }
}

/// Links to an interface's items on this page.
fn contents(contract: &Contract, file: &File, interface: &Interface, page: &str) -> String {
    let mut text = String::new();
    for (heading, names) in by_heading(contract, file, interface) {
        let links: Vec<String> = names.iter().map(|name| format!("[`{name}`]({page}#{})", slug(name))).collect();
        let heading = heading.map(|heading| format!("{heading}: ")).unwrap_or_default();
        let _ = writeln!(text, "- {heading}{}", links.join(", "));
    }
    text
}

/// An interface's items in the order of the text, grouped by its headings.
fn by_heading<'a>(contract: &Contract, file: &'a File, interface: &Interface) -> Vec<(Option<&'a str>, Vec<String>)> {
    let own = interface.name.as_deref().unwrap_or_default();
    let mut groups: Vec<(Option<&str>, Vec<String>)> = Vec::new();
    let types = types(contract, interface).map(|(name, _)| name.to_owned());
    for name in types.chain(interface.functions.values().map(|function| contract.name(function))) {
        let heading = file.heading(own, &name);
        match groups.last_mut() {
            // Items without a heading (a resource's functions) go with the item before them.
            Some((last, names)) if heading.is_none() || *last == heading => names.push(name),
            _ => groups.push((heading, vec![name])),
        }
    }
    groups
}

/// The types that an interface declares itself.
fn types<'a>(contract: &'a Contract, interface: &'a Interface) -> impl Iterator<Item = (&'a str, &'a TypeDef)> {
    let all = interface.types.iter().map(|(name, id)| (name.as_str(), *id));
    let own = all.filter(|(_, id)| std::ptr::eq(contract.original(*id), &raw const contract.resolve.types[*id]));
    own.map(|(name, id)| (name, &contract.resolve.types[id]))
}

// ---- A file's page -----------------------------------------------------------------------------------------------

/// Links to the items that a type is used in, by the type's `interface.name`.
type Users = BTreeMap<String, Vec<String>>;

fn page(contract: &Contract, folder: &ContractFolder, file: &File, users: &Users) -> String {
    let mut text = format!(
        "<!-- Written by `cargo xtask contract` from {folder}/{name}.wit: change that. -->\n\n# {name}.wit\n\n\
         {link}, version {version}.\n",
        folder = folder.path,
        name = file.name,
        link = folder.link,
        version = contract.version
    );
    for interface in contract.interfaces(file) {
        let own = interface.name.as_deref().unwrap_or_default();
        let _ = write!(text, "\n## `{own}`\n{}", paragraphs(&interface.docs));
        let _ = write!(text, "\n{}", contents(contract, file, interface, &format!("{}.md", file.name)));
        let mut under = None;
        for (name, def) in types(contract, interface) {
            let heading = file.heading(own, name);
            if let Some(heading) = heading.filter(|_| heading != under) {
                let _ = write!(text, "\n### {heading}\n");
            }
            under = heading;
            item(&mut text, contract, name, def);
            if let Some(links) = users.get(&format!("{own}.{name}")) {
                let _ = write!(text, "\nUsed in {}.\n", links.join(", "));
            }
        }
        for each in interface.functions.values() {
            function(&mut text, contract, each);
        }
    }
    text
}

fn item(text: &mut String, contract: &Contract, name: &str, def: &TypeDef) {
    let kind = def.kind.as_str();
    let _ = write!(text, "\n#### `{name}`\n\n*{kind}*\n{}", paragraphs(&def.docs));
    let typed = |ty: &Type| links(contract, ty);
    let rows: Vec<[String; 3]> = match &def.kind {
        TypeDefKind::Record(own) => own.fields.iter().map(|f| [code(&f.name), typed(&f.ty), line(&f.docs)]).collect(),
        TypeDefKind::Variant(own) => {
            let typed = |ty: &Option<Type>| ty.as_ref().map(typed).unwrap_or_default();
            own.cases.iter().map(|c| [code(&c.name), typed(&c.ty), line(&c.docs)]).collect()
        }
        TypeDefKind::Enum(own) => own.cases.iter().map(|c| [code(&c.name), String::new(), line(&c.docs)]).collect(),
        TypeDefKind::Flags(own) => own.flags.iter().map(|f| [code(&f.name), String::new(), line(&f.docs)]).collect(),
        TypeDefKind::Type(ty) => vec![[String::new(), typed(ty), String::new()]],
        _ => Vec::new(),
    };
    if !rows.is_empty() {
        let first = if kind == "record" { "field" } else { "case" };
        table(text, first, &rows);
    }
}

/// A table without the columns that are empty in every row.
fn table(text: &mut String, first: &str, rows: &[[String; 3]]) {
    let titles = [first, "type", "what it is"];
    let kept: Vec<usize> = (0..3).filter(|at| rows.iter().any(|row| !row[*at].is_empty())).collect();
    let line = |cells: &[&str]| format!("| {} |\n", kept.iter().map(|at| cells[*at]).collect::<Vec<_>>().join(" | "));
    *text += "\n";
    *text += &line(&titles);
    *text += &line(&["---"; 3]).replace(' ', "");
    for row in rows {
        *text += &line(&row.each_ref().map(String::as_str));
    }
}

fn function(text: &mut String, contract: &Contract, function: &Function) {
    let _ = write!(text, "\n#### `{}`\n\n*function*\n{}\n", contract.name(function), paragraphs(&function.docs));
    for (name, ty) in params(function) {
        let _ = writeln!(text, "- `{name}`: {}", links(contract, ty));
    }
    if let Some(ty) = &function.result {
        let _ = writeln!(text, "- answers {}", links(contract, ty));
    }
}

fn users(contract: &Contract) -> Users {
    let mut users = Users::new();
    for file in &contract.files {
        for interface in contract.interfaces(file) {
            for (name, def) in types(contract, interface) {
                note(contract, &members(def), &file.name, name, &mut users);
            }
            for function in interface.functions.values() {
                let all: Vec<Type> = params(function).map(|(_, ty)| *ty).chain(function.result).collect();
                // Every function takes the context: the list would name them all.
                let telling: Vec<Type> = all.into_iter().filter(|ty| contract.text(ty) != "types.context").collect();
                note(contract, &telling, &file.name, &contract.name(function), &mut users);
            }
        }
    }
    users
}

fn members(def: &TypeDef) -> Vec<Type> {
    match &def.kind {
        TypeDefKind::Record(own) => own.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Variant(own) => own.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Type(ty) => vec![*ty],
        _ => Vec::new(),
    }
}

fn note(contract: &Contract, all: &[Type], file: &str, user: &str, users: &mut Users) {
    for piece in all.iter().flat_map(|ty| contract.pieces(ty)) {
        let Piece::Named(def) = piece else { continue };
        let Some((_, interface)) = contract.home(def) else { continue };
        let link = format!("[`{user}`]({file}.md#{})", slug(user));
        let links = users.entry(format!("{interface}.{}", def.name.as_deref().unwrap_or_default())).or_default();
        if !links.contains(&link) {
            links.push(link);
        }
    }
}

// ---- Words -------------------------------------------------------------------------------------------------------

/// A type's text with links to the types in it.
fn links(contract: &Contract, ty: &Type) -> String {
    let linked = |piece: Piece<'_>| match piece {
        Piece::Plain(text) => code(&text),
        Piece::Named(def) => {
            let name = def.name.as_deref().unwrap_or_default();
            match contract.home(def) {
                Some((file, _)) => format!("[`{name}`]({file}.md#{})", slug(name)),
                None => code(name),
            }
        }
    };
    let text: String = contract.pieces(ty).into_iter().map(linked).collect();
    // Merges adjacent pieces of code.
    text.replace("``", "")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// The anchor that is derived from a heading.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ' '));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// A comment without the heading above it, which the parser includes.
fn comment(docs: &Docs) -> String {
    let lines = docs.contents.as_deref().unwrap_or_default().lines();
    lines.filter(|line| !line.starts_with("---- ")).collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn paragraphs(docs: &Docs) -> String {
    let text = comment(docs);
    if text.is_empty() { text } else { format!("\n{text}\n") }
}

/// A comment as a table cell.
fn line(docs: &Docs) -> String {
    cell(&comment(docs))
}

fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn first_sentence(docs: &Docs) -> String {
    let text = comment(docs);
    let first = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    first.find(". ").map_or(first.trim(), |end| &first[..=end]).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;

    fn contracts() -> [Contract; 2] {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        [Contract::read(&wit).unwrap(), Contract::read_above(&wit, &wit.join("hook")).unwrap()]
    }

    fn real() -> Vec<(String, String)> {
        let [adapters, guards] = contracts();
        pages(&adapters, &guards)
    }

    /// The anchors of a page.
    fn anchors(text: &str) -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| slug(line.trim_start_matches('#').trim()))
            .collect()
    }

    #[test]
    fn every_link_leads_somewhere_and_every_heading_is_alone() {
        let pages = real();
        let mut places = HashSet::new();
        for (path, text) in &pages {
            for anchor in anchors(text) {
                assert!(places.insert(format!("{path}#{anchor}")), "{path}: two headings make {anchor}");
            }
        }
        for (path, text) in &pages {
            for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if target.contains('#') {
                    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let place = match target.strip_prefix("../") {
                        Some(above) => format!("docs/{above}"),
                        None if target.starts_with('#') => format!("{path}{target}"),
                        None => format!("{folder}/{target}"),
                    };
                    assert!(places.contains(&place), "{path}: {target}");
                }
            }
        }
    }

    #[test]
    fn every_item_has_its_place() {
        let text: String = real().into_iter().map(|(_, text)| text).collect();
        for (item, _) in contracts().iter().flat_map(Contract::items) {
            let name = item.split_once(['.', ' ']).unwrap().1;
            let is_described = text.contains(&format!("#### `{name}`\n")) || text.contains(&format!("| `{name}` |"));
            assert!(is_described, "{item}");
        }
    }

    #[test]
    fn types_of_the_contract_beneath_are_links_to_its_pages() {
        let pages = real();
        let (_, guards) = pages.iter().find(|(path, _)| path == "docs/contract/hook.md").unwrap();
        assert!(guards.contains("[`chat-request`](types.md#chat-request)"));
        assert!(guards.contains("from wit/hook/hook.wit:"));
    }

    #[test]
    fn headings_are_no_comments() {
        assert!(real().iter().all(|(_, text)| !text.contains("-----")));
    }

    #[test]
    fn a_tables_cell_is_one_line() {
        assert_eq!(cell("one\n  two | three"), "one two \\| three");
        assert_eq!(slug("`chat-decoder.push`"), "chat-decoderpush");
        let docs = Docs { contents: Some("First one,\nstill. Second.\n\nThird.".into()) };
        assert_eq!(first_sentence(&docs), "First one, still.");
    }
}
