//! What a manifest's tap is compiled to: pointers, and what the values there mean.

use std::sync::Arc;

use weir_types::contract::about::{Tap, UsagePlace};

use super::draft::Draft;
use super::filter::{self, Filter};
use super::last_frame::LastFrame;
use super::list::Elements;
use super::region::RegionPlace;
use super::usage::{NeighbourCondition, Places};
use super::wrapped::Wrapped;
use super::{TapError, content};
use crate::peek::{Pointers, Test};

/// A compiled tap of a manifest. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CompiledTap {
    pub(super) compiled: Arc<Compiled>,
    /// The part that is read of a whole answer of which only the bill is asked for.
    pub(super) bill: Arc<Compiled>,
    /// A tap for the elements of a list, if all figures are in one.
    pub(super) elements: Option<Arc<Elements>>,
}

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) places: Places,
    /// What the hits of each pointer are.
    pub(super) roles: Vec<Vec<Role>>,
    /// Conditions on the neighbours of figures.
    pub(super) besides: Vec<NeighbourCondition>,
    /// Tests on names of events and on whole data, and tests on values.
    pub(super) on_frames: Vec<(Sign, Test)>,
    pub(super) on_values: Vec<(Sign, Test)>,
    /// Units that are counted by the values of which a test holds, by place.
    pub(super) counted: Vec<(usize, Test)>,
    /// What shows the last frame of an answer.
    pub(super) last_frame: LastFrame,
    pub(super) finds_content: bool,
    pub(super) finds_model: bool,
    /// Whether whole answers are weighed.
    pub(super) weighs_answers: bool,
    /// The places of content.
    pub(super) content: content::Places,
    /// The headers that name the tier, and how many pointers at it come before them.
    pub(super) tier_headers: Vec<String>,
    pub(super) tier_pointers: usize,
    /// The places of the region, by the number of their role.
    pub(super) regions: Vec<RegionPlace>,
    /// Where frames hold the data that is read, if not in themselves.
    pub(super) wrapped: Option<Wrapped>,
    /// The members of an answer that hold figures.
    pub(super) members: Vec<String>,
    /// Pointers for the start of an answer: all of them.
    pub(super) full: Stage,
    /// From the first content on: without that and the model's first pointer. A frame is not scanned for the tier
    /// alone. Its pointers are the first of the full ones.
    pub(super) lean: Stage,
}

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) pointers: Pointers,
    pub(super) filter: Filter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A figure of this place, perhaps under a condition.
    Usage {
        place: usize,
        beside: Option<usize>,
    },
    /// A number of units of this place.
    Units(usize),
    Finish,
    /// The model, at the pointer with this number: one with a greater number counts more.
    Model(usize),
    /// The tier, at the pointer with this number: one with a lesser number counts more.
    Tier(usize),
    /// The region, at the place with this number.
    Region(usize),
}

/// What it means for the answer if a test holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Content,
    End,
    Failure,
    Batch,
    UnderWay,
}

impl CompiledTap {
    /// Compiles a tap.
    pub fn new(tap: &Tap) -> Result<Self, TapError> {
        let (usage, units) = (tap.usage.clone(), tap.units.clone());
        let (service_tier, batch) = (tap.service_tier.clone(), tap.batch.clone());
        let (service_tier_headers, region) = (tap.service_tier_headers.clone(), tap.region.clone());
        let model = tap.model.clone();
        let bill = Tap { usage, units, service_tier, service_tier_headers, batch, region, model, ..Tap::default() };
        let bill = Compiled::new(&bill)?;
        let bill = Compiled { weighs_answers: !tap.content.is_empty(), ..bill };
        let elements = Elements::of(tap).map(Arc::new);
        Ok(Self { compiled: Arc::new(Compiled::new(tap)?), bill: Arc::new(bill), elements })
    }

    /// Names of the members of a frame or an answer that contain its figures.
    pub fn usage_members(&self) -> &[String] {
        &self.compiled.members
    }
}

impl Compiled {
    fn new(tap: &Tap) -> Result<Self, TapError> {
        let mut draft = Draft::default();
        let places = Places::new(&tap.usage, &tap.units)?;
        for (place, usage) in tap.usage.iter().enumerate() {
            draft.usage(place, usage)?;
        }
        for (place, units) in tap.units.iter().enumerate() {
            draft.units(place, &units.source)?;
        }
        draft.tests(Sign::Batch, &tap.batch)?;
        tap.finish.iter().for_each(|pointer| draft.text(Role::Finish, pointer));
        draft.tests(Sign::End, &tap.end)?;
        draft.tests(Sign::Failure, &tap.failure)?;
        for (rank, pointer) in tap.service_tier.iter().enumerate() {
            draft.role(Role::Tier(rank), pointer);
        }
        for (number, place) in tap.region.iter().enumerate() {
            draft.role(Role::Region(number), &place.pointer);
        }
        for (rank, pointer) in tap.model.iter().enumerate().skip(1) {
            draft.text(Role::Model(rank), pointer);
        }
        let lean = draft.stage()?;
        draft.tests(Sign::UnderWay, &tap.under_way)?;
        if let Some(first) = tap.model.first() {
            draft.text(Role::Model(0), first);
        }
        for pointer in tap.service_tier.iter().chain(tap.region.iter().map(|place| &place.pointer)) {
            draft.filter.value(pointer, None);
        }
        draft.tests(Sign::Content, &tap.content)?;
        let full = draft.stage()?;
        Ok(Self {
            places,
            roles: draft.roles,
            besides: draft.besides,
            on_frames: draft.on_frames,
            on_values: draft.on_values,
            counted: draft.counted,
            last_frame: LastFrame::new(&tap.end)?,
            finds_content: !tap.content.is_empty(),
            finds_model: !tap.model.is_empty(),
            weighs_answers: !tap.content.is_empty(),
            content: content::Places::new(&tap.content),
            tier_headers: tap.service_tier_headers.clone(),
            tier_pointers: tap.service_tier.len(),
            regions: tap.region.iter().map(RegionPlace::new).collect(),
            wrapped: tap.wrapped.as_deref().map(Wrapped::new).transpose()?,
            members: members(&tap.usage),
            full,
            lean,
        })
    }

    /// The places of usage of which a pointer has values.
    pub(super) fn usage_places(&self, pointer: usize) -> impl Iterator<Item = usize> + Clone {
        let roles = self.roles.get(pointer).map(Vec::as_slice).unwrap_or_default();
        roles.iter().filter_map(|role| if let Role::Usage { place, .. } = role { Some(*place) } else { None })
    }
}

fn members(usage: &[UsagePlace]) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for pointer in usage.iter().flat_map(|place| &place.pointers) {
        let first = filter::names(pointer).into_iter().next();
        let is_inner = pointer.matches('/').count() > 1;
        members.extend(first.filter(|name| is_inner && !members.contains(name)));
    }
    members
}
