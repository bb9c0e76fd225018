//! The repository: objects and files, of a login and of the server.

use offshoot::{
    api::revodeployr::routes::ROUTES,
    store::objects::{Kind, Object},
};
use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::harness::{Client, PASSWORD, Reply, Server, eventually, read};

/// The identifier of the only entry in a group.
fn id_in(reply: &Value, group: &str) -> String {
    reply[group].as_object().unwrap().values().next().unwrap()["value"].as_str().unwrap().to_owned()
}

pub(super) async fn upload(client: &Client, path: &str, name: &str, content: Vec<u8>, further: &[(&str, &str)]) -> Reply {
    let part = multipart::Part::bytes(content).file_name(name.to_owned());
    let form = further.iter().fold(multipart::Form::new(), |form, (name, value)| form.text((*name).to_owned(), (*value).to_owned()));
    read(client.request(Method::POST, path).multipart(form.part("file", part))).await
}

/// Adds an object of the server's to the store.
async fn put(server: &Server, name: &str, kind: Kind, access: &str, content: &[u8]) -> Object {
    let store = server.store().await;
    let keeping = store.blobs.keep().await.unwrap();
    let blob = store.blobs.put(&keeping, content).await.unwrap();
    let object = Object::of_server(name, kind, access.parse().unwrap(), blob);
    store.object_add(&object, &keeping).await.unwrap();
    object
}

#[tokio::test]
async fn objects_go_from_session_to_session() {
    let client = Client::admin(Server::shared()).await;
    let (one, two) = (client.session().await, client.session().await);
    one.run("m <- lm(dist ~ speed, cars); `odd name` <- 1:3; .hidden <- 'h'").await;
    let object = id_in(&one.post("object/save", &[("name", "m"), ("descr", "a model")]).await.success(), "repository");
    two.post("object/load", &[("id", &object)]).await.success();
    assert_eq!(two.value("round(coef(m)[[2]], 6)").await["value"], 3.932_409);
    let workspace = id_in(&one.post("workspace/save", &[("descr", "all")]).await.success(), "repository");
    two.run("m <- 'mine'; extra <- 1").await;
    two.post("object/load", &[("id", &workspace)]).await.success();
    assert_eq!(two.value("c(class(m), .hidden, sum(`odd name`), extra)").await["value"], json!(["lm", "h", "6", "1"]));
    client.post("/r/repository/object/delete", &[("id", &object)]).await.success();
    assert_eq!(two.post("object/load", &[("id", &object)]).await.status, 400);
}

#[tokio::test]
async fn objects_and_files_go_with_the_login() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    session.run("x <- runif(1000)").await;
    let object = id_in(&session.post("object/save", &[("name", "x"), ("descr", "x")]).await.success(), "repository");
    let url = id_in(&upload(&client, "/r/file/upload", "a.txt", b"text".to_vec(), &[("name", "a.txt")]).await.success(), "files");
    assert_eq!(client.fetch(&url).await.text(), "text");
    let blobs = server.store().await.blobs_in_use().await.unwrap();
    assert_eq!(blobs.len(), 2);
    client.post("/r/user/logout", &[]).await.success();
    assert_eq!(client.fetch(&url).await.status, 404);
    let again = Client::admin(&server).await;
    assert_eq!(again.post("/r/repository/object/delete", &[("id", &object)]).await.status, 400);
    let store = server.store().await;
    assert!(store.blobs_in_use().await.unwrap().is_empty());
    assert_eq!(store.collect_blobs().await.unwrap(), 2);
}

#[tokio::test]
async fn two_users_have_nothing_in_common() {
    let server = Server::shared();
    for name in ["left", "right"] {
        server.account(name, &["POWER_USER"]).await;
    }
    let (left, right) = (Client::login(server, "left", PASSWORD).await, Client::login(server, "right", PASSWORD).await);
    let session = left.session().await;
    let own = right.session().await;
    session.run("x <- 1; plot(1)").await;
    let object = id_in(&session.post("object/save", &[("name", "x"), ("descr", "x")]).await.success(), "repository");
    let project = id_in(&session.post("project/save", &[("descr", "p")]).await.success(), "projects");
    let file = id_in(&upload(&left, "/r/repository/file/upload", "f", b"f".to_vec(), &[]).await.success(), "files");
    server.script("of two users", "x <- 2", "authenticated").await;
    let about = |further: &[(&'static str, &'static str)]| [&[("session", session.id.as_str())], further].concat();
    let plot = [("name", "unnamedplot001.png")];
    let refused: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("/r/session/ping", about(&[])),
        ("/r/session/close", about(&[])),
        ("/r/session/output", about(&[])),
        ("/r/session/history", about(&[])),
        ("/r/session/execute/code", about(&[("code", "x")])),
        ("/r/session/execute/script", about(&[("rscript", "of two users")])),
        ("/r/session/object/list", about(&[])),
        ("/r/session/object/get", about(&[("name", "x")])),
        ("/r/session/object/push", about(&[("inputs", r#"{"x":{"value":2}}"#)])),
        ("/r/session/object/save", about(&[("name", "x"), ("descr", "x")])),
        ("/r/session/object/upload", about(&[("name", "x"), ("file", "x")])),
        ("/r/session/object/delete", about(&[("name", "x")])),
        ("/r/session/workspace/save", about(&[("descr", "x")])),
        ("/r/session/project/save", about(&[("descr", "x")])),
        ("/r/session/file/list", about(&[])),
        ("/r/session/file/upload", about(&[("name", "planted"), ("file", "x")])),
        ("/r/session/file/download", about(&plot)),
        ("/r/session/file/delete", about(&plot)),
        ("/r/session/file/save", about(&plot)),
        ("/r/session/artifact/list", about(&[])),
        ("/r/session/artifact/download", about(&plot)),
        ("/r/session/artifact/delete", about(&plot)),
        ("/r/session/object/load", vec![("session", &own.id), ("id", &object)]),
        ("/r/session/object/stored/load", vec![("session", &own.id), ("id", &object)]),
        ("/r/session/file/load", vec![("session", &own.id), ("id", &file)]),
        ("/r/repository/object/delete", vec![("id", &object)]),
        ("/r/repository/object/download", vec![("id", &object)]),
        ("/r/repository/file/download", vec![("id", &file)]),
        ("/r/repository/file/delete", vec![("id", &file)]),
        ("/r/project/load", vec![("id", &project)]),
        ("/r/project/delete", vec![("id", &project)]),
        ("/r/project/artifacts", vec![("id", &project)]),
    ];
    for route in ROUTES.iter().filter(|route| route.call.path.starts_with("/r/session/") && route.call.path != "/r/session/create") {
        assert!(
            refused.iter().any(|(path, _)| *path == route.call.path),
            "{} is about a session: try it with somebody else's",
            route.call.path
        );
    }
    for (path, form) in &refused {
        let reply = right.post(path, form).await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
    }
    for (path, group) in
        [("/r/repository/object/list", "repository"), ("/r/repository/file/list", "files"), ("/r/project/list", "projects")]
    {
        assert_eq!(right.get(path, &[]).await.success()[group], json!({}), "{path}");
        assert_eq!(left.get(path, &[]).await.success()[group].as_object().unwrap().len(), 1, "{path}");
    }
    assert_eq!(right.get("/r/user/live", &[]).await.success()["live"], json!([own.id]));
    // For its owner, everything is still there and unchanged.
    assert_eq!(session.prints("cat(x, list.files())").await, "1 unnamedplot001.png");
    assert_eq!(session.get("artifact/download", &plot).await.status, 200);
    left.post("/r/project/load", &[("id", &project)]).await.success();
    session.post("object/load", &[("id", &object)]).await.success();
}

#[tokio::test]
async fn objects_of_the_server_are_for_those_it_says() {
    let server = Server::start("[sessions]\npool = 1");
    let store = server.store().await;
    store.role_put("analysts", None, None).await.unwrap();
    server.account("insider", &["POWER_USER", "analysts"]).await;
    server.account("outsider", &["POWER_USER"]).await;
    let (insider, outsider) = (Client::login(&server, "insider", PASSWORD).await, Client::login(&server, "outsider", PASSWORD).await);
    let session = insider.session().await;
    session.run("shared <- 42; saveRDS(shared, 'shared.rds')").await;
    let content =
        read(insider.request(Method::GET, "/r/session/file/download").query(&[("session", session.id.as_str()), ("name", "shared.rds")]))
            .await;
    let object = put(&server, "shared", Kind::Object, "role:analysts", &content.body).await;
    let id = format!("CBNRY-{}", object.id);
    let listed = insider.get("/r/repository/object/list", &[]).await.success();
    assert_eq!(listed["repository"]["shared"]["value"], id);
    assert_eq!(outsider.get("/r/repository/object/list", &[]).await.success()["repository"], json!({}));
    session.run("rm(shared)").await;
    session.post("object/load", &[("id", &id)]).await.success();
    assert_eq!(session.value("shared").await["value"], 42);
    assert_eq!(outsider.session().await.post("object/load", &[("id", &id)]).await.status, 400);
    assert_eq!(insider.post("/r/repository/object/delete", &[("id", &id)]).await.status, 403);
    assert_eq!(outsider.post("/r/repository/object/delete", &[("id", &id)]).await.status, 400);
    Client::admin(&server).await.post("/r/repository/object/delete", &[("id", &id)]).await.success();
    // A file for everybody has an address; a file for some users has none.
    let open = put(&server, "open.txt", Kind::File, "anonymous", b"open").await;
    let closed = put(&server, "closed.txt", Kind::File, "authenticated", b"closed").await;
    let address = |object: &Object| format!("{}/deployr/r/repository/get/binary/CFILE-{}", server.address, object.id);
    assert_eq!(outsider.fetch(&address(&open)).await.text(), "open");
    assert_eq!(outsider.fetch(&address(&closed)).await.status, 404);
    let form = [("id", format!("CFILE-{}", closed.id))];
    let reply = read(outsider.request(Method::GET, "/r/repository/file/download").query(&form)).await;
    assert_eq!((reply.text(), reply.headers["content-disposition"].to_str().unwrap()), ("closed", "attachment; filename=\"closed.txt\""));
}

#[tokio::test]
async fn r_data_is_uploaded_and_loaded() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    session
        .run("a <- 1:3; b <- 'two'; save(a, b, file = 'both.rData'); saveRDS(cars, 'cars.rds'); save(a, file = 'xz.rda', compress = 'xz')")
        .await;
    let fetch = async |name: &str| session.get("file/download", &[("name", name), ("format", "text")]).await.body;
    let target = client.session().await;
    let of_target = [("session", target.id.as_str()), ("format", "text")];
    for name in ["both.rData", "cars.rds", "xz.rda"] {
        let reply =
            upload(&client, "/r/session/object/upload", name, fetch(name).await, &[&of_target[..], &[("name", name)]].concat()).await;
        assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
        reply.success();
    }
    assert_eq!(target.value("c(sum(a), b, nrow(cars))").await["value"], json!(["6", "two", "50"]));
    // What begins like R data is R's to judge.
    let reply = upload(&client, "/r/session/object/upload", "cut.rData", b"RDX3\nX\n".to_vec(), &of_target).await;
    let response = reply.json();
    assert_eq!((reply.status.as_u16(), &response["success"], &response["errorCode"]), (200, &json!(false), &json!(900)));
    upload(&client, "/r/repository/object/upload", "xz.rda", fetch("xz.rda").await, &[]).await.success();
    // Saved in the repository, and loaded from it.
    let reply =
        upload(&client, "/r/repository/object/upload", "both.rData", fetch("both.rData").await, &[("name", "both")]).await.success();
    let id = id_in(&reply, "objects");
    session.run("rm(a, b)").await;
    session.post("object/load", &[("id", &id)]).await.success();
    assert_eq!(session.value("b").await["value"], "two");
    let reply = read(client.request(Method::GET, "/r/repository/object/download").query(&[("id", &id)])).await;
    assert_eq!(reply.body, fetch("both.rData").await);
}

/// jsDeployR reads the answer from the `innerHTML` of a frame.
#[tokio::test]
async fn uploads_from_a_page_are_answered_as_html_safe_json() {
    let client = Client::admin(Server::shared()).await;
    let name = "a<b>&'c' \"d\" größe.txt";
    let reply = upload(&client, "/r/repository/file/upload", "ignored", b"x".to_vec(), &[("name", name), ("format", "text")]).await;
    assert_eq!(reply.headers["content-type"], "text/html; charset=utf-8");
    assert!(!reply.text().contains(['<', '>', '&']), "{}", reply.text());
    let response = reply.success();
    assert!(response["files"][name]["value"].as_str().unwrap().starts_with("CFILE-"));
    let reply = upload(&client, "/r/repository/file/upload", "x", b"x".to_vec(), &[("name", "../x"), ("format", "text")]).await;
    assert_eq!((reply.status.as_u16(), reply.headers["content-type"].to_str().unwrap()), (400, "text/html; charset=utf-8"));
    assert!(reply.json()["error"].as_str().unwrap().contains("is not a name for a file"));
    // Other calls do not take this format.
    assert_eq!(client.get("/r/project/list", &[("format", "text")]).await.status, 400);
}

#[tokio::test]
async fn names_of_uploads() {
    let client = Client::admin(Server::shared()).await;
    for name in ["a b.txt", "größe ☃.csv", "it's \"quoted\".txt", "100%.txt", "a+b&c=d.txt", "-rf", ".hidden"] {
        let url = id_in(&upload(&client, "/r/file/upload", "x", name.into(), &[("name", name)]).await.success(), "files");
        assert_eq!(client.fetch(&url).await.text(), name);
        let body = form_urlencoded(&[("name", name), ("file", name)]);
        let reply =
            read(client.request(Method::POST, "/r/file/upload").header("content-type", "application/x-www-form-urlencoded").body(body))
                .await;
        assert_eq!(client.fetch(&id_in(&reply.success(), "files")).await.text(), name);
    }
    let long = "x".repeat(256);
    for name in ["../x", "a/b", "..", ".", "a\\b", "a\u{0}b", "a\nb", "a\u{7f}", long.as_str()] {
        let reply = upload(&client, "/r/file/upload", "x", b"x".to_vec(), &[("name", name)]).await;
        assert_eq!(reply.status, 400, "{name}");
    }
    // Without a name, the file gets its name on the client's machine.
    let reply = upload(&client, "/r/file/upload", "C:\\data\\scores.csv", b"1".to_vec(), &[]).await.success();
    assert!(reply["files"]["scores.csv"].is_object(), "{reply}");
    for (form, error) in [("name=a", "Parameter file is missing."), ("file=a", "Parameter name is missing.")] {
        let reply = read(client.request(Method::POST, "/r/file/upload").body(form)).await;
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (400, Some(error)));
    }
}

#[tokio::test]
async fn files_and_objects_are_deleted_each_by_their_own_call() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    session.run("x <- 1").await;
    let object = id_in(&session.post("object/save", &[("name", "x"), ("descr", "x")]).await.success(), "repository");
    let file = id_in(&upload(&client, "/r/repository/file/upload", "f", b"f".to_vec(), &[]).await.success(), "files");
    for (call, wrong) in [("object", &file), ("file", &object)] {
        let reply = client.post(&format!("/r/repository/{call}/delete"), &[("id", wrong)]).await;
        let error = format!("Invalid {call} identifier: {wrong}");
        assert_eq!((reply.status.as_u16(), reply.json()["error"].as_str()), (400, Some(error.as_str())));
    }
    for (call, right) in [("object", &object), ("file", &file)] {
        client.post(&format!("/r/repository/{call}/delete"), &[("id", right)]).await.success();
    }
}

fn form_urlencoded(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

#[tokio::test]
async fn uploads_beyond_the_limit_are_refused_and_leave_nothing() {
    let server = Server::start("[sessions]\npool = 0");
    let store = server.store().await;
    store.policy_put(offshoot::store::policies::Policy::UploadMib, "2").await.unwrap();
    server.account("uploader", &["POWER_USER"]).await;
    let client = Client::login(&server, "uploader", PASSWORD).await;
    let url = id_in(&upload(&client, "/r/file/upload", "a", vec![b'a'; 2 << 20], &[]).await.success(), "files");
    assert_eq!(client.fetch(&url).await.body.len(), 2 << 20);
    let reply = upload(&client, "/r/file/upload", "a", vec![b'a'; (2 << 20) + 1], &[]).await;
    assert_eq!(reply.status, 413, "{}", reply.text());
    let body = format!("name=a&file={}", "a".repeat((2 << 20) + 1));
    assert_eq!(read(client.request(Method::POST, "/r/file/upload").body(body)).await.status, 413);
    // Far above the limit, as the head of the request says.
    assert_eq!(upload(&client, "/r/file/upload", "a", vec![b'a'; 80 << 20], &[]).await.status, 413);
    // Nothing is taken from clients without a login, of whatever size.
    assert_eq!(upload(&Client::new(&server), "/r/file/upload", "a", vec![b'a'; 1 << 10], &[]).await.status, 401);
    let incoming = server.data().join("blobs/incoming");
    eventually("nothing is left half-way", || {
        std::fs::read_dir(&incoming).is_ok_and(|entries| entries.flatten().all(|entry| !entry.path().is_file()))
    });
}

#[tokio::test]
async fn an_address_is_given_only_where_it_works() {
    let server = Server::start("[sessions]\npool = 0");
    put(&server, "all.csv", Kind::File, "anonymous", b"a\n7\n").await;
    put(&server, "users.csv", Kind::File, "authenticated", b"a\n8\n").await;
    let client = Client::admin(&server).await;
    upload(&client, "/r/repository/file/upload", "own.csv", b"a\n9\n".to_vec(), &[]).await.success();
    let listed = client.get("/r/repository/file/list", &[]).await.success();
    let url = |name: &str| listed["files"][name]["url"].as_str();
    for (name, content) in [("all.csv", "a\n7\n"), ("own.csv", "a\n9\n")] {
        assert_eq!(client.fetch(url(name).unwrap()).await.text(), content);
    }
    assert_eq!((url("users.csv"), listed["files"]["users.csv"]["descr"].as_str()), (None, Some("users.csv")));
}

#[tokio::test]
async fn each_name_is_in_an_answer_once() {
    let client = Client::admin(Server::shared()).await;
    let session = client.session().await;
    session.run("x <- 1").await;
    let mut saved = Vec::new();
    // The newest object is the first in the list.
    for name in ["x", "x", "x", "x (2)"] {
        saved.push(id_in(&session.post("object/save", &[("name", "x"), ("descr", name)]).await.success(), "repository"));
    }
    let reply = client.get("/r/repository/object/list", &[]).await;
    for (key, id) in [("x", &saved[2]), ("x (3)", &saved[1]), ("x (4)", &saved[0]), ("x (2)", &saved[3])] {
        assert_eq!(
            (reply.success()["repository"][key]["value"].as_str(), reply.text().matches(&format!("\"{key}\":")).count()),
            (Some(id.as_str()), 2)
        );
    }
    let reply = session.execute("y <- 2", &[("robjects", "x,y, x ,x")]).await;
    assert_eq!(reply.text().matches("\"x\":").count(), 1, "{}", reply.text());
}
