//! Taking the bytes of erased rows off the server's disk: what `DELETE` leaves in pages and in the write-ahead log.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Failure, Inner, Postgres, said};
use crate::{Scrubbed, StoreError};

const WHAT: &str = "be rewritten";

pub(super) fn scrub(store: &Postgres) -> Result<Scrubbed, StoreError> {
    store.wait(|inner| async move { inner.scrub().await }).map_err(|failure| failure.of(WHAT))
}

impl Inner {
    /// Takes as long as it takes: no bound but the server's own.
    async fn scrub(&self) -> Result<Scrubbed, Failure> {
        self.ready().await?;
        let borrowed = self.pool.borrow().await?;
        let client = &borrowed.client;
        // Each by itself, because this is no part of a transaction.
        for table in tables(client).await? {
            client.batch_execute(&format!("VACUUM FULL headroom.{table}")).await?;
        }
        let remains = log(client).await?;
        self.pool.give_back(borrowed);
        Ok(Scrubbed { remains })
    }
}

/// All our tables; refused where they are not ours to rewrite, because the server would pass over them with a warning.
async fn tables(client: &Client) -> Result<Vec<String>, Failure> {
    let rows = client
        .query_typed(
            "SELECT quote_ident(c.relname), pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner)::text
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = 'headroom' AND c.relkind = 'r' ORDER BY 1",
            &[],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let (table, ours, owner): (String, bool, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            if ours {
                return Ok(table);
            }
            let said = format!("the table {table} belongs to {owner}, who alone may rewrite it; connect as that role");
            Err(Failure::Refused(StoreError::Database { what: WHAT, said }))
        })
        .collect()
}

/// Has the server end its log file and drop those before it, as far as it lets us; says what that leaves.
async fn log(client: &Client) -> Result<Vec<String>, Failure> {
    let mut remains = Vec::new();
    for (statement, help) in [
        ("SELECT pg_switch_wal()", "GRANT EXECUTE ON FUNCTION pg_switch_wal() to this role"),
        ("CHECKPOINT", "GRANT pg_checkpoint to this role"),
    ] {
        match client.simple_query(statement).await {
            Ok(_) => {}
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                remains.push(format!(
                    "the write-ahead log was not ended: {}; {help}, or run {statement} as a superuser",
                    said(&error)
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let settings =
        client.query_typed("SELECT current_setting('wal_recycle', true), current_setting('archive_mode')", &[]).await?;
    let Some(row) = settings.first() else { return Ok(remains) };
    let (recycles, archives): (Option<&str>, &str) = (row.try_get(0)?, row.try_get(1)?);
    if recycles != Some("off") {
        remains.push("the server writes over old files of its log instead of deleting them; with wal_recycle = off they are deleted".to_owned());
    }
    if archives != "off" {
        remains
            .push(format!("the log is archived (archive_mode = {archives}); what was archived before is still there"));
    }
    Ok(remains)
}
