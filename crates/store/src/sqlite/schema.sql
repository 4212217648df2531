CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE originals (
    scope TEXT NOT NULL,
    handle INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    length INTEGER NOT NULL,
    hash BLOB NOT NULL,
    zstd INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (scope, handle)
);

CREATE TABLE conversations (
    scope TEXT NOT NULL,
    root BLOB NOT NULL,
    used_ms INTEGER NOT NULL,
    PRIMARY KEY (scope, root)
) WITHOUT ROWID;

CREATE TABLE renderings (
    scope TEXT NOT NULL,
    lineage BLOB NOT NULL,
    root BLOB NOT NULL,
    reason TEXT NOT NULL,
    compressor TEXT NOT NULL,
    before INTEGER NOT NULL,
    after INTEGER NOT NULL,
    zstd INTEGER NOT NULL,
    replacements BLOB NOT NULL,
    PRIMARY KEY (scope, lineage)
) WITHOUT ROWID;
CREATE INDEX renderings_by_root ON renderings (scope, root);

CREATE TABLE links (
    scope TEXT NOT NULL,
    handle INTEGER NOT NULL,
    lineage BLOB NOT NULL,
    PRIMARY KEY (scope, handle, lineage)
) WITHOUT ROWID;
CREATE INDEX links_by_lineage ON links (scope, lineage);

CREATE TABLE exchanges (
    scope TEXT NOT NULL,
    key BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;

CREATE TABLE receipts (
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (scope, id)
) WITHOUT ROWID;
CREATE INDEX receipts_by_time ON receipts (scope, at_ms);
