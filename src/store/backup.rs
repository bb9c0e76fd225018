//! Writes the whole store to one ZIP file, and reads it back. Reading and writing the file blocks the thread: this is for
//! the command line, not for the server.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Read, Seek, Write},
    path::Path,
};

use sqlx::{Connection, SqliteConnection, query, query_scalar, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::{
    Blobs, Store,
    archive::{ArchiveError, ArchiveReader, ArchiveWriter, Called},
    blobs::in_use,
    images, options,
};

/// The tables. Those that others refer to come first.
const TABLES: [&str; 25] = [
    "boundary",
    "ip_filter",
    "role",
    "account",
    "account_role",
    "token_pair",
    "personal_token",
    "policy",
    "script",
    "script_version",
    "script_role",
    "object",
    "object_role",
    "image",
    "image_file",
    "project",
    "project_published",
    "snapshot",
    "left_workspace",
    "service",
    "service_version",
    "suspended",
    "batch",
    "batch_item",
    "batch_file",
];
/// The database in the ZIP file.
const DATABASE: &str = "offshoot.db";
/// What a backup is called in messages.
const CALLED: Called = Called { whole: "the backup", foreign: "this is no backup of an Offshoot store" };

impl Store {
    /// Writes everything to `file`, as it is at one moment; the server may be running. Objects that are deleted when a
    /// login ends are left out.
    ///
    /// # Errors
    /// [`ArchiveError`]
    pub async fn backup(&self, file: impl Write + Seek) -> Result<(), ArchiveError> {
        let _keeping = self.blobs.keep().await?;
        let folder = self.scratch()?;
        let copy = folder.path().join(DATABASE);
        query("VACUUM INTO $1").bind(copy.to_string_lossy()).execute(&self.pool).await?;
        write(&copy, &self.blobs, file).await
    }

    /// Replaces everything by what is in `file`, in one transaction. A running server ends its logins and sessions.
    ///
    /// # Errors
    /// [`ArchiveError`]; nothing has been changed then.
    pub async fn restore(&self, file: impl Read + Seek) -> Result<(), ArchiveError> {
        let keeping = self.blobs.keep().await?;
        let folder = self.scratch()?;
        let copy = folder.path().join(DATABASE);
        let mut archive = ArchiveReader::open(file, CALLED)?;
        archive.extract(DATABASE, u64::MAX, &mut File::create(&copy)?)?;
        let ours: i64 = query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&self.pool).await?;
        let (theirs, needed) = inspect(&copy).await?;
        if theirs != ours {
            return Err(ArchiveError::Unusable(format!(
                "the backup is of version {theirs} of the store, and this is version {ours}: use the same release of Offshoot for both"
            )));
        }
        for hash in needed {
            archive.content(&hash, &self.blobs, &keeping).await?;
        }
        replace(&self.file, &copy).await
    }

    /// A temporary folder beside the store, which only its owner can enter.
    fn scratch(&self) -> io::Result<TempDir> {
        tempfile::Builder::new().prefix("backup-").tempdir_in(self.file.parent().unwrap_or(Path::new(".")))
    }
}

async fn write(database: &Path, blobs: &Blobs, file: impl Write + Seek) -> Result<(), ArchiveError> {
    let mut connection = SqliteConnection::connect_with(&options(database)).await?;
    query("DELETE FROM object WHERE login IS NOT NULL").execute(&mut connection).await?;
    // Otherwise what was ended since would be good again.
    query("DELETE FROM token_pair").execute(&mut connection).await?;
    images::forget_unnamed(&mut connection).await?;
    let contents = in_use(&mut connection).await?;
    // Moves everything from SQLite's write-ahead log into the file.
    query("PRAGMA journal_mode = DELETE").execute(&mut connection).await?;
    connection.close().await?;
    let mut archive = ArchiveWriter::new(file);
    io::copy(&mut BufReader::new(File::open(database)?), archive.entry(DATABASE)?)?;
    for hash in contents {
        archive.content(&hash, blobs).await?;
    }
    archive.finish()
}

/// The version of a database's tables, and the contents that it refers to.
async fn inspect(database: &Path) -> Result<(i64, HashSet<String>), ArchiveError> {
    let unusable = |_| CALLED.damaged("its database cannot be read");
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(database)).await.map_err(unusable)?;
    let version = query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut connection).await.map_err(unusable)?;
    let contents = in_use(&mut connection).await.map_err(unusable)?;
    connection.close().await?;
    Ok((version, contents))
}

/// Replaces the rows of all tables, in one transaction.
async fn replace(database: &Path, copy: &Path) -> Result<(), ArchiveError> {
    let mut connection = SqliteConnection::connect_with(&options(database)).await?;
    query("ATTACH $1 AS backup").bind(copy.to_string_lossy()).execute(&mut connection).await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    query("PRAGMA defer_foreign_keys = ON").execute(&mut *transaction).await?;
    for table in TABLES.iter().rev() {
        query(sqlx::AssertSqlSafe(format!("DELETE FROM main.{table}"))).execute(&mut *transaction).await?;
    }
    for table in TABLES {
        query(sqlx::AssertSqlSafe(format!("INSERT INTO main.{table} SELECT * FROM backup.{table}"))).execute(&mut *transaction).await?;
    }
    query("UPDATE main.generation SET id = lower(hex(randomblob(16)))").execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(connection.close().await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_table_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        // The generation says which store this is, and the library's table how old its tables are.
        let all = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT IN ('generation', '_sqlx_migrations')";
        let all: HashSet<String> = query_scalar(all).fetch_all(&store.pool).await.unwrap().into_iter().collect();
        assert_eq!(all, TABLES.map(str::to_owned).into());
    }
}
