//! Tokens of Azure Active Directory.

use std::collections::HashMap;

use axum::{Router, routing::post};
use serde_json::json;

use crate::{
    harness::{PASSWORD, Server, http},
    r_client::{Client, output},
};

/// The address of something that gives tokens as Azure does: those of the account `ada` of this server.
pub(super) async fn gives_tokens(server: &Server) -> String {
    let ada = server.address.clone();
    let give = move |form: String| async move {
        let form: HashMap<_, _> = reqwest::Url::parse(&format!("http://form/?{form}")).unwrap().query_pairs().into_owned().collect();
        let told = ["grant_type", "password", "username"].map(|name| form.get(name).cloned().unwrap_or_default());
        assert_eq!(told, ["password", "secret & more", "ada@example.org"]);
        assert!(form.contains_key("client_id") && form.contains_key("resource"), "{form:?}");
        let account = json!({ "username": "ada", "password": PASSWORD });
        http().build().unwrap().post(format!("{ada}/login")).json(&account).send().await.unwrap().text().await.unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/{tenant}/oauth2/token", post(give));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_azure_is_fetched_and_taken() {
    let server = Server::start("[sessions]\npool = 0");
    let Some(client) = Client::of(&server).await else { return };
    let code = format!(
        "library(mrsdeploy); remoteLoginAAD('{}', authuri = '{}', tenantid = 'tenant.example.org', clientid = 'client',
            resource = 'r', username = 'ada@example.org', password = 'secret & more', commandline = FALSE, diff = FALSE)
         remoteExecute('6 * 7'); remoteLogout()",
        client.server,
        gives_tokens(&server).await
    );
    let mut command = client.command("Rscript");
    command.args(["-e", &code]);
    let output = output(command).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[1] 42\n", "{}", String::from_utf8_lossy(&output.stderr));
}
