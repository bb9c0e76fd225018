//! Roles, boundaries, IP filters and policies.

use super::{Administrator, login, names, server, until};
use crate::harness::{Client, PASSWORD, eventually};

#[tokio::test]
async fn roles_grant_calls_while_they_are_there() {
    let server = server();
    let administrator = Administrator::of(&server);
    let put = ["role", "put", "analyst", "--description", "Runs code", "--call", "/r/session/create", "--call", "/r/session/execute/code"];
    administrator.does(&put);
    administrator.reads(&["user", "add", "ada", "--role", "analyst", "--password-stdin"], "secret");
    let shown = administrator.json(&["role", "show", "analyst"]);
    let expected = serde_json::json!({"name": "analyst", "description": "Runs code", "system": false,
        "calls": ["/r/session/create", "/r/session/execute/code"], "accounts": ["ada"]});
    assert_eq!(shown, expected);
    assert_eq!(
        administrator.does(&["role", "show", "analyst"]),
        "name:           analyst\ndescription:    Runs code\nof the system:  no\ncalls:          /r/session/create, /r/session/execute/code\naccounts:       ada\n"
    );
    let services = ["SERVICE_CONTRIBUTOR", "SERVICE_OWNER", "SERVICE_READER"];
    let system = ["ADMINISTRATOR", "BASIC_USER", "PACKAGE_MANAGER", "POWER_USER", "SCRIPT_MANAGER"];
    assert_eq!(names(&administrator.json(&["role", "list"])), [&system[..], &services, &["analyst"]].concat());

    let ada = Client::login(&server, "ada", "secret").await;
    let session = ada.session().await;
    assert_eq!(session.value("1 + 1").await["value"], 2);
    // The role does not list this call, so she may not make it.
    assert_eq!(session.get("ping", &[]).await.status, 403);
    let code = [("session", session.id.as_str()), ("code", "1")];
    administrator.does(&["role", "put", "analyst", "--no-calls"]);
    until(403, &ada, "/r/session/execute/code", &code).await;
    assert_eq!(session.get("ping", &[]).await.status, 200);
    administrator.does(&["role", "put", "analyst", "--call", "/r/session/execute/code"]);
    until(200, &ada, "/r/session/execute/code", &code).await;
    administrator.does(&["role", "rename", "analyst", "coder"]);
    assert_eq!(administrator.json(&["user", "show", "ada"])["roles"], serde_json::json!(["coder"]));
    administrator.does(&["role", "remove", "coder"]);
    until(403, &ada, "/r/session/execute/code", &code).await;
    assert_eq!(administrator.json(&["user", "show", "ada"])["roles"], serde_json::json!([]));

    for (arguments, message) in [
        (["role", "put", "a b"].as_slice(), "\"a b\" cannot be a role's name: 1 to 64 letters, digits, dots, dashes or underscores"),
        (&["role", "put", "a,b"], "\"a,b\" cannot be a role's name"),
        (&["role", "put", "x", "--call", "/r/sesion/create"], "--call: there is no call \"/r/sesion/create\""),
        (&["role", "put", "POWER_USER", "--description", "x"], "POWER_USER is a system role, which cannot be changed"),
        (&["role", "remove", "POWER_USER"], "POWER_USER is a system role, which cannot be changed"),
        (&["role", "rename", "POWER_USER", "x"], "POWER_USER is a system role, which cannot be changed"),
        (&["role", "rename", "x", "y"], "there is no role \"x\""),
        (&["role", "remove", "x"], "there is no role \"x\""),
        (&["role", "show", "x"], "there is no role \"x\""),
    ] {
        assert!(administrator.fails(arguments).starts_with(message), "{arguments:?}: {}", administrator.fails(arguments));
    }
}

#[tokio::test]
async fn boundaries_limit_the_sessions_of_their_accounts() {
    let server = server();
    let administrator = Administrator::of(&server);
    administrator.does(&["boundary", "put", "small", "--cpu-seconds", "1"]);
    administrator.does(&["boundary", "put", "small", "--memory-mib", "600"]);
    administrator.reads(&["user", "add", "ada", "--role", "POWER_USER", "--boundary", "small", "--password-stdin"], "secret");
    let expected = serde_json::json!({"name": "small", "cpu_seconds": 1, "memory_mib": 600, "network": null, "default": false, "accounts": ["ada"], "scripts": []});
    assert_eq!(administrator.json(&["boundary", "show", "small"]), expected);
    assert_eq!(administrator.json(&["boundary", "list"]), serde_json::json!([expected]));
    assert!(administrator.does(&["boundary", "list"]).contains("small  1            600"));

    let session = Client::login(&server, "ada", "secret").await.session().await;
    assert!(session.fails("repeat {}").await.contains("processor time"));
    assert!(session.fails("x <- numeric(1e8)").await.contains("cannot allocate"));
    let unlimited = Client::login(&server, "admin", PASSWORD).await.session().await;
    assert_eq!(unlimited.value("length(numeric(1e8))").await["value"], 100_000_000);

    administrator.does(&["policy", "set", "default-boundary", "small"]);
    assert_eq!(administrator.json(&["boundary", "show", "small"])["default"], true);
    let named = "the policy default-boundary names small: change the policy first";
    assert_eq!(administrator.fails(&["boundary", "remove", "small"]), named);
    administrator.does(&["policy", "unset", "default-boundary"]);
    administrator.does(&["boundary", "remove", "small"]);
    assert_eq!(administrator.json(&["user", "show", "ada"])["boundary"], serde_json::Value::Null);
    assert_eq!(administrator.fails(&["boundary", "remove", "small"]), "there is no boundary \"small\"");
    assert_eq!(administrator.fails(&["boundary", "show", "small"]), "there is no boundary \"small\"");
    assert_eq!(administrator.fails(&["boundary", "put", "x"]), "a boundary needs a limit: give --cpu-seconds, --memory-mib or --network");
    assert!(administrator.fails(&["boundary", "put", "a b", "--cpu-seconds", "1"]).starts_with("\"a b\" cannot be a boundary's name"));
}

#[tokio::test]
async fn filters_say_where_callers_come_from() {
    let server = server();
    let administrator = Administrator::of(&server);
    administrator.does(&["ipfilter", "put", "elsewhere", "10.**"]);
    administrator.does(&["ipfilter", "put", "here", "127.0.0.0/8"]);
    let script = super::file(&server.data(), "one.R", "one <- 1");
    for access in ["trusted", "anonymous"] {
        administrator.does(&["script", "put", access, &script, "--access", access]);
    }
    let admin = Client::admin(&server).await;
    let nobody = Client::new(&server);
    let plot = admin.session().await.run("plot(1)").await["files"]["unnamedplot001.png"]["value"].as_str().unwrap().to_owned();
    let run = async |script: &str| nobody.post("/r/script/execute", &[("rscript", script)]).await.status.as_u16();
    assert_eq!((run("anonymous").await, run("trusted").await), (200, 403));
    administrator.does(&["policy", "set", "trusted-ip-filter", "elsewhere"]);
    administrator.does(&["policy", "set", "authenticated-ip-filter", "elsewhere"]);
    until(403, &admin, "/r/user/whoami", &[]).await;
    // The filter is only for callers with a login; others are let in as before.
    assert_eq!(login(&server, "admin", PASSWORD).await, 403);
    assert_eq!((run("anonymous").await, run("trusted").await), (200, 403));
    administrator.does(&["policy", "set", "trusted-ip-filter", "here"]);
    until(200, &nobody, "/r/script/execute", &[("rscript", "trusted")]).await;
    administrator.does(&["policy", "set", "authenticated-ip-filter", "here"]);
    until(200, &admin, "/r/user/whoami", &[]).await;

    administrator.does(&["policy", "set", "anonymous-ip-filter", "elsewhere"]);
    until(403, &nobody, "/r/script/execute", &[("rscript", "anonymous")]).await;
    // R and the pages that show files may read from any address.
    assert_eq!(nobody.fetch(&plot).await.status, 200);
    assert_eq!(login(&server, "admin", PASSWORD).await, 200);
    // A filter is changed in place.
    administrator.does(&["ipfilter", "put", "elsewhere", "127.*.*.*"]);
    until(200, &nobody, "/r/script/execute", &[("rscript", "anonymous")]).await;

    let expected = serde_json::json!([
        {"name": "elsewhere", "address": "127.*.*.*", "policies": ["anonymous-ip-filter"]},
        {"name": "here", "address": "127.0.0.0/8", "policies": ["authenticated-ip-filter", "trusted-ip-filter"]},
    ]);
    assert_eq!(administrator.json(&["ipfilter", "list"]), expected);
    assert_eq!(administrator.json(&["ipfilter", "show", "here"]), expected[1]);
    assert!(administrator.does(&["ipfilter", "list"]).contains("elsewhere  127.*.*.*    anonymous-ip-filter\n"));
    let named = "the policy anonymous-ip-filter names elsewhere: change the policy first";
    assert_eq!(administrator.fails(&["ipfilter", "remove", "elsewhere"]), named);
    // `remove` works for policies as it does for other subjects.
    administrator.does(&["policy", "remove", "anonymous-ip-filter"]);
    administrator.does(&["ipfilter", "remove", "elsewhere"]);
    assert_eq!(administrator.fails(&["ipfilter", "remove", "elsewhere"]), "there is no IP filter \"elsewhere\"");
    assert!(administrator.fails(&["ipfilter", "put", "x", "http://10.0.0.1"]).contains("is no address: write a network such as"));
    assert!(administrator.fails(&["ipfilter", "put", "a-b", "10.**"]).contains("1 to 64 letters, digits or underscores"));
}

#[tokio::test]
async fn policies_are_set_while_the_server_runs() {
    let server = server();
    let administrator = Administrator::of(&server);
    let list = administrator.json(&["policy", "list"]);
    assert!(names(&list).contains(&"upload-mib") && list.as_array().unwrap().iter().all(|policy| policy["value"].is_null()));
    let table = administrator.does(&["policy", "list"]);
    assert_eq!(table.lines().count(), list.as_array().unwrap().len() + 1);
    assert!(table.contains("  -      Largest file that can be uploaded, in MiB\n"), "{table}");
    for (policy, value, message) in [
        ("upload-mib", "many", "upload-mib: \"many\" is not a whole number from 0 to 4294967295"),
        ("upload-mib", "-1", "upload-mib: \"-1\" is not a whole number from 0 to 4294967295"),
        ("upload-mib", "99999999999999", "upload-mib: \"99999999999999\" is not a whole number from 0 to 4294967295"),
        ("web-context", "example.org", "web-context: \"example.org\" is not an http or https address"),
        ("default-boundary", "none", "there is no boundary \"none\""),
        ("trusted-ip-filter", "none", "there is no IP filter \"none\""),
        ("uploadmib", "1", "there is no policy \"uploadmib\"; there are server-name, web-context"),
    ] {
        let said = administrator.fails(&["policy", "set", policy, value]);
        assert!(said.starts_with(message), "{said}");
    }
    assert_eq!(administrator.json(&["policy", "list"]), list);

    let admin = Client::admin(&server).await;
    administrator.does(&["policy", "set", "login-seconds", "1"]);
    let shown = administrator.json(&["policy", "show", "login-seconds"]);
    assert_eq!(shown["value"], "1");
    assert!(shown["description"].as_str().unwrap().starts_with("Seconds after which a login"));
    eventually("the login ends", || server.log().contains("login ended unused"));
    assert_eq!(admin.get("/r/user/whoami", &[]).await.status, 401);
    administrator.does(&["policy", "unset", "login-seconds"]);
    assert_eq!(administrator.json(&["policy", "list"]), list);
}
