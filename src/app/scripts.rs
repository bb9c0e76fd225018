//! Scripts as a caller sees them.

use super::{App, Failure};
use crate::{
    auth::{Caller, permissions},
    store::scripts::Script,
};

impl App {
    /// The scripts that a caller may run, by name.
    ///
    /// # Errors
    /// [`Failure::Store`]
    pub async fn scripts(&self, caller: Caller<'_>) -> Result<Vec<Script>, Failure> {
        let rules = self.rules.now();
        let mut scripts = self.store.script_list().await?;
        scripts.retain(|script| permissions::may_use(&rules, &script.access, caller));
        Ok(scripts)
    }

    /// A script that a caller may run, by its name or identity.
    ///
    /// # Errors
    /// [`Failure::Unknown`], [`Failure::Forbidden`]
    pub async fn script(&self, name: &str, caller: Caller<'_>) -> Result<Script, Failure> {
        let script = self.store.script(name).await?;
        let script = script.ok_or_else(|| Failure::Unknown(format!("There is no script {name:?}.")))?;
        if permissions::may_use(&self.rules.now(), &script.access, caller) {
            Ok(script)
        } else {
            Err(Failure::Forbidden(format!("You may not run the script {name:?}.")))
        }
    }
}
