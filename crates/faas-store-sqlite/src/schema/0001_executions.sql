-- Each node's greatest epoch: its lives.
CREATE TABLE node (
    id BLOB PRIMARY KEY,
    epoch INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per execution, from its acceptance until it is forgotten. The queued ones are the queue.
-- status: 0 queued, 1 starting, 2 running, 3 succeeded, 4 failed, 5 cancelled. It counts, not the
-- status within `record`. Times are microseconds since 1970.
CREATE TABLE execution (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant BLOB NOT NULL,
    node BLOB NOT NULL,
    status INTEGER NOT NULL,
    owner_node BLOB,
    owner_epoch INTEGER,
    lease_until INTEGER,
    attempt INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    ended_at INTEGER,
    function TEXT,
    idempotency_key TEXT,
    idempotency_digest BLOB,
    bytes INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT;

CREATE INDEX execution_by_tenant ON execution (tenant, id);
CREATE INDEX execution_by_status ON execution (tenant, status, id);
CREATE INDEX execution_by_function ON execution (tenant, function, id) WHERE function IS NOT NULL;
CREATE UNIQUE INDEX execution_by_key ON execution (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX execution_queued ON execution (status, id) WHERE status = 0;
CREATE INDEX execution_held ON execution (owner_node, owner_epoch, status) WHERE status IN (1, 2);
CREATE INDEX execution_ended ON execution (ended_at, id, bytes) WHERE ended_at IS NOT NULL;

-- What is to run; gone when its execution has ended.
CREATE TABLE request (
    execution INTEGER PRIMARY KEY REFERENCES execution (number),
    body BLOB NOT NULL
) STRICT;

-- The labels of executions, to find these by.
CREATE TABLE label (
    tenant BLOB NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (tenant, name, value, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX label_by_execution ON label (id);
