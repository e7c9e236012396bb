//! Removes what is kept of a user's requests.

use crate::body;
use crate::error::StoreError;
use crate::id::{Day, RequestId};
use crate::sql::{Sql, Value};

/// Removes the facts and bodies of a user from one day. Returns how many facts these were.
pub(crate) fn erase_user(sql: &mut dyn Sql, day: Day, user: &str) -> Result<u64, StoreError> {
    let (from, to) = (RequestId::first_of(day.start_ms()), RequestId::first_of(day.next().start_ms()));
    let range = [Value::blob(from.as_bytes()), Value::blob(to.as_bytes()), Value::text(user)];
    let mut ids = Vec::new();
    for mut row in sql.query("select id from facts where id >= $1 and id < $2 and user_id = $3", &range)? {
        ids.push(RequestId::from_bytes(row.array()?));
    }
    if ids.is_empty() {
        return Ok(0);
    }
    // What a view's rows are removed from counts none of them.
    sql.execute("delete from facts where id >= $1 and id < $2 and user_id = $3", &range)?;
    body::erase(sql, day, &ids)?;
    Ok(ids.len() as u64)
}
