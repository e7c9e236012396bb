//! `[[budgets]]`: what may be spent in a window of time, by whom.

use weir_ledger::{Budget, BudgetError, Limit, Period, Scope, ScopeKind, Share, TimeZone, Unpriced, WhenOver};

use crate::raw::{Node, Value};
use crate::section::{Count, Entry, Located, Name, Reader, Section, Take, joined, part, take_table};
use crate::{Place, Problem};

/// The largest count of a limit.
type Most = Count<u64, 1, { Limit::MAX_COUNT }>;

part! {
    /// A budget as it is written.
    #[derive(Debug)]
    struct BudgetDraft {
        /// A name of your choice, for errors, metrics and the log.
        name: Option<String> as Option<Name> => required "a name of your choice, for errors, metrics and the log",
        /// Whose use counts: `"all"`, or a table with one of `key` (a client's name), `team`, `org`, `tag`, `model` (an
        /// alias), `provider`.
        scope "for": Option<Scope> => required "such as `for = { team = \"red\" }`, or `for = \"all\"`",
        /// US dollars per window; this, `tokens` or `requests` is required. With several of them, the further ones are
        /// budgets of their own: `NAME-tokens`, `NAME-requests`.
        usd: Option<Limit> as Option<Usd>,
        /// Input and output tokens per window.
        tokens: Option<Limit> as Option<Tokens>,
        /// Requests per window.
        requests: Option<Limit> as Option<Requests>,
        /// The window: `minute`, `hour`, `day`, `week`, `month`, `total`, or a number of days such as `"30d"`.
        per: Option<Period> => required "such as `per = \"month\"`",
        /// The time zone in which days, weeks and months begin.
        zone "tz": TimeZone = TimeZone::UTC,
        /// The share of the limit from which on answers carry `x-weir-budget-warning`.
        soft: Option<Share> as Option<Soft>,
        /// The share of the limit, at least 1, at which a stream that goes on is ended with an error of its format. If
        /// unset, streams go on to their end.
        abort_at: Option<Share> as Option<AbortAt>,
        /// What happens to requests without room: `"refuse"`, `"notify"` (they are sent, and logged), or
        /// `{ downgrade = "ALIAS" }` (they go to that model).
        when_over: WhenOver,
        /// What happens to requests whose model has no known price, if the budget is in dollars: `"refuse"`, `"allow"`
        /// (they cost nothing here), or `{ price = DOLLARS }` for a million tokens.
        unpriced: Unpriced,
    }
}

joined! {
    /// What may be spent in a window of time. A request counts against each budget that is for its client, its team,
    /// its organisation, one of its tags, its model, its provider, or for all, and is sent only if all of them have
    /// room.
    BUDGET = "[[budgets]]": BudgetDraft::KEYS;
}

/// The budgets of one table: one for each limit.
#[derive(Debug)]
pub(crate) struct BudgetTable(Vec<Budget>);

take_table!(BudgetTable, BUDGET, by budgets);

fn budgets(section: &mut Section<'_>) -> Option<BudgetTable> {
    let draft = BudgetDraft::read(section, BudgetDraft::default());
    let limits: Vec<Limit> = [draft.usd, draft.tokens, draft.requests].into_iter().flatten().collect();
    if limits.is_empty() {
        section.missing("usd", "or `tokens`, or `requests`");
    }
    let (name, scope, per) = (draft.name?, draft.scope?, draft.per?);
    let budget = |(at, limit): (usize, Limit)| Budget {
        name: if at == 0 { name.as_str().into() } else { format!("{name}-{}", unit(limit)).into() },
        scope: scope.clone(),
        limit,
        per,
        zone: draft.zone.clone(),
        soft: draft.soft,
        when_over: draft.when_over.clone(),
        unpriced: draft.unpriced,
        abort_at: draft.abort_at,
        made: None,
    };
    Some(BudgetTable(limits.into_iter().enumerate().map(budget).collect()))
}

/// What distinguishes the further limits of one table.
fn unit(limit: Limit) -> &'static str {
    match limit {
        Limit::Usd(_) => "usd",
        Limit::Tokens(_) => "tokens",
        Limit::Requests(_) => "requests",
    }
}

/// A number or a text, as a decimal text: amounts are read exactly.
fn decimal(entry: &Entry<'_, '_>, node: &Node) -> Option<String> {
    match &node.value {
        Value::Whole(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Text(text) => Some(text.clone()),
        _ => {
            entry.wrong(node, "a number");
            None
        }
    }
}

/// Reports an error of the ledger at the value's place.
fn checked<T>(entry: &Entry<'_, '_>, node: &Node, made: Result<T, BudgetError>) -> Option<T> {
    made.map_err(|error| entry.error(&node.place, format!("`{}`: {error}", entry.name))).ok()
}

/// Declares types of keys that a decimal number is parsed to.
macro_rules! decimals {
    ($($Name:ident => $value:ty, $parse:expr, $example:literal;)+) => {
        $(
            #[derive(Debug)]
            struct $Name;

            impl Take for $Name {
                type Value = $value;
                const TAKES: &'static str = "number";

                fn take(entry: &Entry<'_, '_>, node: Node) -> Option<$value> {
                    let text = decimal(entry, &node)?;
                    checked(entry, &node, $parse(&text))
                }

                fn example() -> String {
                    $example.to_owned()
                }
            }
        )+
    };
}

decimals! {
    Usd => Limit, Limit::usd, "500";
    Soft => Share, Share::soft, "0.8";
    AbortAt => Share, Share::abort, "1.2";
}

/// Declares types of keys that a count is read to.
macro_rules! counts {
    ($($Name:ident => $variant:path, $example:literal;)+) => {
        $(
            #[derive(Debug)]
            struct $Name;

            impl Take for $Name {
                type Value = Limit;
                const TAKES: &'static str = "integer";

                fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Limit> {
                    Most::take(entry, node).map($variant)
                }

                fn example() -> String {
                    $example.to_owned()
                }
            }
        )+
    };
}

counts! {
    Tokens => Limit::Tokens, "10000000";
    Requests => Limit::Requests, "1000";
}

impl Take for Period {
    type Value = Self;
    const TAKES: &'static str = "\"minute\", \"hour\", \"day\", \"week\", \"month\", \"total\", days";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = Located::<String>::take(entry, node.clone())?;
        checked(entry, &node, Self::parse(&text.value))
    }

    fn example() -> String {
        "\"month\"".to_owned()
    }
}

impl Take for TimeZone {
    type Value = Self;
    const TAKES: &'static str = "name of a time zone";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let text = String::take(entry, node.clone())?;
        checked(entry, &node, Self::get(&text).map_err(|_| BudgetError::Zone(text)))
    }

    fn show(default: &Self) -> String {
        format!("\"{}\"", default.iana_name().unwrap_or("UTC"))
    }

    fn example() -> String {
        "\"Europe/Berlin\"".to_owned()
    }
}

/// The only member of a table, with its text; reports anything else.
fn only(entry: &Entry<'_, '_>, node: Node, wanted: &str) -> Option<(String, Node)> {
    let place = node.place.clone();
    let Value::Table(table) = node.value else {
        entry.wrong(&node, wanted);
        return None;
    };
    let mut members = table.into_iter();
    if let (Some((name, member)), None) = (members.next(), members.next()) {
        return Some((name, member.node));
    }
    entry.error(&place, format!("`{}` must be {wanted}", entry.name));
    None
}

const SCOPES: [ScopeKind; 6] =
    [ScopeKind::Key, ScopeKind::Team, ScopeKind::Organisation, ScopeKind::Tag, ScopeKind::Model, ScopeKind::Provider];

impl Take for Scope {
    type Value = Self;
    const TAKES: &'static str = "\"all\", table";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        if matches!(&node.value, Value::Text(text) if text == "all") {
            return Some(Self::All);
        }
        let wanted = "\"all\", or a table with one of `key`, `team`, `org`, `tag`, `model`, `provider`";
        let place = node.place.clone();
        let (name, value) = only(entry, node, wanted)?;
        let Some(kind) = SCOPES.into_iter().find(|kind| kind.name() == name) else {
            entry.error(&place, format!("`{}` must be {wanted}, not `{name}`", entry.name));
            return None;
        };
        String::take(entry, value).map(|text| Self::Of(kind, text.into()))
    }

    fn example() -> String {
        "{ team = \"red\" }".to_owned()
    }
}

/// Reads one of two words, or a table with one member.
fn word_or<T: Clone>(
    entry: &Entry<'_, '_>,
    node: Node,
    words: &[(&str, T)],
    member: &str,
    read: impl FnOnce(Node) -> Option<T>,
) -> Option<T> {
    let known = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone());
    if let Value::Text(text) = &node.value
        && let Some(value) = known(text)
    {
        return Some(value);
    }
    let names: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let wanted = format!("{}, or {{ {member} = ... }}", names.join(", "));
    let place = node.place.clone();
    let (name, value) = only(entry, node, &wanted)?;
    if name != member {
        entry.error(&place, format!("`{}` must be {wanted}, not `{name}`", entry.name));
        return None;
    }
    read(value)
}

impl Take for WhenOver {
    type Value = Self;
    const TAKES: &'static str = "\"refuse\", \"notify\", table";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let downgrade = |value| String::take(entry, value).map(|alias| Self::Downgrade(alias.into()));
        word_or(entry, node, &[("refuse", Self::Refuse), ("notify", Self::Notify)], "downgrade", downgrade)
    }

    fn show(_: &Self) -> String {
        "\"refuse\"".to_owned()
    }

    fn example() -> String {
        "{ downgrade = \"small\" }".to_owned()
    }
}

impl Take for Unpriced {
    type Value = Self;
    const TAKES: &'static str = "\"refuse\", \"allow\", table";

    fn take(entry: &Entry<'_, '_>, node: Node) -> Option<Self> {
        let assume = |value: Node| {
            let text = decimal(entry, &value)?;
            checked(entry, &value, Self::assume(&text))
        };
        word_or(entry, node, &[("refuse", Self::Refuse), ("allow", Self::Allow)], "price", assume)
    }

    fn show(_: &Self) -> String {
        "\"refuse\"".to_owned()
    }

    fn example() -> String {
        "{ price = 5.0 }".to_owned()
    }
}

/// Reports budgets that share a name, and those that pass requests on to a model that does not exist.
pub(crate) fn checked_budgets(
    reader: &Reader<'_>,
    tables: Vec<Located<BudgetTable>>,
    is_alias: impl Fn(&str) -> bool,
) -> Vec<(Budget, Place)> {
    let mut kept: Vec<(Budget, Place)> = Vec::new();
    for Located { value, place } in tables {
        for budget in value.0 {
            if let WhenOver::Downgrade(alias) = &budget.when_over
                && !is_alias(alias)
            {
                let message = format!(
                    "no model has the alias `{alias}`, to which the budget `{}` passes requests on",
                    budget.name
                );
                reader.report(Problem::error(&place, message).with_help("patterns cannot be used here"));
            }
            if kept.iter().any(|(other, _)| other.name == budget.name) {
                let message = format!("another budget is named `{}`", budget.name);
                reader.report(Problem::error(&place, message).with_help("give each a name of its own"));
            } else {
                kept.push((budget, place.clone()));
            }
        }
    }
    kept
}
