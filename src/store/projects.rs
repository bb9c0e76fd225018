//! Projects: sessions that were saved. A project names the image of a session, and is saved in one transaction: if that is interrupted, the
//! project is as it was before.

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, Row, query, query_as, query_scalar, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use super::{Blob, ChangeError, Store, StoreError, blobs::Keeping, now};

/// What a project keeps in addition to the image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Code blocks, oldest first.
    pub history: Vec<String>,
    /// What the last execution printed.
    pub output: String,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its identity.
    pub id: Uuid,
    /// The account that owns it.
    pub owner: String,
    /// What its owner calls it.
    pub name: String,
    /// The image of the session.
    pub image: String,
    /// The size of the objects in it, in bytes.
    pub workspace_bytes: u64,
    /// What else is kept.
    pub state: State,
    /// When it was made, in microseconds since 1970.
    pub created: i64,
    /// When it was saved last.
    pub changed: i64,
}

impl FromRow<'_, SqliteRow> for Project {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: super::uuid(row, "id")?,
            owner: row.try_get("owner")?,
            name: row.try_get("name")?,
            image: row.try_get("image")?,
            workspace_bytes: super::bytes(row, "size")?,
            state: row.try_get::<Json<_>, _>("state")?.0,
            created: row.try_get("created")?,
            changed: row.try_get("changed")?,
        })
    }
}

/// What to do if another project of the owner has the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Both may have it.
    AsItIs,
    /// The new one gets the name with a number, the first that is free.
    Numbered,
}

const KIND: &str = "project";

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT project.*, image.size FROM project JOIN image ON image.id = project.image ", $rest)
    };
}

impl Store {
    /// A project of `owner`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn project(&self, id: Uuid, owner: &str) -> Result<Option<Project>, StoreError> {
        let found = query_as(select!("WHERE project.id = $1 AND owner = $2")).bind(id.to_string()).bind(owner);
        Ok(found.fetch_optional(&self.pool).await?)
    }

    /// The projects of an account or, with `None`, of all accounts, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn project_list(&self, owner: Option<&str>) -> Result<Vec<Project>, StoreError> {
        let list = query_as(select!("WHERE $1 IS NULL OR owner = $1 ORDER BY changed DESC, project.id"));
        Ok(list.bind(owner).fetch_all(&self.pool).await?)
    }

    /// The files of a project's working folder that had addresses: their paths and contents.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn project_published(&self, id: Uuid) -> Result<Vec<(String, Blob)>, StoreError> {
        let rows = query(
            "SELECT path, blob, size FROM project_published
             JOIN project ON project.id = project JOIN image_file USING (image, path)
             WHERE project = $1 AND area = 'work' ORDER BY path",
        );
        let rows = rows.bind(id.to_string()).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| Ok((row.try_get("path")?, super::blob(row, "blob")?))).collect::<sqlx::Result<_>>()?)
    }

    /// Saves a new or an existing project, whose image was added under `_keeping`. `published` are the paths of files with addresses. Returns
    /// the name that it has got. A project of somebody else is left as it is.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn project_save(
        &self,
        project: &Project,
        naming: Naming,
        published: &[String],
        _keeping: &Keeping,
    ) -> Result<String, ChangeError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let id = project.id.to_string();
        let mut name = project.name.clone();
        if naming == Naming::Numbered {
            let taken: Vec<String> = query_scalar("SELECT name FROM project WHERE owner = $1 AND id <> $2")
                .bind(&project.owner)
                .bind(&id)
                .fetch_all(&mut *transaction)
                .await?;
            for number in 2.. {
                if !taken.contains(&name) {
                    break;
                }
                name = format!("{} ({number})", project.name);
            }
        }
        let saved = query(
            "INSERT INTO project (id, owner, name, image, state, created, changed) VALUES ($1, $2, $3, $4, $5, $6, $6)
             ON CONFLICT (id) DO UPDATE SET name = $3, image = $4, state = $5, changed = $6 WHERE owner = $2",
        )
        .bind(&id)
        .bind(&project.owner)
        .bind(&name)
        .bind(&project.image)
        .bind(Json(&project.state))
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        if saved.rows_affected() == 0 {
            return Err(ChangeError::unknown(KIND, &id));
        }
        query("DELETE FROM project_published WHERE project = $1").bind(&id).execute(&mut *transaction).await?;
        for path in published {
            let added = query("INSERT INTO project_published (project, path) VALUES ($1, $2) ON CONFLICT DO NOTHING");
            added.bind(&id).bind(path).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(name)
    }

    /// Removes a project of `owner` or, with `None`, of anybody.
    ///
    /// # Errors
    /// [`ChangeError::Unknown`], [`ChangeError::Store`]
    pub async fn project_remove(&self, id: Uuid, owner: Option<&str>) -> Result<(), ChangeError> {
        let id = id.to_string();
        let removed = query("DELETE FROM project WHERE id = $1 AND ($2 IS NULL OR owner = $2)");
        let removed = removed.bind(&id).bind(owner).execute(&self.pool).await?;
        if removed.rows_affected() == 0 { Err(ChangeError::unknown(KIND, &id)) } else { Ok(()) }
    }

    /// Remembers that a session was saved in a project, and that the next login brings it back.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn suspend(&self, session: Uuid, owner: &str, project: Uuid) -> Result<(), StoreError> {
        query("INSERT INTO suspended (session, owner, project) VALUES ($1, $2, $3) ON CONFLICT (session) DO UPDATE SET project = $3")
            .bind(session.to_string())
            .bind(owner)
            .bind(project.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The sessions of an account that the next login brings back, with their projects.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn suspended(&self, owner: &str) -> Result<Vec<(Uuid, Uuid)>, StoreError> {
        let rows: Vec<(String, String)> =
            query_as("SELECT session, project FROM suspended WHERE owner = $1 ORDER BY session").bind(owner).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().filter_map(|(session, project)| Some((session.parse().ok()?, project.parse().ok()?))).collect())
    }

    /// Takes a session to bring it back; false if another login has taken it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn resume(&self, session: Uuid, owner: &str) -> Result<bool, StoreError> {
        let taken: Option<i64> = query_scalar("DELETE FROM suspended WHERE session = $1 AND owner = $2 RETURNING 1")
            .bind(session.to_string())
            .bind(owner)
            .fetch_optional(&self.pool)
            .await?;
        Ok(taken.is_some())
    }
}
