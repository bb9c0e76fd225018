//! A server without listeners, for tests of the core.

use std::{net::Ipv4Addr, os::unix::fs::PermissionsExt, sync::Arc};

use offshoot::{
    app::App,
    auth::Principal,
    config::Config,
    store::{Account, Store},
    telemetry::Recent,
};

/// Such a server.
pub struct Indoors {
    pub app: Arc<App>,
    pub folder: tempfile::TempDir,
}

impl Indoors {
    /// Starts one with accounts of these names. `change` has the last word on its settings.
    pub async fn start(names: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711)).unwrap();
        let mut config = Config { data: folder.path().join("data"), ..Config::default() };
        config.r.worker = env!("CARGO_BIN_EXE_offshoot-worker").into();
        config.sessions.pool = 1;
        change(&mut config);
        let store = Store::open(&config.data).await.unwrap();
        for &name in names {
            let account = Account { name: name.to_owned(), display_name: name.to_owned(), enabled: true, ..Account::default() };
            store.account_add(&account).await.unwrap();
        }
        store.close().await;
        Self { app: App::start(config, Recent::default()).await.unwrap(), folder }
    }

    /// One of its users.
    pub fn principal(&self, name: &str) -> Principal {
        Principal::with_password(&self.app.rules().now(), name, Ipv4Addr::LOCALHOST.into())
    }
}
