//! Web services and their versions (contract, Web services — management).

use axum::{http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    api::mlserver::{answer, error::Error, request::Incoming},
    app::services::{Definition, DefinitionChange, Kind, Parameter, Service},
};

/// What a service is called by clients if its author does not say.
pub const OPERATION: &str = "consume";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PublishRequest {
    snapshot_id: Option<String>,
    code: Option<String>,
    init_code: Option<String>,
    description: Option<String>,
    operation_id: Option<String>,
    input_parameter_definitions: Option<Vec<ParameterDefinition>>,
    output_parameter_definitions: Option<Vec<ParameterDefinition>>,
    output_file_names: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ParameterDefinition {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

const FORM: &str = r#"{"code": "...", "snapshotId": "...", "inputParameterDefinitions": [{"name": "...", "type": "..."}], ...}"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceView<'a> {
    creation_time: String,
    name: &'a str,
    version: &'a str,
    description: &'a str,
    snapshot_id: Option<Uuid>,
    owner: &'a str,
    version_published_by: &'a str,
    /// For those only who may change it.
    code: &'a str,
    init_code: &'a str,
    input_parameter_definitions: &'a [Parameter],
    output_parameter_definitions: &'a [Parameter],
    output_file_names: &'a [String],
    runtime_type: &'static str,
    operation_id: &'a str,
    my_permission_on_service: &'static str,
}

impl<'a> ServiceView<'a> {
    fn of(incoming: &Incoming, service: &'a Service) -> Self {
        let may_change = incoming.app.service_may_change(incoming.principal(), service);
        let shown = |code: &'a str| if may_change { code } else { "" };
        let Definition { code, init_code, description, inputs, outputs, files, snapshot, .. } = &service.definition;
        Self {
            creation_time: answer::time(service.created),
            name: &service.name,
            version: &service.version,
            description,
            snapshot_id: *snapshot,
            owner: &service.owner,
            version_published_by: &service.author,
            code: shown(code),
            init_code: shown(init_code),
            input_parameter_definitions: inputs,
            output_parameter_definitions: outputs,
            output_file_names: files,
            runtime_type: "R",
            operation_id: operation(service),
            my_permission_on_service: if may_change { "read/write" } else { "read only" },
        }
    }
}

/// What a service is called by clients.
pub fn operation(service: &Service) -> &str {
    if service.definition.operation.is_empty() { OPERATION } else { &service.definition.operation }
}

/// `GET /services`, `GET /services/{name}`: in the order in which they were published.
pub async fn list(incoming: &mut Incoming) -> Result<Response, Error> {
    let name = Some(incoming.part("name")).filter(|name| !name.is_empty());
    let services = incoming.app.service_list(incoming.principal(), name).await?;
    let views: Vec<_> = services.iter().map(|service| ServiceView::of(incoming, service)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}

/// `GET /services/{name}/{version}`: a list of one.
pub async fn show(incoming: &mut Incoming) -> Result<Response, Error> {
    let callable = incoming.app.service(incoming.principal(), incoming.part("name"), incoming.part("version")).await?;
    Ok(answer::json(StatusCode::OK, &[ServiceView::of(incoming, &callable.service)]))
}

/// `POST /services/{name}`, `POST /services/{name}/{version}`: the answer is the path at which the version is called.
pub async fn publish(incoming: &mut Incoming) -> Result<Response, Error> {
    let change = read_change(incoming).await?;
    if change.code.is_none() {
        return Err(Error::invalid("A service needs code."));
    }
    let version = Some(incoming.part("version")).filter(|version| !version.is_empty());
    let service = incoming.app.service_publish(incoming.principal(), incoming.part("name"), version, change).await?;
    Ok(answer::json(StatusCode::CREATED, &format!("/api/{}/{}", service.name, service.version)))
}

/// `PATCH /services/{name}/{version}`: what is absent stays as it is.
pub async fn update(incoming: &mut Incoming) -> Result<Response, Error> {
    let change = read_change(incoming).await?;
    let (name, version) = (incoming.part("name"), incoming.part("version"));
    let service = incoming.app.service_update(incoming.principal(), name, version, change).await?;
    Ok(answer::json(StatusCode::OK, &format!("/api/{}/{}", service.name, service.version)))
}

/// `DELETE /services/{name}/{version}`
pub async fn remove(incoming: &mut Incoming) -> Result<Response, Error> {
    let (name, version) = (incoming.part("name"), incoming.part("version"));
    incoming.app.service_remove(incoming.principal(), name, version).await?;
    Ok(answer::json(StatusCode::OK, &format!("Service {name} version {version} deleted.")))
}

async fn read_change(incoming: &mut Incoming) -> Result<DefinitionChange, Error> {
    let request: PublishRequest = incoming.read_json(FORM).await?;
    let snapshot = request.snapshot_id.filter(|id| !id.is_empty());
    let snapshot =
        snapshot.map(|id| Uuid::try_parse(&id).map_err(|_| Error::unknown(format!("There is no snapshot {id:?}.")))).transpose()?;
    Ok(DefinitionChange {
        code: request.code,
        init_code: request.init_code,
        description: request.description,
        operation: request.operation_id,
        inputs: request.input_parameter_definitions.map(|list| parameters(list, "inputParameterDefinitions")).transpose()?,
        outputs: request.output_parameter_definitions.map(|list| parameters(list, "outputParameterDefinitions")).transpose()?,
        files: request.output_file_names,
        snapshot,
    })
}

fn parameters(definitions: Vec<ParameterDefinition>, member: &str) -> Result<Vec<Parameter>, Error> {
    let parameter = |ParameterDefinition { name, kind }| {
        let known = Kind::parse(&kind).ok_or_else(|| {
            let kinds = "logical, numeric, integer, character, vector, matrix or data.frame";
            Error::invalid(format!("{member}: the type of {name:?} has to be {kinds}, and not {kind:?}."))
        })?;
        Ok(Parameter { name, kind: known })
    };
    definitions.into_iter().map(parameter).collect()
}
