-- Who met which original, where and when. One row for each agent, session and source.
CREATE TABLE sightings (
    scope TEXT NOT NULL,
    workspace BLOB NOT NULL,
    handle INTEGER NOT NULL,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    source TEXT NOT NULL,
    object TEXT,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (scope, workspace, handle, agent, session, source)
) WITHOUT ROWID;
CREATE INDEX sightings_by_handle ON sightings (scope, handle);
CREATE INDEX sightings_by_source ON sightings (scope, workspace, source, last_ms);

-- The originals that somebody has met in a workspace, with a number that stays. `indexed` is the version of the words that are in
-- the index, 0 while the text waits for that.
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    handle INTEGER NOT NULL,
    indexed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (scope, handle)
);
CREATE INDEX texts_waiting ON texts (id) WHERE indexed = 0;

-- Which texts have which words. Neither the text nor the places of words are kept here: the text is read where it is.
CREATE VIRTUAL TABLE words USING fts5 (terms, content = '', detail = none, columnsize = 0, tokenize = 'ascii');
-- What is taken out of the index is taken out of the file.
INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    workspace BLOB NOT NULL,
    identity BLOB NOT NULL,
    topic TEXT NOT NULL,
    text TEXT NOT NULL,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    first_ms INTEGER NOT NULL,
    last_agent TEXT NOT NULL,
    last_ms INTEGER NOT NULL,
    times INTEGER NOT NULL,
    UNIQUE (scope, workspace, identity)
);

-- What compressing a text gave, by everything that it depends on. `handle` is the original that it names, if it names one.
CREATE TABLE outcomes (
    scope TEXT NOT NULL,
    key BLOB NOT NULL,
    handle INTEGER,
    created_ms INTEGER NOT NULL,
    zstd INTEGER NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX outcomes_by_handle ON outcomes (scope, handle) WHERE handle IS NOT NULL;
CREATE INDEX outcomes_by_time ON outcomes (created_ms);
