//! `/rserver/packages` and `/rserver/package/{name}` (contract, section 6).

use axum::{http::StatusCode, response::Response};
use bytes::Bytes;

use super::evaluate;
use crate::{
    api::{
        address,
        rock::{accept::MediaType, answer, error::Error, request::Incoming},
    },
    app::{
        App,
        packages::{PackageError, Source, is_name, is_ref},
    },
};

/// The default owner of a GitHub repository, and the default branch.
const OWNER: &str = "obiba";
const BRANCH: &str = "master";

/// Code for R: the functions of `packages.R`, and a call of one of them.
macro_rules! question {
    ($call:literal) => {
        concat!(include_str!("packages.R"), "\n", $call)
    };
}

/// `GET /rserver/packages`: the matrix of `installed.packages()`.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let form = MediaType::negotiate(&incoming.headers)?;
    let code = if form == MediaType::Rds { question!("installed()") } else { question!("installed_as_rows()") };
    Ok(answer::value(StatusCode::OK, form, evaluate::ask(incoming, code, &[], form).await?))
}

/// `GET /rserver/packages/_datashield`: the methods that packages declare for DataSHIELD.
pub async fn datashield(incoming: &mut Incoming) -> Result<Response, Error> {
    let form = MediaType::negotiate(&incoming.headers)?;
    let code = if form == MediaType::Rds { question!("declared()") } else { question!("declared_as_arrays()") };
    let mut declared = evaluate::ask(incoming, code, &[], form).await?;
    if form == MediaType::Json && declared == b"[]"[..] {
        // R writes an empty list as `[]`, but clients expect an object.
        declared = Bytes::from_static(b"{}");
    }
    Ok(answer::value(StatusCode::OK, form, declared))
}

/// `GET /rserver/package/{name}`: its description. In the serialized form, an absent package is NA, as in R.
pub async fn show(incoming: &mut Incoming) -> Result<Response, Error> {
    let form = MediaType::negotiate(&incoming.headers)?;
    let name = valid(incoming.part("name"))?;
    let code = if form == MediaType::Rds { question!("described()") } else { question!("described_as_texts()") };
    let description = evaluate::ask(incoming, code, &[name], form).await?;
    if form == MediaType::Json && description == b"null"[..] {
        return Err(Error::no_such_package(name));
    }
    Ok(answer::value(StatusCode::OK, form, description))
}

/// `POST /rserver/packages`: installs a package, and answers when it is installed.
pub async fn install(incoming: &mut Incoming) -> Result<Response, Error> {
    let name = incoming.query.get("name")?.ok_or_else(|| Error::missing("Required parameter 'name' is not present."))?;
    let reference = incoming.query.get("ref")?;
    let manager = incoming.query.get("manager")?.unwrap_or("cran");
    let (source, shown) = source(&manager.to_ascii_lowercase(), name, reference)?;
    require_r(&incoming.app)?;
    incoming.app.package_install(source).await.map_err(failed)?;
    let location = format!("{}/rserver/package/{shown}", address(&incoming.headers));
    Ok(answer::located(answer::empty(StatusCode::CREATED), &location))
}

/// `PUT /rserver/packages`: installs newer versions of all packages.
pub async fn update(incoming: &mut Incoming) -> Result<Response, Error> {
    require_r(&incoming.app)?;
    incoming.app.package_update().await.map_err(failed)?;
    Ok(answer::empty(StatusCode::OK))
}

/// `DELETE /rserver/packages?name=a,b`: a package that cannot be removed stays, which is only logged.
pub async fn remove_several(incoming: &mut Incoming) -> Result<Response, Error> {
    let names = incoming.query.all("name")?.into_iter().flat_map(|names| names.split(','));
    let names: Vec<&str> = names.map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        return Err(Error::missing("Required parameter 'name' is not present."));
    }
    for name in &names {
        valid(name)?;
    }
    for name in names {
        remove_one(&incoming.app, name).await;
    }
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

/// `DELETE /rserver/package/{name}`: likewise, for one package.
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    remove_one(&incoming.app, valid(incoming.part("name"))?).await;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn remove_one(app: &App, name: &str) {
    if let Err(error) = app.package_remove(name).await {
        tracing::warn!(package.name = name, error = &error as &dyn std::error::Error, "a package was not removed");
    }
}

fn require_r(app: &App) -> Result<(), Error> {
    if app.runtime().is_running { Ok(()) } else { Err(Error::no_r("the R server is stopped")) }
}

fn failed(error: PackageError) -> Error {
    match error {
        PackageError::System(_) => Error::internal(&error),
        PackageError::NoUser(_) => Error::no_r(error.to_string()),
        PackageError::Failed(_) | PackageError::TimeLimit(..) | PackageError::NotOurs(_) => Error::of_r(error.to_string()),
    }
}

/// Where a package comes from, and its name in the answer's address.
fn source(manager: &str, name: &str, reference: Option<&str>) -> Result<(Source, String), Error> {
    match manager {
        "cran" => Ok((Source::Repositories(valid(name)?.to_owned()), name.to_owned())),
        "bioc" | "bioconductor" => Ok((Source::Bioconductor(valid(name)?.to_owned()), name.to_owned())),
        "gh" | "github" => {
            let (owner, repository) = name.split_once('/').unwrap_or((OWNER, name));
            if !is_name(owner) || !is_name(repository) {
                return Err(not_valid(name));
            }
            let reference = reference.unwrap_or(BRANCH);
            if !is_ref(reference) {
                return Err(Error::invalid(format!("Not a valid ref: {reference}")));
            }
            Ok((Source::GitHub(format!("{owner}/{repository}"), reference.to_owned()), repository.to_owned()))
        }
        _ => Err(Error::invalid(format!("Not a package manager: {manager}; there are cran, github and bioconductor"))),
    }
}

fn valid(name: &str) -> Result<&str, Error> {
    if is_name(name) { Ok(name) } else { Err(not_valid(name)) }
}

fn not_valid(name: &str) -> Error {
    Error::invalid(format!("Not a valid name: {name}"))
}
