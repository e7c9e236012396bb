//! The items of an answer that are billed by the piece. Where the answer is relayed, a tap counts the same ones.
//!
//! Source: OpenAI's guide to web search: a `web_search_call` costs something where its action is `search`, and nothing
//! where it opens a page or searches in one.

use crate::compat::quirks::Quirks;
use crate::json::{RawValue, Rest};
use crate::types::{Unit, Usage};

/// How the type of every such item ends, so that the others need not be parsed.
const CALL: &str = "_call\"";

/// Usage with the items of this output that are billed by the piece.
// Inlined, it made the code around it larger, so that writing an answer of another format took 7 % more instructions.
#[inline(never)]
pub(super) fn counted(quirks: &Quirks, usage: Usage, output: &[&RawValue]) -> Usage {
    let units: Vec<Unit> = output.iter().filter_map(|item| unit_of(quirks, item.get())).collect();
    [Unit::Search, Unit::FileSearch, Unit::ToolRun, Unit::Image].into_iter().fold(usage, |usage, unit| {
        let count = units.iter().filter(|counted| **counted == unit).count();
        usage.with_units(unit, (count > 0).then_some(count as f64))
    })
}

fn unit_of(quirks: &Quirks, item: &str) -> Option<Unit> {
    if !item.contains(CALL) {
        return None;
    }
    let mut item = Rest::parse(item).ok()?;
    match &*item.str("type")? {
        "web_search_call" => (&*item.object("action")?.str("type")? == "search").then_some(Unit::Search),
        "file_search_call" => Some(Unit::FileSearch),
        "code_interpreter_call" => Some(Unit::ToolRun),
        "image_generation_call" => Some(Unit::Image),
        "custom_tool_call" => {
            let is_own = quirks.runs(&item.str("call_id")?);
            let name = item.str("name").filter(|_| is_own)?;
            quirks.own_searches.contains(&&*name).then_some(Unit::Search)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn searches_count_and_pages_that_are_opened_do_not() {
        let output: Vec<&RawValue> = parse(
            r#"[{"type":"web_search_call","action":{"type":"search"}},{"type":"web_search_call","action":{"type":"open_page"}},
                {"type":"web_search_call"},{"type":"file_search_call"},{"type":"code_interpreter_call","code":"a_call\""},
                {"type":"message","content":[]},{"type":"function_call","name":"web_search_call"}]"#,
        )
        .unwrap();
        let usage = counted(&Quirks::COMPATIBLE, Usage { input: Some(1), ..Usage::default() }, &output);
        assert_eq!((usage.units_of(Unit::Search), usage.units_of(Unit::FileSearch)), (Some(1.0), Some(1.0)));
        assert_eq!((usage.units_of(Unit::ToolRun), usage.units_of(Unit::Image)), (Some(1.0), None));
        assert_eq!(usage.input, Some(1));
    }
}
