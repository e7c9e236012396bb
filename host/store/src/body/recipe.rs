//! A recipe puts a body together from pieces. Long recipes are pieces themselves: of each 32 parts, a group is made, so
//! that the turns of a conversation share the beginning of their recipes as well.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::MAX_BODY;
use crate::error::StoreError;

/// The SHA-256 of a piece.
pub(crate) type Hash = [u8; 32];

/// Pieces below this size stand in the recipe itself.
const MIN_PIECE: usize = 64;
/// Larger pieces are cut.
const MAX_PIECE: usize = 256 << 10;
/// Parts of a group.
const GROUP: usize = 32;
/// Places to cut at; further ones are left out.
const MAX_CUTS: usize = 1 << 14;
/// Groups of groups, at most. With 32 parts a group, six levels are more than any body needs.
const MAX_LEVELS: usize = 8;

const LITERAL: u8 = 0;
const CHUNK: u8 = 1;
const GROUPED: u8 = 2;

/// A recipe with the pieces that it names.
#[derive(Debug)]
pub(crate) struct Recipe<'a> {
    pub(crate) text: Vec<u8>,
    pub(crate) chunks: BTreeMap<Hash, Cow<'a, [u8]>>,
}

/// One part of a recipe as it is written.
type Part = Vec<u8>;

impl<'a> Recipe<'a> {
    /// Cuts a body at these places and names its pieces.
    pub(crate) fn of(bytes: &'a [u8], cuts: &[usize]) -> Self {
        let mut chunks = BTreeMap::new();
        let mut parts: Vec<Part> = Vec::new();
        for piece in pieces(bytes, cuts) {
            if piece.len() < MIN_PIECE {
                parts.push([&[LITERAL, piece.len() as u8], piece].concat());
                continue;
            }
            let hash = hash(piece);
            chunks.entry(hash).or_insert(piece.into());
            parts.push([&[CHUNK], &hash[..]].concat());
        }
        while parts.len() > GROUP {
            parts = parts.chunks(GROUP).flat_map(|some| group(some, &mut chunks)).collect();
        }
        Self { text: parts.concat(), chunks }
    }
}

/// Makes one part of a full group, and leaves the rest at the end as it is.
fn group(parts: &[Part], chunks: &mut BTreeMap<Hash, Cow<'_, [u8]>>) -> Vec<Part> {
    if parts.len() < GROUP {
        return parts.to_vec();
    }
    let text = parts.concat();
    let hash = hash(&text);
    chunks.entry(hash).or_insert(text.into());
    vec![[&[GROUPED], &hash[..]].concat()]
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// A body's pieces between the cuts, none larger than [`MAX_PIECE`]. Cuts outside of the body or out of order are
/// skipped.
fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    let mut begin = 0;
    for end in cuts.iter().copied().take(MAX_CUTS).chain([bytes.len()]) {
        if end <= begin || end > bytes.len() {
            continue;
        }
        found.extend(bytes[begin..end].chunks(MAX_PIECE));
        begin = end;
    }
    found
}

/// A part of a recipe as it is read.
enum RecipePart<'a> {
    Literal(&'a [u8]),
    Chunk(Hash),
    Group(Hash),
}

fn parse(mut text: &[u8]) -> Result<Vec<RecipePart<'_>>, StoreError> {
    let mut parts = Vec::new();
    while let Some((kind, rest)) = text.split_first() {
        let (part, rest) = match *kind {
            LITERAL => {
                let (length, rest) = rest.split_first().ok_or_else(broken)?;
                let (piece, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(broken)?;
                (RecipePart::Literal(piece), rest)
            }
            CHUNK | GROUPED => {
                let (hash, rest) = rest.split_first_chunk::<32>().ok_or_else(broken)?;
                (if *kind == CHUNK { RecipePart::Chunk(*hash) } else { RecipePart::Group(*hash) }, rest)
            }
            _ => return Err(broken()),
        };
        parts.push(part);
        text = rest;
    }
    Ok(parts)
}

fn broken() -> StoreError {
    StoreError::Unreadable("the recipe of a body".to_owned())
}

fn missing() -> StoreError {
    StoreError::Unreadable("a body of which a piece is missing".to_owned())
}

/// Puts a body together from its recipe, with the pieces that `fetch` returns.
pub(crate) fn assemble(
    text: &[u8],
    length: u64,
    mut fetch: impl FnMut(&[Hash]) -> Result<BTreeMap<Hash, Vec<u8>>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_BODY).ok_or_else(broken)?;
    let text = flatten(text, &mut fetch)?;
    let parts = parse(&text)?;
    let hashes: BTreeSet<Hash> = parts.iter().filter_map(RecipePart::chunk).collect();
    let chunks = fetch(&hashes.into_iter().collect::<Vec<_>>())?;
    let mut bytes = Vec::with_capacity(length);
    for part in &parts {
        let piece = match part {
            RecipePart::Literal(piece) => piece,
            RecipePart::Chunk(hash) | RecipePart::Group(hash) => chunks.get(hash).ok_or_else(missing)?.as_slice(),
        };
        if bytes.len() + piece.len() > length {
            return Err(broken());
        }
        bytes.extend_from_slice(piece);
    }
    if bytes.len() == length { Ok(bytes) } else { Err(broken()) }
}

impl RecipePart<'_> {
    fn chunk(&self) -> Option<Hash> {
        if let Self::Chunk(hash) = self { Some(*hash) } else { None }
    }

    fn group(&self) -> Option<Hash> {
        if let Self::Group(hash) = self { Some(*hash) } else { None }
    }
}

/// Replaces groups by their parts, until there are none.
fn flatten(
    text: &[u8],
    fetch: &mut impl FnMut(&[Hash]) -> Result<BTreeMap<Hash, Vec<u8>>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    let mut text = text.to_vec();
    for _ in 0..MAX_LEVELS {
        let parts = parse(&text)?;
        let groups: BTreeSet<Hash> = parts.iter().filter_map(RecipePart::group).collect();
        if groups.is_empty() {
            return Ok(text);
        }
        let found = fetch(&groups.into_iter().collect::<Vec<_>>())?;
        let mut longer = Vec::new();
        for part in &parts {
            match part {
                RecipePart::Literal(piece) => {
                    longer.extend_from_slice(&[&[LITERAL, piece.len() as u8], *piece].concat());
                }
                RecipePart::Chunk(hash) => longer.extend_from_slice(&[&[CHUNK], &hash[..]].concat()),
                RecipePart::Group(hash) => longer.extend_from_slice(found.get(hash).ok_or_else(missing)?),
            }
            if longer.len() > MAX_BODY {
                return Err(broken());
            }
        }
        text = longer;
    }
    Err(broken())
}

/// Adds the hashes of everything that a recipe needs: its pieces and its groups.
pub(crate) fn collect(
    text: &[u8],
    needed: &mut BTreeSet<Hash>,
    mut fetch: impl FnMut(&[Hash]) -> Result<BTreeMap<Hash, Vec<u8>>, StoreError>,
) -> Result<(), StoreError> {
    let mut texts = vec![text.to_vec()];
    for _ in 0..MAX_LEVELS {
        let mut groups = BTreeSet::new();
        for text in &texts {
            for part in parse(text)? {
                needed.extend(part.chunk());
                // A group that another recipe has led to already needs no second look.
                groups.extend(part.group().filter(|group| needed.insert(*group)));
            }
        }
        if groups.is_empty() {
            return Ok(());
        }
        texts = fetch(&groups.into_iter().collect::<Vec<_>>())?.into_values().collect();
    }
    Err(broken())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round(bytes: &[u8], cuts: &[usize]) -> Vec<u8> {
        let recipe = Recipe::of(bytes, cuts);
        let fetch = |hashes: &[Hash]| {
            Ok(hashes.iter().filter_map(|hash| Some((*hash, recipe.chunks.get(hash)?.to_vec()))).collect())
        };
        let mut needed = BTreeSet::new();
        collect(&recipe.text, &mut needed, fetch).unwrap();
        assert!(needed.iter().eq(recipe.chunks.keys()));
        assemble(&recipe.text, bytes.len() as u64, fetch).unwrap()
    }

    proptest! {
        #[test]
        fn any_body_cut_anywhere_comes_back(
            bytes in proptest::collection::vec(any::<u8>(), 0..20_000),
            cuts in proptest::collection::vec(0_usize..25_000, 0..4_000),
        ) {
            prop_assert_eq!(round(&bytes, &cuts), bytes.clone());
            let mut sorted = cuts;
            sorted.sort_unstable();
            prop_assert_eq!(round(&bytes, &sorted), bytes);
        }

        #[test]
        fn no_text_of_a_recipe_panics(text in proptest::collection::vec(0_u8..70, 0..200)) {
            let _ = assemble(&text, 100, |_| Ok(BTreeMap::new()));
            let _ = collect(&text, &mut BTreeSet::new(), |_| Ok(BTreeMap::new()));
        }
    }

    #[test]
    fn a_longer_conversation_shares_all_but_its_end() {
        let message =
            |number: usize| format!("{{\"role\":\"user\",\"content\":\"{}\"}}", format!("{number} ").repeat(50));
        let turn = |count: usize| {
            let (mut text, mut cuts) = ("{\"messages\":[".to_owned(), Vec::new());
            for number in 0..count {
                text.push_str(if number > 0 { "," } else { "" });
                cuts.push(text.len());
                text.push_str(&message(number));
                cuts.push(text.len());
            }
            (text + "]}", cuts)
        };
        let (short, cuts) = turn(200);
        let first = Recipe::of(short.as_bytes(), &cuts);
        let (long, cuts) = turn(201);
        let second = Recipe::of(long.as_bytes(), &cuts);
        let new = second.chunks.keys().filter(|hash| !first.chunks.contains_key(*hash)).count();
        assert!(new <= 3 && second.text.len() < 1_200, "{new} new pieces, a recipe of {}", second.text.len());
    }

    #[test]
    fn the_groups_of_a_recipe_that_leads_to_itself_end() {
        let hash = [9; 32];
        let text = [&[GROUPED], &hash[..]].concat();
        let fetch = |_: &[Hash]| Ok(BTreeMap::from([(hash, text.clone())]));
        assert!(assemble(&text, 10, fetch).is_err());
        assert!(collect(&text, &mut BTreeSet::new(), fetch).is_ok());
    }
}
