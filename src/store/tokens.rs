//! Access and refresh tokens that were given out in pairs. The tokens themselves are not here: of a refresh token there is a hash, and of an
//! access token its id.

use sqlx::{FromRow, Row, query, query_as, query_scalar, sqlite::SqliteRow};
use uuid::Uuid;

use super::{Store, StoreError, now, uuid};

/// An access token and the refresh token that was given with it. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The id of the access token.
    pub id: Uuid,
    /// What began with one login.
    pub chain: Uuid,
    /// The account's name.
    pub account: String,
    /// SHA-256 of the refresh token.
    pub refresh_hash: Vec<u8>,
    /// Until when the access token is good.
    pub access_expires: i64,
    /// Until when the refresh token is good.
    pub refresh_expires: i64,
    /// Until when any pair of the chain can be good.
    pub chain_ends: i64,
    /// When it was replaced or revoked, if it was.
    pub ended: Option<i64>,
}

impl FromRow<'_, SqliteRow> for Pair {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: uuid(row, "id")?,
            chain: uuid(row, "chain")?,
            account: row.try_get("account")?,
            refresh_hash: row.try_get("refresh_hash")?,
            access_expires: row.try_get("access_expires")?,
            refresh_expires: row.try_get("refresh_expires")?,
            chain_ends: row.try_get("chain_ends")?,
            ended: row.try_get("ended")?,
        })
    }
}

/// What became of a refresh token that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Used {
    /// It was good, and is replaced by the new pair.
    Replaced,
    /// It had been replaced before, so somebody else has it: its chain has been ended.
    Reused(Pair),
    /// It is unknown, revoked or too old.
    Unknown,
}

impl Store {
    /// Adds the first pair of a chain. Pairs of chains that are over are removed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn token_add(&self, pair: &Pair) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        query("DELETE FROM token_pair WHERE chain_ends < $1").bind(now()).execute(&mut *transaction).await?;
        insert(&mut transaction, pair).await?;
        Ok(transaction.commit().await?)
    }

    /// The pair with this refresh token.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn token_pair(&self, refresh_hash: &[u8]) -> Result<Option<Pair>, StoreError> {
        Ok(query_as("SELECT * FROM token_pair WHERE refresh_hash = $1").bind(refresh_hash).fetch_optional(&self.pool).await?)
    }

    /// Replaces a pair by the next one of its chain.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn token_replace(&self, refresh_hash: &[u8], next: &Pair) -> Result<Used, StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found: Option<Pair> = query_as("SELECT * FROM token_pair WHERE refresh_hash = $1 AND chain_ends > $2")
            .bind(refresh_hash)
            .bind(now())
            .fetch_optional(&mut *transaction)
            .await?;
        let used = match found {
            Some(pair) if pair.ended.is_some() => {
                end_chain(&mut transaction, pair.chain).await?;
                Used::Reused(pair)
            }
            Some(pair) if pair.refresh_expires > now() => {
                query("UPDATE token_pair SET ended = $2 WHERE id = $1")
                    .bind(pair.id.to_string())
                    .bind(now())
                    .execute(&mut *transaction)
                    .await?;
                insert(&mut transaction, next).await?;
                Used::Replaced
            }
            _ => Used::Unknown,
        };
        transaction.commit().await?;
        Ok(used)
    }

    /// Ends all pairs of a chain.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn token_end_chain(&self, chain: Uuid) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(end_chain(&mut connection, chain).await?)
    }

    /// The ids of access tokens that would still be good if they had not been ended.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn token_ended(&self) -> Result<Vec<Uuid>, StoreError> {
        let ids: Vec<String> = query_scalar("SELECT id FROM token_pair WHERE ended IS NOT NULL AND access_expires > $1")
            .bind(now())
            .fetch_all(&self.pool)
            .await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }
}

async fn insert(connection: &mut sqlx::SqliteConnection, pair: &Pair) -> sqlx::Result<()> {
    let added = query(
        "INSERT INTO token_pair (id, chain, account, refresh_hash, access_expires, refresh_expires, chain_ends)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    );
    added
        .bind(pair.id.to_string())
        .bind(pair.chain.to_string())
        .bind(&pair.account)
        .bind(&pair.refresh_hash)
        .bind(pair.access_expires)
        .bind(pair.refresh_expires)
        .bind(pair.chain_ends)
        .execute(connection)
        .await?;
    Ok(())
}

async fn end_chain(connection: &mut sqlx::SqliteConnection, chain: Uuid) -> sqlx::Result<()> {
    let ended = query("UPDATE token_pair SET ended = coalesce(ended, $2) WHERE chain = $1");
    ended.bind(chain.to_string()).bind(now()).execute(connection).await?;
    Ok(())
}

/// Ends all pairs of an account.
pub(super) async fn end_all_of(connection: &mut sqlx::SqliteConnection, account: &str) -> sqlx::Result<()> {
    let ended = query("UPDATE token_pair SET ended = $2 WHERE account = $1 AND ended IS NULL");
    ended.bind(account).bind(now()).execute(connection).await?;
    Ok(())
}
