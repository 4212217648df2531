//! Writing a batch: one transaction, in the order that what refers comes after what it refers to.

use std::sync::Arc;

use futures_util::future::try_join_all;
use headroom_core::{ContentHash, Handle};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::collect::{self, LOCK};
use super::{Commit, Failure, Postgres, Who, Work, bits, bytes, memory, number, plain, text};
use crate::packed::{clamp, pack};
use crate::{Batch, Lineage, Rendering, Scope, StoreError};

/// A conversation's time of use is written at most this often.
const TOUCH_EVERY_MS: i64 = 60 * 60 * 1000;

pub(super) fn write(store: &Postgres, scope: &Scope, batch: Batch) -> Result<(), StoreError> {
    let commit = if batch.must_survive_power_loss() { Commit::Durable } else { Commit::Soon };
    // Only now the key is known for certain that handles have to be made with.
    store.wait(|inner| async move { inner.ready().await }).map_err(|failure| failure.of("write"))?;
    let prepared = Arc::new(Prepared::of(store, scope, batch)?);
    let budget = store.inner.options.budget_bytes;
    let attempt = || {
        let prepared = Arc::clone(&prepared);
        let work: Work<()> = Box::new(move |client| Box::pin(async move { prepared.write(client, budget).await }));
        store.run("write", Who::Member(scope.clone()), commit, work)
    };
    let mut written = attempt();
    if matches!(written, Err(StoreError::OverBudget { .. })) {
        let incoming: u64 = prepared.originals.data.iter().map(|data| data.len() as u64).sum();
        // A failed collection is not this batch's fault: the second attempt decides.
        let _ = collect::collect(store, budget.saturating_sub(incoming), prepared.batch.now_ms);
        written = attempt();
    }
    if written.is_ok() && !prepared.batch.sightings.is_empty() {
        index_behind(store, prepared);
    }
    written
}

/// Has the words of what was met indexed when nobody waits for it. What a crash keeps from that is made up for by the next search.
fn index_behind(store: &Postgres, prepared: Arc<Prepared>) {
    let (inner, Some(runtime)) = (Arc::clone(&store.inner), &store.runtime) else { return };
    runtime.spawn(async move {
        let who = Who::Member(prepared.scope.clone());
        let work: Work<()> = Box::new(move |client| {
            Box::pin(async move {
                let met = |handle: &Handle| prepared.batch.sightings.iter().any(|(met, _)| met == handle);
                for (handle, text) in prepared.batch.originals.iter().filter(|(handle, _)| met(handle)) {
                    memory::index(client, &prepared.scope, bits(*handle), text).await?;
                }
                Ok(())
            })
        });
        if let Err(error) = inner.transact(&who, Commit::Soon, work).await {
            tracing::debug!(?error, "words could not be indexed now; the next search will");
        }
    });
}

/// A batch with what takes time done before the transaction.
struct Prepared {
    scope: Scope,
    batch: Batch,
    originals: Originals,
}

/// Originals as columns.
#[derive(Default)]
struct Originals {
    handles: Vec<i64>,
    lengths: Vec<i64>,
    hashes: Vec<Vec<u8>>,
    zstd: Vec<bool>,
    data: Vec<Vec<u8>>,
}

impl Prepared {
    fn of(store: &Postgres, scope: &Scope, mut batch: Batch) -> Result<Self, StoreError> {
        // In one order everywhere, so that two who write the same do not wait for each other crosswise.
        batch.originals.sort();
        let mut originals = Originals::default();
        let key = store.handle_key();
        for (handle, text) in &batch.originals {
            // A handle that was made before the database was reached is none of this store's.
            if Handle::of(key, text) != *handle {
                return Err(StoreError::Unavailable("the database has only just come back".to_owned()));
            }
            let (zstd, data) = pack(text.as_bytes());
            originals.handles.push(bits(*handle));
            originals.lengths.push(clamp(text.len() as u64));
            originals.hashes.push(ContentHash::of(text).as_bytes().to_vec());
            originals.zstd.push(zstd);
            originals.data.push(data);
        }
        Ok(Self { scope: scope.clone(), batch, originals })
    }

    async fn write(&self, client: &Client, budget: u64) -> Result<(), Failure> {
        let (tenant, project) = (&self.scope.tenant, &self.scope.project);
        let now = clamp(self.batch.now_ms);
        let refers = !self.originals.handles.is_empty() || !self.batch.renderings.is_empty();
        if refers {
            client.query_typed("SELECT pg_advisory_xact_lock_shared($1)", &[number(&LOCK)]).await?;
        }
        let mut added = self.keep(client).await?;
        added += self.file_outcomes(client).await?;
        if !self.originals.handles.is_empty() {
            let used = collect::stored_bytes(client).await?.saturating_add(added).unsigned_abs();
            if used > budget {
                return Err(Failure::Refused(StoreError::OverBudget { used, budget }));
            }
        }
        let root = self.batch.conversation.unwrap_or(Lineage::from_bytes([0; 16]));
        if self.batch.conversation.is_some() {
            client
                .execute_typed(
                    "INSERT INTO headroom.conversations AS c (tenant, project, root, used_ms) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (tenant, project, root) DO UPDATE SET used_ms = $4 WHERE c.used_ms + $5 < $4",
                    &[text(tenant), text(project), bytes(&&root.as_bytes()[..]), number(&now), number(&TOUCH_EVERY_MS)],
                )
                .await?;
        }
        if !self.batch.superseding.is_empty() {
            let lineages: Vec<&[u8]> = self.batch.superseding.iter().map(|(of, _)| &of.as_bytes()[..]).collect();
            client
                .execute_typed(
                    "DELETE FROM headroom.renderings WHERE tenant = $1 AND project = $2 AND lineage = ANY($3)",
                    &[text(tenant), text(project), (&lineages, Type::BYTEA_ARRAY)],
                )
                .await?;
        }
        // All of them are under way at once: the connection takes them one after the other without waiting for answers.
        let renderings = self.batch.superseding.iter().chain(&self.batch.renderings);
        try_join_all(renderings.map(|(lineage, rendering)| self.render(client, root, *lineage, rendering))).await?;
        try_join_all(self.batch.exchanges.iter().map(|(key, document)| async move {
            client
                .execute_typed(
                    "INSERT INTO headroom.exchanges (tenant, project, key, created_ms, document) VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT DO NOTHING",
                    &[text(tenant), text(project), bytes(&&key.as_bytes()[..]), number(&now), text(&plain(document))],
                )
                .await
        }))
        .await?;
        self.receipts(client).await?;
        try_join_all(
            self.batch.sightings.iter().map(|(handle, met)| memory::note(client, &self.scope, *handle, met, now)),
        )
        .await?;
        collect::count(client, added).await
    }

    /// Files the originals; says how many bytes they added.
    async fn keep(&self, client: &Client) -> Result<i64, Failure> {
        let Originals { handles, lengths, hashes, zstd, data } = &self.originals;
        if handles.is_empty() {
            return Ok(0);
        }
        let now = clamp(self.batch.now_ms);
        let (tenant, project) = (text(&self.scope.tenant), text(&self.scope.project));
        let rows = client
            .query_typed(
                "INSERT INTO headroom.originals (tenant, project, handle, created_ms, length, hash, zstd, data)
                 SELECT $1, $2, t.handle, $3, t.length, t.hash, t.zstd, t.data
                 FROM unnest($4::bigint[], $5::bigint[], $6::bytea[], $7::boolean[], $8::bytea[]) AS t (handle, length, hash, zstd, data)
                 ON CONFLICT DO NOTHING RETURNING octet_length(data)::bigint",
                &[
                    tenant.clone(),
                    project.clone(),
                    number(&now),
                    (handles, Type::INT8_ARRAY),
                    (lengths, Type::INT8_ARRAY),
                    (hashes, Type::BYTEA_ARRAY),
                    (zstd, Type::BOOL_ARRAY),
                    (data, Type::BYTEA_ARRAY),
                ],
            )
            .await?;
        let added = rows.iter().map(|row| row.try_get::<_, i64>(0)).sum::<Result<i64, _>>()?;
        if rows.len() < handles.len() {
            let colliding = client
                .query_typed(
                    "SELECT o.handle FROM headroom.originals AS o JOIN unnest($3::bigint[], $4::bytea[]) AS t (handle, hash)
                     ON o.handle = t.handle WHERE o.tenant = $1 AND o.project = $2 AND o.hash <> t.hash LIMIT 1",
                    &[tenant, project, (handles, Type::INT8_ARRAY), (hashes, Type::BYTEA_ARRAY)],
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
        let now = clamp(self.batch.now_ms);
        let filed = self.batch.outcomes.iter().map(|outcome| async move {
            let (zstd, document) = pack(outcome.document.as_bytes());
            let handle = outcome.handle.map(bits);
            let rows = client
                .execute_typed(
                    "INSERT INTO headroom.outcomes (tenant, project, key, handle, created_ms, zstd, document)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
                    &[
                        text(&self.scope.tenant),
                        text(&self.scope.project),
                        bytes(&&outcome.key.as_bytes()[..]),
                        (&handle, Type::INT8),
                        number(&now),
                        (&zstd, Type::BOOL),
                        (&document, Type::BYTEA),
                    ],
                )
                .await?;
            Ok::<i64, Failure>(if rows > 0 { clamp(document.len() as u64) } else { 0 })
        });
        Ok(try_join_all(filed).await?.into_iter().sum())
    }

    async fn render(
        &self,
        client: &Client,
        root: Lineage,
        lineage: Lineage,
        rendering: &Rendering,
    ) -> Result<(), Failure> {
        let (zstd, packed) = pack(&rendering.encode_replacements());
        let (before, after) = (i64::from(rendering.tokens.0), i64::from(rendering.tokens.1));
        let handles: Vec<i64> = rendering.handles.iter().copied().map(bits).collect();
        let reason = rendering.reason.code();
        // The links go with the rendering: of one that was there already nothing is added.
        client
            .execute_typed(
                "WITH filed AS (
                    INSERT INTO headroom.renderings (tenant, project, lineage, root, reason, compressor, before, after, zstd, replacements, handles)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING 1)
                 INSERT INTO headroom.links (tenant, project, handle, lineage)
                 SELECT $1, $2, handle, $3 FROM unnest($11::bigint[]) AS handle, filed ON CONFLICT DO NOTHING",
                &[
                    text(&self.scope.tenant),
                    text(&self.scope.project),
                    bytes(&&lineage.as_bytes()[..]),
                    bytes(&&root.as_bytes()[..]),
                    text(&reason),
                    text(&rendering.compressor),
                    number(&before),
                    number(&after),
                    (&zstd, Type::BOOL),
                    (&packed, Type::BYTEA),
                    (&handles, Type::INT8_ARRAY),
                ],
            )
            .await?;
        Ok(())
    }

    async fn receipts(&self, client: &Client) -> Result<(), Failure> {
        // The last one of an id counts, and a statement may not change a row twice.
        let mut of_id = std::collections::BTreeMap::new();
        for receipt in &self.batch.receipts {
            of_id.insert(receipt.id.as_str(), receipt);
        }
        if of_id.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = of_id.keys().copied().collect();
        let times: Vec<i64> = of_id.values().map(|receipt| clamp(receipt.at_ms)).collect();
        let documents: Vec<String> = of_id.values().map(|receipt| plain(&receipt.document)).collect();
        client
            .execute_typed(
                "INSERT INTO headroom.receipts (tenant, project, id, at_ms, document)
                 SELECT $1, $2, t.id, t.at_ms, t.document FROM unnest($3::text[], $4::bigint[], $5::text[]) AS t (id, at_ms, document)
                 ON CONFLICT (tenant, project, id) DO UPDATE SET at_ms = excluded.at_ms, document = excluded.document",
                &[
                    text(&self.scope.tenant),
                    text(&self.scope.project),
                    (&ids, Type::TEXT_ARRAY),
                    (&times, Type::INT8_ARRAY),
                    (&documents, Type::TEXT_ARRAY),
                ],
            )
            .await?;
        Ok(())
    }
}
