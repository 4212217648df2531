//! Creating the tables, once, however many start at the same time.

use headroom_core::HandleKey;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::pool::Pool;
use super::{Failure, said};
use crate::StoreError;

/// The steps from an empty database to the newest schema; `meta` says how many it has taken. Append only, and only what an older version can
/// live with: during a rollout both are at work.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema2.sql"), include_str!("schema3.sql")];

/// The oldest version that can work with the newest schema; counts like the migrations. Raised only by a step that breaks that rule.
const WORKS_FROM: i64 = 1;

/// What all who migrate agree on to wait for each other: "headroom" as a number.
const LOCK: i64 = 0x6865_6164_726f_6f6d;

/// The two roles that transactions work in. Nobody can log in as one; whoever logs in has to be a member of both.
const ROLES: [&str; 2] = ["headroom_member", "headroom_keeper"];

/// Sees to the schema and gives the handle key. Needs the right to create only where something is missing.
pub(super) async fn prepare(pool: &Pool, name: &str) -> Result<HandleKey, Failure> {
    let borrowed = pool.borrow().await?;
    let known = MIGRATIONS.len() as i64;
    match state(&borrowed.client).await {
        Ok(Some(state)) if state.schema >= known => {
            let key = state.key(name, known)?;
            pool.give_back(borrowed);
            return Ok(key);
        }
        Ok(_) => {}
        Err(error) if error.as_db_error().is_none() => return Err(Failure::Away(said(&error))),
        // Roles or tables are missing, or are not ours to use: making them says which.
        Err(_) => {}
    }
    let client = &borrowed.client;
    client.batch_execute("ROLLBACK").await?;
    let made = migrate(client, known).await;
    if let Err(error) = made {
        let _ = client.batch_execute("ROLLBACK").await;
        let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        let help = if denied {
            "; let a role with CREATEROLE and CREATE on the database open it once, then GRANT headroom_member, headroom_keeper TO this one"
        } else {
            ""
        };
        return Err(Failure::Refused(StoreError::Database {
            what: "be set up",
            said: format!("{name}: {}{help}", said(&error)),
        }));
    }
    let state = state(client).await?.ok_or_else(|| Failure::Away("the schema went away".to_owned()))?;
    let key = state.key(name, known)?;
    pool.give_back(borrowed);
    Ok(key)
}

struct State {
    schema: i64,
    works_from: i64,
    key: Vec<u8>,
}

impl State {
    fn key(self, name: &str, known: i64) -> Result<HandleKey, Failure> {
        if self.works_from > known {
            return Err(Failure::Refused(StoreError::Newer { path: name.into(), found: self.schema, known }));
        }
        let key: [u8; 32] = self
            .key
            .try_into()
            .map_err(|_| Failure::Refused(StoreError::Unavailable(format!("{name}: the store's key is damaged"))))?;
        Ok(HandleKey::from_bytes(key))
    }
}

/// What the database says of itself, as a member reads it.
async fn state(client: &Client) -> Result<Option<State>, tokio_postgres::Error> {
    client.batch_execute("BEGIN; SET LOCAL ROLE headroom_keeper; SET LOCAL ROLE headroom_member").await?;
    let rows = client.query_typed("SELECT name, value FROM headroom.meta", &[]).await;
    let rows = rows?;
    client.batch_execute("COMMIT").await?;
    let value = |wanted: &str| {
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == wanted)?;
        Some(row.get::<_, Vec<u8>>(1))
    };
    let count = |wanted: &str| value(wanted).and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    Ok(count("schema").zip(count("works_from")).zip(value("handle_key")).map(|((schema, works_from), key)| State {
        schema,
        works_from,
        key,
    }))
}

async fn migrate(client: &Client, known: i64) -> Result<(), tokio_postgres::Error> {
    // Roles belong to the whole server, so that its other databases may be making them just now.
    client.batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({LOCK})")).await?;
    for role in ROLES {
        client
            .batch_execute(&format!(
                "DO $$ BEGIN
                    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF;
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                 END $$"
            ))
            .await?;
        client
            .batch_execute(&format!(
                "DO $$ BEGIN
                    IF NOT pg_has_role(current_user, '{role}', 'MEMBER') THEN GRANT {role} TO current_user; END IF;
                 END $$"
            ))
            .await?;
    }
    let table = client.query_typed("SELECT to_regclass('headroom.meta') IS NOT NULL", &[]).await?;
    let there = table.first().is_some_and(|row| row.get(0));
    let taken: i64 = if there {
        let rows = client
            .query_typed("SELECT convert_from(value, 'UTF8')::bigint FROM headroom.meta WHERE name = 'schema'", &[])
            .await?;
        rows.first().map_or(0, |row| row.get(0))
    } else {
        0
    };
    for migration in MIGRATIONS.iter().skip(usize::try_from(taken).unwrap_or(0)) {
        client.batch_execute(migration).await?;
    }
    if taken < known {
        // Both halves of the key come from the server's own strong generator.
        client
            .batch_execute(&format!(
                "INSERT INTO headroom.meta (name, value) VALUES
                    ('schema', convert_to('{known}', 'UTF8')), ('works_from', convert_to('{WORKS_FROM}', 'UTF8'))
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value;
                 INSERT INTO headroom.meta (name, value)
                 VALUES ('handle_key', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
                 ON CONFLICT (name) DO NOTHING"
            ))
            .await?;
    }
    client.batch_execute("COMMIT").await
}
