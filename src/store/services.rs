//! Web services: R code that is published under a name, in versions. Each version names the image of the session that it runs in.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use super::{ChangeError, Store, StoreError, now};
use crate::{config::Services, wire::plain::Parameter};

/// A version of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The account that owns all versions.
    pub owner: String,
    /// The account that has published this version.
    pub author: String,
    /// Whether only its author sees it.
    pub private: bool,
    /// What it is.
    pub definition: Definition,
    /// The image of the session that it runs in, if there is one.
    pub image: Option<String>,
    /// When it was published, in microseconds since 1970.
    pub created: i64,
    /// When it was changed last.
    pub changed: i64,
}

/// What a version of a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Definition {
    /// R code that is run at each call.
    pub code: String,
    /// R code that is run before.
    pub init_code: String,
    /// What it does.
    pub description: String,
    /// What clients call it; empty for the usual name.
    pub operation: String,
    /// The objects that the code finds.
    pub inputs: Vec<Parameter>,
    /// The objects that it leaves.
    pub outputs: Vec<Parameter>,
    /// The files that it leaves in the working folder.
    pub files: Vec<String>,
    /// The snapshot whose image it runs in. It may be gone, and means nothing to other stores.
    #[serde(skip)]
    pub snapshot: Option<Uuid>,
}

/// What to change of a definition; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of a definition")]
pub struct DefinitionChange {
    pub code: Option<String>,
    pub init_code: Option<String>,
    pub description: Option<String>,
    pub operation: Option<String>,
    pub inputs: Option<Vec<Parameter>>,
    pub outputs: Option<Vec<Parameter>>,
    pub files: Option<Vec<String>>,
    pub snapshot: Option<Uuid>,
}

impl DefinitionChange {
    /// Changes a definition.
    pub fn apply(self, definition: &mut Definition) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut definition.code, self.code);
        set(&mut definition.init_code, self.init_code);
        set(&mut definition.description, self.description);
        set(&mut definition.operation, self.operation);
        set(&mut definition.inputs, self.inputs);
        set(&mut definition.outputs, self.outputs);
        set(&mut definition.files, self.files);
        if self.snapshot.is_some() {
            definition.snapshot = self.snapshot;
        }
    }
}

impl FromRow<'_, SqliteRow> for Service {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let snapshot: Option<&str> = row.try_get("snapshot")?;
        Ok(Self {
            name: row.try_get("service")?,
            version: row.try_get("version")?,
            owner: row.try_get("owner")?,
            author: row.try_get("author")?,
            private: row.try_get("private")?,
            definition: Definition {
                code: row.try_get("code")?,
                init_code: row.try_get("init_code")?,
                description: row.try_get("description")?,
                operation: row.try_get("operation")?,
                inputs: row.try_get::<Json<_>, _>("inputs")?.0,
                outputs: row.try_get::<Json<_>, _>("outputs")?.0,
                files: row.try_get::<Json<_>, _>("files")?.0,
                snapshot: snapshot.and_then(|snapshot| snapshot.parse().ok()),
            },
            image: row.try_get("image")?,
            created: row.try_get("created")?,
            changed: row.try_get("changed")?,
        })
    }
}

pub(super) const KIND: &str = "service";

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT version.*, service.owner FROM service_version AS version JOIN service ON service.name = version.service ", $rest)
    };
}

/// How a version of a service is called in messages.
pub(super) fn named(name: &str, version: &str) -> String {
    format!("{name} {version}")
}

impl Store {
    /// A version of a service.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn service(&self, name: &str, version: &str) -> Result<Option<Service>, StoreError> {
        let found = query_as(select!("WHERE service.name = $1 AND version.version = $2")).bind(name).bind(version);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// The versions of a service or, with `None`, of all services, in the order in which they were published.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn service_list(&self, name: Option<&str>) -> Result<Vec<Service>, StoreError> {
        Ok(query_as(select!("WHERE $1 IS NULL OR service.name = $1 ORDER BY number")).bind(name).fetch_all(&self.pool).await?)
    }

    /// Publishes a version. The owner of a new service is its author.
    ///
    /// # Errors
    /// [`ChangeError::Exists`], [`ChangeError::NotYours`], [`ChangeError::Unknown`] for the snapshot, [`ChangeError::Invalid`] if the owner
    /// would have more than `most`, [`ChangeError::Store`]
    pub async fn service_publish(&self, service: &Service, most: &Services) -> Result<Service, ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        claim(&mut transaction, &service.name, &service.author).await?;
        let image = image_of(&mut transaction, service.definition.snapshot, &service.author).await?;
        let service = Service { image, ..service.clone() };
        add(&mut transaction, &service).await?;
        check_quota(&mut transaction, &service.author, most).await?;
        transaction.commit().await?;
        Ok(service)
    }

    /// Changes a version.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], also for the snapshot, [`ChangeError::Invalid`] if the owner would have more than `most`,
    /// [`ChangeError::Store`]
    pub async fn service_update(&self, name: &str, version: &str, change: DefinitionChange, most: &Services) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found: Option<Service> = query_as(select!("WHERE service.name = $1 AND version.version = $2"))
            .bind(name)
            .bind(version)
            .fetch_optional(&mut *transaction)
            .await?;
        let Service { owner, mut definition, mut image, .. } = found.ok_or_else(|| ChangeError::unknown(KIND, &named(name, version)))?;
        if change.snapshot.is_some() {
            image = image_of(&mut transaction, change.snapshot, &owner).await?;
        }
        change.apply(&mut definition);
        query(
            "UPDATE service_version SET code = $3, init_code = $4, description = $5, operation = $6, inputs = $7, outputs = $8, files = $9,
                snapshot = $10, image = $11, changed = $12 WHERE service = $1 AND version = $2",
        )
        .bind(name)
        .bind(version)
        .bind(&definition.code)
        .bind(&definition.init_code)
        .bind(&definition.description)
        .bind(&definition.operation)
        .bind(Json(&definition.inputs))
        .bind(Json(&definition.outputs))
        .bind(Json(&definition.files))
        .bind(definition.snapshot.map(|snapshot| snapshot.to_string()))
        .bind(image)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        check_quota(&mut transaction, &owner, most).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a version or, with `None`, all; with the last one goes the service.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn service_remove(&self, name: &str, version: Option<&str>) -> Result<(), ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let removed = query("DELETE FROM service_version WHERE service = $1 AND ($2 IS NULL OR version = $2)").bind(name).bind(version);
        if removed.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(ChangeError::unknown(KIND, &version.map_or_else(|| name.to_owned(), |version| named(name, version))));
        }
        query("DELETE FROM service WHERE name = $1 AND NOT EXISTS (SELECT 1 FROM service_version WHERE service = $1)")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

/// Makes a service, unless it is there and this owner's.
pub(super) async fn claim(connection: &mut SqliteConnection, name: &str, owner: &str) -> Result<(), ChangeError> {
    let of: Option<String> = query_scalar("SELECT owner FROM service WHERE name = $1").bind(name).fetch_optional(&mut *connection).await?;
    match of {
        Some(of) if of != owner => return Err(ChangeError::NotYours { kind: KIND, name: name.to_owned() }),
        Some(_) => {}
        None => {
            query("INSERT INTO service (name, owner) VALUES ($1, $2)").bind(name).bind(owner).execute(connection).await?;
        }
    }
    Ok(())
}

/// Adds a version to a service that is there, with an image that is there.
pub(super) async fn add(connection: &mut SqliteConnection, service: &Service) -> Result<(), ChangeError> {
    let Service { name, version, definition, .. } = service;
    let added = query(
        "INSERT INTO service_version (service, version, author, private, code, init_code, description, operation, inputs, outputs,
            files, snapshot, image, created, changed)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) ON CONFLICT (service, version) DO NOTHING",
    )
    .bind(name)
    .bind(version)
    .bind(&service.author)
    .bind(service.private)
    .bind(&definition.code)
    .bind(&definition.init_code)
    .bind(&definition.description)
    .bind(&definition.operation)
    .bind(Json(&definition.inputs))
    .bind(Json(&definition.outputs))
    .bind(Json(&definition.files))
    .bind(definition.snapshot.map(|snapshot| snapshot.to_string()))
    .bind(&service.image)
    .bind(now())
    .execute(connection)
    .await?;
    if added.rows_affected() == 0 { Err(ChangeError::exists(KIND, &named(name, version))) } else { Ok(()) }
}

/// The image of a snapshot, which has to be the owner's.
async fn image_of(connection: &mut SqliteConnection, snapshot: Option<Uuid>, owner: &str) -> Result<Option<String>, ChangeError> {
    let Some(snapshot) = snapshot else { return Ok(None) };
    let id = snapshot.to_string();
    let image = query_scalar("SELECT image FROM snapshot WHERE id = $1 AND owner = $2").bind(&id).bind(owner);
    image.fetch_optional(connection).await?.map(Some).ok_or_else(|| ChangeError::unknown("snapshot", &id))
}

/// Checks what an owner has now against what one may have.
async fn check_quota(connection: &mut SqliteConnection, owner: &str, most: &Services) -> Result<(), ChangeError> {
    let row = query(
        "SELECT count(*) AS count, coalesce(sum(length(CAST(code AS BLOB)) + length(CAST(init_code AS BLOB)) + coalesce(bytes, 0)), 0) AS bytes
         FROM service_version JOIN service ON service.name = service LEFT JOIN image ON image.id = image WHERE owner = $1",
    )
    .bind(owner)
    .fetch_one(connection)
    .await?;
    let (count, bytes): (i64, i64) = (row.try_get("count")?, row.try_get("bytes")?);
    let exceeds = |value: i64, limit: u64| limit > 0 && u64::try_from(value).unwrap_or(0) > limit;
    if exceeds(count, most.count) {
        let limit = most.count;
        return Err(ChangeError::Invalid(format!("one user may have {limit} versions of services: remove one that is not needed")));
    }
    if exceeds(bytes, most.mib.saturating_mul(1 << 20)) {
        let limit = most.mib;
        return Err(ChangeError::Invalid(format!("the services of one user may take {limit} MiB: remove one that is not needed")));
    }
    Ok(())
}
