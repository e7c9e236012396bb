//! Which client made which object at a provider, by which another process than the one that it passed through keeps it
//! from other clients: one row for each, for a while.

use std::collections::BTreeMap;

use crate::error::StoreError;
use crate::sql::{Sql, Value, insert_many};

/// How long a row is kept, in milliseconds: about as long as providers keep most objects.
const KEPT_FOR_MS: u64 = 30 * 24 * 3_600_000;
/// Most rows of answers, and of other objects. Where there are more, the tenants that have most lose their oldest.
const MOST: u64 = 65_536;
/// Most bytes of a row's texts.
const MAX_KEY: usize = 1_024;

/// An object with the client that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectOwner {
    /// The provider's id for it.
    pub id: String,
    /// The tenant that made it.
    pub tenant: String,
    /// Whether it is an answer, which are numerous and must not put out others.
    pub is_answer: bool,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
}

impl ObjectOwner {
    /// Whether both databases can keep it.
    fn can_be_kept(&self) -> bool {
        let Self { id, tenant, .. } = self;
        id.len() + tenant.len() <= MAX_KEY && !id.contains('\0') && !tenant.contains('\0')
    }
}

/// Keeps who made objects. A known owner stays.
pub(crate) fn keep(sql: &mut dyn Sql, owners: &[ObjectOwner]) -> Result<(), StoreError> {
    // A multi-row insert must not meet one row twice, and an order that all nodes share keeps locks from crossing.
    let owners = owners.iter().rev().filter(|owner| owner.can_be_kept());
    let owners: BTreeMap<&str, &ObjectOwner> = owners.map(|owner| (&*owner.id, owner)).collect();
    let values = |owner: &'_ &ObjectOwner| -> [Value<'_>; 4] {
        let ObjectOwner { id, tenant, is_answer, made_ms } = *owner;
        let [id, tenant] = [id, tenant].map(|text| Value::Text(text.clone().into()));
        [id, tenant, Value::Int((*is_answer).into()), Value::count(*made_ms)]
    };
    let values: Vec<Value<'_>> = owners.values().flat_map(values).collect();
    insert_many(
        sql,
        "insert into object_owners (id,tenant,is_answer,made_ms)",
        4,
        &values,
        " on conflict (id) do nothing",
    )
}

/// The objects that were made from then on, the oldest first.
pub(crate) fn since(sql: &mut dyn Sql, from_ms: u64) -> Result<Vec<ObjectOwner>, StoreError> {
    let text = "select id,tenant,is_answer,made_ms from object_owners where made_ms >= $1 order by made_ms,id";
    let rows = sql.query(text, &[Value::count(from_ms)])?;
    let owner = |mut row: crate::sql::Row| {
        Ok(ObjectOwner { id: row.text()?, tenant: row.text()?, is_answer: row.int()? != 0, made_ms: row.count()? })
    };
    rows.into_iter().map(owner).collect()
}

/// Removes rows that are too old or too many.
pub(crate) fn end(sql: &mut dyn Sql, now_ms: u64) -> Result<(), StoreError> {
    let before = now_ms.saturating_sub(KEPT_FOR_MS);
    sql.execute("delete from object_owners where made_ms < $1", &[Value::count(before)])?;
    for is_answer in [0, 1] {
        let count = sql.query("select count(*) from object_owners where is_answer = $1", &[Value::Int(is_answer)])?;
        let count = count.into_iter().next().map(|mut row| row.count()).transpose()?.unwrap_or_default();
        if count > MOST {
            // The newest of each tenant come first, so that who makes many objects puts out none of another's.
            sql.execute(
                &format!(
                    "delete from object_owners where id in (select id from (select id, made_ms, row_number() over \
                     (partition by tenant order by made_ms desc, id) as place from object_owners \
                     where is_answer = $1) as placed order by place, made_ms desc, id limit {count} offset {MOST})"
                ),
                &[Value::Int(is_answer)],
            )?;
        }
    }
    Ok(())
}
