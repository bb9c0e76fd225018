//! Batches: many calls of one version of a service. What has to be done and what has been done are both here, so that a server that was
//! stopped or killed goes on where it was.

use sqlx::{FromRow, Row, SqliteConnection, query, query_as, query_scalar, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use super::{
    Blob, ChangeError, Store, StoreError,
    blobs::Keeping,
    now,
    services::{Definition, Service},
};
use crate::config::Services;

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum BatchState {
    /// No call has begun.
    Pending,
    /// Calls have begun.
    Running,
    /// Each call has a result.
    Complete,
    /// It could not be brought to its end.
    Failed,
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its identity.
    pub id: Uuid,
    /// The account that has begun it.
    pub owner: String,
    /// The name of the service.
    pub service: String,
    /// The version of the service.
    pub version: String,
    /// What the service was when the batch began.
    pub definition: Definition,
    /// The image that the calls run in. There is none when the batch has ended.
    pub image: Option<String>,
    /// The most calls at the same time.
    pub parallel: u64,
    /// The number of calls.
    pub total: u64,
    /// The number of calls that have a result.
    pub completed: u64,
    /// How far it is.
    pub state: BatchState,
    /// Why it has failed, a sentence.
    pub problem: String,
    /// When it began, in microseconds since 1970.
    pub created: i64,
    /// When it has ended.
    pub ended: Option<i64>,
}

impl FromRow<'_, SqliteRow> for Batch {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: super::uuid(row, "id")?,
            owner: row.try_get("owner")?,
            service: row.try_get("service")?,
            version: row.try_get("version")?,
            definition: row.try_get::<Json<_>, _>("definition")?.0,
            image: row.try_get("image")?,
            parallel: super::bytes(row, "parallel")?,
            total: super::bytes(row, "total")?,
            completed: super::bytes(row, "completed")?,
            state: row.try_get("state")?,
            problem: row.try_get("problem")?,
            created: row.try_get("created")?,
            ended: row.try_get("ended")?,
        })
    }
}

/// A call of a batch that has no result yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// Its place among the inputs, from 0.
    pub number: i64,
    /// Its inputs, in JSON.
    pub inputs: String,
}

/// What a call of a batch has given.
#[derive(Debug)]
pub struct BatchResult {
    /// Whether the code has done what was asked.
    pub success: bool,
    /// What is told of it, in JSON.
    pub json: Vec<u8>,
    /// The files that it has left, by their paths in the working folder.
    pub files: Vec<(String, Blob)>,
}

const KIND: &str = "batch";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT batch.*, total - (SELECT count(*) FROM batch_item WHERE batch_item.batch = batch.id AND success IS NULL) AS completed
             FROM batch ",
            $rest
        )
    };
}

impl Store {
    /// Adds a batch of calls of a service with these inputs.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`] if the owner would have more than `most`, [`ChangeError::Unknown`] if the service has gone meanwhile,
    /// [`ChangeError::Store`]
    pub async fn batch_add(
        &self,
        owner: &str,
        service: &Service,
        parallel: u64,
        inputs: &[&str],
        most: &Services,
    ) -> Result<Batch, ChangeError> {
        let batch = Batch {
            id: Uuid::new_v4(),
            owner: owner.to_owned(),
            service: service.name.clone(),
            version: service.version.clone(),
            definition: service.definition.clone(),
            image: service.image.clone(),
            parallel,
            total: inputs.len() as u64,
            completed: 0,
            state: BatchState::Pending,
            problem: String::new(),
            created: now(),
            ended: None,
        };
        let id = batch.id.to_string();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(image) = &batch.image {
            let found: Option<i64> =
                query_scalar("SELECT 1 FROM image WHERE id = $1").bind(image).fetch_optional(&mut *transaction).await?;
            found.ok_or_else(|| ChangeError::unknown("service", &format!("{} {}", service.name, service.version)))?;
        }
        query(
            "INSERT INTO batch (id, owner, service, version, definition, image, parallel, total, state, problem, bytes, created)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', $10, $11)",
        )
        .bind(&id)
        .bind(owner)
        .bind(&batch.service)
        .bind(&batch.version)
        .bind(Json(&batch.definition))
        .bind(&batch.image)
        .bind(signed(parallel))
        .bind(signed(batch.total))
        .bind(batch.state)
        .bind(signed(inputs.iter().map(|inputs| inputs.len() as u64).sum()))
        .bind(batch.created)
        .execute(&mut *transaction)
        .await?;
        check_count(&mut transaction, owner, most).await?;
        check_size(&mut transaction, owner, 0, most).await?;
        for (number, inputs) in (0_i64..).zip(inputs) {
            let added = query("INSERT INTO batch_item (batch, number, inputs) VALUES ($1, $2, $3)").bind(&id).bind(number).bind(*inputs);
            added.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(batch)
    }

    /// A batch of `owner`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch(&self, id: Uuid, owner: &str) -> Result<Option<Batch>, StoreError> {
        let found = query_as(select!("WHERE id = $1 AND owner = $2")).bind(id.to_string()).bind(owner);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// The batches of an account, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_list(&self, owner: &str) -> Result<Vec<Batch>, StoreError> {
        Ok(query_as(select!("WHERE owner = $1 ORDER BY created, id")).bind(owner).fetch_all(&self.pool).await?)
    }

    /// The batches that have not ended, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_list_open(&self) -> Result<Vec<Batch>, StoreError> {
        Ok(query_as(select!("WHERE ended IS NULL ORDER BY created, id")).fetch_all(&self.pool).await?)
    }

    /// Notes that calls of a batch have begun.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_begin(&self, id: Uuid) -> Result<(), StoreError> {
        let begun = query("UPDATE batch SET state = $2 WHERE id = $1 AND ended IS NULL").bind(id.to_string()).bind(BatchState::Running);
        begun.execute(&self.pool).await?;
        Ok(())
    }

    /// The first call of a batch, from this number on, that has no result.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_item_next(&self, id: Uuid, from: i64) -> Result<Option<BatchItem>, StoreError> {
        let found =
            query("SELECT number, inputs FROM batch_item WHERE batch = $1 AND number >= $2 AND success IS NULL ORDER BY number LIMIT 1");
        let row = found.bind(id.to_string()).bind(from).fetch_optional(&self.pool).await?;
        let item = row.map(|row| Ok::<_, sqlx::Error>(BatchItem { number: row.try_get("number")?, inputs: row.try_get("inputs")? }));
        Ok(item.transpose()?)
    }

    /// Keeps the result of a call, unless the batch has gone meanwhile. The files were written under `_keeping`. Without `most`, it is kept
    /// whatever its owner has.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`] if the owner would have more than `most`, [`ChangeError::Store`]
    pub async fn batch_item_end(
        &self,
        id: Uuid,
        number: i64,
        result: &BatchResult,
        most: Option<&Services>,
        _keeping: Option<&Keeping>,
    ) -> Result<(), ChangeError> {
        let id = id.to_string();
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        // The inputs are of no use any more.
        let taken = result.files.iter().fold(result.json.len() as u64, |sum, (_, blob)| sum.saturating_add(blob.size));
        let owner: Option<String> = query_scalar(
            "UPDATE batch SET bytes = bytes + $3 - (SELECT length(CAST(inputs AS BLOB)) FROM batch_item WHERE batch = $1 AND number = $2)
             WHERE id = $1 RETURNING owner",
        )
        .bind(&id)
        .bind(number)
        .bind(signed(taken))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(owner) = owner else { return Ok(()) };
        if let Some(most) = most {
            check_size(&mut transaction, &owner, 0, most).await?;
        }
        query("UPDATE batch_item SET success = $3, result = $4, inputs = '' WHERE batch = $1 AND number = $2")
            .bind(&id)
            .bind(number)
            .bind(result.success)
            .bind(&result.json)
            .execute(&mut *transaction)
            .await?;
        for (name, blob) in &result.files {
            query("INSERT INTO batch_file (batch, number, name, blob, size) VALUES ($1, $2, $3, $4, $5)")
                .bind(&id)
                .bind(number)
                .bind(name)
                .bind(&blob.hash)
                .bind(super::size(blob))
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Checks that the batches of an account may take so many bytes more.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`], [`ChangeError::Store`]
    pub async fn batch_room(&self, owner: &str, more: u64, most: &Services) -> Result<(), ChangeError> {
        check_size(&mut *self.pool.acquire().await?, owner, more, most).await
    }

    /// Ends a batch: it is complete, or has failed for this reason. It needs its image no more.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_end(&self, id: Uuid, problem: Option<&str>) -> Result<(), StoreError> {
        query("UPDATE batch SET state = $2, problem = $3, ended = $4, image = NULL WHERE id = $1")
            .bind(id.to_string())
            .bind(if problem.is_none() { BatchState::Complete } else { BatchState::Failed })
            .bind(problem.unwrap_or_default())
            .bind(now())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The calls of a batch that have results, in order, with the sizes of these.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_sizes(&self, id: Uuid) -> Result<Vec<(i64, u64)>, StoreError> {
        let found = query_as("SELECT number, length(result) FROM batch_item WHERE batch = $1 AND success IS NOT NULL ORDER BY number");
        let sizes: Vec<(i64, i64)> = found.bind(id.to_string()).fetch_all(&self.pool).await?;
        Ok(sizes.into_iter().map(|(number, size)| (number, u64::try_from(size).unwrap_or(0))).collect())
    }

    /// The results of consecutive calls, which all have some.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_results(&self, id: Uuid, first: i64, last: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let found = query_scalar("SELECT result FROM batch_item WHERE batch = $1 AND number BETWEEN $2 AND $3 ORDER BY number");
        Ok(found.bind(id.to_string()).bind(first).bind(last).fetch_all(&self.pool).await?)
    }

    /// The files that a call has left, sorted by their paths.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_files(&self, id: Uuid, number: i64) -> Result<Vec<(String, Blob)>, StoreError> {
        let found = query("SELECT name, blob, size FROM batch_file WHERE batch = $1 AND number = $2 ORDER BY name");
        let rows = found.bind(id.to_string()).bind(number).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| Ok((row.try_get("name")?, super::blob(row, "blob")?))).collect::<sqlx::Result<_>>()?)
    }

    /// Removes a batch of `owner`, with its results and files.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn batch_remove(&self, id: Uuid, owner: &str) -> Result<(), ChangeError> {
        let id = id.to_string();
        let removed = query("DELETE FROM batch WHERE id = $1 AND owner = $2").bind(&id).bind(owner).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(ChangeError::unknown(KIND, &id)) } else { Ok(()) }
    }

    /// Removes the batches that ended more than this many days ago; 0 keeps all.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn batch_expire(&self, days: u64) -> Result<(), StoreError> {
        const DAY: u64 = 24 * 3600 * 1_000_000;
        if days > 0 {
            let before = now().saturating_sub(signed(days.saturating_mul(DAY)));
            query("DELETE FROM batch WHERE ended < $1").bind(before).execute(&self.pool).await?;
        }
        Ok(())
    }
}

/// Checks the number of an owner's batches against what one may have.
async fn check_count(connection: &mut SqliteConnection, owner: &str, most: &Services) -> Result<(), ChangeError> {
    let count: i64 = query_scalar("SELECT count(*) FROM batch WHERE owner = $1").bind(owner).fetch_one(connection).await?;
    if most.batches == 0 || count <= signed(most.batches) {
        return Ok(());
    }
    let limit = most.batches;
    Err(ChangeError::Invalid(format!("You have {limit} batches, and may have no more: remove one that you do not need.")))
}

/// Checks the size of an owner's batches, and of `more` bytes, against what one may have. The image of a batch counts if no service has it any more.
async fn check_size(connection: &mut SqliteConnection, owner: &str, more: u64, most: &Services) -> Result<(), ChangeError> {
    let size = query_scalar(
        "SELECT (SELECT coalesce(sum(bytes), 0) FROM batch WHERE owner = $1) + (SELECT coalesce(sum(bytes), 0) FROM image
            WHERE id IN (SELECT image FROM batch WHERE owner = $1) AND NOT EXISTS (SELECT 1 FROM service_version WHERE service_version.image = image.id))",
    );
    let size: i64 = size.bind(owner).fetch_one(connection).await?;
    if most.batch_mib == 0 || size.saturating_add(signed(more)) <= signed(most.batch_mib.saturating_mul(1 << 20)) {
        return Ok(());
    }
    let limit = most.batch_mib;
    let sentence = format!("Your batches may take {limit} MiB together, and this would be more: remove one that you do not need.");
    Err(ChangeError::Invalid(sentence))
}

/// A number as SQLite keeps it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
