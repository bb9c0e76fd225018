//! The description of a service, in Swagger 2.0, from which clients are generated (contract, Web services — consumption).

use axum::{http::StatusCode, response::Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::services::operation;
use crate::{
    api::mlserver::{answer, error::Error, request::Incoming},
    app::services::{Kind, Parameter, Service},
};

/// What the names of services and versions have that stands for itself in a path; a blank and letters beyond ASCII do not.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'@').remove(b':');

/// The tag of the calls about tokens.
const USER: &str = "User";

/// `GET /api/{name}/{version}/swagger.json`
pub async fn swagger(incoming: &mut Incoming) -> Result<Response, Error> {
    let callable = incoming.app.service(incoming.principal(), incoming.part("name"), incoming.part("version")).await?;
    Ok(answer::json(StatusCode::OK, &description(&callable.service)))
}

fn description(service: &Service) -> Value {
    let path = format!("/api/{}/{}", utf8_percent_encode(&service.name, PATH), utf8_percent_encode(&service.version, PATH));
    let description = &service.definition.description;
    let call = json!({ "post": {
        "tags": [service.name], "operationId": operation(service), "security": bearer(),
        "summary": if description.is_empty() { "Calls the service" } else { description },
        "parameters": [in_body("WebServiceParameters", "InputParameters")],
        "responses": responses(200, "The result", &reference("WebServiceResult")),
    } });
    let mut paths = Map::from_iter(of_tokens(service));
    paths.extend(of_batches(service, &format!("{path}/batch")));
    paths.insert(path, call);
    let mut tags = vec![json!({ "name": USER })];
    if service.name != USER {
        tags.push(json!({ "name": service.name }));
    }
    json!({
        "swagger": "2.0",
        "info": { "title": service.name, "version": service.version, "description": description },
        "schemes": ["http", "https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": { "Bearer": { "type": "apiKey", "name": "Authorization", "in": "header" } },
        "tags": tags,
        "paths": paths,
        "definitions": definitions(service),
    })
}

/// What an operation is called that is not the service itself. No two have one name, and its author may have called the service as we call
/// others. Clients may change the case.
fn other(service: &Service, id: &str) -> String {
    if id.eq_ignore_ascii_case(operation(service)) { format!("{id}_") } else { id.to_owned() }
}

/// The calls about tokens.
fn of_tokens(service: &Service) -> [(String, Value); 2] {
    let other = |id| other(service, id);
    [
        (
            "/login".to_owned(),
            json!({ "post": {
            "tags": [USER], "operationId": other("login"), "summary": "Logs the user in",
            "parameters": [in_body("loginRequest", "LoginRequest")],
            "responses": responses(200, "The tokens", &reference("AccessTokenResponse")),
        } }),
        ),
        (
            "/login/refreshToken".to_owned(),
            json!({
                "post": {
                    "tags": [USER], "operationId": other("renewAccessToken"), "summary": "Gives new tokens for a refresh token",
                    "parameters": [in_body("renewTokenRequest", "RenewTokenRequest")],
                    "responses": responses(200, "The tokens", &reference("AccessTokenResponse")),
                },
                "delete": {
                    "tags": [USER], "operationId": other("revokeRefreshToken"), "summary": "Ends a refresh token and its access token",
                    "parameters": [{ "name": "refreshToken", "in": "query", "required": true, "type": "string" }],
                    "responses": responses(200, "It has ended", &Value::Null),
                },
            }),
        ),
    ]
}

/// The calls about batches of the service.
fn of_batches(service: &Service, batch: &str) -> [(String, Value); 4] {
    let tag = &service.name;
    let other = |id| other(service, id);
    [
        (
            batch.to_owned(),
            json!({
                "post": {
                    "tags": [tag], "operationId": other("startBatchExecution"), "summary": "Calls the service for each of many inputs", "security": bearer(),
                    "parameters": [
                        { "name": "batchWebServiceParameters", "in": "body", "required": true,
                          "schema": { "type": "array", "items": reference("InputParameters") } },
                        { "name": "parallelCount", "in": "query", "required": false, "type": "integer", "format": "int32", "default": 10 },
                    ],
                    "responses": responses(202, "The calls have begun", &reference("StartBatchExecutionResponse")),
                },
                "get": {
                    "tags": [tag], "operationId": other("getBatchExecutions"), "summary": "Lists batches", "security": bearer(),
                    "responses": responses(200, "Their identities", &json!({ "type": "array", "items": { "type": "string" } })),
                },
            }),
        ),
        (
            format!("{batch}/{{executionId}}"),
            json!({
                "get": {
                    "tags": [tag], "operationId": other("getBatchExecutionStatus"), "summary": "Tells the state of a batch", "security": bearer(),
                    "parameters": [
                        in_path("executionId", "string"),
                        { "name": "showPartialResults", "in": "query", "required": false, "type": "boolean", "default": true },
                    ],
                    "responses": responses(200, "The state, with the results", &reference("BatchWebServiceResult")),
                },
                "delete": {
                    "tags": [tag], "operationId": other("cancelAndDeleteBatchExecution"), "summary": "Ends a batch, and removes it", "security": bearer(),
                    "parameters": [in_path("executionId", "string")],
                    "responses": responses(200, "It is removed", &Value::Null),
                },
            }),
        ),
        (
            format!("{batch}/{{executionId}}/{{index}}/files"),
            json!({ "get": {
            "tags": [tag], "operationId": other("getBatchExecutionFiles"), "summary": "Lists the files of one call", "security": bearer(),
            "parameters": [in_path("executionId", "string"), in_path("index", "integer")],
            "responses": responses(200, "Their names", &json!({ "type": "array", "items": { "type": "string" } })),
        } }),
        ),
        (
            format!("{batch}/{{executionId}}/{{index}}/files/{{fileName}}"),
            json!({ "get": {
            "tags": [tag], "operationId": other("getBatchExecutionFile"), "summary": "Gives a file of one call", "security": bearer(),
            "produces": ["application/octet-stream"],
            "parameters": [in_path("executionId", "string"), in_path("index", "integer"), in_path("fileName", "string")],
            "responses": responses(200, "The file", &json!({ "type": "file" })),
        } }),
        ),
    ]
}

fn definitions(service: &Service) -> Value {
    let definition = &service.definition;
    json!({
        "InputParameters": object_of(&definition.inputs, true),
        "OutputParameters": object_of(&definition.outputs, false),
        "WebServiceResult": { "type": "object", "properties": {
            "success": { "type": "boolean", "description": "Whether the code has run to its end" },
            "errorMessage": { "type": "string", "description": "Why it has not" },
            "consoleOutput": { "type": "string", "description": "What it has printed" },
            "changedFiles": { "type": "array", "items": { "type": "string" }, "description": "The files that it has written" },
            "outputParameters": reference("OutputParameters"),
            "outputFiles": { "type": "object", "additionalProperties": { "type": "string", "format": "byte" },
                "description": "Files that the service gives, in base64" },
        } },
        "BatchWebServiceResult": { "type": "object", "properties": {
            "state": { "type": "string", "enum": ["pending", "inProgress", "ready", "complete", "failed"] },
            "completedItemCount": { "type": "integer", "format": "int32" },
            "totalItemCount": { "type": "integer", "format": "int32" },
            "batchExecutionResults": { "type": "array", "items": reference("WebServiceResult") },
        } },
        "StartBatchExecutionResponse": { "type": "object", "properties": { "batchExecutionId": { "type": "string" } } },
        "LoginRequest": { "type": "object", "required": ["username", "password"], "properties": {
            "username": { "type": "string" }, "password": { "type": "string", "format": "password" },
        } },
        "RenewTokenRequest": { "type": "object", "required": ["refreshToken"], "properties": { "refreshToken": { "type": "string" } } },
        "AccessTokenResponse": { "type": "object", "properties": {
            "token_type": { "type": "string" }, "access_token": { "type": "string" }, "refresh_token": { "type": "string" },
            "expires_in": { "type": "integer", "format": "int32" }, "expires_on": { "type": "integer", "format": "int64" },
        } },
        "Error": { "type": "object", "properties": { "message": { "type": "string" }, "link": { "type": "string" } } },
    })
}

/// An object with these members.
fn object_of(parameters: &[Parameter], required: bool) -> Value {
    let properties: Map<String, Value> = parameters.iter().map(|parameter| (parameter.name.clone(), schema(parameter.kind))).collect();
    let mut object = json!({ "type": "object", "properties": properties });
    // Swagger does not take an empty list.
    if required && !parameters.is_empty() {
        object["required"] = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    }
    object
}

/// The values of a type. Its description is the type's name in R.
fn schema(kind: Kind) -> Value {
    let description = kind.name();
    match kind {
        Kind::Logical => json!({ "type": "boolean", "description": description }),
        Kind::Numeric => json!({ "type": "number", "format": "double", "description": description }),
        Kind::Integer => json!({ "type": "integer", "format": "int32", "description": description }),
        Kind::Character => json!({ "type": "string", "description": description }),
        Kind::Vector => json!({ "type": "array", "items": {}, "description": description }),
        Kind::Matrix => json!({ "type": "array", "items": { "type": "array", "items": {} }, "description": description }),
        Kind::DataFrame => {
            json!({ "type": "object", "additionalProperties": { "type": "array", "items": {} }, "description": description })
        }
    }
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{definition}") })
}

fn in_body(name: &str, definition: &str) -> Value {
    json!({ "name": name, "in": "body", "required": true, "schema": reference(definition) })
}

fn in_path(name: &str, kind: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "type": kind })
}

fn bearer() -> Value {
    json!([{ "Bearer": [] }])
}

/// The answers of a call: the one when it succeeds, and errors.
fn responses(status: u16, description: &str, schema: &Value) -> Value {
    let mut success = json!({ "description": description });
    if !schema.is_null() {
        success["schema"] = schema.clone();
    }
    json!({
        status.to_string(): success,
        "400": { "description": "The request is wrong", "schema": reference("Error") },
        "500": { "description": "The server has failed", "schema": reference("Error") },
        "default": { "description": "An error", "schema": reference("Error") },
    })
}
