CREATE SCHEMA IF NOT EXISTS headroom;

CREATE TABLE headroom.meta (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

CREATE TABLE headroom.originals (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    handle BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    length BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    zstd BOOLEAN NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (tenant, project, handle)
);
-- It is compressed already.
ALTER TABLE headroom.originals ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX originals_by_time ON headroom.originals (created_ms);

CREATE TABLE headroom.conversations (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    root BYTEA NOT NULL,
    used_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, project, root)
);
CREATE INDEX conversations_by_use ON headroom.conversations (used_ms);

CREATE TABLE headroom.renderings (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    lineage BYTEA NOT NULL,
    root BYTEA NOT NULL,
    reason TEXT NOT NULL,
    compressor TEXT NOT NULL,
    before BIGINT NOT NULL,
    after BIGINT NOT NULL,
    zstd BOOLEAN NOT NULL,
    replacements BYTEA NOT NULL,
    handles BIGINT[] NOT NULL,
    PRIMARY KEY (tenant, project, lineage)
);
ALTER TABLE headroom.renderings ALTER COLUMN replacements SET STORAGE EXTERNAL;
CREATE INDEX renderings_by_root ON headroom.renderings (tenant, project, root);

CREATE TABLE headroom.links (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    handle BIGINT NOT NULL,
    lineage BYTEA NOT NULL,
    PRIMARY KEY (tenant, project, handle, lineage)
);
CREATE INDEX links_by_lineage ON headroom.links (tenant, project, lineage);

CREATE TABLE headroom.exchanges (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    key BYTEA NOT NULL,
    created_ms BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (tenant, project, key)
);

CREATE TABLE headroom.receipts (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (tenant, project, id)
);
CREATE INDEX receipts_by_time ON headroom.receipts (tenant, project, at_ms);

CREATE TABLE headroom.outcomes (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    key BYTEA NOT NULL,
    handle BIGINT,
    created_ms BIGINT NOT NULL,
    zstd BOOLEAN NOT NULL,
    document BYTEA NOT NULL,
    PRIMARY KEY (tenant, project, key)
);
CREATE INDEX outcomes_by_handle ON headroom.outcomes (tenant, project, handle) WHERE handle IS NOT NULL;
CREATE INDEX outcomes_by_time ON headroom.outcomes (created_ms);

CREATE TABLE headroom.sightings (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    workspace BYTEA NOT NULL,
    handle BIGINT NOT NULL,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    source TEXT NOT NULL,
    object TEXT,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    times BIGINT NOT NULL,
    PRIMARY KEY (tenant, project, workspace, handle, agent, session, source)
);
CREATE INDEX sightings_by_handle ON headroom.sightings (tenant, project, handle);
CREATE INDEX sightings_by_source ON headroom.sightings (tenant, project, workspace, source, last_ms);

-- Which texts have which words. `version` is that of the definition of words; texts of another are indexed again.
CREATE TABLE headroom.words (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    handle BIGINT NOT NULL,
    version BIGINT NOT NULL,
    terms TSVECTOR NOT NULL,
    PRIMARY KEY (tenant, project, handle)
);
CREATE INDEX words_by_term ON headroom.words USING gin (terms);

CREATE TABLE headroom.notes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    workspace BYTEA NOT NULL,
    identity BYTEA NOT NULL,
    topic TEXT NOT NULL,
    text TEXT NOT NULL,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_agent TEXT NOT NULL,
    last_ms BIGINT NOT NULL,
    times BIGINT NOT NULL,
    UNIQUE (tenant, project, workspace, identity)
);

-- Bytes that originals and outcomes take, in several rows, so that those who write at the same time do not wait for one.
CREATE TABLE headroom.counters (
    shard INTEGER PRIMARY KEY,
    bytes BIGINT NOT NULL
);
INSERT INTO headroom.counters (shard, bytes) SELECT shard, 0 FROM generate_series(0, 15) AS shard;

-- Every row belongs to a tenant's project, and who works for one sees no other. Keepers see sizes and ages of all, to make room.
DO $$
DECLARE
    name TEXT;
BEGIN
    FOREACH name IN ARRAY ARRAY['originals', 'conversations', 'renderings', 'links', 'exchanges', 'receipts', 'outcomes', 'sightings', 'words', 'notes']
    LOOP
        EXECUTE format('ALTER TABLE headroom.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE headroom.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own ON headroom.%I TO headroom_member
             USING (tenant = current_setting(''headroom.tenant'', true) AND project = current_setting(''headroom.project'', true))
             WITH CHECK (tenant = current_setting(''headroom.tenant'', true) AND project = current_setting(''headroom.project'', true))',
            name);
        EXECUTE format('CREATE POLICY every ON headroom.%I TO headroom_keeper USING (true)', name);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA headroom TO headroom_member, headroom_keeper;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA headroom TO headroom_member;
REVOKE INSERT, UPDATE, DELETE ON headroom.meta FROM headroom_member;
GRANT SELECT, DELETE ON ALL TABLES IN SCHEMA headroom TO headroom_keeper;
GRANT UPDATE ON headroom.counters TO headroom_keeper;
REVOKE DELETE ON headroom.meta, headroom.receipts, headroom.notes FROM headroom_keeper;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA headroom TO headroom_member;
