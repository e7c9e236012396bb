//! The places in a file's requests of the models and objects that they name, and of how much they ask for.

use weir_types::contract::about::{BodyKind, Face, ModelPlace};
use weir_wire::peek::{Limits, Peek, Pointers};

use crate::dialect::request_peek::named_models;

/// The most values of one place in a line.
const MAX_VALUES: usize = 1 << 10;

/// Where each line of a form's file names models and objects.
#[derive(Debug)]
pub(crate) struct LinePlaces {
    /// The form's field with the file.
    pub(super) field: String,
    pointers: Pointers,
    /// What precedes the name at each of the first pointers, which are those at the request's own model.
    pub(super) prefixes: Vec<String>,
    /// How many pointers are at objects, behind those, and at limits of output and numbers of candidates behind these.
    objects: usize,
    limits: usize,
    candidates: usize,
}

/// The meaning of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinePlace {
    /// The request's own model: the place's number among these.
    Model(usize),
    /// An object that an earlier answer made.
    Object,
    /// The limit of output tokens.
    Limit,
    /// The number of candidates.
    Candidates,
    /// A model that the request names besides.
    Further,
}

impl LinePlaces {
    /// The places that a face's manifest names in a file; `None` if it names none.
    pub(crate) fn new(face: &Face) -> Option<Self> {
        if face.body != BodyKind::Raw {
            return None;
        }
        let models = face.model.iter().filter_map(|place| match place {
            ModelPlace::Pointer(place) => Some((Face::in_line(&place.pointer)?, place.prefix.clone())),
            _ => None,
        });
        let (own, prefixes): (Vec<(&str, &str)>, Vec<String>) = models.unzip();
        let field = own.first()?.0.to_owned();
        let in_line =
            |places: &'_ [String]| places.iter().filter_map(|place| Some(Face::in_line(place)?.1.to_owned())).collect();
        let [objects, limits, candidates]: [Vec<String>; 3] =
            [&face.object_ids, &face.output_limit, &face.candidates].map(|places| in_line(places));
        // What a request names besides its own model stands beside that.
        let request = own.first()?.1.rsplit_once('/')?.0.to_owned();
        let further = named_models::places().map(|place| format!("{request}{place}"));
        let counts = [&objects, &limits, &candidates].map(Vec::len);
        let known = own.into_iter().map(|(_, place)| place.to_owned()).chain(objects).chain(limits).chain(candidates);
        let all: Vec<String> = known.chain(further).collect();
        let ([objects, limits, candidates], pointers) = (counts, Pointers::compile(&all).ok()?);
        Some(Self { field, pointers, prefixes, objects, limits, candidates })
    }

    /// The scan of lines.
    pub(super) fn scan(&self) -> Peek {
        let limits = Limits { hits: MAX_VALUES, variants: true, ..Limits::default() };
        Peek::new(&self.pointers, limits).with_inner_variants()
    }

    /// The meaning of a pointer of the scan.
    pub(super) fn place(&self, pointer: usize) -> LinePlace {
        let before_limits = self.prefixes.len() + self.objects;
        if pointer < self.prefixes.len() {
            LinePlace::Model(pointer)
        } else if pointer < before_limits {
            LinePlace::Object
        } else if pointer < before_limits + self.limits {
            LinePlace::Limit
        } else if pointer < self.before_further() {
            LinePlace::Candidates
        } else {
            LinePlace::Further
        }
    }

    /// How many pointers are at other things than models that a request names besides its own.
    pub(super) fn before_further(&self) -> usize {
        self.prefixes.len() + self.objects + self.limits + self.candidates
    }
}
