//! R scripts. Saving one makes a new version; the newest runs.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use super::{
    ChangeError, Named, Store, StoreError,
    access::{Access, Of, set_roles},
    now,
};

/// An input or an output of a script, as its author describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name of the R object.
    pub name: String,
    /// Its type in the type model of the APIs; free text.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// An example value, encoded as callers send it; `{server}` in it stands for the API's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<serde_json::Value>,
}

/// A script, in its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its identity.
    pub id: Uuid,
    /// Its name; unique.
    pub name: String,
    /// Who may run it.
    pub access: Access,
    /// The limits of its runs, by name.
    pub boundary: Option<String>,
    /// Counted from 1.
    pub version: i64,
    /// R code.
    pub code: String,
    /// What it does.
    pub description: String,
    /// The R objects that it reads.
    pub inputs: Vec<Parameter>,
    /// The R objects that it makes.
    pub outputs: Vec<Parameter>,
    /// Who saved this version.
    pub author: String,
    /// When it was changed last, in microseconds since 1970.
    pub changed: i64,
}

impl FromRow<'_, SqliteRow> for Script {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: super::uuid(row, "id")?,
            name: row.try_get("name")?,
            access: Access::read(row.try_get("access")?, row.try_get("roles")?),
            boundary: row.try_get("boundary")?,
            version: row.try_get("version")?,
            code: row.try_get("code")?,
            description: row.try_get("description")?,
            inputs: row.try_get::<Json<_>, _>("inputs")?.0,
            outputs: row.try_get::<Json<_>, _>("outputs")?.0,
            author: row.try_get("author")?,
            changed: row.try_get("changed")?,
        })
    }
}

/// A version of a script.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Serialize)]
pub struct Version {
    /// Counted from 1.
    pub version: i64,
    /// R code.
    pub code: String,
    /// What it did.
    pub description: String,
    /// The R objects that it read.
    #[sqlx(json)]
    pub inputs: Vec<Parameter>,
    /// The R objects that it made.
    #[sqlx(json)]
    pub outputs: Vec<Parameter>,
    /// Who saved it.
    pub author: String,
    /// When, in microseconds since 1970.
    pub created: i64,
}

/// What to save of a script; what is `None` stays as it is. A new script needs code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a script")]
pub struct ScriptChange {
    pub code: Option<String>,
    pub description: Option<String>,
    pub inputs: Option<Vec<Parameter>>,
    pub outputs: Option<Vec<Parameter>>,
    pub access: Option<Access>,
    /// `Some(None)` takes the boundary away.
    pub boundary: Option<Option<String>>,
    pub author: String,
}

const KIND: &str = "script";

/// The SELECT of a script and its newest version, to which the callers append a WHERE.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT script.id, script.name, script.access, script.boundary, script.version, script.changed,
                    version.code, version.description, version.inputs, version.outputs, version.author,
                    coalesce((SELECT group_concat(role, ' ') FROM script_role WHERE script = script.id), '') AS roles
             FROM script JOIN script_version AS version ON version.script = script.id AND version.version = script.version ",
            $rest
        )
    };
}

impl Store {
    /// The script of that name or identity.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn script(&self, name: &str) -> Result<Option<Script>, StoreError> {
        Ok(query_as(select!("WHERE script.name = $1 OR script.id = $1")).bind(name).fetch_optional(&self.pool).await?)
    }

    /// All scripts, by name.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn script_list(&self) -> Result<Vec<Script>, StoreError> {
        Ok(query_as(select!("ORDER BY script.name")).fetch_all(&self.pool).await?)
    }

    /// The versions of a script, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn script_versions(&self, id: Uuid) -> Result<Vec<Version>, StoreError> {
        let versions = query_as("SELECT * FROM script_version WHERE script = $1 ORDER BY version DESC");
        Ok(versions.bind(id.to_string()).fetch_all(&self.pool).await?)
    }

    /// Saves a new script, or a new version of an existing one.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn script_put(&self, name: &str, change: &ScriptChange) -> Result<Uuid, ChangeError> {
        Named::Script.check(name)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let earlier: Option<Script> = query_as(select!("WHERE script.name = $1")).bind(name).fetch_optional(&mut *transaction).await?;
        let id = earlier.as_ref().map_or_else(Uuid::new_v4, |earlier| earlier.id);
        let old = earlier.as_ref();
        let code = change.code.clone().or_else(|| old.map(|old| old.code.clone()));
        let code = code.ok_or_else(|| ChangeError::Invalid(format!("the script {name:?} is new, and has no code")))?;
        let version = Script {
            id,
            name: name.to_owned(),
            access: change.access.clone().or_else(|| old.map(|old| old.access.clone())).unwrap_or(Access::Private),
            boundary: change.boundary.clone().unwrap_or_else(|| old.and_then(|old| old.boundary.clone())),
            version: old.map_or(0, |old| old.version) + 1,
            code,
            description: change.description.clone().or_else(|| old.map(|old| old.description.clone())).unwrap_or_default(),
            inputs: change.inputs.clone().or_else(|| old.map(|old| old.inputs.clone())).unwrap_or_default(),
            outputs: change.outputs.clone().or_else(|| old.map(|old| old.outputs.clone())).unwrap_or_default(),
            author: change.author.clone(),
            changed: now(),
        };
        write(&mut transaction, &version).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Saves an earlier version of a script again, as the newest.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn script_revert(&self, name: &str, version: i64, author: &str) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let script: Option<Script> = query_as(select!("WHERE script.name = $1")).bind(name).fetch_optional(&mut *transaction).await?;
        let mut script = script.ok_or_else(|| ChangeError::unknown(KIND, name))?;
        let found: Option<Version> = query_as("SELECT * FROM script_version WHERE script = $1 AND version = $2")
            .bind(script.id.to_string())
            .bind(version)
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(Version { code, description, inputs, outputs, .. }) = found else {
            return Err(ChangeError::Invalid(format!("the script {name:?} has no version {version}")));
        };
        script =
            Script { version: script.version + 1, code, description, inputs, outputs, author: author.to_owned(), changed: now(), ..script };
        write(&mut transaction, &script).await?;
        Ok(transaction.commit().await?)
    }

    /// Gives a script another name.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn script_rename(&self, name: &str, to: &str) -> Result<(), ChangeError> {
        Named::Script.check(to)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if query_scalar("SELECT EXISTS (SELECT 1 FROM script WHERE name = $1)").bind(to).fetch_one(&mut *transaction).await? {
            return Err(ChangeError::exists(KIND, to));
        }
        let renamed = query("UPDATE script SET name = $2, changed = $3 WHERE name = $1");
        if renamed.bind(name).bind(to).bind(now()).execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(ChangeError::unknown(KIND, name));
        }
        Ok(transaction.commit().await?)
    }

    /// Removes a script, with all its versions.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn script_remove(&self, name: &str) -> Result<(), ChangeError> {
        let removed = query("DELETE FROM script WHERE name = $1").bind(name).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(ChangeError::unknown(KIND, name)) } else { Ok(()) }
    }
}

/// Writes a script and its newest version.
async fn write(connection: &mut SqliteConnection, script: &Script) -> Result<(), ChangeError> {
    if let Some(boundary) = &script.boundary {
        super::boundaries::require(connection, boundary).await?;
    }
    let id = script.id.to_string();
    query(
        "INSERT INTO script (id, name, access, boundary, version, changed) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET access = $3, boundary = $4, version = $5, changed = $6",
    )
    .bind(&id)
    .bind(&script.name)
    .bind(script.access.word())
    .bind(&script.boundary)
    .bind(script.version)
    .bind(script.changed)
    .execute(&mut *connection)
    .await?;
    query(
        "INSERT INTO script_version (script, version, code, description, inputs, outputs, author, created)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&id)
    .bind(script.version)
    .bind(&script.code)
    .bind(&script.description)
    .bind(Json(&script.inputs))
    .bind(Json(&script.outputs))
    .bind(&script.author)
    .bind(script.changed)
    .execute(&mut *connection)
    .await?;
    set_roles(connection, Of::Script, &id, &script.access).await
}
