-- Who may use a proxy. Of a secret only its hash is kept; a name has two rows while an old secret still holds beside its successor.
CREATE TABLE headroom.grants (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    hash BYTEA NOT NULL,
    name TEXT NOT NULL,
    "user" TEXT NOT NULL,
    rights TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    ends_ms BIGINT,
    PRIMARY KEY (tenant, project, hash)
);
ALTER TABLE headroom.grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE headroom.grants FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON headroom.grants TO headroom_member
    USING (tenant = current_setting('headroom.tenant', true) AND project = current_setting('headroom.project', true))
    WITH CHECK (tenant = current_setting('headroom.tenant', true) AND project = current_setting('headroom.project', true));
GRANT SELECT, INSERT, UPDATE ON headroom.grants TO headroom_member;
