//! The audit log: every change, in a chain of hashes that shows whether an entry was altered or removed. Where the
//! chain ends is kept apart from it, so that entries are missed that were cut off its end.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::sql::{Row, Sql, Value};

/// Entries that a check reads at a time.
pub(crate) const PART: usize = 1_000;

/// Something to be recorded in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// When it happened, in milliseconds since 1970.
    pub time_ms: u64,
    /// What happened and by whom, as JSON. It never holds a secret.
    pub event: String,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The number of the entry, from 1, without gaps.
    pub sequence: u64,
    /// When it happened, in milliseconds since 1970.
    pub time_ms: u64,
    /// What happened, as JSON.
    pub event: String,
    /// The hash of this entry and, through the one before, of all before it.
    #[serde(with = "hex")]
    pub hash: [u8; 32],
}

/// What a check of the whole chain found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainCheck {
    /// Every entry is as it was written, and none is missing. Who can write into the database can make a shorter chain
    /// look so: to see that, keep the number and the hash of an entry elsewhere.
    Intact {
        /// The number of the last entry; 0 for an empty log.
        last: u64,
    },
    /// The first entry that was altered, or that follows one which was altered or removed.
    Broken {
        /// Its number.
        sequence: u64,
    },
    /// Entries are missing at the end.
    Cut {
        /// The number of the first one.
        sequence: u64,
    },
}

/// The hash of an entry: SHA-256 of the hash before, number and time (big-endian, 8 bytes each) and the event.
pub fn entry_hash(before: &[u8; 32], sequence: u64, time_ms: u64, event: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(sequence.to_be_bytes());
    hash.update(time_ms.to_be_bytes());
    hash.update(event.as_bytes());
    hash.finalize().into()
}

/// Appends an event. Only one transaction at a time does so: the counter's row is locked first.
pub(crate) fn append(sql: &mut dyn Sql, event: &AuditEvent) -> Result<AuditEntry, StoreError> {
    let sequence = advance(sql, "audit", 1)?;
    let before = hash_before(sql, sequence)?;
    let mut text = event.event.clone();
    text.retain(|character| character != '\0');
    let hash = entry_hash(&before, sequence, event.time_ms, &text);
    sql.execute(
        "insert into audit (sequence,time_ms,event,hash) values ($1,$2,$3,$4)",
        &[Value::count(sequence), Value::count(event.time_ms), Value::text(&text), Value::blob(&hash)],
    )?;
    sql.execute(
        "insert into audit_head (number,sequence,hash) values (1,$1,$2) \
         on conflict (number) do update set sequence = excluded.sequence, hash = excluded.hash",
        &[Value::count(sequence), Value::blob(&hash)],
    )?;
    Ok(AuditEntry { sequence, time_ms: event.time_ms, event: text, hash })
}

/// The hash that the next entry continues from: that of the separately kept end, even if the log ends in another way.
/// The chain then stays broken there, so that later entries do not hide what was done to its end.
fn hash_before(sql: &mut dyn Sql, sequence: u64) -> Result<[u8; 32], StoreError> {
    match head(sql)? {
        // A program of an earlier version, which does not know the head, may have written entries after it.
        Some(head) if head.sequence + 1 >= sequence => Ok(head.hash),
        _ => Ok(hash_of(sql, sequence.saturating_sub(1))?.unwrap_or_default()),
    }
}

/// The hash of an entry as it is stored.
fn hash_of(sql: &mut dyn Sql, sequence: u64) -> Result<Option<[u8; 32]>, StoreError> {
    let rows = sql.query("select hash from audit where sequence = $1", &[Value::count(sequence)])?;
    rows.into_iter().next().map(|mut row| row.array()).transpose()
}

/// The last entry, as it is kept apart from the log; none in a log that no program of this version has written to.
fn head(sql: &mut dyn Sql) -> Result<Option<Checked>, StoreError> {
    let rows = sql.query("select sequence,hash from audit_head", &[])?;
    let read = |mut row: Row| Ok(Checked { sequence: row.count()?, hash: row.array()? });
    rows.into_iter().next().map(read).transpose()
}

/// Raises a counter by so many and returns it. Its row stays locked to the end of the transaction, so that numbers
/// appear in order.
pub(crate) fn advance(sql: &mut dyn Sql, counter: &str, by: u64) -> Result<u64, StoreError> {
    let rows = sql.query(
        "update counters set value = value + $1 where name = $2 returning value",
        &[Value::count(by), Value::text(counter)],
    )?;
    match rows.into_iter().next() {
        Some(mut row) => row.count(),
        None => Err(StoreError::Unreadable(format!("there is no counter {counter}"))),
    }
}

/// Entries before a number, or the last ones, newest first.
pub(crate) fn page(sql: &mut dyn Sql, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, StoreError> {
    let text = format!(
        "select sequence,time_ms,event,hash from audit where sequence < $1 order by sequence desc limit {most}"
    );
    sql.query(&text, &[Value::count(before.unwrap_or(u64::MAX))])?.iter_mut().map(read).collect()
}

/// How far a chain was checked: the last entry that was found intact.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Checked {
    sequence: u64,
    hash: [u8; 32],
}

/// What a check of a part of the chain shows.
#[derive(Debug)]
pub(crate) enum Part {
    /// It is intact so far, and may go on.
    Intact(Checked),
    /// There is nothing more to check.
    End(ChainCheck),
}

/// Checks a part of the chain: the entries after one whose hash is known. Where the end of the log is not kept apart,
/// only its number is compared.
pub(crate) fn check_part(
    sql: &mut dyn Sql,
    mut checked: Checked,
    most: usize,
    has_head: bool,
) -> Result<Part, StoreError> {
    // The end first: an entry that is written meanwhile is then one more, and none is missing.
    let end = End::read(sql, has_head)?;
    let text =
        format!("select sequence,time_ms,event,hash from audit where sequence > $1 order by sequence limit {most}");
    let mut rows = sql.query(&text, &[Value::count(checked.sequence)])?;
    if rows.is_empty() {
        return Ok(Part::End(end.compare(sql, checked.sequence)?));
    }
    for row in &mut rows {
        let entry = read(row)?;
        let expected = entry_hash(&checked.hash, checked.sequence + 1, entry.time_ms, &entry.event);
        if entry.sequence != checked.sequence + 1 || entry.hash != expected {
            return Ok(Part::End(ChainCheck::Broken { sequence: entry.sequence }));
        }
        checked = Checked { sequence: entry.sequence, hash: entry.hash };
    }
    Ok(Part::Intact(checked))
}

/// What is known of the end of the log beside its entries.
#[derive(Debug)]
struct End {
    /// How many entries were written. Programs of all versions count them.
    written: u64,
    head: Option<Checked>,
}

impl End {
    fn read(sql: &mut dyn Sql, has_head: bool) -> Result<Self, StoreError> {
        let rows = sql.query("select value from counters where name = $1", &[Value::text("audit")])?;
        let written = rows.into_iter().next().map_or(Ok(0), |mut row| row.count())?;
        Ok(Self { written, head: if has_head { head(sql)? } else { None } })
    }

    /// Compares it with the last entry of an intact chain.
    fn compare(&self, sql: &mut dyn Sql, last: u64) -> Result<ChainCheck, StoreError> {
        let most = self.head.map_or(self.written, |head| head.sequence.max(self.written));
        if last < most {
            return Ok(ChainCheck::Cut { sequence: last + 1 });
        }
        if last > self.written {
            return Ok(ChainCheck::Broken { sequence: self.written + 1 });
        }
        match self.head {
            Some(head) if hash_of(sql, head.sequence)? != Some(head.hash) => {
                Ok(ChainCheck::Broken { sequence: head.sequence })
            }
            _ => Ok(ChainCheck::Intact { last }),
        }
    }
}

/// Walks the whole chain, part by part.
pub(crate) fn check(mut part: impl FnMut(Checked) -> Result<Part, StoreError>) -> Result<ChainCheck, StoreError> {
    let mut at = Checked::default();
    loop {
        match part(at)? {
            Part::End(found) => return Ok(found),
            Part::Intact(next) => at = next,
        }
    }
}

/// An entry of its columns. What is damaged is not what its hash was made of, as a check shows, and the others stay
/// readable: by the last one, nodes learn whether the store is the one that they know.
fn read(row: &mut Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        sequence: row.count()?,
        time_ms: row.count().unwrap_or_default(),
        event: row.text().unwrap_or_default(),
        hash: row.array().unwrap_or_default(),
    })
}

/// Hashes as hexadecimal text.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::hex::encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::hex::decode(&text).ok_or_else(|| D::Error::custom("not a SHA-256"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_back_from_its_json() {
        let hash = entry_hash(&[0; 32], 1, 2, "{}");
        let entry = AuditEntry { sequence: 1, time_ms: 2, event: "{}".to_owned(), hash };
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<AuditEntry>(&text).unwrap(), entry);
        assert!(serde_json::from_str::<AuditEntry>(&text.replace("\"hash\":\"", "\"hash\":\"ä")).is_err());
    }
}
