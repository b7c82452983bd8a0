//! What the writer does inside its transaction, one function per operation of the contract.

use crate::error::Failure;
use crate::journal::Batch;
use crate::pending::Pending;
use crate::read::Excess;
use crate::row::{self, AFTER_STORED, STORED, Stored, integer, status_number};
use faas_store_api::{Expected, Finished, Insertion, Lease, NewExecution, Recovered};
use faas_types::{ExecutionId, ExecutionRecord, NodeId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;

/// What became of an insertion.
#[derive(Debug)]
pub(crate) enum Inserted {
    Insertion(Insertion),
    KeyConflict,
}

pub(crate) fn insert(connection: &Connection, new: &NewExecution, json: &str) -> Result<Inserted, Failure> {
    if let Some(idempotency) = &new.idempotency {
        let mut known = connection.prepare_cached(
            "SELECT id, idempotency_digest FROM execution WHERE tenant = ?1 AND idempotency_key = ?2",
        )?;
        let known = known
            .query_row(params![new.tenant.as_bytes(), idempotency.key], |row| {
                Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, [u8; 32]>(1)?))
            })
            .optional()?;
        if let Some((id, digest)) = known {
            return Ok(if digest == idempotency.digest {
                Inserted::Insertion(Insertion::Repeat(ExecutionId::from_bytes(id)))
            } else {
                Inserted::KeyConflict
            });
        }
    }
    let record = &new.record;
    let mut statement = connection.prepare_cached(
        "INSERT INTO execution (id, tenant, node, status, owner_node, owner_epoch, lease_until, attempt, not_before,
             ended_at, function, idempotency_key, idempotency_digest, bytes, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    let number = statement.insert(params![
        record.id.as_bytes(),
        new.tenant.as_bytes(),
        new.node.as_bytes(),
        status_number(record.status),
        new.lease.map(|lease| *lease.node.as_bytes()),
        new.lease.map(|lease| integer(lease.epoch)),
        new.lease.map(|lease| integer(lease.until.as_micros())),
        i64::from(new.lease.is_some()),
        integer(new.not_before.as_micros()),
        row::ended_at(record).map(integer),
        record.function,
        new.idempotency.as_ref().map(|idempotency| &idempotency.key),
        new.idempotency.as_ref().map(|idempotency| idempotency.digest),
        integer(json.len() as u64),
        json,
    ])?;
    connection
        .prepare_cached("INSERT INTO request (execution, body) VALUES (?1, ?2)")?
        .execute(params![number, new.request])?;
    insert_labels(connection, new.tenant, record.id, &record.labels)?;
    Ok(Inserted::Insertion(Insertion::New))
}

fn insert_labels(
    connection: &Connection,
    tenant: TenantId,
    id: ExecutionId,
    labels: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    if labels.is_empty() {
        return Ok(());
    }
    let mut statement =
        connection.prepare_cached("INSERT OR IGNORE INTO label (tenant, name, value, id) VALUES (?1, ?2, ?3, ?4)")?;
    for (name, value) in labels {
        statement.execute(params![tenant.as_bytes(), name, value, id.as_bytes()])?;
    }
    Ok(())
}

pub(crate) fn claim(connection: &Connection, id: ExecutionId, lease: Lease) -> Result<Option<u32>, Failure> {
    let mut statement = connection.prepare_cached(
        "UPDATE execution SET status = 1, attempt = attempt + 1, owner_node = ?2, owner_epoch = ?3, lease_until = ?4
         WHERE id = ?1 AND status = 0 RETURNING attempt",
    )?;
    let held = params![id.as_bytes(), lease.node.as_bytes(), integer(lease.epoch), integer(lease.until.as_micros())];
    Ok(statement.query_row(held, |row| row.get(0)).optional()?)
}

pub(crate) fn renew(connection: &Connection, node: NodeId, epoch: u64, until: Timestamp) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "UPDATE execution SET lease_until = ?3 WHERE owner_node = ?1 AND owner_epoch = ?2 AND status IN (1, 2)",
    )?;
    statement.execute(params![node.as_bytes(), integer(epoch), integer(until.as_micros())])?;
    Ok(())
}

pub(crate) fn finish(connection: &Connection, finished: &Finished, json: &str) -> Result<bool, Failure> {
    let (node, epoch) = match finished.expected {
        Expected::Queued => (None, 0),
        Expected::Held { node, epoch } => (Some(node), epoch),
    };
    let mut statement = connection.prepare_cached(
        "SELECT number FROM execution WHERE id = ?1 AND CASE WHEN ?2 IS NULL THEN status = 0
         ELSE owner_node = ?2 AND owner_epoch = ?3 AND status IN (1, 2) END",
    )?;
    let expected =
        params![finished.record.id.as_bytes(), node.as_ref().map(|node| node.as_bytes().as_slice()), integer(epoch)];
    let number: Option<i64> = statement.query_row(expected, |row| row.get(0)).optional()?;
    match number {
        Some(number) => end(connection, number, &finished.record, json).map(|()| true),
        None => Ok(false),
    }
}

/// Writes the end of a row that has not ended.
fn end(connection: &Connection, number: i64, record: &ExecutionRecord, json: &str) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "UPDATE execution SET status = ?2, ended_at = ?3, bytes = ?4, record = ?5, lease_until = NULL
         WHERE number = ?1",
    )?;
    let ended_at = row::ended_at(record).map(integer);
    statement.execute(params![number, status_number(record.status), ended_at, integer(json.len() as u64), json])?;
    connection.prepare_cached("DELETE FROM request WHERE execution = ?1")?.execute([number])?;
    Ok(())
}

/// Puts journaled entries into rows: a mark only where there is none, an end wherever none has ended.
pub(crate) fn import(connection: &Connection, batch: &Batch) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO execution (id, tenant, node, status, owner_node, owner_epoch, attempt, not_before, ended_at,
             function, bytes, record)
         VALUES (?1, ?2, ?3, ?4, ?3, coalesce((SELECT epoch FROM node WHERE id = ?3), 0), 1, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at,
             bytes = excluded.bytes, record = excluded.record
         WHERE execution.ended_at IS NULL AND excluded.ended_at IS NOT NULL",
    )?;
    let mut entries: Vec<_> = batch.values().collect();
    // Ids grow with time: so every index that ends with one is written at its end, or near it.
    entries.sort_unstable_by_key(|entry| *entry.id.as_bytes());
    for entry in entries {
        let Pending { tenant, node, id, status, created_at, ended_at, function, labels, content: _ } = &**entry;
        let json = entry.json()?;
        let written = statement.execute(params![
            id.as_bytes(),
            tenant.as_bytes(),
            node.as_bytes(),
            status_number(*status),
            integer(*created_at),
            ended_at.map(integer),
            function,
            integer(json.len() as u64),
            json,
        ])?;
        if written > 0 {
            insert_labels(connection, *tenant, *id, labels)?;
        }
    }
    Ok(())
}

pub(crate) fn recover(connection: &Connection, node: NodeId, epoch: u64) -> Result<Recovered, Failure> {
    let mut recovered = Recovered::default();
    let mut statement = connection.prepare(&format!(
        "SELECT {STORED}, e.number FROM execution e
         WHERE e.owner_node = ?1 AND e.owner_epoch < ?2 AND e.status IN (1, 2) ORDER BY e.number"
    ))?;
    let held = statement.query_map(params![node.as_bytes(), integer(epoch)], |row| {
        Ok((row.get::<_, i64>(AFTER_STORED)?, row::stored(row)))
    })?;
    for (number, stored) in held.collect::<Result<Vec<_>, _>>()? {
        let Some(Stored { record, is_whole }) = stored else {
            recovered.dropped.push(format!("faas.db: row {number} has no readable id and was left as it is"));
            continue;
        };
        if !is_whole {
            recovered.dropped.push(format!("faas.db: the record of {} could not be read", record.id));
        }
        let record = Recovered::lost_record(record);
        recovered.lost.push(record.id);
        end(connection, number, &record, &serde_json::to_string(&record)?)?;
    }
    connection.execute(
        "INSERT INTO node (id, epoch) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        params![node.as_bytes(), integer(epoch)],
    )?;
    let queued = connection.query_row("SELECT count(*) FROM execution WHERE status = 0", [], |row| row.get(0))?;
    recovered.queued = row::count(queued)?;
    Ok(recovered)
}

/// Forgets what ended first until `excess` is gone.
pub(crate) fn prune(connection: &Connection, excess: Excess, limit: u32) -> Result<Vec<ExecutionId>, Failure> {
    let mut pruned = Vec::new();
    let mut forgotten = 0;
    let mut oldest = connection.prepare_cached(
        "SELECT number, id, bytes FROM execution WHERE ended_at IS NOT NULL ORDER BY ended_at, id LIMIT ?1",
    )?;
    let oldest = oldest
        .query_map([limit], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 16]>(1)?, row.get::<_, i64>(2)?)))?;
    for (number, id, size) in oldest.collect::<Result<Vec<_>, _>>()? {
        if pruned.len() as u64 >= excess.rows && forgotten >= excess.bytes {
            break;
        }
        connection.prepare_cached("DELETE FROM label WHERE id = ?1")?.execute([id])?;
        connection.prepare_cached("DELETE FROM execution WHERE number = ?1")?.execute([number])?;
        forgotten += row::count(size)?;
        pruned.push(ExecutionId::from_bytes(id));
    }
    Ok(pruned)
}
