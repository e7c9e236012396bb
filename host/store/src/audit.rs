//! The audit log: every change, in a chain of hashes that shows whether an entry was altered or removed.

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
    /// Every entry is as it was written. To see whether entries are missing at the end, keep the number elsewhere.
    Intact {
        /// The number of the last entry; 0 for an empty log.
        last: u64,
    },
    /// The first entry that was altered, or that follows one which was altered or removed.
    Broken {
        /// Its number.
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
    let before = sql.query("select hash from audit where sequence = $1", &[Value::count(sequence - 1)])?;
    let before = match before.into_iter().next() {
        Some(mut row) => row.array()?,
        None => [0; 32],
    };
    let mut text = event.event.clone();
    text.retain(|character| character != '\0');
    let hash = entry_hash(&before, sequence, event.time_ms, &text);
    sql.execute(
        "insert into audit (sequence,time_ms,event,hash) values ($1,$2,$3,$4)",
        &[Value::count(sequence), Value::count(event.time_ms), Value::text(&text), Value::blob(&hash)],
    )?;
    Ok(AuditEntry { sequence, time_ms: event.time_ms, event: text, hash })
}

/// Raises a counter by so many and returns it. Its row stays locked to the end of the transaction, so that numbers appear
/// in order.
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

/// Checks a part of the chain: the entries after one whose hash is known. Returns how far it is intact then, or the entry
/// that broke it.
pub(crate) fn check_part(
    sql: &mut dyn Sql,
    mut checked: Checked,
    most: usize,
) -> Result<Result<Checked, u64>, StoreError> {
    let text =
        format!("select sequence,time_ms,event,hash from audit where sequence > $1 order by sequence limit {most}");
    for mut row in sql.query(&text, &[Value::count(checked.sequence)])? {
        let entry = read(&mut row)?;
        let expected = entry_hash(&checked.hash, checked.sequence + 1, entry.time_ms, &entry.event);
        if entry.sequence != checked.sequence + 1 || entry.hash != expected {
            return Ok(Err(entry.sequence));
        }
        checked = Checked { sequence: entry.sequence, hash: entry.hash };
    }
    Ok(Ok(checked))
}

/// Walks the whole chain, part by part.
pub(crate) fn check(
    mut part: impl FnMut(Checked) -> Result<Result<Checked, u64>, StoreError>,
) -> Result<ChainCheck, StoreError> {
    let mut at = Checked::default();
    loop {
        match part(at)? {
            Err(sequence) => return Ok(ChainCheck::Broken { sequence }),
            Ok(next) if next.sequence == at.sequence => return Ok(ChainCheck::Intact { last: at.sequence }),
            Ok(next) => at = next,
        }
    }
}

fn read(row: &mut Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry { sequence: row.count()?, time_ms: row.count()?, event: row.text()?, hash: row.array()? })
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
