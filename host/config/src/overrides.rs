//! Lays the environment over the file: `WEIR_SERVER__PORT=9000` and shorter names.
//!
//! A double underscore enters a table or a list; an element of a list is named by its number, or by its `name` or
//! `alias`. Keys of tables that exist once also have a short variable (`WEIR_SERVER_PORT`).

use super::environment::{Environment, as_variable};
use super::raw::{Member, Node, Table, Value};
use super::{Place, Problem, keys, suggest};

/// Variables of Weir that are not keys.
const OTHERS: &[&str] = &["WEIR_CONFIG"];

/// Lays all `WEIR_` variables over the tree. Returns the mistakes in them, and the names of providers that have a key
/// but are not in the file: they may be anonymous or discovered.
pub(super) fn apply(root: &mut Node, environment: &Environment) -> (Vec<Problem>, Vec<String>) {
    let mut problems = Vec::new();
    let mut unnamed = Vec::new();
    let (long, short): (Vec<_>, Vec<_>) = environment
        .with_prefix("WEIR_")
        .filter(|(name, _)| !OTHERS.contains(name))
        .partition(|(name, _)| name["WEIR_".len()..].contains("__"));
    for (name, value) in short {
        match short_path(name, root) {
            Short::Path(path) => set(root, &path, name, value, &mut problems),
            Short::UnnamedKey => unnamed.push(name.to_owned()),
            Short::Unknown(help) => problems.push(unknown(name, help)),
        }
    }
    // The long names are exact, so they take precedence.
    for (name, value) in long {
        let path: Vec<String> = name["WEIR_".len()..].split("__").map(str::to_ascii_lowercase).collect();
        set(root, &path, name, value, &mut problems);
    }
    (problems, unnamed)
}

fn unknown(name: &str, help: Option<String>) -> Problem {
    let problem = Problem::warning(&place(name), "unknown variable");
    match help {
        Some(help) => problem.with_help(help),
        None => problem.with_help("the reference of keys is docs/configuration.md"),
    }
}

fn place(name: &str) -> Place {
    Place::Variable(name.into())
}

enum Short {
    Path(Vec<String>),
    /// The key of a provider that has no entry.
    UnnamedKey,
    Unknown(Option<String>),
}

fn short_path(name: &str, root: &Node) -> Short {
    if name == "WEIR_PROVIDERS_DEFAULT" {
        return Short::Path(vec!["default_provider".to_owned()]);
    }
    if let Some(provider) = name.strip_prefix("WEIR_PROVIDERS_").and_then(|rest| rest.strip_suffix("_API_KEY")) {
        let position = provider_names(root).position(|known| known.is_some_and(|known| as_variable(known) == provider));
        let path = |at: usize| vec!["providers".to_owned(), at.to_string(), "api_key".to_owned()];
        return position.map_or(Short::UnnamedKey, |at| Short::Path(path(at)));
    }
    let mut known = short_names();
    if let Some(at) = known.iter().position(|(short, _)| short == name) {
        return Short::Path(known.swap_remove(at).1);
    }
    let names = known.iter().map(|(short, _)| short.as_str()).chain(["WEIR_PROVIDERS_DEFAULT"]);
    Short::Unknown(suggest::nearest(name, names).map(|near| format!("did you mean `{near}`?")))
}

/// The short variables and their keys.
pub(super) fn short_names() -> Vec<(String, Vec<String>)> {
    let mut names = Vec::new();
    for table in keys::ALL {
        let Some(path) = table.path else { continue };
        // Tables have no short names.
        let values = table.list.iter().filter(|key| !(path.is_empty() && key.takes.contains("table")));
        for key in values {
            let path: Vec<String> =
                [path, key.name].iter().filter(|step| !step.is_empty()).map(|step| (*step).to_owned()).collect();
            names.push((format!("WEIR_{}", path.join("_").to_ascii_uppercase()), path));
        }
    }
    names
}

fn provider_names(root: &Node) -> impl Iterator<Item = Option<&str>> {
    let providers = match &root.value {
        Value::Table(table) => table.get("providers").map(|member| &member.node.value),
        _ => None,
    };
    let list = match providers {
        Some(Value::List(list)) => list.as_slice(),
        _ => &[],
    };
    list.iter().map(|node| name_of(node, "name"))
}

fn name_of<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    let Value::Table(table) = &node.value else { return None };
    match &table.get(key)?.node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Sets one value and creates the tables on its path.
fn set(node: &mut Node, path: &[String], variable: &str, value: &str, problems: &mut Vec<Problem>) {
    let Some((step, rest)) = path.split_first() else {
        *node = Node { value: Value::Text(value.to_owned()), place: place(variable) };
        return;
    };
    let next = match &mut node.value {
        Value::Table(table) => Ok(member(table, step, rest, variable)),
        Value::List(list) => element(list, step, variable),
        _ => Err(Problem::error(&place(variable), format!("`{step}` cannot be set inside of {}", node.kind()))),
    };
    match next {
        Ok(next) => set(next, rest, variable, value, problems),
        Err(problem) => problems.push(problem),
    }
}

/// The member of a table that a step names; created if missing.
fn member<'a>(table: &'a mut Table, step: &str, rest: &[String], variable: &str) -> &'a mut Node {
    // Names in files may have capitals and dashes; variables cannot.
    let wanted = as_variable(step);
    let name = table.keys().find(|known| as_variable(known) == wanted).cloned().unwrap_or_else(|| step.to_owned());
    if rest.is_empty() && name == "api_key" {
        // The variable replaces a list, too.
        table.remove("api_keys");
    }
    let numbered = rest.first().is_some_and(|next| next.bytes().all(|byte| byte.is_ascii_digit()));
    let made = || Member {
        key: place(variable),
        node: Node {
            value: if numbered { Value::List(Vec::new()) } else { Value::Table(Table::new()) },
            place: place(variable),
        },
    };
    &mut table.entry(name).or_insert_with(made).node
}

/// The element of a list that a step names: by number, `name` or `alias`. The number after the last one creates an
/// element.
fn element<'a>(list: &'a mut Vec<Node>, step: &str, variable: &str) -> Result<&'a mut Node, Problem> {
    let wanted = as_variable(step);
    let named = |node: &Node| {
        ["name", "alias"].iter().any(|key| name_of(node, key).is_some_and(|name| as_variable(name) == wanted))
    };
    let length = list.len();
    let at = match step.parse::<usize>() {
        Ok(at) => at,
        Err(_) => list.iter().position(named).ok_or_else(|| {
            Problem::warning(&place(variable), format!("nothing in the list is called `{step}`"))
                .with_help("elements are named by number, `name` or `alias`")
        })?,
    };
    if at == length {
        list.push(Node { value: Value::Table(Table::new()), place: place(variable) });
    }
    list.get_mut(at).ok_or_else(|| {
        Problem::error(&place(variable), format!("the list has {length} elements"))
            .with_help(format!("the next one has the number {length}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::raw;
    use super::*;

    fn applied(text: &str, variables: &[(&str, &str)]) -> (Node, Vec<Problem>, Vec<String>) {
        let (mut root, problems) = raw::parse(text);
        assert!(problems.is_empty(), "{problems:?}");
        let (problems, unnamed) = apply(&mut root, &variables.iter().copied().collect());
        (root, problems, unnamed)
    }

    fn at<'a>(root: &'a Node, path: &[&str]) -> &'a Node {
        path.iter().fold(root, |node, step| match &node.value {
            Value::Table(table) => &table[*step].node,
            Value::List(list) => &list[step.parse::<usize>().unwrap()],
            _ => panic!("{step}"),
        })
    }

    fn text<'a>(root: &'a Node, path: &[&str]) -> &'a str {
        at(root, path).variable_text().unwrap()
    }

    #[test]
    fn both_spellings_reach_a_key_and_the_long_one_wins() {
        let (root, problems, _) = applied("", &[("WEIR_SERVER_PORT", "1"), ("WEIR_LOG_LEVEL", "warn")]);
        assert_eq!((text(&root, &["server", "port"]), text(&root, &["log_level"])), ("1", "warn"));
        assert!(problems.is_empty());
        let (root, ..) = applied("[server]\nport = 5", &[("WEIR_SERVER_PORT", "1"), ("WEIR_SERVER__PORT", "2")]);
        assert_eq!(text(&root, &["server", "port"]), "2");
    }

    #[test]
    fn lists_are_reached_by_number_and_by_name() {
        let file = "[[providers]]\nname = 'my-vllm'\n[[models]]\nalias = 'Fast'\n";
        let variables = [
            ("WEIR_PROVIDERS__MY_VLLM__URL", "http://a/"),
            ("WEIR_PROVIDERS__1__NAME", "second"),
            ("WEIR_MODELS__FAST__TARGET__MODEL", "m"),
        ];
        let (root, problems, _) = applied(file, &variables);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(text(&root, &["providers", "0", "url"]), "http://a/");
        assert_eq!(text(&root, &["providers", "1", "name"]), "second");
        assert_eq!(text(&root, &["models", "0", "target", "model"]), "m");
    }

    #[test]
    fn a_list_can_come_from_variables_alone() {
        let (root, problems, _) = applied("", &[("WEIR_PROVIDERS__0__NAME", "a")]);
        assert!(problems.is_empty());
        assert_eq!(text(&root, &["providers", "0", "name"]), "a");
    }

    #[test]
    fn a_providers_key_goes_to_the_provider_of_that_name() {
        let file = "[[providers]]\nname = 'zeta'\napi_keys = ['a', 'b']\n";
        let (root, _, unnamed) =
            applied(file, &[("WEIR_PROVIDERS_ZETA_API_KEY", "k"), ("WEIR_PROVIDERS_X_API_KEY", "k")]);
        assert_eq!(text(&root, &["providers", "0", "api_key"]), "k");
        let Value::Table(provider) = &at(&root, &["providers", "0"]).value else { panic!() };
        assert!(!provider.contains_key("api_keys"));
        assert_eq!(unnamed, ["WEIR_PROVIDERS_X_API_KEY"]);
    }

    #[test]
    fn an_unknown_variable_is_a_warning_with_a_suggestion() {
        let (_, problems, _) =
            applied("", &[("WEIR_SERVER_PROT", "1"), ("WEIR_PROVIDERS_DEFAULT", "x"), ("WEIR_CONFIG", "f")]);
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!(problem.help.as_deref(), Some("did you mean `WEIR_SERVER_PORT`?"));
        assert_eq!(problem.place, Place::Variable("WEIR_SERVER_PROT".into()));
    }

    #[test]
    fn a_step_into_a_value_is_refused() {
        let (_, problems, _) =
            applied("log_level = 'info'", &[("WEIR_LOG_LEVEL__X", "1"), ("WEIR_PROVIDERS__7__NAME", "x")]);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
