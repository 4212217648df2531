-- The planner's statistics would hold words of texts that are gone, where nobody of ours can remove them.
ALTER TABLE headroom.words ALTER COLUMN terms SET STATISTICS 0;
ALTER TABLE headroom.exchanges ALTER COLUMN document SET STATISTICS 0;
ALTER TABLE headroom.receipts ALTER COLUMN document SET STATISTICS 0;
ALTER TABLE headroom.outcomes ALTER COLUMN document SET STATISTICS 0;
ALTER TABLE headroom.originals ALTER COLUMN data SET STATISTICS 0;
ALTER TABLE headroom.renderings ALTER COLUMN replacements SET STATISTICS 0;
ALTER TABLE headroom.sightings ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE headroom.notes ALTER COLUMN topic SET STATISTICS 0;
ALTER TABLE headroom.notes ALTER COLUMN text SET STATISTICS 0;
ALTER TABLE headroom.sightings ALTER COLUMN agent SET STATISTICS 0;
ALTER TABLE headroom.sightings ALTER COLUMN session SET STATISTICS 0;
ALTER TABLE headroom.sightings ALTER COLUMN object SET STATISTICS 0;
