//! The repository: R objects, workspaces and files. They are kept until a login ends, or for good.

use sqlx::{FromRow, Row, SqliteConnection, query, query_as, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    Blob, ChangeError, Named, Store, StoreError,
    access::{Access, Of, set_roles},
    blobs::Keeping,
    now,
};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// R objects, in R's own format: what `load()` or `readRDS()` reads.
    Object,
    /// A whole global environment, in the same format.
    Workspace,
    /// Any file.
    File,
}

impl Kind {
    /// The word for it in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Workspace => "workspace",
            Self::File => "file",
        }
    }
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its identity.
    pub id: Uuid,
    /// What its owner calls it; for a file, the file's name.
    pub name: String,
    /// What its owner says of it; may be empty.
    pub description: String,
    /// What it is.
    pub kind: Kind,
    /// Who may use it beside its owner.
    pub access: Access,
    /// The account that owns it; `None` for the server's own.
    pub owner: Option<String>,
    /// The login whose end deletes it; `None` if it is kept for good.
    pub login: Option<Uuid>,
    /// Its content.
    pub blob: Blob,
    /// When it was made, in microseconds since 1970.
    pub created: i64,
}

impl Object {
    /// A new object of a login; a login without an account has no owner.
    #[must_use]
    pub fn of_login(owner: Option<&str>, login: Uuid, name: &str, kind: Kind, blob: Blob) -> Self {
        Self { owner: owner.map(str::to_owned), login: Some(login), ..Self::of_server(name, kind, Access::Private, blob) }
    }

    /// A new object of the server's own.
    #[must_use]
    pub fn of_server(name: &str, kind: Kind, access: Access, blob: Blob) -> Self {
        let (name, description) = (name.to_owned(), String::new());
        Self { id: Uuid::new_v4(), name, description, kind, access, owner: None, login: None, blob, created: now() }
    }
}

impl FromRow<'_, SqliteRow> for Object {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let kind = match row.try_get("kind")? {
            "workspace" => Kind::Workspace,
            "file" => Kind::File,
            _ => Kind::Object,
        };
        Ok(Self {
            id: super::uuid(row, "id")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            kind,
            access: Access::read(row.try_get("access")?, row.try_get("roles")?),
            owner: row.try_get("owner")?,
            login: row.try_get::<Option<&str>, _>("login")?.and_then(|login| login.parse().ok()),
            blob: super::blob(row, "blob")?,
            created: row.try_get("created")?,
        })
    }
}

const KIND: &str = "object";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT *, coalesce((SELECT group_concat(role, ' ') FROM object_role WHERE object = object.id), '') AS roles FROM object ",
            $rest
        )
    };
}

impl Store {
    /// The object of that identity.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn object(&self, id: Uuid) -> Result<Option<Object>, StoreError> {
        Ok(query_as(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(&self.pool).await?)
    }

    /// All objects of a login and of the server, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn object_list(&self, login: Option<Uuid>) -> Result<Vec<Object>, StoreError> {
        let list = query_as(select!("WHERE login = $1 OR login IS NULL ORDER BY created DESC, id"));
        Ok(list.bind(login.map(|login| login.to_string())).fetch_all(&self.pool).await?)
    }

    /// All objects, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn object_list_all(&self) -> Result<Vec<Object>, StoreError> {
        Ok(query_as(select!("ORDER BY created DESC, id")).fetch_all(&self.pool).await?)
    }

    /// Adds an object, whose content has been written under `_keeping`.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn object_add(&self, object: &Object, _keeping: &Keeping) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        write(&mut transaction, object).await?;
        Ok(transaction.commit().await?)
    }

    /// Puts an object of the server's own, whose content has been written under `_keeping`. If there is an object of that
    /// name, it gets the new content and keeps its identity. Without `access`, an existing object also keeps whom it is
    /// for, and a new one is private.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn object_put(
        &self,
        name: &str,
        kind: Kind,
        access: Option<&Access>,
        blob: &Blob,
        _keeping: &Keeping,
    ) -> Result<Uuid, ChangeError> {
        Named::Object.check(name)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let earlier: Option<Object> = query_as(select!("WHERE login IS NULL AND name = $1 ORDER BY created DESC LIMIT 1"))
            .bind(name)
            .fetch_optional(&mut *transaction)
            .await?;
        let mut object = Object::of_server(name, kind, Access::Private, blob.clone());
        if let Some(earlier) = earlier {
            object = Object { id: earlier.id, access: earlier.access, ..object };
        }
        if let Some(access) = access {
            object.access = access.clone();
        }
        write(&mut transaction, &object).await?;
        transaction.commit().await?;
        Ok(object.id)
    }

    /// Changes who may use an object of the server's own.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn object_set_access(&self, id: Uuid, access: &Access) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let id = id.to_string();
        let changed = query("UPDATE object SET access = $2 WHERE id = $1 AND login IS NULL");
        if changed.bind(&id).bind(access.word()).execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(ChangeError::unknown(KIND, &id));
        }
        set_roles(&mut transaction, Of::Object, &id, access).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes an object.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn object_remove(&self, id: Uuid) -> Result<(), ChangeError> {
        let id = id.to_string();
        let removed = query("DELETE FROM object WHERE id = $1").bind(&id).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(ChangeError::unknown(KIND, &id)) } else { Ok(()) }
    }

    /// Removes the objects of a login or, with `None`, those of all logins.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn object_forget(&self, login: Option<Uuid>) -> Result<(), StoreError> {
        let forgotten = query("DELETE FROM object WHERE login IS NOT NULL AND ($1 IS NULL OR login = $1)");
        forgotten.bind(login.map(|login| login.to_string())).execute(&self.pool).await?;
        Ok(())
    }
}

/// Writes an object and whom it is for.
async fn write(connection: &mut SqliteConnection, object: &Object) -> Result<(), ChangeError> {
    let id = object.id.to_string();
    query(
        "INSERT INTO object (id, name, kind, access, owner, login, blob, size, created, description)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET kind = $3, access = $4, blob = $7, size = $8, created = $9",
    )
    .bind(&id)
    .bind(&object.name)
    .bind(object.kind.word())
    .bind(object.access.word())
    .bind(&object.owner)
    .bind(object.login.map(|login| login.to_string()))
    .bind(&object.blob.hash)
    .bind(super::size(&object.blob))
    .bind(object.created)
    .bind(&object.description)
    .execute(&mut *connection)
    .await?;
    set_roles(connection, Of::Object, &id, &object.access).await
}
