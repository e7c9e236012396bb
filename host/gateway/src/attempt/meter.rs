//! Reads the usage of a relayed answer from a copy of its bytes, decompressed and split into frames as needed. The
//! answer itself is never delayed.

use http::HeaderMap;

use super::frame_room::FrameRoom;
use crate::accounting::StoredUse;
use crate::provenance::ProvenanceRecorder;
use crate::serving::Stored;
use weir_buffers::Held;
use weir_types::contract::types::{Framing, Usage};
use weir_types::in_place::boxed;
use weir_upstream::{Coding, DecodeBound, Decoder as Decompressor};
use weir_wire::frame::{Decoder as Deframer, Encoder, FrameRef, Limits};
use weir_wire::tap::{
    CompiledTap, Completion, CostPlace, CostReader, EachTap, ListTap, ModelUse, TapReading, TapState,
};

/// The state of reading one answer piece by piece.
#[derive(Debug)]
pub(super) struct Meter {
    tap: TapState,
    /// Where the answer may report its cost, if that is wanted.
    cost: Option<Box<CostReader>>,
    /// Reads a list of answers in a whole one, if it is work whose results may come in that form.
    list: Option<Box<ListTap>>,
    decompressor: Option<Decompressor>,
    frames: Frames,
    /// The room for a stream's incomplete frame.
    room: Option<FrameRoom>,
    /// Whether a frame has come.
    has_frame: bool,
    /// Set after a decoding error: the rest of the answer is relayed without being read.
    given_up: bool,
}

/// Where the frames of an answer are found.
#[derive(Debug)]
enum Frames {
    /// In no frames: the answer is whole.
    Nowhere,
    /// The meter splits the bytes itself.
    Here(Deframer),
    /// [`Withhold`](super::withhold::Withhold) splits the bytes, and shows each frame to the meter.
    Shown,
    /// Each line is an answer of its own.
    Each(Box<EachTap>),
}

/// The usage of an answer so far.
#[derive(Debug)]
pub(super) struct Metered {
    /// The usage that the provider reported.
    pub(super) usage: Option<Usage>,
    /// The service tier that the answer names, if it reports no usage.
    pub(super) service_tier: Option<String>,
    /// The estimated tokens of the content; 0 for a whole answer that reports them.
    pub(super) content: u32,
    /// Whether the end of the answer has been read.
    pub(super) has_ended: bool,
    /// The model that the answer names, if the meter was to read it.
    pub(super) model: Option<String>,
    /// How far the provider has come with the answer.
    pub(super) progress: Progress,
    /// What each model used, if the answer was read as a list of answers.
    pub(super) each: Option<Vec<ModelUse>>,
    /// The reported cost in dollars, as written.
    pub(super) cost: Option<String>,
    /// Whether a part of the answer could not be read: a frame that is too large, or a broken content coding. The usage
    /// may have been in it.
    pub(super) is_partial: bool,
}

/// How far a provider is with an answer that it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The answer is finished, so that its usage is final.
    Finished,
    /// The answer reports that it is still being made. Usage that it reports until then is not final.
    UnderWay,
    /// The answer reports that its work failed, and no usage.
    Failed,
    /// The answer reports no progress.
    Unknown,
}

impl Progress {
    /// The progress of a whole answer.
    fn of_whole(reading: &TapReading, is_reported: bool) -> Self {
        match (reading.ended, reading.completion) {
            (true, Completion::UnderWay) => Self::UnderWay,
            (true, Completion::Final) if is_reported || reading.finish.is_some() => Self::Finished,
            (true, Completion::Final) if reading.failed => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// The progress of an answer that is read as a stream, whose earlier events say that it is being made.
    fn of_stream(reading: &TapReading) -> Self {
        if reading.ended || reading.failed { Self::Finished } else { Self::Unknown }
    }
}

/// What to read from a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WholeAnswerCheck {
    /// The usage by which it is billed.
    Bill,
    /// Its usage, and whether it is finished.
    State,
    /// Its usage, whether it is finished, and the usage of each result that it may hold.
    Work,
    /// The usage of each of the answers that it lists.
    Each,
}

impl From<Stored> for WholeAnswerCheck {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Nothing | Stored::Object => Self::Bill,
            Stored::Made | Stored::Answer | Stored::Begun => Self::State,
            Stored::Work => Self::Work,
            Stored::Results => Self::Each,
        }
    }
}

impl Meter {
    /// A meter for an answer with these headers; `None` if its content coding is unknown. Boxed, since it is large.
    pub(super) fn new(
        tap: &CompiledTap,
        asked: WholeAnswerCheck,
        framing: Option<Framing>,
        limits: Limits,
        headers: &HeaderMap,
    ) -> Option<Box<Self>> {
        let decompressor = match Coding::of(headers).ok()? {
            Coding::Identity => None,
            coding => Some(Decompressor::new(coding, DecodeBound::default()).ok()?),
        };
        let mut meter = if let Some(framing) = framing {
            let frames = Frames::Here(Deframer::new(framing, limits));
            boxed(|| Self::of(TapState::new(tap), None, decompressor, frames))
        } else if asked == WholeAnswerCheck::Each {
            let frames = Frames::Each(Box::new(EachTap::new(tap)));
            boxed(|| Self::of(TapState::of_bill(tap), None, decompressor, frames))
        } else {
            let read = if asked == WholeAnswerCheck::Bill { TapState::of_bill } else { TapState::new };
            let list = (asked == WholeAnswerCheck::Work).then(|| ListTap::new(tap)).flatten().map(Box::new);
            boxed(|| Self::of(read(tap), list, decompressor, Frames::Nowhere))
        };
        meter.tap.headers(|name| headers.get(name)?.to_str().ok());
        Some(meter)
    }

    /// A meter at the start of an answer.
    #[inline]
    fn of(tap: TapState, list: Option<Box<ListTap>>, decompressor: Option<Decompressor>, frames: Frames) -> Self {
        Self { tap, cost: None, list, decompressor, frames, room: None, has_frame: false, given_up: false }
    }

    /// Reads the value at this place of the answer as its cost.
    pub(super) fn reads_cost(&mut self, place: Option<&CostPlace>) {
        self.cost = place.map(|place| Box::new(CostReader::new(place)));
    }

    /// Counts the bytes of a long frame beside what the request holds. Without room for them, no more is read.
    pub(super) fn counts_in(&mut self, held: Held) {
        self.room = Some(FrameRoom::new(held));
    }

    /// Leaves splitting the bytes into frames to [`Withhold`](super::withhold::Withhold), which passes each to
    /// [`Self::frame`].
    pub(super) fn expect_frames(&mut self) {
        if self.decompressor.is_none() && matches!(self.frames, Frames::Here(_)) {
            self.frames = Frames::Shown;
        }
    }

    /// Reads a frame that was split elsewhere, unless this meter splits the bytes itself.
    pub(super) fn frame(&mut self, frame: FrameRef<'_>) {
        if matches!(self.frames, Frames::Shown) {
            self.has_frame = true;
            read_frame(&mut self.tap, &mut self.cost, frame);
        }
    }

    /// Stops reading, since the frames cannot be found.
    pub(super) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Reads the next piece, and passes its decompressed bytes to `recorder`.
    pub(super) fn see(&mut self, bytes: &[u8], mut recorder: Option<&mut ProvenanceRecorder>) {
        if self.given_up {
            return;
        }
        let plain = self.decompressor.as_mut().map(|decompressor| decompressor.push(bytes));
        let mut show = |plain: &[u8]| recorder.iter_mut().for_each(|recorder| recorder.see(plain));
        let seen = match &plain {
            None => {
                show(bytes);
                self.see_plain(bytes)
            }
            Some(Ok(plain)) => {
                show(plain);
                self.see_plain(plain)
            }
            Some(Err(_)) => None,
        };
        self.given_up = seen.is_none();
    }

    /// Whether the frame that ends the stream has been read.
    pub(super) fn is_over(&self) -> bool {
        self.tap.is_over()
    }

    /// Whether the answer is known to have had no frame so far, not even an incomplete one. Blank lines and comments do
    /// not count.
    pub(super) fn lacks_frames(&self) -> bool {
        let has_begun = match &self.frames {
            Frames::Here(deframer) => deframer.held() > 0,
            // Only the code that splits the bytes knows of incomplete frames.
            Frames::Shown => false,
            Frames::Nowhere | Frames::Each(_) => true,
        };
        !(has_begun || self.has_frame || self.given_up)
    }

    /// The estimated tokens of the content so far.
    pub(super) fn content_tokens(&self) -> u32 {
        self.tap.content_tokens()
    }

    /// An encoder for frames behind the bytes so far, if they are known to end between two frames.
    pub(super) fn encoder(&self) -> Option<Encoder> {
        match &self.frames {
            Frames::Here(deframer) if !self.given_up && self.decompressor.is_none() => deframer.encoder(),
            _ => None,
        }
    }

    fn see_plain(&mut self, bytes: &[u8]) -> Option<()> {
        let Self { tap, cost, list, frames, room, has_frame, .. } = self;
        match frames {
            Frames::Nowhere => {
                tap.body(bytes);
                if let Some(cost) = cost {
                    cost.body(bytes);
                }
                if let Some(list) = list {
                    list.push(bytes);
                }
            }
            Frames::Each(each) => each.push(bytes),
            Frames::Shown => {}
            Frames::Here(deframer) => {
                let mut rest = bytes;
                // Most frames equal an earlier one, and need not be searched for their end.
                while let Some((frame, length)) = deframer.take_like(rest, |data| tap.length_of_like(data)) {
                    *has_frame = true;
                    read_frame(tap, cost, frame);
                    rest = rest.get(length..).unwrap_or_default();
                }
                let mut read = |frame: FrameRef<'_>| {
                    *has_frame = true;
                    read_frame(tap, cost, frame);
                };
                deframer.push(rest, &mut read).ok()?;
                if let Some(room) = room {
                    room.follow(deframer.held()).ok()?;
                }
            }
        }
        Some(())
    }

    /// Finishes reading, and returns the usage. `is_all` means that no bytes of the answer are missing.
    pub(super) fn finish(mut self, is_all: bool) -> Metered {
        let rest = self.decompressor.as_mut().map(Decompressor::finish);
        let is_read = is_all && !self.given_up && !matches!(rest, Some(Err(_)));
        if let Some(Ok(plain)) = rest {
            self.see_plain(&plain);
        }
        if let Frames::Each(each) = self.frames {
            return Metered::of_each(each.finish().filter(|_| is_read));
        }
        let is_whole = matches!(self.frames, Frames::Nowhere);
        let reading = match &mut self.frames {
            Frames::Here(deframer) => {
                let (tap, cost) = (&mut self.tap, &mut self.cost);
                // A frame that was cut off is ignored.
                let _cut = deframer.finish(&mut |frame| read_frame(tap, cost, frame));
                self.tap.take_reading()
            }
            Frames::Shown | Frames::Each(_) => self.tap.take_reading(),
            Frames::Nowhere => self.tap.finish_body(),
        };
        let is_partial = self.given_up;
        let each = self.list.take().and_then(|list| list.finish()).filter(|_| is_read);
        let is_reported = each.is_some() || reading.usage.total().is_some() || !reading.units.is_empty();
        let progress = if is_whole { Progress::of_whole(&reading, is_reported) } else { Progress::of_stream(&reading) };
        let (usage, service_tier) = if is_reported {
            let usage = Usage {
                units: reading.units,
                service_tier: reading.service_tier,
                batch: reading.batch,
                region: reading.region,
                ..Usage::from(reading.usage)
            };
            (Some(usage), None)
        } else {
            (None, reading.service_tier)
        };
        // An output of 0 may have to be estimated.
        let is_complete = reading.ended && reading.usage.output().is_some_and(|output| output > 0);
        let cost = self.cost.take().and_then(|cost| cost.finish());
        let content = if is_complete && is_whole { 0 } else { self.tap.content_tokens() };
        let (has_ended, model) = (reading.ended, reading.model);
        Metered { usage, service_tier, content, has_ended, model, progress, each, cost, is_partial }
    }
}

/// Reads a frame, and the cost that it may report.
fn read_frame(tap: &mut TapState, cost: &mut Option<Box<CostReader>>, frame: FrameRef<'_>) {
    tap.frame(frame);
    if let Some(cost) = cost {
        cost.frame(frame);
    }
}

impl Metered {
    /// The usage of a list of answers; `None` if not all of them arrived.
    fn of_each(each: Option<Vec<ModelUse>>) -> Self {
        let progress = if each.is_some() { Progress::Finished } else { Progress::Unknown };
        let (has_ended, usage, service_tier, model, cost) = (each.is_some(), None, None, None, None);
        Self { usage, service_tier, content: 0, has_ended, model, progress, each, cost, is_partial: false }
    }

    /// The usage to book for an answer that its provider has stored and finished; `None` if it is not finished.
    pub(super) fn into_stored_use(self) -> Option<StoredUse> {
        let Self { usage, content, model, progress, each, .. } = self;
        let whole = || StoredUse::Whole { usage, content, model };
        (progress == Progress::Finished).then(|| each.map_or_else(whole, StoredUse::Each))
    }
}
