-- Who may use a proxy. Of a secret only its hash is kept; a name has two rows while an old secret still holds beside its successor.
CREATE TABLE grants (
    scope TEXT NOT NULL,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    user TEXT NOT NULL,
    rights TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    ends_ms INTEGER,
    PRIMARY KEY (scope, hash)
) WITHOUT ROWID;
