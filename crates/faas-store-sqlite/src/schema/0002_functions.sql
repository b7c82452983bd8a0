-- Functions by their ids. What is live and what an alias means is a number of a version; `aliases` is a JSON
-- object of such numbers. A version never changes. Times are microseconds since 1970.
CREATE TABLE function (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant BLOB NOT NULL,
    name TEXT NOT NULL,
    live INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    aliases TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant, name)
) STRICT;

CREATE TABLE version (
    function INTEGER NOT NULL REFERENCES function (number),
    number INTEGER NOT NULL,
    id BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    spec BLOB NOT NULL,
    PRIMARY KEY (function, number)
) STRICT;
