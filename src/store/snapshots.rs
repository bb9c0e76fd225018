//! Snapshots: names that users give to images of their sessions.

use sqlx::{FromRow, Row, query, query_as, sqlite::SqliteRow};
use uuid::Uuid;

use super::{ChangeError, Store, StoreError, blobs::Keeping, images::StoredImage, now};
use crate::config::Snapshots;

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identity.
    pub id: Uuid,
    /// The account that owns it.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// The image that it names.
    pub image: String,
    /// When it was made, in microseconds since 1970.
    pub created: i64,
    /// The size of the image.
    pub bytes: u64,
}

impl FromRow<'_, SqliteRow> for Snapshot {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: super::uuid(row, "id")?,
            owner: row.try_get("owner")?,
            name: row.try_get("name")?,
            image: row.try_get("image")?,
            created: row.try_get("created")?,
            bytes: super::bytes(row, "bytes")?,
        })
    }
}

const KIND: &str = "snapshot";

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT snapshot.*, image.bytes FROM snapshot JOIN image ON image.id = snapshot.image ", $rest)
    };
}

impl Store {
    /// A snapshot of `owner`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn snapshot(&self, id: Uuid, owner: &str) -> Result<Option<Snapshot>, StoreError> {
        let found = query_as(select!("WHERE snapshot.id = $1 AND owner = $2")).bind(id.to_string()).bind(owner);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// The snapshots of an account or, with `None`, of all accounts, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn snapshot_list(&self, owner: Option<&str>) -> Result<Vec<Snapshot>, StoreError> {
        let list = query_as(select!("WHERE $1 IS NULL OR owner = $1 ORDER BY created, snapshot.id"));
        Ok(list.bind(owner).fetch_all(&self.pool).await?)
    }

    /// Makes a snapshot of an image, which was added under `_keeping`.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`] if the owner would have more than `most`, [`ChangeError::Store`]
    pub async fn snapshot_add(
        &self,
        owner: &str,
        name: &str,
        image: &StoredImage,
        most: &Snapshots,
        _keeping: &Keeping,
    ) -> Result<Snapshot, ChangeError> {
        let snapshot = Snapshot {
            id: Uuid::new_v4(),
            owner: owner.to_owned(),
            name: name.to_owned(),
            image: image.id.clone(),
            created: now(),
            bytes: image.bytes(),
        };
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        query("INSERT INTO snapshot (id, owner, name, image, created) VALUES ($1, $2, $3, $4, $5)")
            .bind(snapshot.id.to_string())
            .bind(owner)
            .bind(name)
            .bind(&image.id)
            .bind(snapshot.created)
            .execute(&mut *transaction)
            .await?;
        let (count, bytes) = query_as(TAKEN).bind(owner).fetch_one(&mut *transaction).await?;
        within(most, count, bytes)?;
        transaction.commit().await?;
        Ok(snapshot)
    }

    /// Checks that an account may have one more snapshot, of any size.
    ///
    /// # Errors
    /// [`ChangeError::Invalid`], [`ChangeError::Store`]
    pub async fn snapshot_room(&self, owner: &str, most: &Snapshots) -> Result<(), ChangeError> {
        let (count, bytes): (i64, i64) = query_as(TAKEN).bind(owner).fetch_one(&self.pool).await?;
        within(most, count + 1, bytes)
    }

    /// Removes a snapshot of `owner` or, with `None`, of anybody. Others of the same image stay.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn snapshot_remove(&self, id: Uuid, owner: Option<&str>) -> Result<(), ChangeError> {
        let id = id.to_string();
        let removed = query("DELETE FROM snapshot WHERE id = $1 AND ($2 IS NULL OR owner = $2)");
        let removed = removed.bind(&id).bind(owner).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(ChangeError::unknown(KIND, &id)) } else { Ok(()) }
    }
}

/// How many snapshots an account has, and the size of their images. An image counts once.
const TAKEN: &str = "SELECT (SELECT count(*) FROM snapshot WHERE owner = $1),
    (SELECT coalesce(sum(bytes), 0) FROM image WHERE id IN (SELECT image FROM snapshot WHERE owner = $1))";

fn within(most: &Snapshots, count: i64, bytes: i64) -> Result<(), ChangeError> {
    let (count, bytes) = (u64::try_from(count).unwrap_or(0), u64::try_from(bytes).unwrap_or(0));
    let Snapshots { count: most, mib } = *most;
    if most > 0 && count > most {
        return Err(ChangeError::Invalid(format!("You have {most} snapshots, and may have no more: remove one that you do not need.")));
    }
    if mib > 0 && bytes > mib.saturating_mul(1 << 20) {
        let sentence = format!("Your snapshots may take {mib} MiB together, and this would be more: remove one that you do not need.");
        return Err(ChangeError::Invalid(sentence));
    }
    Ok(())
}
