//! R packages in the server's library.

use std::sync::Arc;

use super::App;
pub use crate::packages::{PackageError, Source, is_name, is_ref};

impl App {
    /// Installs a package and those it needs; it replaces an installed version. This goes on when the caller goes away.
    ///
    /// # Errors
    /// [`PackageError`]; nothing has changed in this case.
    pub async fn package_install(self: &Arc<Self>, source: Source) -> Result<(), PackageError> {
        let app = Arc::clone(self);
        going_on(async move { app.packages.install(&source).await }).await
    }

    /// Installs newer versions of all packages. This goes on when the caller goes away.
    ///
    /// # Errors
    /// [`PackageError`]
    pub async fn package_update(self: &Arc<Self>) -> Result<(), PackageError> {
        let app = Arc::clone(self);
        going_on(async move { app.packages.update().await }).await
    }

    /// Removes a package from the server's library.
    ///
    /// # Errors
    /// [`PackageError::NotOurs`], [`PackageError::System`]
    pub async fn package_remove(&self, name: &str) -> Result<(), PackageError> {
        self.packages.remove(name).await
    }
}

async fn going_on(work: impl Future<Output = Result<(), PackageError>> + Send + 'static) -> Result<(), PackageError> {
    tokio::spawn(work).await.map_err(std::io::Error::other)?
}
