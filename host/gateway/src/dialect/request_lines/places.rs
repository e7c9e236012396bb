//! Where the requests in a file name models and objects.

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
    /// How many pointers are at objects, behind those.
    objects: usize,
}

/// What a pointer is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinePlace {
    /// The request's own model: the place's number among these.
    Model(usize),
    /// An object that an earlier answer made.
    Object,
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
        let objects: Vec<&str> = face.object_ids.iter().filter_map(|place| Some(Face::in_line(place)?.1)).collect();
        // What a request names besides its own model stands beside that.
        let request = own.first()?.1.rsplit_once('/')?.0.to_owned();
        let further = named_models::places().map(|place| format!("{request}{place}"));
        let count = objects.len();
        let known = own.into_iter().map(|(_, place)| place).chain(objects).map(str::to_owned);
        let all: Vec<String> = known.chain(further).collect();
        Some(Self { field, pointers: Pointers::compile(&all).ok()?, prefixes, objects: count })
    }

    /// The scan of lines.
    pub(super) fn scan(&self) -> Peek {
        let limits = Limits { hits: MAX_VALUES, variants: true, ..Limits::default() };
        Peek::new(&self.pointers, limits).with_inner_variants()
    }

    /// What a pointer of the scan is at.
    pub(super) fn place(&self, pointer: usize) -> LinePlace {
        if pointer < self.prefixes.len() {
            LinePlace::Model(pointer)
        } else if pointer < self.before_further() {
            LinePlace::Object
        } else {
            LinePlace::Further
        }
    }

    /// How many pointers are at other things than models that a request names besides its own.
    pub(super) fn before_further(&self) -> usize {
        self.prefixes.len() + self.objects
    }
}
