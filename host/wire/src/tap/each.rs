//! Reads the usage of many answers that arrive together, one JSON value a line, such as the results of a batch. Each
//! line is an answer with a model of its own; usage is summed by everything that prices depend on. No line is kept,
//! however long.

use memchr::memchr;

use super::{CompiledTap, TapReading, TapState};
use weir_types::contract::types::{Unit, Usage};
use weir_types::tokens::{Tokens, add_counts, remove_impossible};

/// The most models, tiers and regions that are counted apart. The rest counts as of a model without a name.
const MAX_GROUPS: usize = 64;

/// What the requests to one model used, at the same tier and in the same region.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelUse {
    /// The model that their answers name; empty if they name none.
    pub model: String,
    /// The sum of what they report.
    pub usage: Usage,
    /// How many of them made any search: some prices are for all searches of a request.
    pub searched: u32,
}

impl ModelUse {
    fn add(&mut self, usage: &Usage, searched: u32) {
        add_counts(&mut self.usage, usage);
        self.searched = self.searched.saturating_add(searched);
    }
}

/// Follows answers that come as lines.
#[derive(Debug)]
pub struct EachTap {
    tap: CompiledTap,
    /// The line that is being read, once it has begun.
    line: Option<TapState>,
    sums: Vec<ModelUse>,
    /// Whether the last line was JSON that ended.
    is_whole: bool,
}

impl EachTap {
    /// Creates the state for the start of the first line.
    pub fn new(tap: &CompiledTap) -> Self {
        Self { tap: tap.clone(), line: None, sums: Vec::new(), is_whole: true }
    }

    /// Takes the next chunk.
    pub fn push(&mut self, mut chunk: &[u8]) {
        // JSON has no line break within a value that is written on one line.
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            self.push_line(line);
            self.end_line();
            chunk = rest.get(1..).unwrap_or_default();
        }
        self.push_line(chunk);
    }

    /// Ends the last line, and returns what all have used; `None` if that line was cut off.
    pub fn finish(mut self) -> Option<Vec<ModelUse>> {
        self.end_line();
        self.is_whole.then_some(self.sums)
    }

    pub(super) fn push_line(&mut self, piece: &[u8]) {
        if self.line.is_none() && piece.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        self.line.get_or_insert_with(|| TapState::of_bill(&self.tap)).body(piece);
    }

    pub(super) fn end_line(&mut self) {
        let Some(mut line) = self.line.take() else { return };
        let reading = line.finish_body();
        self.is_whole = reading.ended;
        self.add(reading);
    }

    fn add(&mut self, reading: TapReading) {
        let TapReading { usage, units, service_tier, batch, region, model, .. } = reading;
        let mut usage = Usage { units, service_tier, batch, region, ..Usage::from(usage) };
        remove_impossible(&mut usage);
        if Tokens::from(&usage).total().is_none() && usage.units.is_empty() {
            return;
        }
        let has_searched = usage.units.iter().any(|count| count.unit == Unit::Search && count.count > 0.0);
        let (model, searched) = (model.unwrap_or_default(), u32::from(has_searched));
        let is_same = |sum: &&mut ModelUse| sum.model == model && priced_by(&sum.usage) == priced_by(&usage);
        if let Some(sum) = self.sums.iter_mut().find(is_same) {
            sum.add(&usage, searched);
        } else if self.sums.len() < MAX_GROUPS {
            self.sums.push(ModelUse { model, usage, searched });
        } else if let Some(last) = self.sums.last_mut() {
            last.model.clear();
            last.add(&usage, searched);
        }
    }
}

/// What the price of a usage depends on, beside its model and its counts.
fn priced_by(usage: &Usage) -> (Option<&str>, Option<bool>, Option<&str>) {
    (usage.service_tier.as_deref(), usage.batch, usage.region.as_deref())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tap::tests::place;
    use weir_types::contract::about::{Bucket, FrameTest, Merge, PointerEquals, Tap, UnitPlace, UnitSource};

    fn tap() -> CompiledTap {
        let of = |bucket, pointer: &str| place(bucket, &[pointer], Merge::Max, &[]);
        let is_batch = PointerEquals { pointer: "/type".into(), json: "\"ok\"".into() };
        CompiledTap::new(&Tap {
            usage: vec![of(Bucket::Input, "/usage/in"), of(Bucket::Output, "/usage/out")],
            model: vec!["/model".into()],
            batch: vec![FrameTest::Equals(is_batch)],
            ..Tap::default()
        })
        .unwrap()
    }

    /// A model, its input and output, and whether they were of a batch.
    pub(in crate::tap) type Summed = (String, Option<u32>, Option<u32>, Option<bool>);

    pub(in crate::tap) fn shown(uses: Vec<ModelUse>) -> Vec<Summed> {
        let shown = |one: ModelUse| (one.model, one.usage.input, one.usage.output, one.usage.batch);
        uses.into_iter().map(shown).collect()
    }

    /// What is read of a text, wherever the bytes are cut.
    fn read(text: &str) -> Option<Vec<Summed>> {
        let all = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut each = EachTap::new(&tap());
            pieces.for_each(|piece| each.push(piece));
            each.finish()
        };
        let whole = all(&mut std::iter::once(text.as_bytes()));
        assert_eq!(all(&mut text.as_bytes().chunks(1)), whole, "wherever it is cut");
        Some(shown(whole?))
    }

    fn line(model: &str, input: u64, output: u64) -> String {
        format!(r#"{{"type":"ok","model":"{model}","text":"a\nb","usage":{{"in":{input},"out":{output}}}}}"#)
    }

    #[test]
    fn every_line_counts_for_its_own_model() {
        let lines = [line("m", 3, 5), line("n", 7, 1), r#"{"type":"failed"}"#.to_owned(), line("m", 2, 4)];
        let sums =
            Some(vec![("m".to_owned(), Some(5), Some(9), Some(true)), ("n".to_owned(), Some(7), Some(1), Some(true))]);
        assert_eq!(read(&lines.join("\n")), sums);
        assert_eq!(read(&format!("{}\r\n\r\n", lines.join("\r\n"))), sums);
        assert_eq!(read(""), Some(Vec::new()));
    }

    #[test]
    fn lines_that_searched_are_counted_beside_their_searches() {
        let searches = UnitPlace {
            unit: Unit::Search,
            source: UnitSource::Matches(FrameTest::Present("/searches/*".into())),
            merge: Merge::Max,
        };
        let tap = CompiledTap::new(&Tap { units: vec![searches], ..Tap::default() }).unwrap();
        let mut each = EachTap::new(&tap);
        each.push(b"{\"searches\":[1,2]}\n{\"searches\":[]}\n{\"searches\":[1]}\n{}");
        let sums = each.finish().unwrap();
        let [sum] = sums.as_slice() else { panic!("{sums:?}") };
        assert_eq!((sum.usage.units[0].count, sum.searched), (3.0, 2));
    }

    #[test]
    fn lines_that_break_off_have_no_sum() {
        let text = format!("{}\n{}", line("m", 3, 5), line("m", 2, 4));
        for cut in 1..=3 {
            assert_eq!(read(text.get(..text.len() - cut).unwrap()), None, "{cut}");
        }
        // One that is not JSON is none of them, and hides none.
        assert_eq!(read(&format!("no JSON\n{text}")), Some(vec![("m".to_owned(), Some(5), Some(9), Some(true))]));
    }

    #[test]
    fn models_without_bound_take_no_memory_without_bound() {
        let lines: Vec<String> = (0..1_000).map(|number| line(&format!("m-{number}"), 1, 1)).collect();
        let sums = read(&lines.join("\n")).unwrap();
        assert_eq!((sums.len(), sums.last().map(|last| last.0.as_str())), (MAX_GROUPS, Some("")));
        assert_eq!(sums.iter().filter_map(|sum| sum.1).sum::<u32>(), 1_000);
    }

    #[test]
    fn figures_that_no_answer_can_have_count_as_none_and_sums_do_not_wrap() {
        let lines = [line("m", 4_000_000_000, 5), line("m", 1, 1)].join("\n");
        assert_eq!(read(&lines).unwrap(), [("m".to_owned(), Some(1), Some(6), Some(true))]);
        let lines = vec![line("m", 1_000_000_000, 0); 5].join("\n");
        assert_eq!(read(&lines).unwrap(), [("m".to_owned(), Some(u32::MAX), Some(0), Some(true))]);
    }
}
