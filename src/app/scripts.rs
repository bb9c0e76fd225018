//! Scripts, for principals who may run them.

use super::{App, Failure};
use crate::auth::{Principal, permissions};
pub use crate::store::{
    Access,
    scripts::{Parameter, Script},
};

impl App {
    /// The scripts that the principal may run, sorted by name.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn script_list(&self, principal: &Principal) -> Result<Vec<Script>, Failure> {
        let rules = self.rules.now();
        let mut scripts = self.store.script_list().await?;
        scripts.retain(|script| permissions::may_use(&rules, &script.access, principal));
        Ok(scripts)
    }

    /// A script that the principal may run, by its name or identity.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`]
    pub async fn script(&self, name: &str, principal: &Principal) -> Result<Script, Failure> {
        let script = self.store.script(name).await?;
        let script = script.ok_or_else(|| Failure::Unknown(format!("There is no script {name:?}.")))?;
        if permissions::may_use(&self.rules.now(), &script.access, principal) {
            Ok(script)
        } else {
            Err(Failure::Forbidden(format!("You may not run the script {name:?}.")))
        }
    }
}
