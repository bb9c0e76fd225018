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
    let sources = match AccountSource::all(&config.auth) {
        Ok(sources) => sources,
        Err(fault) => return findings.error(SUBJECT, fault, "correct the setting or the file that is named"),
    };
    for source in &sources {
        if let AccountSource::Directory(directory) = source {
            let health = directory.health().await;
            for good in health.good {
                findings.good(SUBJECT, format!("{}: {good}", directory.name()));
            }
            if let Some((fault, mend)) = health.fault {
                findings.error(SUBJECT, format!("{}: {fault}", directory.name()), mend);
            }
            if let Some(certificate) = health.certificate {
                network::validity(SUBJECT, &format!("the certificate of {}", directory.name()), &certificate, findings);
            }
        }
    }
    roles(config, findings).await;
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
