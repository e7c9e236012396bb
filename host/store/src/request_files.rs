//! What was read of uploaded files of requests, by which another process than the one that they passed through begins
//! work on them: one row for each, for a while.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::StoreError;
use crate::sql::{Row, Sql, Value, insert_many};

/// How long a row is kept, in milliseconds: about as long as providers keep such files.
const KEPT_FOR_MS: u64 = 30 * 24 * 3_600_000;
/// Most rows of one tenant, and of all. Where there are more, the oldest go.
const MOST_OF_TENANT: usize = 4_096;
const MOST: usize = 65_536;
/// Most bytes of the texts that name a file, and of what was read of it.
const MAX_KEY: usize = 1_024;
const MAX_BODY: usize = 16 << 10;

/// What was read of a file of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestFile {
    /// The tenant that uploaded it.
    pub tenant: String,
    /// The provider's id for it.
    pub id: String,
    /// When it was uploaded, in milliseconds since 1970.
    pub made_ms: u64,
    /// What was read, as JSON.
    pub body: String,
}

impl RequestFile {
    /// Whether both databases can keep it. Another one is not kept: it is to be uploaded again.
    fn can_be_kept(&self) -> bool {
        let Self { tenant, id, body, .. } = self;
        let has_room = tenant.len() + id.len() <= MAX_KEY && body.len() <= MAX_BODY;
        has_room && ![tenant, id, body].into_iter().any(|text| text.contains('\0'))
    }
}

/// Keeps what was read of files. What is there already stays.
pub(crate) fn keep(sql: &mut dyn Sql, files: &[RequestFile]) -> Result<(), StoreError> {
    // A multi-row insert must not meet one row twice, and an order that all nodes share keeps locks from crossing.
    let files = files.iter().rev().filter(|file| file.can_be_kept());
    let files: BTreeMap<(&str, &str), &RequestFile> = files.map(|file| ((&*file.id, &*file.tenant), file)).collect();
    let values = |file: &'_ &RequestFile| -> [Value<'_>; 4] {
        let RequestFile { tenant, id, made_ms, body } = *file;
        let texts = [id, tenant, body].map(|text| Value::Text(text.clone().into()));
        let [id, tenant, body] = texts;
        [id, tenant, Value::count(*made_ms), body]
    };
    let values: Vec<Value<'_>> = files.values().flat_map(values).collect();
    insert_many(
        sql,
        "insert into request_files (id,tenant,made_ms,body)",
        4,
        &values,
        " on conflict (id,tenant) do nothing",
    )?;
    let tenants: BTreeSet<&str> = files.keys().map(|(_, tenant)| *tenant).collect();
    for tenant in tenants {
        sql.execute(
            &format!(
                "delete from request_files where tenant = $1 and made_ms <= (select made_ms from request_files \
                 where tenant = $1 order by made_ms desc limit 1 offset {MOST_OF_TENANT})"
            ),
            &[Value::text(tenant)],
        )?;
    }
    Ok(())
}

/// What was read of the files with these ids, of all clients, the oldest first.
pub(crate) fn find(sql: &mut dyn Sql, ids: &[String]) -> Result<Vec<RequestFile>, StoreError> {
    let mut found = Vec::new();
    for id in ids.iter().filter(|id| id.len() <= MAX_KEY && !id.contains('\0')) {
        let text = "select tenant,id,made_ms,body from request_files where id = $1 order by made_ms,tenant";
        for mut row in sql.query(text, &[Value::text(id)])? {
            found.push(read(&mut row)?);
        }
    }
    Ok(found)
}

/// Removes rows that are too old or too many.
pub(crate) fn end(sql: &mut dyn Sql, now_ms: u64) -> Result<(), StoreError> {
    let before = now_ms.saturating_sub(KEPT_FOR_MS);
    sql.execute("delete from request_files where made_ms < $1", &[Value::count(before)])?;
    sql.execute(
        &format!(
            "delete from request_files where made_ms <= (select made_ms from request_files \
             order by made_ms desc limit 1 offset {MOST})"
        ),
        &[],
    )?;
    Ok(())
}

fn read(row: &mut Row) -> Result<RequestFile, StoreError> {
    Ok(RequestFile { tenant: row.text()?, id: row.text()?, made_ms: row.count()?, body: row.text()? })
}
