//! Functions and their versions: what is read, and what the writer does inside its transaction.

use crate::error::Failure;
use crate::row::{count, integer};
use faas_store_api::{
    ChangeError, CreateFunctionError, FunctionChange, Idempotency, NewFunction, StoredFunction, StoredVersion,
    within_page,
};
use faas_types::{AliasName, FunctionId, FunctionKey, FunctionName, TenantId, Timestamp, VersionId};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// The columns of a function, in the order [`Found::of`] reads them.
const FUNCTION: &str = "number, id, tenant, name, live, newest, revision, aliases, created_at, updated_at,
    idempotency_key, idempotency_digest";

/// A function as its row has it.
struct Found {
    number: i64,
    id: [u8; 16],
    tenant: [u8; 16],
    name: String,
    live: u32,
    newest: u32,
    revision: i64,
    aliases: String,
    created_at: i64,
    updated_at: i64,
    made_with: Option<Idempotency>,
}

impl Found {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            id: row.get(1)?,
            tenant: row.get(2)?,
            name: row.get(3)?,
            live: row.get(4)?,
            newest: row.get(5)?,
            revision: row.get(6)?,
            aliases: row.get(7)?,
            created_at: row.get(8)?,
            updated_at: row.get(9)?,
            made_with: match (row.get(10)?, row.get(11)?) {
                (Some(key), Some(digest)) => Some(Idempotency { key, digest }),
                _ => None,
            },
        })
    }

    fn into_function(self) -> Result<(i64, StoredFunction), Failure> {
        let aliases: BTreeMap<AliasName, u32> = serde_json::from_str(&self.aliases)?;
        let function = StoredFunction {
            id: FunctionId::from_bytes(self.id),
            tenant: TenantId::from_bytes(self.tenant),
            name: self.name.parse::<FunctionName>().map_err(|error| Failure::corrupt(error.to_string()))?,
            live: self.live,
            newest: self.newest,
            revision: count(self.revision)?,
            aliases,
            made_with: self.made_with,
            created_at: time(self.created_at)?,
            updated_at: time(self.updated_at)?,
        };
        Ok((self.number, function))
    }
}

fn time(microseconds: i64) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_micros(count(microseconds)?))
}

fn find(
    connection: &Connection,
    tenant: TenantId,
    key: &FunctionKey,
) -> Result<Option<(i64, StoredFunction)>, Failure> {
    let (column, value): (&str, &dyn ToSql) = match key {
        FunctionKey::Id(id) => ("id", &id.as_bytes().as_slice()),
        FunctionKey::Name(name) => ("name", &name.as_str()),
    };
    let mut statement =
        connection.prepare_cached(&format!("SELECT {FUNCTION} FROM function WHERE {column} = ?1 AND tenant = ?2"))?;
    let found = statement.query_row(params![value, tenant.as_bytes()], Found::of).optional()?;
    found.map(Found::into_function).transpose()
}

pub(crate) fn function(
    connection: &Connection,
    tenant: TenantId,
    key: &FunctionKey,
) -> Result<Option<StoredFunction>, Failure> {
    Ok(find(connection, tenant, key)?.map(|(_, function)| function))
}

pub(crate) fn functions(
    connection: &Connection,
    tenant: TenantId,
    before: Option<FunctionId>,
    limit: u32,
) -> Result<Vec<StoredFunction>, Failure> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {FUNCTION} FROM function WHERE tenant = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    ))?;
    // Longer than every id that begins with the same bytes, so each one is before it.
    let before = before.map_or_else(|| vec![u8::MAX; 17], |before| before.as_bytes().to_vec());
    let rows = statement.query_map(params![tenant.as_bytes(), before, limit], Found::of)?;
    rows.map(|row| Ok(row?.into_function()?.1)).collect()
}

/// Functions of all tenants behind an id, each with its live version.
pub(crate) fn live_versions(
    connection: &Connection,
    after: Option<FunctionId>,
    limit: u32,
) -> Result<Vec<(StoredFunction, StoredVersion)>, Failure> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {FUNCTION} FROM function WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
    // No id is empty, so every one is behind the empty one.
    let after = after.map_or_else(Vec::new, |after| after.as_bytes().to_vec());
    let rows = statement.query_map(params![after, limit], Found::of)?;
    let functions = rows.map(|row| Ok(row?.into_function()?.1)).collect::<Result<Vec<_>, Failure>>()?;
    let with_version = |function: StoredFunction| {
        let below = function.live.checked_add(1);
        let live = versions(connection, function.tenant, function.id, below, 1)?.pop();
        let live = live.ok_or_else(|| Failure::corrupt(format!("{} has no live version", function.id)))?;
        Ok((function, live))
    };
    within_page(functions.into_iter().map(with_version), |(_, version)| version.spec.len())
}

/// Versions below `before`, newest first.
pub(crate) fn versions(
    connection: &Connection,
    tenant: TenantId,
    function: FunctionId,
    before: Option<u32>,
    limit: u32,
) -> Result<Vec<StoredVersion>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT v.id, v.number, v.spec, v.created_at FROM version v JOIN function f ON f.number = v.function
         WHERE f.id = ?1 AND f.tenant = ?2 AND v.number < ?3 ORDER BY v.number DESC LIMIT ?4",
    )?;
    let before = before.map_or(i64::MAX, i64::from);
    let rows = statement.query_map(params![function.as_bytes(), tenant.as_bytes(), before, limit], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, u32>(1)?, row.get::<_, Vec<u8>>(2)?, row.get::<_, i64>(3)?))
    })?;
    let read = rows.map(|row| {
        let (id, number, spec, created_at) = row?;
        Ok(StoredVersion { id: VersionId::from_bytes(id), function, number, spec, created_at: time(created_at)? })
    });
    within_page(read, |version| version.spec.len())
}

pub(crate) fn create(
    connection: &Connection,
    new: NewFunction,
) -> Result<Result<StoredFunction, CreateFunctionError>, Failure> {
    if find(connection, new.tenant, &FunctionKey::Name(new.name.clone()))?.is_some() {
        return Ok(Err(CreateFunctionError::Taken));
    }
    if let Some(made_with) = &new.made_with {
        let mut known =
            connection.prepare_cached("SELECT 1 FROM function WHERE tenant = ?1 AND idempotency_key = ?2")?;
        if known.exists(params![new.tenant.as_bytes(), made_with.key])? {
            return Ok(Err(CreateFunctionError::KeyConflict));
        }
    }
    let (function, first) = new.begin();
    let mut statement = connection.prepare_cached(
        "INSERT INTO function (id, tenant, name, live, newest, revision, aliases, created_at, updated_at,
             idempotency_key, idempotency_digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let number = statement.insert(params![
        function.id.as_bytes(),
        function.tenant.as_bytes(),
        function.name.as_str(),
        function.live,
        function.newest,
        integer(function.revision),
        serde_json::to_string(&function.aliases)?,
        integer(function.created_at.as_micros()),
        integer(function.updated_at.as_micros()),
        function.made_with.as_ref().map(|made_with| &made_with.key),
        function.made_with.as_ref().map(|made_with| made_with.digest),
    ])?;
    keep(connection, number, &first)?;
    Ok(Ok(function))
}

pub(crate) fn change(
    connection: &Connection,
    tenant: TenantId,
    id: FunctionId,
    expected: Option<u64>,
    change: FunctionChange,
    at: Timestamp,
) -> Result<Result<StoredFunction, ChangeError>, Failure> {
    let Some((number, mut function)) = find(connection, tenant, &FunctionKey::Id(id))? else {
        return Ok(Err(ChangeError::Unknown));
    };
    let made = match function.check_revision(expected).and_then(|()| function.apply(change, at)) {
        Ok(made) => made,
        Err(error) => return Ok(Err(error)),
    };
    connection
        .prepare_cached(
            "UPDATE function SET live = ?2, newest = ?3, revision = ?4, aliases = ?5, updated_at = ?6 WHERE number = ?1",
        )?
        .execute(params![
            number,
            function.live,
            function.newest,
            integer(function.revision),
            serde_json::to_string(&function.aliases)?,
            integer(function.updated_at.as_micros()),
        ])?;
    if let Some(version) = made {
        keep(connection, number, &version)?;
    }
    Ok(Ok(function))
}

pub(crate) fn delete(
    connection: &Connection,
    tenant: TenantId,
    id: FunctionId,
    expected: Option<u64>,
) -> Result<Result<(), ChangeError>, Failure> {
    let Some((number, function)) = find(connection, tenant, &FunctionKey::Id(id))? else {
        return Ok(Err(ChangeError::Unknown));
    };
    if let Err(error) = function.check_revision(expected) {
        return Ok(Err(error));
    }
    connection.prepare_cached("DELETE FROM version WHERE function = ?1")?.execute([number])?;
    connection.prepare_cached("DELETE FROM function WHERE number = ?1")?.execute([number])?;
    Ok(Ok(()))
}

fn keep(connection: &Connection, function: i64, version: &StoredVersion) -> Result<(), Failure> {
    let mut statement = connection
        .prepare_cached("INSERT INTO version (function, number, id, created_at, spec) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let created_at = integer(version.created_at.as_micros());
    statement.execute(params![function, version.number, version.id.as_bytes(), created_at, version.spec])?;
    Ok(())
}
