//! Sightings, words and notes in Postgres.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use headroom_core::Handle;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::collect::{self, LOCK};
use super::{Commit, Failure, Postgres, Value, Who, bits, bytes, field, handle_of, index, number, plain, text};
use crate::packed::clamp;
use crate::sighting::SIGHTINGS_PER_TEXT;
use crate::{
    Forget, Forgotten, Match, MemoryFigures, NOTES_PER_WORKSPACE, NewNote, Note, Remembered, Scope, Seen, Sighting,
    StoreError, Workspace,
};

/// Where everything here is looked for: the first three values of every statement.
#[derive(Clone)]
struct Here {
    scope: Scope,
    workspace: Workspace,
}

impl Here {
    fn new(scope: &Scope, workspace: &Workspace) -> Self {
        Self { scope: scope.clone(), workspace: *workspace }
    }

    fn values<'a>(&'a self, workspace: &'a &'a [u8]) -> [Value<'a>; 3] {
        [text(&self.scope.tenant), text(&self.scope.project), bytes(workspace)]
    }

    async fn query(&self, client: &Client, statement: &str, more: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let workspace = &self.workspace.as_bytes()[..];
        let mut values = self.values(&workspace).to_vec();
        values.extend_from_slice(more);
        Ok(client.query_typed(statement, &values).await?)
    }
}

/// Notes that originals were met. Nothing is noted of a text that is not kept.
pub(super) async fn note(client: &Client, scope: &Scope, met: &[(Handle, &Sighting, i64)]) -> Result<(), Failure> {
    // A statement may not change a row twice, so the same meeting said several times becomes one row, counted.
    let mut said = BTreeMap::<_, Said>::new();
    for (handle, sighting, now) in met {
        let now = *now;
        let Sighting { workspace, agent, session, source, object } = sighting.bounded();
        let key = (workspace.as_bytes().to_vec(), bits(*handle), plain(&agent), plain(&session), plain(&source));
        let row = said.entry(key).or_insert(Said { object: None, first: now, last: now, times: 0 });
        row.object = object.or(row.object.take());
        (row.first, row.last, row.times) = (row.first.min(now), row.last.max(now), row.times + 1);
    }
    if said.is_empty() {
        return Ok(());
    }
    let workspaces: Vec<&[u8]> = said.keys().map(|(workspace, ..)| &workspace[..]).collect();
    let handles: Vec<i64> = said.keys().map(|(_, handle, ..)| *handle).collect();
    let agents: Vec<&str> = said.keys().map(|(_, _, agent, ..)| &agent[..]).collect();
    let sessions: Vec<&str> = said.keys().map(|(_, _, _, session, _)| &session[..]).collect();
    let sources: Vec<&str> = said.keys().map(|(.., source)| &source[..]).collect();
    let objects: Vec<Option<&str>> = said.values().map(|row| row.object.as_deref()).collect();
    let firsts: Vec<i64> = said.values().map(|row| row.first).collect();
    let lasts: Vec<i64> = said.values().map(|row| row.last).collect();
    let times: Vec<i64> = said.values().map(|row| row.times).collect();
    let noted = [
        text(&scope.tenant),
        text(&scope.project),
        (&workspaces, Type::BYTEA_ARRAY),
        (&handles, Type::INT8_ARRAY),
        (&agents, Type::TEXT_ARRAY),
        (&sessions, Type::TEXT_ARRAY),
        (&sources, Type::TEXT_ARRAY),
        (&objects, Type::TEXT_ARRAY),
        (&firsts, Type::INT8_ARRAY),
        (&lasts, Type::INT8_ARRAY),
        (&times, Type::INT8_ARRAY),
    ];
    let noted = client.execute_typed(
        "INSERT INTO headroom.sightings AS s
            (tenant, project, workspace, handle, agent, session, source, object, first_ms, last_ms, times)
         SELECT $1, $2, t.* FROM unnest($3::bytea[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
            $10::bigint[], $11::bigint[]) AS t (workspace, handle, agent, session, source, object, first_ms, last_ms, times)
         WHERE (SELECT true FROM headroom.originals AS o WHERE o.tenant = $1 AND o.project = $2 AND o.handle = t.handle)
         ON CONFLICT (tenant, project, workspace, handle, agent, session, source) DO UPDATE
         SET last_ms = greatest(s.last_ms, excluded.last_ms), times = s.times + excluded.times,
            object = coalesce(excluded.object, s.object)",
        &noted,
    );
    let most = SIGHTINGS_PER_TEXT as i64;
    // Subqueries that give one value are never made into a join, which statistics of yesterday could make one over whole tables.
    let counted = [
        text(&scope.tenant),
        text(&scope.project),
        (&workspaces, Type::BYTEA_ARRAY),
        (&handles, Type::INT8_ARRAY),
        number(&most),
    ];
    let crowded = client.query_typed(
        "SELECT DISTINCT t.workspace, t.handle FROM unnest($3::bytea[], $4::bigint[]) AS t (workspace, handle)
         WHERE (SELECT count(*) FROM headroom.sightings AS s
            WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = t.workspace AND s.handle = t.handle) > $5",
        &counted,
    );
    let (_, crowded) = try_join(noted, crowded).await?;
    for row in crowded {
        let (workspace, handle): (&[u8], i64) = (row.try_get(0)?, row.try_get(1)?);
        trim(client, scope, workspace, handle).await?;
    }
    Ok(())
}

/// Leaves of the sightings of a text the first, and of the others the latest.
async fn trim(client: &Client, scope: &Scope, workspace: &[u8], handle: i64) -> Result<(), Failure> {
    let most = SIGHTINGS_PER_TEXT as i64;
    client
        .execute_typed(
            "WITH ranked AS (
                SELECT agent, session, source, row_number() OVER (ORDER BY first_ms, agent, session, source) AS oldest,
                    row_number() OVER (ORDER BY last_ms DESC, agent, session, source) AS newest
                FROM headroom.sightings WHERE tenant = $1 AND project = $2 AND workspace = $3 AND handle = $4)
             DELETE FROM headroom.sightings AS s USING ranked AS r
             WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3 AND s.handle = $4
             AND s.agent = r.agent AND s.session = r.session AND s.source = r.source AND r.oldest > 1 AND r.newest >= $5",
            &[text(&scope.tenant), text(&scope.project), bytes(&workspace), number(&handle), number(&most)],
        )
        .await?;
    Ok(())
}

/// What is noted of a meeting, as a row has it.
struct Said {
    object: Option<String>,
    first: i64,
    last: i64,
    times: i64,
}

pub(super) fn remembered(
    store: &Postgres,
    scope: &Scope,
    workspace: &Workspace,
    handle: Handle,
) -> Result<Option<Remembered>, StoreError> {
    let here = Here::new(scope, workspace);
    let rows = store.read(
        "read sightings",
        scope,
        Box::new(move |client| {
            Box::pin(async move {
                here.query(
            client,
            "SELECT s.agent, s.session, s.source, s.object, s.first_ms, s.last_ms, s.times, coalesce(o.length, 0)
             FROM headroom.sightings AS s LEFT JOIN headroom.originals AS o USING (tenant, project, handle)
             WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3 AND s.handle = $4
             ORDER BY s.first_ms, s.agent, s.session, s.source",
            &[number(&bits(handle))],
        )
        .await
            })
        }),
    )?;
    let Some(first) = rows.first() else { return Ok(None) };
    let bytes = field::<i64>(first, 7)?.unsigned_abs();
    let seen = |row: &Row| -> Result<Seen, StoreError> {
        let count = |at| field::<i64>(row, at).map(i64::unsigned_abs);
        Ok(Seen {
            agent: field(row, 0)?,
            session: field(row, 1)?,
            source: field(row, 2)?,
            object: field(row, 3)?,
            first_ms: count(4)?,
            last_ms: count(5)?,
            times: count(6)?,
        })
    };
    Ok(Some(Remembered { handle, bytes, seen: rows.iter().map(seen).collect::<Result<_, _>>()? }))
}

fn handles_of(rows: &[Row]) -> Result<Vec<Handle>, StoreError> {
    rows.iter().map(|row| field::<i64>(row, 0).map(handle_of)).collect()
}

pub(super) fn recent(
    store: &Postgres,
    scope: &Scope,
    workspace: &Workspace,
    limit: usize,
    offset: usize,
) -> Result<Vec<Handle>, StoreError> {
    let here = Here::new(scope, workspace);
    let (limit, offset) = (clamp(limit as u64), clamp(offset as u64));
    let rows = store.read(
        "list sightings",
        scope,
        Box::new(move |client| {
            Box::pin(async move {
                here.query(
                    client,
                    "SELECT handle FROM headroom.sightings WHERE tenant = $1 AND project = $2 AND workspace = $3
             GROUP BY handle ORDER BY max(last_ms) DESC, handle LIMIT $4 OFFSET $5",
                    &[number(&limit), number(&offset)],
                )
                .await
            })
        }),
    )?;
    handles_of(&rows)
}

pub(super) fn candidates(
    store: &Postgres,
    scope: &Scope,
    workspace: &Workspace,
    words: &[String],
    which: Match,
    limit: usize,
) -> Result<Vec<Handle>, StoreError> {
    let here = Here::new(scope, workspace);
    let (operator, all) = match which {
        Match::All => (" & ", true),
        Match::Any => (" | ", false),
    };
    // Words are letters and digits: none can end its quotes.
    let expression = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(operator);
    let (words, limit) = (words.to_vec(), clamp(limit as u64));
    let rows = store.read("search", scope, Box::new(move |client| Box::pin(async move {
        index::catch_up(client, &here.scope, &here.workspace).await?;
        let mut rows = here
            .query(
                client,
                "SELECT s.handle FROM headroom.sightings AS s JOIN headroom.words AS w USING (tenant, project, handle)
                 WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3 AND w.terms @@ ($4::text)::tsquery
                 GROUP BY s.handle ORDER BY max(s.last_ms) DESC, s.handle LIMIT $5",
                &[text(&expression), number(&limit)],
            )
            .await?;
        rows.extend(
            here.query(
                client,
                "SELECT s.handle FROM headroom.sightings AS s
                 WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3
                 AND (SELECT CASE WHEN $5 THEN bool_and(strpos(lower(s.source), word) > 0) ELSE bool_or(strpos(lower(s.source), word) > 0) END
                    FROM unnest($4::text[]) AS word)
                 GROUP BY s.handle ORDER BY max(s.last_ms) DESC, s.handle LIMIT $6",
                &[(&words, Type::TEXT_ARRAY), (&all, Type::BOOL), number(&limit)],
            )
            .await?,
        );
        Ok(rows)
    })))?;
    let mut found: Vec<Handle> = Vec::new();
    for handle in handles_of(&rows)? {
        if !found.contains(&handle) {
            found.push(handle);
        }
    }
    Ok(found)
}

pub(super) fn latest_from(
    store: &Postgres,
    scope: &Scope,
    workspace: &Workspace,
    source: &str,
) -> Result<Option<Handle>, StoreError> {
    let (here, source) = (Here::new(scope, workspace), plain(source));
    let rows = store.read(
        "read sightings",
        scope,
        Box::new(move |client| {
            Box::pin(async move {
                here.query(
            client,
            "SELECT handle FROM headroom.sightings WHERE tenant = $1 AND project = $2 AND workspace = $3 AND source = $4
             ORDER BY last_ms DESC, handle LIMIT 1",
            &[text(&source)],
        )
        .await
            })
        }),
    )?;
    Ok(handles_of(&rows)?.pop())
}

pub(super) fn figures(store: &Postgres, scope: &Scope, workspace: &Workspace) -> Result<MemoryFigures, StoreError> {
    let here = Here::new(scope, workspace);
    let (sums, sights) = store.read("count sightings", scope, Box::new(move |client| Box::pin(async move {
        let sums = here
            .query(
                client,
                "SELECT count(*), coalesce(sum(o.length), 0)::bigint,
                    (SELECT count(*) FROM headroom.notes AS n WHERE n.tenant = $1 AND n.project = $2 AND n.workspace = $3)
                 FROM headroom.originals AS o WHERE o.tenant = $1 AND o.project = $2 AND EXISTS (
                    SELECT 1 FROM headroom.sightings AS s
                    WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3 AND s.handle = o.handle)",
                &[],
            )
            .await?;
        let sights = here
            .query(
                client,
                "SELECT handle, agent FROM headroom.sightings WHERE tenant = $1 AND project = $2 AND workspace = $3
                 GROUP BY handle, agent ORDER BY handle, min(first_ms), agent",
                &[],
            )
            .await?;
        Ok((sums, sights))
    })))?;
    let mut figures = MemoryFigures::default();
    if let Some(row) = sums.first() {
        let count = |at| field::<i64>(row, at).map(i64::unsigned_abs);
        (figures.texts, figures.bytes, figures.notes) = (count(0)?, count(1)?, count(2)?);
    }
    let sight = |row: &Row| Ok((field::<i64>(row, 0)?, field::<String>(row, 1)?));
    figures.count_agents(sights.iter().map(sight).collect::<Result<Vec<_>, StoreError>>()?);
    Ok(figures)
}

pub(super) fn forget(
    store: &Postgres,
    scope: &Scope,
    workspace: &Workspace,
    what: Forget,
) -> Result<Forgotten, StoreError> {
    let here = Here::new(scope, workspace);
    store.run("forget", Who::Member(scope.clone()), Commit::Durable, Box::new(move |client| Box::pin(async move {
        client.query_typed("SELECT pg_advisory_xact_lock($1)", &[number(&LOCK)]).await?;
        let before = match what {
            Forget::Before(ms) => clamp(ms),
            Forget::All | Forget::Text(_) => i64::MAX,
        };
        let only = match what {
            Forget::Text(handle) => Some(bits(handle)),
            Forget::All | Forget::Before(_) => None,
        };
        let gone = here
            .query(
                client,
                "WITH old AS (SELECT handle FROM headroom.sightings WHERE tenant = $1 AND project = $2 AND workspace = $3
                    AND ($5::bigint IS NULL OR handle = $5) GROUP BY handle HAVING max(last_ms) < $4)
                 DELETE FROM headroom.sightings AS s USING old AS o
                 WHERE s.tenant = $1 AND s.project = $2 AND s.workspace = $3 AND s.handle = o.handle RETURNING s.handle",
                &[number(&before), (&only, Type::INT8)],
            )
            .await?;
        let mut handles = gone.iter().map(|row| row.try_get::<_, i64>(0)).collect::<Result<Vec<_>, _>>()?;
        handles.sort_unstable();
        handles.dedup();
        let mut forgotten = Forgotten { texts: handles.len() as u64, ..Forgotten::default() };
        forgotten.erased = erase(client, &here, &handles).await?;
        // The tables are rewritten by the database when it sees fit, and its log and copies are its administrator's.
        forgotten.pages_remain = forgotten.erased > 0;
        if only.is_none() {
            let notes = here
                .query(
                    client,
                    "DELETE FROM headroom.notes WHERE tenant = $1 AND project = $2 AND workspace = $3 AND last_ms < $4 RETURNING 1",
                    &[number(&before)],
                )
                .await?;
            forgotten.notes = notes.len() as u64;
        }
        Ok(forgotten)
    })))
}

/// Erases those of the originals that no workspace knows any more, with what was made of them; says how many.
async fn erase(client: &Client, here: &Here, handles: &[i64]) -> Result<u64, Failure> {
    let of: [Value<'_>; 2] = [text(&here.scope.tenant), text(&here.scope.project)];
    let [tenant, project] = of;
    let left = client
        .query_typed(
            "SELECT DISTINCT handle FROM headroom.sightings WHERE tenant = $1 AND project = $2 AND handle = ANY($3)",
            &[tenant.clone(), project.clone(), (&handles, Type::INT8_ARRAY)],
        )
        .await?;
    let left = left.iter().map(|row| row.try_get::<_, i64>(0)).collect::<Result<Vec<_>, _>>()?;
    let lost: Vec<i64> = handles.iter().copied().filter(|handle| !left.contains(handle)).collect();
    let written: Vec<String> = lost.iter().map(|handle| handle_of(*handle).to_string()).collect();
    let lost_values = |statement| {
        let values = [tenant.clone(), project.clone(), (&lost as _, Type::INT8_ARRAY)];
        async move { client.query_typed(statement, &values).await }
    };
    lost_values(
        "DELETE FROM headroom.renderings WHERE tenant = $1 AND project = $2 AND lineage IN (
            SELECT lineage FROM headroom.links WHERE tenant = $1 AND project = $2 AND handle = ANY($3))",
    )
    .await?;
    lost_values("DELETE FROM headroom.links WHERE tenant = $1 AND project = $2 AND handle = ANY($3)").await?;
    lost_values("DELETE FROM headroom.words WHERE tenant = $1 AND project = $2 AND handle = ANY($3)").await?;
    client
        .execute_typed(
            "DELETE FROM headroom.exchanges WHERE tenant = $1 AND project = $2
             AND EXISTS (SELECT 1 FROM unnest($3::text[]) AS handle WHERE strpos(document, handle) > 0)",
            &[tenant.clone(), project.clone(), (&written, Type::TEXT_ARRAY)],
        )
        .await?;
    let mut freed = 0;
    for statement in [
        "DELETE FROM headroom.outcomes WHERE tenant = $1 AND project = $2 AND handle = ANY($3) RETURNING octet_length(document)::bigint",
        "DELETE FROM headroom.originals WHERE tenant = $1 AND project = $2 AND handle = ANY($3) RETURNING octet_length(data)::bigint",
    ] {
        let rows = lost_values(statement).await?;
        freed += rows.iter().map(|row| row.try_get::<_, i64>(0)).sum::<Result<i64, _>>()?;
    }
    collect::count(client, -freed).await?;
    Ok(lost.len() as u64)
}

const NOTE_COLUMNS: &str = "id, topic, text, agent, session, first_ms, last_agent, last_ms, times";

fn note_of(row: &Row) -> Result<Note, StoreError> {
    let count = |at| field::<i64>(row, at).map(i64::unsigned_abs);
    Ok(Note {
        id: count(0)?,
        topic: field(row, 1)?,
        text: field(row, 2)?,
        agent: field(row, 3)?,
        session: field(row, 4)?,
        first_ms: count(5)?,
        last_agent: field(row, 6)?,
        last_ms: count(7)?,
        times: count(8)?,
    })
}

pub(super) fn remember(
    store: &Postgres,
    scope: &Scope,
    workspace: &Workspace,
    note: NewNote,
) -> Result<Note, StoreError> {
    let here = Here::new(scope, workspace);
    let rows = store.run("keep a note", Who::Member(scope.clone()), Commit::Durable, Box::new(move |client| Box::pin(async move {
        let identity = note.identity();
        let identity = &identity[..];
        let NewNote { topic, text: said, agent, session, at_ms } = note.bounded();
        let (topic, said, agent, session, at) = (plain(&topic), plain(&said), plain(&agent), plain(&session), clamp(at_ms));
        let statement = format!(
            "INSERT INTO headroom.notes AS n (tenant, project, workspace, identity, topic, text, agent, session, first_ms, last_agent, last_ms, times)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $7, $9, 1)
             ON CONFLICT (tenant, project, workspace, identity) DO UPDATE
             SET last_agent = $7, last_ms = greatest(n.last_ms, $9), times = n.times + 1
             RETURNING {NOTE_COLUMNS}"
        );
        let values: [Value<'_>; 6] =
            [bytes(&identity), text(&topic), text(&said), text(&agent), text(&session), number(&at)];
        let rows = here.query(client, &statement, &values).await?;
        let counted = here
            .query(client, "SELECT count(*) FROM headroom.notes WHERE tenant = $1 AND project = $2 AND workspace = $3", &[])
            .await?;
        let most = NOTES_PER_WORKSPACE as i64;
        if counted.first().is_some_and(|row| row.get::<_, i64>(0) > most) {
            return Err(Failure::Refused(StoreError::TooManyNotes { most: NOTES_PER_WORKSPACE }));
        }
        Ok(rows)
    })))?;
    match rows.first() {
        Some(row) => note_of(row),
        None => Err(StoreError::Unavailable("the database did not give the note back".to_owned())),
    }
}

pub(super) fn notes(store: &Postgres, scope: &Scope, workspace: &Workspace) -> Result<Vec<Note>, StoreError> {
    let here = Here::new(scope, workspace);
    let rows = store.read(
        "read notes",
        scope,
        Box::new(move |client| {
            Box::pin(async move {
                let statement = format!(
                    "SELECT {NOTE_COLUMNS} FROM headroom.notes WHERE tenant = $1 AND project = $2 AND workspace = $3
             ORDER BY last_ms DESC, id DESC"
                );
                here.query(client, &statement, &[]).await
            })
        }),
    )?;
    rows.iter().map(note_of).collect()
}

pub(super) fn forget_note(store: &Postgres, scope: &Scope, workspace: &Workspace, id: u64) -> Result<bool, StoreError> {
    let here = Here::new(scope, workspace);
    store.run("forget a note", Who::Member(scope.clone()), Commit::Durable, Box::new(move |client| Box::pin(async move {
        let gone = here
            .query(
                client,
                "DELETE FROM headroom.notes WHERE tenant = $1 AND project = $2 AND workspace = $3 AND id = $4 RETURNING 1",
                &[number(&clamp(id))],
            )
            .await?;
        Ok(!gone.is_empty())
    })))
}
