//! Whether PAM can be asked, and what is wrong if not.

use std::path::Path;

use nix::unistd::Group;

use super::{OperatingSystem, Question, Reply, if_any};
use crate::auth::{password, sources::SourceHealth};

/// The folders in which PAM looks for a service (pam.d(5)); which of them, the system has decided.
const SERVICES: [&str; 3] = ["/etc/pam.d", "/usr/lib/pam.d", "/usr/share/pam.d"];
/// A name that nobody has.
const NOBODY: &str = "offshoot-doctor";

impl OperatingSystem {
    /// Looks for the service, asks for a name that does not exist, and looks for the groups that the settings name.
    pub async fn health(&self) -> SourceHealth {
        let mut health = SourceHealth::default();
        self.service(&mut health);
        self.question(&mut health).await;
        let settings = self.settings.clone();
        let groups = move || {
            let named = settings.roles.keys().map(|group| ("roles", group));
            let allowed = Some(("allowed_group", &settings.allowed_group)).filter(|(_, group)| !group.is_empty());
            allowed
                .into_iter()
                .chain(named)
                .map(|(setting, group)| (setting, group.clone(), if_any(Group::from_name(group))))
                .collect::<Vec<_>>()
        };
        for (setting, group, found) in tokio::task::spawn_blocking(groups).await.unwrap_or_default() {
            let mend = "correct the name, or make the group: groupadd NAME";
            match found {
                Ok(Some(_)) => health.good.push(format!("{setting}: the group {group} is there")),
                Ok(None) => health.faults.push((format!("{setting}: there is no group {group}"), mend)),
                Err(error) => health.faults.push((format!("{setting}: the group {group} cannot be looked for: {error}"), mend)),
            }
        }
        health
    }

    fn service(&self, health: &mut SourceHealth) {
        let service = &self.settings.service;
        match SERVICES.iter().map(|folder| Path::new(folder).join(service)).find(|file| file.is_file()) {
            Some(file) => health.good.push(format!("{} says what PAM asks for", file.display())),
            None => health.faults.push((
                format!("service: there is no {}/{service}, so that PAM takes the rules for all other programs", SERVICES[0]),
                "make the file, such as packaging/pam, or correct service",
            )),
        }
    }

    async fn question(&self, health: &mut SourceHealth) {
        let password = password::generate().unwrap_or_default();
        let question = Question { service: self.settings.service.clone(), name: NOBODY.to_owned(), password };
        let reply = self.ask(&question).await.unwrap_or_else(|error| Reply::Failed(error.to_string()));
        match reply {
            Reply::Refused(_) => health.good.push("PAM answers, and refuses a name that does not exist".to_owned()),
            Reply::Failed(reason) => {
                let mend = "look at the modules that the service names, and at the log of the system";
                health.faults.push((format!("PAM cannot tell whether a password is right: {reason}"), mend));
            }
            Reply::Accepted(_) => health.faults.push((
                "PAM lets in whoever comes, with any password".to_owned(),
                "have the service ask for a password: take out pam_permit, or put another module before it",
            )),
        }
    }
}
