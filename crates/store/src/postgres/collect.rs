//! Making room, by reachability: the same rules as in SQLite, said in sets.

use tokio_postgres::Client;

use super::{Commit, Failure, Postgres, Who, Work, number};
use crate::packed::clamp;
use crate::{Collected, IDLE_DAYS, StoreError};

/// A collection frees down to this share of the budget, in percent, so that the next write does not collect again.
const DOWN_TO_PERCENT: u64 = 90;

/// Whoever may remove an original holds this lock alone, and whoever may come to refer to one shares it: nothing is removed that a transaction
/// under way is about to name.
pub(super) const LOCK: i64 = 0x6865_6164_0000_0001;

pub(super) fn collect(store: &Postgres, budget: u64, now_ms: u64) -> Result<Collected, StoreError> {
    store.run("collect", Who::Keeper, Commit::Soon, make_room(budget, now_ms))
}

/// What is done to get below a budget.
pub(super) fn make_room(budget: u64, now_ms: u64) -> Work<Collected> {
    let goal = clamp(budget / 100 * DOWN_TO_PERCENT);
    Box::new(move |client| {
        Box::pin(async move {
            client.query_typed("SELECT pg_advisory_xact_lock($1)", &[number(&LOCK)]).await?;
            let mut collected = Collected::default();
            let mut stored = stored_bytes(client).await?;
            while stored > goal {
                // What compressing gave can be computed again, so it goes before anything that cannot.
                let (rows, freed) = removed(client, OUTCOMES, &[]).await?;
                if rows == 0 {
                    break;
                }
                stored -= freed;
                collected.stored_bytes += freed.unsigned_abs();
            }
            while stored > goal {
                let excess = stored - goal;
                let (rows, freed) = removed(client, ORIGINALS, &[number(&excess)]).await?;
                stored -= freed;
                collected.originals += rows;
                collected.stored_bytes += freed.unsigned_abs();
                if rows == 0 && !end_oldest_conversation(client, now_ms).await? {
                    break;
                }
            }
            count(client, -clamp(collected.stored_bytes)).await?;
            Ok(collected)
        })
    })
}

/// The oldest outcomes.
const OUTCOMES: &str = "DELETE FROM headroom.outcomes WHERE (tenant, project, key) IN (
    SELECT tenant, project, key FROM headroom.outcomes ORDER BY created_ms LIMIT 512)
    RETURNING octet_length(document)::bigint";

/// The oldest originals that no rendering names, as many as are too much, with what is known of them.
const ORIGINALS: &str = "WITH old AS (
        SELECT tenant, project, handle, created_ms, octet_length(data)::bigint AS bytes FROM headroom.originals AS o
        WHERE NOT EXISTS (SELECT 1 FROM headroom.links AS l
            WHERE l.tenant = o.tenant AND l.project = o.project AND l.handle = o.handle)
        ORDER BY created_ms, handle LIMIT 512),
    running AS (SELECT *, sum(bytes) OVER (ORDER BY created_ms, handle, tenant, project) - bytes AS before FROM old),
    victims AS (SELECT tenant, project, handle, bytes FROM running WHERE before < $1),
    met AS (DELETE FROM headroom.sightings AS s USING victims AS v
        WHERE s.tenant = v.tenant AND s.project = v.project AND s.handle = v.handle),
    words AS (DELETE FROM headroom.words AS w USING victims AS v
        WHERE w.tenant = v.tenant AND w.project = v.project AND w.handle = v.handle),
    gone AS (DELETE FROM headroom.originals AS o USING victims AS v
        WHERE o.tenant = v.tenant AND o.project = v.project AND o.handle = v.handle)
    SELECT bytes FROM victims";

/// Runs a statement that removes rows and gives the bytes of each; how many there were, and their sum.
async fn removed(client: &Client, statement: &str, values: &[super::Value<'_>]) -> Result<(u64, i64), Failure> {
    let rows = client.query_typed(statement, values).await?;
    let freed = rows.iter().map(|row| row.try_get::<_, i64>(0)).sum::<Result<i64, _>>()?;
    Ok((rows.len() as u64, freed))
}

/// Forgets the renderings of the conversation that was idle longest, if it has ended; says whether there was one.
async fn end_oldest_conversation(client: &Client, now_ms: u64) -> Result<bool, Failure> {
    let before = clamp(now_ms.saturating_sub(IDLE_DAYS * 24 * 60 * 60 * 1000));
    let ended = client
        .query_typed(
            "WITH oldest AS (SELECT tenant, project, root FROM headroom.conversations WHERE used_ms < $1 ORDER BY used_ms LIMIT 1),
                rendered AS (DELETE FROM headroom.renderings AS r USING oldest AS o
                    WHERE r.tenant = o.tenant AND r.project = o.project AND r.root = o.root
                    RETURNING r.tenant, r.project, r.lineage),
                linked AS (DELETE FROM headroom.links AS l USING rendered AS r
                    WHERE l.tenant = r.tenant AND l.project = r.project AND l.lineage = r.lineage)
             DELETE FROM headroom.conversations AS c USING oldest AS o
             WHERE c.tenant = o.tenant AND c.project = o.project AND c.root = o.root RETURNING 1",
            &[number(&before)],
        )
        .await?;
    Ok(!ended.is_empty())
}

/// Bytes that originals and outcomes take.
pub(super) async fn stored_bytes(client: &Client) -> Result<i64, Failure> {
    let rows = client.query_typed("SELECT coalesce(sum(bytes), 0)::bigint FROM headroom.counters", &[]).await?;
    rows.first().map_or(Ok(0), |row| Ok(row.try_get(0)?))
}

/// Adds to that. Which row does not matter: transactions that run at the same time take different ones, mostly.
pub(super) async fn count(client: &Client, bytes: i64) -> Result<(), Failure> {
    if bytes != 0 {
        client
            .execute_typed(
                "UPDATE headroom.counters SET bytes = bytes + $1 WHERE shard = pg_backend_pid() % 16",
                &[number(&bytes)],
            )
            .await?;
    }
    Ok(())
}
