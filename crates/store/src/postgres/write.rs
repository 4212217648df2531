//! Writing: batches of one scope that arrive together become one transaction, in the order that what refers comes after what it refers to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use futures_util::future::{try_join, try_join4, try_join5};
use headroom_core::Handle;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::collect::{self, LOCK};
use super::{Commit, Failure, Inner, Postgres, Value, Who, Work, bits, index, memory, number, plain, text};
use crate::packed::{Packed, clamp};
use crate::prepared::{Original, Prepared};
use crate::{Batch, Lineage, Outcome, Rendering, Scope, Sighting, StoreError, receipts_from};

/// A conversation's time of use is written at most this often.
const TOUCH_EVERY_MS: i64 = 60 * 60 * 1000;

/// A batch on its way, and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    batch: Arc<Prepared>,
    reply: SyncSender<Result<(), Failure>>,
}

pub(super) fn write(store: &Postgres, scope: &Scope, batch: Batch) -> Result<(), StoreError> {
    // Only once the database was reached the key is known for certain that handles have to be made with.
    if store.inner.key.get().is_none() {
        store.wait(|inner| async move { inner.ready().await }).map_err(|failure| failure.of("write"))?;
    }
    let batch = Arc::new(prepare(store, batch)?);
    let waiting = |reply| Waiting { batch: Arc::clone(&batch), reply };
    let written = store.share(
        |inner| &inner.writes,
        scope.clone(),
        weight(&batch),
        waiting,
        |inner, scope, group| async move { write_group(&inner, scope, group).await },
    );
    written.map_err(|failure| failure.of("write"))?;
    let met = batch.batch.sightings.iter().map(|(handle, _)| bits(*handle));
    index::index_behind(store, scope, met);
    Ok(())
}

/// Writes a group. Each batch stands or falls alone, unless the database itself is at fault.
async fn write_group(inner: &Inner, scope: Scope, group: Vec<Waiting>) {
    let batches: Arc<[Arc<Prepared>]> = group.iter().map(|waiting| Arc::clone(&waiting.batch)).collect();
    let written = write_together(inner, &scope, batches).await;
    let alone = match &written {
        Ok(()) | Err(Failure::Away(_)) => false,
        Err(Failure::Refused(_)) => true,
        // One that came too late for all of them comes no earlier for each.
        Err(Failure::Said { code, .. }) => *code != SqlState::QUERY_CANCELED && *code != SqlState::LOCK_NOT_AVAILABLE,
    };
    if alone && group.len() > 1 {
        for Waiting { batch, reply } in group {
            // Who waited may have gone away, here and below.
            let _ = reply.send(write_together(inner, &scope, Arc::new([batch])).await);
        }
        return;
    }
    let mut written = Some(written);
    for (left, Waiting { reply, .. }) in group.into_iter().enumerate().rev() {
        let result = match (left, &written) {
            (0, _) | (_, None) => written.take().unwrap_or(Ok(())),
            (_, Some(Ok(()))) => Ok(()),
            (_, Some(Err(failure))) => Err(failure.again()),
        };
        let _ = reply.send(result);
    }
}

/// Writes batches in one transaction, making room first if there is none.
async fn write_together(inner: &Inner, scope: &Scope, batches: Arc<[Arc<Prepared>]>) -> Result<(), Failure> {
    let (who, budget) = (Who::Member(scope.clone()), inner.options.budget_bytes);
    let durable = batches.iter().any(|prepared| prepared.durable);
    let commit = if durable { Commit::Durable } else { Commit::Soon };
    let attempt = || {
        inner.transact_at_once(&who, commit, || {
            let (scope, batches) = (scope.clone(), Arc::clone(&batches));
            let work: Work<()> = Box::new(move |client| {
                Box::pin(async move { Group::of(&scope, &batches).write(client, budget).await })
            });
            work
        })
    };
    let written = attempt().await;
    if !matches!(written, Err(Failure::Refused(StoreError::OverBudget { .. }))) {
        return written;
    }
    let incoming: u64 = batches.iter().map(|prepared| prepared.original_bytes()).sum();
    let now_ms = batches.iter().map(|prepared| prepared.batch.now_ms).max().unwrap_or(0);
    // A failed collection is not this group's fault: the second attempt decides.
    let room = collect::make_room(budget.saturating_sub(incoming), now_ms);
    let _ = inner.transact(&Who::Keeper, Commit::Soon, room).await;
    attempt().await
}

/// Packs a batch for this store.
fn prepare(store: &Postgres, batch: Batch) -> Result<Prepared, StoreError> {
    let key = store.handle_key();
    // A handle that was made before the database was reached is none of this store's.
    if batch.originals.iter().any(|(handle, text)| Handle::of(key, text) != *handle) {
        return Err(StoreError::Unavailable("the database has only just come back".to_owned()));
    }
    Ok(Prepared::of(batch))
}

/// About how many bytes it puts into a message. What replaces an earlier rendering goes alone: what earlier batches of a group say of
/// the same lineage has to be there before it.
fn weight(prepared: &Prepared) -> usize {
    let batch = &prepared.batch;
    if !batch.superseding.is_empty() {
        return usize::MAX;
    }
    let originals: usize = prepared.originals.iter().map(|kept| kept.text.data.len()).sum();
    let renderings: usize = batch.renderings.iter().map(|(_, rendering)| rendering.bytes()).sum();
    let documents: usize = batch.exchanges.iter().map(|(_, document)| document.len()).sum();
    let receipts: usize = batch.receipts.iter().map(|receipt| receipt.document.len()).sum();
    let outcomes: usize = batch.outcomes.iter().map(|outcome| outcome.document.len()).sum();
    originals + renderings + documents + receipts + outcomes
}

/// Batches as they are written: everything of one table at once, in the order of its keys, so that two who write the same at the same
/// time do not wait for each other crosswise.
struct Group<'g> {
    scope: &'g Scope,
    batches: &'g [Arc<Prepared>],
}

impl<'g> Group<'g> {
    const fn of(scope: &'g Scope, batches: &'g [Arc<Prepared>]) -> Self {
        Self { scope, batches }
    }

    fn batches(&self) -> impl Iterator<Item = &'g Batch> {
        self.batches.iter().map(|prepared| &prepared.batch)
    }

    async fn write(&self, client: &Client, budget: u64) -> Result<(), Failure> {
        // All of them are under way at once: they are polled, and so sent, in this order, and the connection takes them one after the other.
        let ((_locked, kept, outcomes, _touched, _rendered), (_exchanged, _noted, _met, stored)) = try_join(
            try_join5(
                self.hold_off_collections(client),
                self.keep(client),
                self.file_outcomes(client),
                self.touch(client),
                self.render(client),
            ),
            try_join4(
                self.file_exchanges(client),
                self.file_receipts(client),
                self.note_sightings(client),
                self.stored_bytes(client),
            ),
        )
        .await?;
        let added = kept + outcomes;
        let used = stored.unwrap_or(0).saturating_add(added).unsigned_abs();
        if stored.is_some() && used > budget {
            return Err(Failure::Refused(StoreError::OverBudget { used, budget }));
        }
        collect::count(client, added).await
    }

    fn keeps(&self) -> bool {
        self.batches.iter().any(|prepared| !prepared.originals.is_empty())
    }

    /// Nothing is removed that this transaction is about to name.
    async fn hold_off_collections(&self, client: &Client) -> Result<(), Failure> {
        if self.keeps() || self.batches().any(|batch| !batch.renderings.is_empty() || !batch.superseding.is_empty()) {
            client.query_typed("SELECT pg_advisory_xact_lock_shared($1)", &[number(&LOCK)]).await?;
        }
        Ok(())
    }

    /// How much there was before this transaction, if it matters to it.
    async fn stored_bytes(&self, client: &Client) -> Result<Option<i64>, Failure> {
        if self.keeps() { collect::stored_bytes(client).await.map(Some) } else { Ok(None) }
    }

    /// Runs a statement on the tenant's project (`$1`, `$2`).
    async fn execute(&self, client: &Client, statement: &str, more: &[Value<'_>]) -> Result<u64, Failure> {
        Ok(client.execute_typed(statement, &self.values(more)).await?)
    }

    fn values<'v>(&'v self, more: &[Value<'v>]) -> Vec<Value<'v>> {
        let mut values = vec![text(&self.scope.tenant), text(&self.scope.project)];
        values.extend_from_slice(more);
        values
    }

    /// Files the originals; says how many bytes they added.
    async fn keep(&self, client: &Client) -> Result<i64, Failure> {
        if !self.keeps() {
            return Ok(0);
        }
        let mut kept: Vec<(&Original, i64)> = self
            .batches
            .iter()
            .flat_map(|prepared| prepared.originals.iter().map(|kept| (kept, clamp(prepared.batch.now_ms))))
            .collect();
        kept.sort_by_key(|(kept, _)| kept.handle);
        let handles: Vec<i64> = kept.iter().map(|(kept, _)| bits(kept.handle)).collect();
        let times: Vec<i64> = kept.iter().map(|(_, now)| *now).collect();
        let lengths: Vec<i64> = kept.iter().map(|(kept, _)| clamp(kept.length as u64)).collect();
        let hashes: Vec<&[u8]> = kept.iter().map(|(kept, _)| &kept.hash.as_bytes()[..]).collect();
        let zstd: Vec<bool> = kept.iter().map(|(kept, _)| kept.text.zstd).collect();
        let data: Vec<&[u8]> = kept.iter().map(|(kept, _)| &kept.text.data[..]).collect();
        let values = self.values(&[
            (&handles, Type::INT8_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&lengths, Type::INT8_ARRAY),
            (&hashes, Type::BYTEA_ARRAY),
            (&zstd, Type::BOOL_ARRAY),
            (&data, Type::BYTEA_ARRAY),
        ]);
        let rows = client
            .query_typed(
                "INSERT INTO headroom.originals (tenant, project, handle, created_ms, length, hash, zstd, data)
                 SELECT $1, $2, t.* FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::boolean[], $8::bytea[]) AS t
                 ON CONFLICT DO NOTHING RETURNING octet_length(data)::bigint",
                &values,
            )
            .await?;
        let added = rows.iter().map(|row| row.try_get::<_, i64>(0)).sum::<Result<i64, _>>()?;
        if rows.len() < handles.len() {
            let values = self.values(&[(&handles, Type::INT8_ARRAY), (&hashes, Type::BYTEA_ARRAY)]);
            let colliding = client
                .query_typed(
                    "SELECT o.handle FROM headroom.originals AS o JOIN unnest($3::bigint[], $4::bytea[]) AS t (handle, hash)
                     ON o.handle = t.handle
                     WHERE o.tenant = $1 AND o.project = $2 AND o.handle = ANY($3) AND o.hash <> t.hash LIMIT 1",
                    &values,
                )
                .await?;
            if let Some(row) = colliding.first() {
                return Err(Failure::Refused(StoreError::Collision(super::handle_of(row.try_get(0)?))));
            }
        }
        Ok(added)
    }

    /// Files what compressing gave; says how many bytes that added.
    async fn file_outcomes(&self, client: &Client) -> Result<i64, Failure> {
        let mut outcomes: Vec<(&Outcome, &Packed, i64)> = self
            .batches
            .iter()
            .flat_map(|prepared| {
                let now = clamp(prepared.batch.now_ms);
                prepared.outcomes().map(move |(outcome, packed)| (outcome, packed, now))
            })
            .collect();
        if outcomes.is_empty() {
            return Ok(0);
        }
        outcomes.sort_by_key(|(outcome, ..)| outcome.key);
        let keys: Vec<&[u8]> = outcomes.iter().map(|(outcome, ..)| &outcome.key.as_bytes()[..]).collect();
        let handles: Vec<Option<i64>> = outcomes.iter().map(|(outcome, ..)| outcome.handle.map(bits)).collect();
        let times: Vec<i64> = outcomes.iter().map(|(_, _, now)| *now).collect();
        let zstd: Vec<bool> = outcomes.iter().map(|(_, packed, _)| packed.zstd).collect();
        let documents: Vec<&[u8]> = outcomes.iter().map(|(_, packed, _)| &packed.data[..]).collect();
        let values = self.values(&[
            (&keys, Type::BYTEA_ARRAY),
            (&handles, Type::INT8_ARRAY),
            (&times, Type::INT8_ARRAY),
            (&zstd, Type::BOOL_ARRAY),
            (&documents, Type::BYTEA_ARRAY),
        ]);
        let rows = client
            .query_typed(
                "INSERT INTO headroom.outcomes (tenant, project, key, handle, created_ms, zstd, document)
                 SELECT $1, $2, t.* FROM unnest($3::bytea[], $4::bigint[], $5::bigint[], $6::boolean[], $7::bytea[]) AS t
                 ON CONFLICT DO NOTHING RETURNING octet_length(document)::bigint",
                &values,
            )
            .await?;
        Ok(rows.iter().map(|row| row.try_get::<_, i64>(0)).sum::<Result<i64, _>>()?)
    }

    /// Notes that the conversations are in use.
    async fn touch(&self, client: &Client) -> Result<(), Failure> {
        let mut used = BTreeMap::<&[u8], i64>::new();
        for batch in self.batches() {
            if let Some(root) = &batch.conversation {
                let at = used.entry(&root.as_bytes()[..]).or_default();
                *at = (*at).max(clamp(batch.now_ms));
            }
        }
        if used.is_empty() {
            return Ok(());
        }
        let (roots, times): (Vec<&[u8]>, Vec<i64>) = used.into_iter().unzip();
        self.execute(
            client,
            "INSERT INTO headroom.conversations AS c (tenant, project, root, used_ms)
             SELECT $1, $2, t.* FROM unnest($3::bytea[], $4::bigint[]) AS t
             ON CONFLICT (tenant, project, root) DO UPDATE SET used_ms = excluded.used_ms WHERE c.used_ms + $5 < excluded.used_ms",
            &[(&roots, Type::BYTEA_ARRAY), (&times, Type::INT8_ARRAY), number(&TOUCH_EVERY_MS)],
        )
        .await?;
        Ok(())
    }

    async fn render(&self, client: &Client) -> Result<(), Failure> {
        let superseded: Vec<&[u8]> =
            self.batches().flat_map(|batch| &batch.superseding).map(|(of, _)| &of.as_bytes()[..]).collect();
        let mut filed: Vec<(Lineage, &Rendering, &Packed, Lineage)> = self
            .batches
            .iter()
            .flat_map(|prepared| {
                let root = prepared.batch.conversation.unwrap_or(Lineage::from_bytes([0; 16]));
                prepared.renderings().map(move |(lineage, rendering, packed)| (lineage, rendering, packed, root))
            })
            .collect();
        if filed.is_empty() {
            return Ok(());
        }
        // The first one under a lineage stays: sorting keeps their order.
        filed.sort_by_key(|(lineage, ..)| *lineage);
        filed.dedup_by_key(|(lineage, ..)| *lineage);
        let lineages: Vec<&[u8]> = filed.iter().map(|(lineage, ..)| &lineage.as_bytes()[..]).collect();
        let roots: Vec<&[u8]> = filed.iter().map(|(.., root)| &root.as_bytes()[..]).collect();
        let reasons: Vec<_> = filed.iter().map(|(_, rendering, ..)| rendering.reason.code()).collect();
        let compressors: Vec<&str> = filed.iter().map(|(_, rendering, ..)| &rendering.compressor[..]).collect();
        let before: Vec<i64> = filed.iter().map(|(_, rendering, ..)| i64::from(rendering.tokens.0)).collect();
        let after: Vec<i64> = filed.iter().map(|(_, rendering, ..)| i64::from(rendering.tokens.1)).collect();
        let zstd: Vec<bool> = filed.iter().map(|(_, _, packed, _)| packed.zstd).collect();
        let replacements: Vec<&[u8]> = filed.iter().map(|(_, _, packed, _)| &packed.data[..]).collect();
        // An array of arrays would have to be rectangular: the handles of all of them, and where those of each begin and end.
        let handles: Vec<i64> =
            filed.iter().flat_map(|(_, rendering, ..)| rendering.handles.iter().copied().map(bits)).collect();
        let ends: Vec<i64> = filed
            .iter()
            .scan(0, |end, (_, rendering, ..)| {
                *end += rendering.handles.len() as i64;
                Some(*end)
            })
            .collect();
        let starts: Vec<i64> = std::iter::once(1).chain(ends.iter().map(|end| end + 1)).take(ends.len()).collect();
        let remove = async {
            if !superseded.is_empty() {
                let statement =
                    "DELETE FROM headroom.renderings WHERE tenant = $1 AND project = $2 AND lineage = ANY($3)";
                self.execute(client, statement, &[(&superseded, Type::BYTEA_ARRAY)]).await?;
            }
            Ok::<_, Failure>(())
        };
        // The links go with the rendering: of one that was there already nothing is added.
        let values = [
            (&lineages as &(dyn ToSql + Sync), Type::BYTEA_ARRAY),
            (&roots, Type::BYTEA_ARRAY),
            (&reasons, Type::TEXT_ARRAY),
            (&compressors, Type::TEXT_ARRAY),
            (&before, Type::INT8_ARRAY),
            (&after, Type::INT8_ARRAY),
            (&zstd, Type::BOOL_ARRAY),
            (&replacements, Type::BYTEA_ARRAY),
            (&starts, Type::INT8_ARRAY),
            (&ends, Type::INT8_ARRAY),
            (&handles, Type::INT8_ARRAY),
        ];
        let insert = self.execute(
            client,
            "WITH filed AS (
                INSERT INTO headroom.renderings (tenant, project, lineage, root, reason, compressor, before, after, zstd, replacements, handles)
                SELECT $1, $2, t.lineage, t.root, t.reason, t.compressor, t.before, t.after, t.zstd, t.replacements, ($13::bigint[])[t.first:t.last]
                FROM unnest($3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::boolean[], $10::bytea[],
                    $11::bigint[], $12::bigint[]) AS t (lineage, root, reason, compressor, before, after, zstd, replacements, first, last)
                ON CONFLICT DO NOTHING RETURNING lineage, handles)
             INSERT INTO headroom.links (tenant, project, handle, lineage)
             SELECT $1, $2, handle, filed.lineage FROM filed, unnest(filed.handles) AS handle ON CONFLICT DO NOTHING",
            &values,
        );
        try_join(remove, insert).await?;
        Ok(())
    }

    async fn file_exchanges(&self, client: &Client) -> Result<(), Failure> {
        let mut exchanges: Vec<(&[u8], i64, String)> = self
            .batches()
            .flat_map(|batch| {
                let now = clamp(batch.now_ms);
                batch.exchanges.iter().map(move |(key, document)| (&key.as_bytes()[..], now, plain(document)))
            })
            .collect();
        if exchanges.is_empty() {
            return Ok(());
        }
        exchanges.sort_by_key(|(key, _, _)| *key);
        let keys: Vec<&[u8]> = exchanges.iter().map(|(key, _, _)| *key).collect();
        let times: Vec<i64> = exchanges.iter().map(|(_, now, _)| *now).collect();
        let documents: Vec<&str> = exchanges.iter().map(|(_, _, document)| &document[..]).collect();
        self.execute(
            client,
            "INSERT INTO headroom.exchanges (tenant, project, key, created_ms, document)
             SELECT $1, $2, t.* FROM unnest($3::bytea[], $4::bigint[], $5::text[]) AS t ON CONFLICT DO NOTHING",
            &[(&keys, Type::BYTEA_ARRAY), (&times, Type::INT8_ARRAY), (&documents, Type::TEXT_ARRAY)],
        )
        .await?;
        Ok(())
    }

    async fn file_receipts(&self, client: &Client) -> Result<(), Failure> {
        // The last one of an id counts, and a statement may not change a row twice.
        let mut of_id = BTreeMap::new();
        for receipt in self.batches().flat_map(|batch| &batch.receipts) {
            of_id.insert(receipt.id.as_str(), receipt);
        }
        if of_id.is_empty() {
            return Ok(());
        }
        let from = clamp(receipts_from(self.batches().map(|batch| batch.now_ms).max().unwrap_or(0)));
        let ids: Vec<&str> = of_id.keys().copied().collect();
        let times: Vec<i64> = of_id.values().map(|receipt| clamp(receipt.at_ms)).collect();
        let documents: Vec<String> = of_id.values().map(|receipt| plain(&receipt.document)).collect();
        self.execute(
            client,
            "WITH old AS (DELETE FROM headroom.receipts WHERE tenant = $1 AND project = $2 AND id IN (
                SELECT id FROM headroom.receipts WHERE tenant = $1 AND project = $2 AND at_ms < $6 AND id <> ALL($3)
                ORDER BY at_ms LIMIT 100 FOR UPDATE SKIP LOCKED))
             INSERT INTO headroom.receipts (tenant, project, id, at_ms, document)
             SELECT $1, $2, t.* FROM unnest($3::text[], $4::bigint[], $5::text[]) AS t
             ON CONFLICT (tenant, project, id) DO UPDATE SET at_ms = excluded.at_ms, document = excluded.document",
            &[(&ids, Type::TEXT_ARRAY), (&times, Type::INT8_ARRAY), (&documents, Type::TEXT_ARRAY), number(&from)],
        )
        .await?;
        Ok(())
    }

    async fn note_sightings(&self, client: &Client) -> Result<(), Failure> {
        memory::note(client, self.scope, &self.sightings()).await
    }

    fn sightings(&self) -> Vec<(Handle, &'g Sighting, i64)> {
        self.batches()
            .flat_map(|batch| batch.sightings.iter().map(|(handle, met)| (*handle, met, clamp(batch.now_ms))))
            .collect()
    }
}
