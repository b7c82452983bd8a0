//! What the readers ask the database.

use crate::error::Failure;
use crate::row::{self, AFTER_STORED, STORED, status_number};
use faas_store_api::{Counts, ListQuery, Page, QUEUED_PAGE_BYTES, QueuedExecution, Retention};
use faas_types::{ExecutionId, ExecutionRecord, NodeId, TenantId, Timestamp};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

pub(crate) fn get(
    connection: &Connection,
    tenant: TenantId,
    id: ExecutionId,
) -> Result<Option<ExecutionRecord>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {STORED} FROM execution e WHERE e.id = ?1 AND e.tenant = ?2"))?;
    let mut rows = statement.query(params![id.as_bytes(), tenant.as_bytes()])?;
    match rows.next()? {
        Some(found) => match row::stored(found) {
            Some(stored) => Ok(Some(stored.record)),
            None => Err(Failure::corrupt(format!("the row of {id} cannot be read"))),
        },
        None => Ok(None),
    }
}

/// A page of a list. It ends by itself when it has enough, for a row that cannot be read does not count.
pub(crate) fn list(connection: &Connection, tenant: TenantId, query: &ListQuery) -> Result<Page, Failure> {
    let filter = &query.filter;
    let before = query.cursor.map(|cursor| *cursor.after.as_bytes());
    let status = filter.status.map(status_number);
    let limit = query.limit as usize;
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":tenant", tenant.as_bytes())];
    if let Some((name, value)) = &filter.label {
        values.extend([(":name", name as &dyn ToSql), (":value", value)]);
    }
    values.extend(before.as_ref().map(|before| (":before", before as &dyn ToSql)));
    values.extend(status.as_ref().map(|status| (":status", status as &dyn ToSql)));
    values.extend(filter.function.as_ref().map(|function| (":function", function as &dyn ToSql)));
    let mut statement = connection.prepare_cached(&list_statement(query))?;
    let mut rows = statement.query(values.as_slice())?;
    let mut items = Vec::new();
    while items.len() <= limit
        && let Some(found) = rows.next()?
    {
        items.extend(row::stored(found).map(|stored| stored.record));
    }
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(Page::cut(items, more))
}

/// Follows the index of the narrowest condition there is, in its order, so that nothing is sorted; the
/// other conditions are checked row by row. CROSS JOIN is SQLite's way to say which side comes first.
fn list_statement(query: &ListQuery) -> String {
    let filter = &query.filter;
    let (from, id) = match filter.label {
        Some(_) => ("label l CROSS JOIN execution e ON e.id = l.id", "l.id"),
        None => ("execution e", "e.id"),
    };
    let label = "l.tenant = :tenant AND l.name = :name AND l.value = :value";
    let before = format!("{id} < :before");
    let conditions = [
        (true, "e.tenant = :tenant"),
        (filter.label.is_some(), label),
        (query.cursor.is_some(), &before),
        (filter.status.is_some(), "e.status = :status"),
        (filter.function.is_some(), "e.function = :function"),
    ];
    let conditions: Vec<_> =
        conditions.into_iter().filter_map(|(holds, condition)| holds.then_some(condition)).collect();
    format!("SELECT {STORED} FROM {from} WHERE {} ORDER BY {id} DESC", conditions.join(" AND "))
}

/// Ends by itself like [`list`]. A row without a request is given without one.
pub(crate) fn queued(
    connection: &Connection,
    after: Option<ExecutionId>,
    limit: u32,
) -> Result<Vec<QueuedExecution>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {STORED}, e.tenant, e.not_before, e.attempt, r.body
         FROM execution e LEFT JOIN request r ON r.execution = e.number
         WHERE e.status = 0 AND e.id > ?1 ORDER BY e.id"
    ))?;
    // Every id is longer than no bytes, and so comes after them.
    let after = after.map(|after| after.as_bytes().to_vec()).unwrap_or_default();
    let mut rows = statement.query([after])?;
    let mut queued = Vec::new();
    let mut bytes = 0;
    while queued.len() < limit as usize
        && let Some(found) = rows.next()?
    {
        let Some(row) = queued_row(found) else { continue };
        bytes += row.request.len();
        if bytes > QUEUED_PAGE_BYTES && !queued.is_empty() {
            break;
        }
        queued.push(row);
    }
    Ok(queued)
}

/// `None` when it cannot even be said whose execution it is.
fn queued_row(found: &Row<'_>) -> Option<QueuedExecution> {
    let row::Stored { record, is_whole } = row::stored(found)?;
    let tenant = TenantId::from_bytes(found.get(AFTER_STORED).ok()?);
    let request = match found.get_ref(AFTER_STORED + 3) {
        Ok(ValueRef::Blob(body)) if is_whole => body.to_vec(),
        _ => Vec::new(),
    };
    let not_before = found.get(AFTER_STORED + 1).ok().and_then(|micros: i64| u64::try_from(micros).ok());
    Some(QueuedExecution {
        tenant,
        record,
        request,
        not_before: Timestamp::from_micros(not_before.unwrap_or_default()),
        attempt: found.get(AFTER_STORED + 2).unwrap_or_default(),
    })
}

pub(crate) fn last_epoch(connection: &Connection, node: NodeId) -> Result<u64, Failure> {
    let mut statement = connection.prepare_cached("SELECT epoch FROM node WHERE id = ?1")?;
    let epoch: Option<i64> = statement.query_row([node.as_bytes()], |row| row.get(0)).optional()?;
    epoch.map_or(Ok(0), row::count)
}

pub(crate) fn counts(connection: &Connection) -> Result<Counts, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM execution WHERE status = 0),
                (SELECT count(*) FROM execution WHERE status IN (1, 2)),
                (SELECT count(*) FROM execution WHERE ended_at IS NOT NULL)",
    )?;
    let (queued, running, ended) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Counts { queued: row::count(queued)?, running: row::count(running)?, ended: row::count(ended)? })
}

/// How much more history there is than is to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excess {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// `None` when there is no more than is to be kept.
pub(crate) fn excess(connection: &Connection, keep: Retention) -> Result<Option<Excess>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM execution WHERE ended_at IS NOT NULL")?;
    let (rows, bytes) = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = row::count(rows)?.saturating_sub(keep.rows);
    let bytes = row::count(bytes)?.saturating_sub(keep.bytes);
    Ok((rows > 0 || bytes > 0).then_some(Excess { rows, bytes }))
}

#[cfg(test)]
mod tests {
    use super::list_statement;
    use faas_store_api::{Cursor, Filter, ListQuery};
    use faas_types::{ExecutionId, ExecutionState};

    /// A list reads as many rows as it gives; one that is sorted reads all of a tenant's.
    #[test]
    fn no_list_is_sorted() {
        let place = tempfile::tempdir().expect("a directory");
        let connection = crate::schema::open_writer(&place.path().join("faas.db")).expect("a database");
        for number in 0..16 {
            let given = |bit: u32| number & (1 << bit) != 0;
            let filter = Filter {
                status: given(0).then_some(ExecutionState::Failed),
                function: given(1).then(|| "resize".to_owned()),
                label: given(2).then(|| ("team".to_owned(), "blue".to_owned())),
            };
            let cursor = given(3).then(|| Cursor { after: ExecutionId::generate() });
            let statement = list_statement(&ListQuery { filter, cursor, limit: 200 });
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).expect("a plan");
            let (mut rows, mut steps) = (plan.raw_query(), Vec::new());
            while let Some(step) = rows.next().expect("a step") {
                steps.push(step.get::<_, String>(3).expect("a text"));
            }
            let is_direct = steps.iter().all(|step| step.starts_with("SEARCH "));
            assert!(is_direct, "{statement}: {steps:?}");
        }
    }
}
