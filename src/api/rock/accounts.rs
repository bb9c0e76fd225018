//! The accounts that the configuration declares with Rock's role names, and those of a demonstration.

use crate::{
    app::App,
    auth::{ChangeError, ForeignHash, NewAccount, permissions::role},
    config::{Secret, rock::DeclaredUser},
};

/// The default password of Rock's own accounts.
const PASSWORD: &str = "password";

/// Creates or updates the accounts of the configuration. For a demonstration, it also creates the three accounts that Rock comes with.
///
/// # Errors
/// [`ChangeError`]
pub async fn declare(app: &App, demonstration: bool) -> Result<(), ChangeError> {
    let packaged = ["administrator", "manager", "user"].map(|name| DeclaredUser {
        id: name.to_owned(),
        secret: Secret::from(PASSWORD),
        roles: vec![name.to_owned()],
    });
    for user in packaged.iter().filter(|_| demonstration).chain(&app.settings().rock.users) {
        let secret = user.secret.expose();
        let hash = matches!(ForeignHash::read(secret), Ok(Some(_))).then(|| secret.to_owned());
        let account = NewAccount {
            name: user.id.clone(),
            display_name: user.id.clone(),
            password: secret.strip_prefix("{noop}").unwrap_or(secret).to_owned(),
            enabled: true,
            roles: roles(&user.roles),
            boundary: None,
        };
        app.accounts().declare(account, hash).await?;
    }
    Ok(())
}

/// Translates Rock's roles into the server's; see [`super::access`]. An administrator is a user as well, so that the other APIs let the
/// same account run code.
fn roles(words: &[String]) -> Vec<String> {
    let roles = words.iter().flat_map(|word| match word.as_str() {
        "administrator" => &[role::ADMINISTRATOR, role::POWER_USER][..],
        "manager" => &[role::PACKAGE_MANAGER],
        _ => &[role::POWER_USER],
    });
    let mut roles: Vec<String> = roles.map(|&role| role.to_owned()).collect();
    roles.sort();
    roles.dedup();
    roles
}
