//! Tokens that people make for their programs. The tokens themselves are not here, only hashes of them.

use sqlx::{FromRow, Row, query, query_as, sqlite::SqliteRow};
use uuid::Uuid;

use super::{ChangeError, Named, Store, StoreError, now, uuid, words};

/// A token for programs. Times are in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalToken {
    /// Names the token.
    pub id: Uuid,
    /// Whose it is.
    pub account: String,
    /// What its owner calls it.
    pub name: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    /// The only roles of the account that it has; `None` for all.
    pub roles: Option<Vec<String>>,
    /// When it was made.
    pub created: i64,
    /// Until when it is good; `None` for ever.
    pub expires: Option<i64>,
    /// When it was used last, to within a minute.
    pub used: Option<i64>,
}

impl FromRow<'_, SqliteRow> for PersonalToken {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let roles: Option<&str> = row.try_get("roles")?;
        Ok(Self {
            id: uuid(row, "id")?,
            account: row.try_get("account")?,
            name: row.try_get("name")?,
            hash: row.try_get("hash")?,
            roles: roles.map(words),
            created: row.try_get("created")?,
            expires: row.try_get("expires")?,
            used: row.try_get("used")?,
        })
    }
}

const KIND: &str = "token";

impl Store {
    /// Adds a token.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn personal_token_add(&self, token: &PersonalToken) -> Result<(), ChangeError> {
        Named::Token.check(&token.name)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for role in token.roles.iter().flatten() {
            super::roles::require(&mut transaction, role).await?;
        }
        let added = query(
            "INSERT INTO personal_token (id, account, name, hash, roles, created, expires)
             SELECT $1, name, $3, $4, $5, $6, $7 FROM account WHERE name = $2
             ON CONFLICT (account, name) DO NOTHING",
        );
        let added = added
            .bind(token.id.to_string())
            .bind(&token.account)
            .bind(&token.name)
            .bind(&token.hash)
            .bind(token.roles.as_ref().map(|roles| roles.join(" ")))
            .bind(token.created)
            .bind(token.expires)
            .execute(&mut *transaction)
            .await?;
        if added.rows_affected() == 0 {
            return Err(match self.account(&token.account).await? {
                Some(_) => ChangeError::exists(KIND, &token.name),
                None => ChangeError::unknown("account", &token.account),
            });
        }
        Ok(transaction.commit().await?)
    }

    /// All tokens, by account and name; or those of one account.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn personal_token_list(&self, account: Option<&str>) -> Result<Vec<PersonalToken>, StoreError> {
        let all = query_as("SELECT * FROM personal_token WHERE $1 IS NULL OR account = $1 ORDER BY account, name");
        Ok(all.bind(account).fetch_all(&self.pool).await?)
    }

    /// Removes a token.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn personal_token_remove(&self, account: &str, name: &str) -> Result<(), ChangeError> {
        let removed = query("DELETE FROM personal_token WHERE account = $1 AND name = $2").bind(account).bind(name);
        if removed.execute(&self.pool).await?.rows_affected() == 0 { Err(ChangeError::unknown(KIND, name)) } else { Ok(()) }
    }

    /// Notes that a token was used just now.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn personal_token_used(&self, id: Uuid) -> Result<(), StoreError> {
        query("UPDATE personal_token SET used = $2 WHERE id = $1").bind(id.to_string()).bind(now()).execute(&self.pool).await?;
        Ok(())
    }
}
