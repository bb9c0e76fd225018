//! Golden exchanges: each call with its results, as sent over the wire.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Reply, Rock, Server, read};

/// Exchanges under one name.
#[derive(Default)]
pub(super) struct Golden(String);

impl Golden {
    /// Sends a request, and records the exchange.
    pub(super) async fn call(&mut self, server: &Server, method: &str, path: &str, body: Value) -> Reply {
        let mut request = Rock::nobody(server).request(method.parse::<Method>().unwrap(), path);
        self.0.push_str(&format!("{method} {path}\n"));
        if !body.is_null() {
            self.0.push_str(&format!("\n{body:#}\n"));
            request = request.json(&body);
        }
        let reply = read(request).await;
        self.0.push_str(&format!("\n{}\n", reply.status));
        for name in [header::CONTENT_TYPE, header::CACHE_CONTROL, header::WWW_AUTHENTICATE, header::ALLOW] {
            if let Some(value) = reply.headers.get(&name) {
                self.0.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
            }
        }
        let text = if reply.body.is_empty() { String::new() } else { format!("\n{}\n", reply.text()) };
        self.0.push_str(&format!("{text}--------\n"));
        reply
    }

    pub(super) fn check(self, name: &str) {
        let filters = vec![
            ("eyJ[-_.A-Za-z0-9]{100,}", "[access token]"),
            ("[-_A-Za-z0-9]{43}", "[refresh token]"),
            (r#""expires_on":[0-9]+"#, r#""expires_on":[seconds since 1970]"#),
        ];
        insta::with_settings!({ filters => filters, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, self.0);
        });
    }
}

#[tokio::test]
async fn login() {
    let server = Server::shared();
    let mut golden = Golden::default();
    for prefix in ["", "/user"] {
        let credentials = json!({ "username": "admin", "password": PASSWORD });
        let reply = golden.call(server, "POST", &format!("{prefix}/login"), credentials).await.document();
        let renewal = json!({ "refreshToken": reply["refresh_token"] });
        let reply = golden.call(server, "POST", &format!("{prefix}/login/refreshToken"), renewal.clone()).await.document();
        let token = reply["refresh_token"].as_str().unwrap();
        golden.call(server, "DELETE", &format!("{prefix}/login/refreshToken?refreshToken={token}"), Value::Null).await;
    }
    golden.call(server, "POST", "/login", json!({ "username": "admin", "password": "wrong" })).await;
    golden.call(server, "POST", "/login", json!({ "username": "admin" })).await;
    golden.call(server, "GET", "/login", Value::Null).await;
    golden.call(server, "POST", "/login/refreshToken", json!({ "refreshToken": "x" })).await;
    golden.call(server, "DELETE", "/login/refreshToken", Value::Null).await;
    golden.check("mlserver_login");
}
