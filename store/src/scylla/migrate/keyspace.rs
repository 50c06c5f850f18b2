//! The keyspace itself, and which server it is on.

use scylla::{
    client::session::Session,
    errors::{DbError, ExecutionError, RequestAttemptError},
};

use super::{failed, records::has_table};
use crate::{Result, StoreError, scylla::options::Options};

/// Its shard-aware ports can be switched off and its version is Cassandra's; this table is its own.
pub async fn on_scylla(session: &Session) -> Result<bool> {
    has_table(session, "system_schema", "scylla_tables").await
}

pub async fn exists(session: &Session, keyspace: &str) -> Result<bool> {
    let select = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
    let found = session.query_unpaged(select, (keyspace,)).await.map_err(cannot_read)?;
    Ok(found.into_rows_result().map_err(cannot_read)?.rows_num() > 0)
}

/// Creates it when it does not exist and the number of copies is given.
pub async fn ensure(session: &Session, options: &Options, report: &impl Fn(&str)) -> Result<()> {
    let keyspace = &options.keyspace;
    if exists(session, keyspace).await? {
        return Ok(());
    }
    let Some(copies) = options.replication else {
        return Err(StoreError::Unavailable(format!(
            "there is no keyspace '{keyspace}': create it, or set how many copies a new one has, as in \
             scylla://…/{keyspace}?replication=3"
        )));
    };
    let datacenter = match &options.datacenter {
        Some(datacenter) => datacenter.clone(),
        None => local_datacenter(session).await?,
    };
    create(session, keyspace, &datacenter, copies).await?;
    report(&format!("keyspace {keyspace}: made, copies in {datacenter}: {copies}"));
    Ok(())
}

async fn local_datacenter(session: &Session) -> Result<String> {
    let found =
        session.query_unpaged("SELECT data_center FROM system.local", ()).await.map_err(cannot_read)?;
    let rows = found.into_rows_result().map_err(cannot_read)?;
    Ok(rows.single_row::<(String,)>().map_err(cannot_read)?.0)
}

async fn create(session: &Session, keyspace: &str, datacenter: &str, copies: u8) -> Result<()> {
    let datacenter = datacenter.replace('\'', "''");
    let create = format!(
        "CREATE KEYSPACE IF NOT EXISTS \"{keyspace}\" \
         WITH replication = {{'class': 'NetworkTopologyStrategy', '{datacenter}': {copies}}}"
    );
    if on_scylla(session).await? {
        // With tablets, its default since 6.0, it took no conditional writes before 2025.4. Older versions do not
        // know the word, and an operator may have forbidden the choice.
        let without_tablets = format!("{create} AND tablets = {{'enabled': false}}");
        match session.query_unpaged(without_tablets, ()).await {
            Ok(_) => return Ok(()),
            Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(
                DbError::SyntaxError | DbError::Invalid | DbError::ConfigError,
                _,
            ))) => {}
            Err(error) => return Err(cannot_create(error)),
        }
    }
    session.query_unpaged(create, ()).await.map(drop).map_err(cannot_create)
}

fn cannot_read(error: impl std::fmt::Display) -> StoreError {
    failed("the keyspaces cannot be read", error)
}

fn cannot_create(error: impl std::fmt::Display) -> StoreError {
    failed("the keyspace cannot be made", error)
}
