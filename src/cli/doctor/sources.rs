//! Sources of accounts.

use std::collections::BTreeSet;

use super::{Findings, network};
use crate::{
    auth::{permissions::role, sources::AccountSource},
    config::{Config, auth::SourceSettings},
    store::Store,
};

const SUBJECT: &str = "accounts";

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    for settings in &config.auth.source {
        let name = settings.name();
        let health = match AccountSource::of(settings) {
            Ok(source) => source.health().await,
            Err(fault) => {
                findings.error(SUBJECT, fault, "correct the setting or the file that is named, or run as the user that is");
                continue;
            }
        };
        for good in health.good {
            findings.good(SUBJECT, format!("{name}: {good}"));
        }
        for (fault, mend) in health.faults {
            findings.error(SUBJECT, format!("{name}: {fault}"), mend);
        }
        if let Some(certificate) = health.certificate {
            network::validity(SUBJECT, &format!("the certificate of {name}"), &certificate, findings);
        }
        if let SourceSettings::System(_) = settings {
            user_of_server(config, name, findings);
        }
    }
    roles(config, findings).await;
}

/// Whether the server runs as root, whoever the doctor is run by: its store shows that.
fn user_of_server(config: &Config, name: &str, findings: &mut Findings) {
    if let Ok(Some(owner @ 1..)) = Store::owner(&config.data) {
        findings.error(
            SUBJECT,
            format!("{name}: the data folder is the user's with the id {owner}, and only a server that runs as root can ask PAM"),
            "run the server as root: packaging/isolated-sessions.conf does that for systemd",
        );
    }
}

/// Whether the roles exist that the settings give: nobody who has another can log in.
async fn roles(config: &Config, findings: &mut Findings) {
    let known = match known(config).await {
        Ok(known) => known,
        Err(fault) => return findings.warning(SUBJECT, format!("the roles cannot be looked at: {fault}"), "look at the data folder"),
    };
    for source in &config.auth.source {
        let (roles, default_roles) = match source {
            SourceSettings::Local {} => continue,
            SourceSettings::Ldap(ldap) => (&ldap.roles, &ldap.default_roles),
            SourceSettings::System(system) => (&system.roles, &system.default_roles),
        };
        let given: BTreeSet<_> = roles.values().flatten().chain(default_roles).collect();
        let missing: Vec<_> = given.into_iter().filter(|&role| !known.contains(role)).map(String::as_str).collect();
        if missing.is_empty() {
            findings.good(SUBJECT, format!("{}: its roles exist", source.name()));
        } else {
            let mend = "correct roles and default_roles of the source, or make the role: offshoot role put NAME";
            findings.error(SUBJECT, format!("{}: there is no role {}", source.name(), missing.join(" and no role ")), mend);
        }
    }
}

async fn known(config: &Config) -> anyhow::Result<BTreeSet<String>> {
    if Store::owner(&config.data)?.is_none() {
        return Ok(role::ALL.iter().map(|&role| role.to_owned()).collect());
    }
    let store = Store::open(&config.data).await?;
    let roles = store.role_list().await;
    store.close().await;
    Ok(roles?.into_iter().map(|role| role.name).collect())
}
