//! Reads usage, finish reason and model from answers while their bytes pass unchanged.
//!
//! A manifest's tap names the places of these values; [`CompiledTap`] is compiled from it once, and a [`TapState`]
//! follows one answer. It gets every frame of a stream, or every chunk of a whole JSON answer, of which nothing is
//! kept, so that answers of any size are metered.
//!
//! | file | does |
//! |---|---|
//! | `alike` | recognises frames that equal an earlier one but for their texts |
//! | `draft` | compiles the pointers and tests of a manifest |
//! | `filter` | skips frames without relevant values, without a scan |
//! | `reported_cost` | reads what an answer says that it cost |
//! | `usage` | merges figures and splits them into disjoint buckets |
//! | `compiled` | pointers, and what the values there mean |
//! | `check` | evaluates one test of the manifest on frames |
//! | `content` | weighs the content of frames |
//! | `each` | sums what many answers used that come as lines |
//! | `last_frame` | knows the frame that nothing follows |
//! | `list` | sums what many answers used that stand in a list |
//! | `reading` | what a tap reads of an answer |
//! | `region` | finds the region that served an answer |
//! | `model` | decides which of several models counts |
//! | `kept` | keeps a small answer until it is known whether it has to be weighed |
//! | `tier` | decides which of several service tiers counts |
//! | `wrapped` | takes the data of another format out of frames that wrap it |

mod alike;
mod check;
mod compiled;
mod content;
mod draft;
mod each;
mod filter;
mod kept;
mod last_frame;
mod list;
mod model;
mod reading;
#[cfg(test)]
mod recordings;
mod region;
mod reported_cost;
#[cfg(test)]
mod tests;
mod tier;
mod usage;
mod wrapped;

pub use check::{Checked, CompiledCheck, FrameCheck};
pub use compiled::CompiledTap;
pub use each::{EachTap, ModelUse};
pub use last_frame::LastFrameCheck;
pub use list::ListTap;
pub use reading::{Completion, TapReading};
pub use reported_cost::{CostPlace, CostReader};

use crate::estimate::Content;
use crate::frame::FrameRef;
use crate::peek::{Limits, Peek, PointerError, Scalar, TestError};
use alike::AlikeContent;
use compiled::{Compiled, Role};
use kept::AnswerStart;
use model::ModelPlace;
use std::sync::Arc;
use tier::TierPlace;
use usage::Figures;

/// Why a manifest's tap cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapError {
    /// A pointer is invalid.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// A test is invalid.
    #[error(transparent)]
    Test(#[from] TestError),
    /// Buckets include each other.
    #[error("the tap's usage has a bucket that includes itself")]
    Circle,
}

/// Limits of the scans. They drop what exceeds them, because a tap must never make an answer fail.
const LIMITS: Limits =
    Limits { depth: 512, hits: 256, drop_excess: true, text_bytes: 512, utf8: false, variants: false };

/// Follows one answer: either its frames or its body.
#[derive(Debug)]
pub struct TapState {
    tap: Arc<Compiled>,
    peek: Peek,
    lean: bool,
    alike: AlikeContent,
    figures: Figures,
    /// All results except the usage.
    reading: TapReading,
    tier: TierPlace,
    model: ModelPlace,
    content: Content,
    /// The start of an answer that is read as a whole, not weighed yet.
    kept: AnswerStart,
    /// Whether the answer is read as a whole instead of by frames.
    is_whole: bool,
}

impl TapState {
    /// Creates the state for the start of an answer.
    pub fn new(tap: &CompiledTap) -> Self {
        Self::of(&tap.compiled)
    }

    /// Creates the state for a whole answer of which only the bill is read: usage, units, and what their
    /// price depends on.
    pub fn of_bill(tap: &CompiledTap) -> Self {
        Self::of(&tap.bill)
    }

    fn of(tap: &Arc<Compiled>) -> Self {
        Self {
            peek: Peek::new(&tap.full.pointers, LIMITS),
            lean: false,
            alike: AlikeContent::default(),
            figures: Figures::new(&tap.places),
            reading: TapReading::default(),
            tier: TierPlace::default(),
            model: ModelPlace::default(),
            content: Content::default(),
            kept: AnswerStart::default(),
            is_whole: false,
            tap: Arc::clone(tap),
        }
    }

    /// The length of the data at the start of these bytes, if they equal an earlier frame but for what does not matter.
    /// No line ends in them.
    #[inline]
    pub fn length_of_like(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.lean && self.tap.wrapped.is_none() { self.alike.length_at(bytes) } else { None }
    }

    /// Takes the counts and the tier that headers of the answer hold; `value` finds one by its name.
    pub fn headers<'v>(&mut self, value: impl Fn(&str) -> Option<&'v str>) {
        let tap = &*self.tap;
        for (place, name) in tap.places.headers() {
            if let Some(count) = value(name).and_then(Scalar::of) {
                self.figures.add(&tap.places, place, &count);
            }
        }
        for (at, name) in tap.tier_headers.iter().enumerate() {
            if let Some(tier) = value(name) {
                let tier = Scalar::Text(tier.to_owned());
                self.tier.take(&mut self.reading.service_tier, tap.tier_pointers + at, &tier);
            }
        }
    }

    /// Takes the next frame of a streamed answer.
    pub fn frame(&mut self, frame: FrameRef<'_>) {
        match self.tap.wrapped.as_ref().and_then(|wrapped| wrapped.within(frame.data)) {
            Some(data) => self.plain_frame(FrameRef { data: &data, ..frame }),
            None => self.plain_frame(frame),
        }
    }

    fn plain_frame(&mut self, frame: FrameRef<'_>) {
        let tap = &*self.tap;
        for (sign, test) in &tap.on_frames {
            if check::holds_of_frame(test, frame) {
                self.reading.note(*sign);
            }
        }
        if self.lean && self.alike.weigh(frame.data, &mut self.content) {
            return;
        }
        let stage = if self.lean { &tap.lean } else { &tap.full };
        if stage.filter.passes(frame.data) {
            self.peek.push(frame.data);
            self.read();
        } else if self.lean {
            self.alike.learn(frame.data, &tap.content, &stage.filter);
        }
        if !self.tap.content.is_empty() {
            self.tap.content.weigh(frame.data, &mut self.content);
        } else if self.reading.content {
            self.content.unknown();
        }
        self.settle();
    }

    /// Takes the next chunk of a whole JSON answer.
    pub fn body(&mut self, chunk: &[u8]) {
        self.peek.push(chunk);
        self.is_whole = true;
        if self.tap.weighs_answers {
            self.kept.push(chunk, &mut self.content);
        }
    }

    /// Ends a whole JSON answer. Of a truncated one, the values before the break count.
    pub fn end_body(&mut self) {
        self.reading.ended = self.peek.end().is_ok();
        self.read();
    }

    /// Ends a body as [`Self::end_body`] does, and takes the results.
    pub fn finish_body(&mut self) -> TapReading {
        self.end_body();
        self.take_reading()
    }

    /// The results at the end, after which none are kept.
    pub fn take_reading(&mut self) -> TapReading {
        let places = &self.tap.places;
        let (usage, units) = (places.tokens(&self.figures), places.units(&self.figures));
        TapReading { usage, units, ..std::mem::take(&mut self.reading) }
    }

    /// Estimated tokens of the content so far.
    pub fn content_tokens(&self) -> u32 {
        if self.is_whole { self.kept.weighed(self.content).tokens_of_json() } else { self.content.tokens() }
    }

    /// Whether the end marker has arrived.
    pub fn has_ended(&self) -> bool {
        self.reading.ended
    }

    /// Whether the frame has arrived that nothing follows.
    pub fn is_over(&self) -> bool {
        self.reading.ended && self.tap.last_frame.is_told()
    }

    /// Whether a frame was an error.
    pub fn has_failed(&self) -> bool {
        self.reading.failed
    }

    /// The results so far.
    pub fn reading(&self) -> TapReading {
        let places = &self.tap.places;
        let (usage, units) = (places.tokens(&self.figures), places.units(&self.figures));
        TapReading { usage, units, ..self.reading.clone() }
    }

    /// Takes over the results of the scan. Frames that are not JSON have none, and do no harm.
    fn read(&mut self) {
        let tap = &*self.tap;
        let found = self.peek.so_far();
        let reported = found.hits().iter().filter(|hit| !hit.superseded).flat_map(|hit| tap.usage_places(hit.pointer));
        self.figures.begin_account(&tap.places, reported);
        for hit in found.hits().iter().filter(|hit| !hit.superseded) {
            for role in tap.roles.get(hit.pointer).map(Vec::as_slice).unwrap_or_default() {
                match role {
                    Role::Usage { place, beside } => {
                        let condition = beside.and_then(|beside| tap.besides.get(beside));
                        if condition.is_none_or(|condition| condition.holds(hit, found)) {
                            self.figures.add(&tap.places, *place, &hit.value);
                        }
                    }
                    Role::Units(place) => self.figures.add_units(&tap.places, *place, hit.value.as_number()),
                    Role::Tier(rank) => self.tier.take(&mut self.reading.service_tier, *rank, &hit.value),
                    Role::Region(number) => {
                        let told = tap.regions.get(*number).and_then(|place| place.named(&hit.value));
                        self.reading.region = told.map(str::to_owned).or(self.reading.region.take());
                    }
                    Role::Finish => take_text(&mut self.reading.finish, &hit.value),
                    Role::Model(rank) => self.model.take(&mut self.reading.model, *rank, &hit.value),
                }
            }
        }
        self.figures.end_report();
        for (sign, test) in &tap.on_values {
            if !self.reading.has(*sign) && test.holds(found) {
                self.reading.note(*sign);
            }
        }
        for (place, test) in &tap.counted {
            let count = test.matches(found).count();
            if count > 0 {
                self.figures.add_units(&tap.places, *place, Some(count as f64));
            }
        }
        self.peek.reset();
    }

    /// Switches to the shorter list of pointers once content and model have been found. It has those at which another
    /// model may be named later.
    fn settle(&mut self) {
        let tap = &*self.tap;
        let content = self.reading.content || !tap.finds_content;
        let model = self.reading.model.is_some() || !tap.finds_model;
        if !self.lean && content && model {
            self.lean = true;
            self.peek = Peek::new(&tap.lean.pointers, LIMITS);
        }
    }
}

/// Stores a text that is not empty; a later one replaces it.
fn take_text(place: &mut Option<String>, value: &Scalar) {
    if let Some(text) = value.as_text().filter(|text| !text.is_empty()) {
        *place = Some(text.to_owned());
    }
}
