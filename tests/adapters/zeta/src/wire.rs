//! The shapes on the wire.
#![allow(clippy::struct_field_names, reason = "the members are called as they are on the wire")]

use weir_sdk::json::{Count, Number, RawValue, Str};
use weir_sdk::wire;

wire! {
    /// A request for a talk.
    pub(crate) struct Talk<'a> {
        "brain" => brain: Brain<'a>,
        "scroll" => scroll: Vec<Line<'a>>,
        "deeds" => deeds: Vec<Deed<'a>>,
        "tuning" => tuning: Tuning<'a>,
        "tell" => tell: Tell<'a>,
    }
    /// The model's place in one of the two faces.
    pub(crate) struct Brain<'a> {
        "called" => called: Str<'a>,
    }
    /// A message.
    pub(crate) struct Line<'a> {
        "who" => who: Str<'a>,
        "tag" => tag: Str<'a>,
        "says" => says: Str<'a>,
        "muses" => muses: Str<'a>,
        "wants" => wants: Vec<Want<'a>>,
    }
    /// A call.
    pub(crate) struct Want<'a> {
        "tag" => tag: Str<'a>,
        "deed" => deed: Str<'a>,
        "with" => with: &'a RawValue,
    }
    /// A tool.
    pub(crate) struct Deed<'a> {
        "deed" => deed: Str<'a>,
        "about" => about: Str<'a>,
        "shape" => shape: &'a RawValue,
    }
    /// Settings of the answer.
    pub(crate) struct Tuning<'a> {
        "heat" => heat: Number,
        "old_heat" => old_heat: Number,
        "most" => most: Count,
    }
    /// Requests for further members of the answer.
    pub(crate) struct Tell<'a> {
        "toll" => toll: bool,
    }
    /// A whole answer, or an error.
    pub(crate) struct Whole<'a> {
        "ref" => id: Str<'a>,
        "brain" => brain: Str<'a>,
        "reply" => reply: Line<'a>,
        "ended" => ended: Str<'a>,
        "toll" => toll: Toll<'a>,
        "woe" => woe: Woe<'a>,
        "quest" => quest: Str<'a>,
    }
    /// The tokens.
    pub(crate) struct Toll<'a> {
        "all_in" => all_in: Count,
        "of_cached" => of_cached: Count,
        "of_written" => of_written: Count,
        "all_out" => all_out: Count,
        "of_musing" => of_musing: Count,
    }
    /// An error.
    pub(crate) struct Woe<'a> {
        "sort" => sort: Str<'a>,
        "words" => words: Str<'a>,
    }
    /// A frame of a stream.
    pub(crate) struct Piece<'a> {
        "k" => k: Str<'a>,
        "ref" => id: Str<'a>,
        "brain" => brain: Str<'a>,
        "says" => says: Str<'a>,
        "tag" => tag: Str<'a>,
        "deed" => deed: Str<'a>,
        "with" => with: Str<'a>,
        "ended" => ended: Str<'a>,
        "toll" => toll: Toll<'a>,
        "woe" => woe: Woe<'a>,
    }
    /// A request for vectors.
    pub(crate) struct Asked<'a> {
        "of" => of: &'a RawValue,
        "width" => width: Count,
    }
    /// Vectors.
    pub(crate) struct Rows<'a> {
        "brain" => brain: Str<'a>,
        "rows" => rows: Vec<Vec<f64>>,
        "toll" => toll: Toll<'a>,
    }
    /// A list of models.
    pub(crate) struct Roster<'a> {
        "minds" => minds: Vec<Mind<'a>>,
        "more" => more: Str<'a>,
    }
    /// A model.
    pub(crate) struct Mind<'a> {
        "called" => called: Str<'a>,
        "by" => by: Str<'a>,
    }
}
