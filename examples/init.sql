-- The routes file: sqlite3 faas_meta.db < examples/init.sql
--
-- k is a route, METHOD:/path. v is a function as JSON: name, runtime (php, wasm, python, javascript) and
-- module, a path beneath a function root; and, if wanted, handler, memory in MiB, timeout in seconds.
-- A row is live within a second of its commit, and a changed `updated` reads its module again.
CREATE TABLE IF NOT EXISTS functions (
    k TEXT PRIMARY KEY NOT NULL,
    v TEXT NOT NULL,
    updated INTEGER NOT NULL
);

INSERT OR REPLACE INTO functions (k, v, updated) VALUES
    ('POST:/api/hello',
     '{"name":"hello","runtime":"php","module":"php/hello.php","handler":"hello","memory":128,"timeout":10}',
     strftime('%s','now')),
    ('GET:/api/info',
     '{"name":"info","runtime":"php","module":"php/info.php","handler":"info","memory":128,"timeout":10}',
     strftime('%s','now')),
    ('POST:/resize',
     '{"name":"resize","runtime":"wasm","module":"resize.wasm","handler":"resize","memory":256,"timeout":30}',
     strftime('%s','now')),
    ('GET:/ping',
     '{"name":"ping","runtime":"wasm","module":"ping.wasm","handler":"ping","memory":64,"timeout":5}',
     strftime('%s','now'));
