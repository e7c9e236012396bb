//! Bodies of requests and answers: cut into pieces, each stored once a day under the hash of its content.
//!
//! The turns of a conversation repeat all messages before them. If a body is cut at its messages, each is stored once.

pub(crate) mod recipe;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::sql::{Sql, Value, insert_many, padded, placeholders};
use recipe::{Hash, Recipe};

/// Most bytes of a body; longer ones are not kept.
pub const MAX_BODY: usize = 256 << 20;

/// Which of a request's bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// What the client sent.
    Request,
    /// What the client got.
    Response,
    /// What the provider was sent.
    UpstreamRequest,
    /// What the provider answered.
    UpstreamResponse,
}

impl Side {
    fn number(self) -> i64 {
        self as i64
    }
}

/// A body to be kept, in the form of a recording and without secrets: the store keeps the bytes as they are.
#[derive(Debug, Clone)]
pub struct Body {
    /// The request.
    pub id: RequestId,
    /// Which of its bodies.
    pub side: Side,
    /// The bytes as they are kept.
    pub bytes: Bytes,
    /// Where to cut, as offsets into the bytes: before and after each message, so that what stands between messages is
    /// in a piece of its own. Without any, the body is cut by size.
    pub cuts: Vec<usize>,
}

impl Body {
    /// Bytes that the body takes in memory, about.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.cuts.len() * size_of::<usize>() + size_of::<Self>()
    }
}

/// A piece on its way to the table `chunks`.
#[derive(Debug)]
struct Packed<'a> {
    length: usize,
    is_zstd: bool,
    data: Cow<'a, [u8]>,
}

/// Writes bodies of one day: into `bodies` first, in the order in which they are read and erased. Transactions that use
/// tables in the same order never wait for each other in a circle.
pub(crate) fn write(sql: &mut dyn Sql, bodies: &[&Body]) -> Result<(), StoreError> {
    for body in bodies {
        let day = i64::from(body.id.day().number());
        let recipe = Recipe::of(&body.bytes, &body.cuts);
        sql.execute(
            "insert into bodies (id,side,length,recipe) values ($1,$2,$3,$4) on conflict (id,side) do nothing",
            &[
                Value::blob(body.id.as_bytes()),
                Value::Int(body.side.number()),
                Value::count(body.bytes.len() as u64),
                Value::blob(&recipe.text),
            ],
        )?;
        write_chunks(sql, day, &recipe)?;
    }
    Ok(())
}

/// Writes the pieces of a recipe that the day does not have yet.
fn write_chunks(sql: &mut dyn Sql, day: i64, recipe: &Recipe<'_>) -> Result<(), StoreError> {
    let hashes: Vec<Hash> = recipe.chunks.keys().copied().collect();
    let mut known = BTreeSet::new();
    for some in hashes.chunks(64) {
        for mut row in query_chunks(sql, "hash", day, some)? {
            known.insert(row.array::<32>()?);
        }
    }
    let new = recipe.chunks.iter().filter(|(hash, _)| !known.contains(*hash));
    let packed: Vec<(&Hash, Packed<'_>)> = new.map(|(hash, piece)| (hash, pack(piece))).collect();
    let values: Vec<Value<'_>> = packed.iter().flat_map(|(hash, packed)| chunk_values(day, hash, packed)).collect();
    let insert = "insert into chunks (day,hash,length,is_zstd,data)";
    insert_many(sql, insert, 5, &values, " on conflict (day,hash) do nothing")
}

fn chunk_values<'a>(day: i64, hash: &'a Hash, packed: &'a Packed<'_>) -> [Value<'a>; 5] {
    [
        Value::Int(day),
        Value::blob(hash),
        Value::count(packed.length as u64),
        Value::Int(i64::from(packed.is_zstd)),
        Value::blob(&packed.data),
    ]
}

/// Asks for columns of chunks.
fn query_chunks(
    sql: &mut dyn Sql,
    column: &str,
    day: i64,
    hashes: &[Hash],
) -> Result<Vec<crate::sql::Row>, StoreError> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let named = padded(hashes).map(|hash| Value::blob(hash));
    let values: Vec<Value<'_>> = std::iter::once(Value::Int(day)).chain(named).collect();
    let list = placeholders(2, values.len() - 1);
    sql.query(&format!("select {column} from chunks where day = $1 and hash in ({list})"), &values)
}

/// Compresses a piece, if that makes it smaller.
fn pack(piece: &[u8]) -> Packed<'_> {
    if let Ok(small) = zstd::bulk::compress(piece, 1)
        && small.len() < piece.len()
    {
        return Packed { length: piece.len(), is_zstd: true, data: Cow::Owned(small) };
    }
    Packed { length: piece.len(), is_zstd: false, data: Cow::Borrowed(piece) }
}

/// A request's body, put together again.
pub(crate) fn read(sql: &mut dyn Sql, id: &RequestId, side: Side) -> Result<Option<Vec<u8>>, StoreError> {
    let rows = sql.query(
        "select length,recipe from bodies where id = $1 and side = $2",
        &[Value::blob(id.as_bytes()), Value::Int(side.number())],
    )?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    let (length, text) = (row.count()?, row.blob()?);
    let day = i64::from(id.day().number());
    let bytes = recipe::assemble(&text, length, |hashes| read_chunks(sql, day, hashes))?;
    Ok(Some(bytes))
}

/// The pieces of these hashes, as far as they exist.
fn read_chunks(sql: &mut dyn Sql, day: i64, hashes: &[Hash]) -> Result<BTreeMap<Hash, Vec<u8>>, StoreError> {
    let mut chunks = BTreeMap::new();
    for some in hashes.chunks(64) {
        for mut row in query_chunks(sql, "hash,length,is_zstd,data", day, some)? {
            let (hash, length, is_zstd, data) = (row.array()?, row.count()?, row.int()? != 0, row.blob()?);
            chunks.insert(hash, unpack(data, length, is_zstd)?);
        }
    }
    Ok(chunks)
}

fn unpack(data: Vec<u8>, length: u64, is_zstd: bool) -> Result<Vec<u8>, StoreError> {
    if !is_zstd {
        return Ok(data);
    }
    let most = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_BODY);
    zstd::bulk::decompress(&data, most).map_err(|error| StoreError::Unreadable(format!("a piece of a body: {error}")))
}

/// Adds the hashes of everything that a recipe of a day needs.
pub(crate) fn collect(
    sql: &mut dyn Sql,
    day: Day,
    recipe: &[u8],
    needed: &mut BTreeSet<Hash>,
) -> Result<(), StoreError> {
    let number = i64::from(day.number());
    recipe::collect(recipe, needed, |hashes| read_chunks(sql, number, hashes))
}

/// Removes the bodies of some requests of a day, and these pieces.
pub(crate) fn remove(sql: &mut dyn Sql, day: Day, ids: &[RequestId], pieces: &[Hash]) -> Result<(), StoreError> {
    for some in ids.chunks(64) {
        let named: Vec<Value<'_>> = padded(some).map(|id| Value::blob(id.as_bytes())).collect();
        sql.execute(&format!("delete from bodies where id in ({})", placeholders(1, named.len())), &named)?;
    }
    for some in pieces.chunks(64) {
        let hashes = padded(some).map(|hash| Value::blob(hash));
        let named: Vec<Value<'_>> = std::iter::once(Value::Int(day.number().into())).chain(hashes).collect();
        let list = placeholders(2, named.len() - 1);
        sql.execute(&format!("delete from chunks where day = $1 and hash in ({list})"), &named)?;
    }
    Ok(())
}
