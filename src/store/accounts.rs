//! Accounts.

use sqlx::{FromRow, Row, query, query_as, sqlite::SqliteRow};

use super::{ChangeError, Named, Store, StoreError, names::check_display_name, now, words};

/// The source of accounts whose passwords are in this store.
pub const LOCAL: &str = "local";

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name to log in with; unique.
    pub name: String,
    /// The name to show.
    pub display_name: String,
    /// Where it comes from: [`LOCAL`], or the name of a source in the settings.
    pub source: String,
    /// What it is called there; `None` for [`LOCAL`].
    pub subject: Option<String>,
    /// argon2 in PHC notation; see [`crate::auth::password`]. Empty for an account from elsewhere.
    pub password_hash: String,
    /// Whether it can log in.
    pub enabled: bool,
    /// Whether an administrator has locked it.
    pub locked: bool,
    /// Whether the password has to be changed before the next login.
    pub password_expired: bool,
    /// The limits of its sessions, by name.
    pub boundary: Option<String>,
    /// Its roles, sorted.
    pub roles: Vec<String>,
    /// How many logins have failed since the last successful one.
    pub failures: i64,
    /// When the last of them failed, in microseconds since 1970.
    pub failed_at: i64,
    /// When it was made, in microseconds since 1970.
    pub created: i64,
    /// When it was changed last.
    pub changed: i64,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            name: String::new(),
            display_name: String::new(),
            source: LOCAL.to_owned(),
            subject: None,
            password_hash: String::new(),
            enabled: false,
            locked: false,
            password_expired: false,
            boundary: None,
            roles: Vec::new(),
            failures: 0,
            failed_at: 0,
            created: 0,
            changed: 0,
        }
    }
}

impl FromRow<'_, SqliteRow> for Account {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let mut roles = words(row.try_get("roles")?);
        roles.sort();
        Ok(Self {
            name: row.try_get("name")?,
            display_name: row.try_get("display_name")?,
            source: row.try_get("source")?,
            subject: row.try_get("subject")?,
            password_hash: row.try_get("password_hash")?,
            enabled: row.try_get("enabled")?,
            locked: row.try_get("locked")?,
            password_expired: row.try_get("password_expired")?,
            boundary: row.try_get("boundary")?,
            roles,
            failures: row.try_get("failures")?,
            failed_at: row.try_get("failed_at")?,
            created: row.try_get("created")?,
            changed: row.try_get("changed")?,
        })
    }
}

/// Changes of an account; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of an account")]
pub struct AccountChange {
    pub display_name: Option<String>,
    pub password_hash: Option<String>,
    pub enabled: Option<bool>,
    pub locked: Option<bool>,
    pub password_expired: Option<bool>,
    /// `Some(None)` takes the boundary away.
    pub boundary: Option<Option<String>>,
    /// The roles that replace all earlier ones.
    pub roles: Option<Vec<String>>,
}

const KIND: &str = "account";

impl Store {
    /// The account of that name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let found = query_as(
            "SELECT *, coalesce((SELECT group_concat(role, ' ') FROM account_role WHERE account = name), '') AS roles
             FROM account WHERE name = $1",
        );
        Ok(found.bind(name).fetch_optional(&self.pool).await?)
    }

    /// The account that a source calls so.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_of(&self, source: &str, subject: &str) -> Result<Option<Account>, StoreError> {
        let found = query_as(
            "SELECT *, coalesce((SELECT group_concat(role, ' ') FROM account_role WHERE account = name), '') AS roles
             FROM account WHERE source = $1 AND subject = $2",
        );
        Ok(found.bind(source).bind(subject).fetch_optional(&self.pool).await?)
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_list(&self) -> Result<Vec<Account>, StoreError> {
        let all = query_as(
            "SELECT *, coalesce((SELECT group_concat(role, ' ') FROM account_role WHERE account = name), '') AS roles
             FROM account ORDER BY name",
        );
        Ok(all.fetch_all(&self.pool).await?)
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn account_add(&self, account: &Account) -> Result<(), ChangeError> {
        Named::Account.check(&account.name)?;
        check_display_name(&account.display_name)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let added = query(
            "INSERT INTO account (name, display_name, password_hash, enabled, created, changed, source, subject)
             VALUES ($1, $2, $3, $4, $5, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&account.name)
        .bind(&account.display_name)
        .bind(&account.password_hash)
        .bind(account.enabled)
        .bind(now())
        .bind(&account.source)
        .bind(&account.subject)
        .execute(&mut *transaction)
        .await?;
        if added.rows_affected() == 0 {
            return Err(ChangeError::exists(KIND, &account.name));
        }
        let change = AccountChange {
            locked: Some(account.locked),
            password_expired: Some(account.password_expired),
            boundary: Some(account.boundary.clone()),
            roles: Some(account.roles.clone()),
            ..AccountChange::default()
        };
        change_in(&mut transaction, &account.name, &change).await?;
        Ok(transaction.commit().await?)
    }

    /// Changes an account.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn account_change(&self, name: &str, change: &AccountChange) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        change_in(&mut transaction, name, change).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes an account with all that belongs to it.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn account_remove(&self, name: &str) -> Result<(), ChangeError> {
        let removed = query("DELETE FROM account WHERE name = $1").bind(name).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(ChangeError::unknown(KIND, name)) } else { Ok(()) }
    }

    /// Counts a failed login.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_failed(&self, name: &str) -> Result<(), StoreError> {
        let counted = query("UPDATE account SET failures = failures + 1, failed_at = $2 WHERE name = $1");
        counted.bind(name).bind(now()).execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets failed logins.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn account_succeeded(&self, name: &str) -> Result<(), StoreError> {
        query("UPDATE account SET failures = 0 WHERE name = $1 AND failures > 0").bind(name).execute(&self.pool).await?;
        Ok(())
    }
}

async fn change_in(connection: &mut sqlx::SqliteConnection, name: &str, change: &AccountChange) -> Result<(), ChangeError> {
    if let Some(name) = &change.display_name {
        check_display_name(name)?;
    }
    if let Some(Some(boundary)) = &change.boundary {
        super::boundaries::require(connection, boundary).await?;
    }
    let changed = query(
        "UPDATE account SET
             display_name = coalesce($2, display_name), password_hash = coalesce($3, password_hash),
             enabled = coalesce($4, enabled), locked = coalesce($5, locked),
             password_expired = coalesce($6, password_expired),
             boundary = CASE WHEN $7 THEN $8 ELSE boundary END,
             failures = CASE WHEN $3 IS NULL AND $5 IS NULL AND $4 IS NULL THEN failures ELSE 0 END,
             changed = $9
         WHERE name = $1",
    )
    .bind(name)
    .bind(&change.display_name)
    .bind(&change.password_hash)
    .bind(change.enabled)
    .bind(change.locked)
    .bind(change.password_expired)
    .bind(change.boundary.is_some())
    .bind(change.boundary.clone().flatten())
    .bind(now())
    .execute(&mut *connection)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(ChangeError::unknown(KIND, name));
    }
    if change.password_hash.is_some() {
        // Whoever knew the old one has no more rights.
        super::tokens::end_all_of(&mut *connection, name).await?;
    }
    if let Some(roles) = &change.roles {
        query("DELETE FROM account_role WHERE account = $1").bind(name).execute(&mut *connection).await?;
        for role in roles {
            super::roles::require(connection, role).await?;
            let given = query("INSERT INTO account_role (account, role) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            given.bind(name).bind(role).execute(&mut *connection).await?;
        }
    }
    Ok(())
}
