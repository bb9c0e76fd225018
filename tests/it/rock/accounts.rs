//! Accounts that the configuration declares, with Rock's role names and the variables of its container.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use crate::harness::{Client, PASSWORD, Rock, Server};

#[tokio::test]
async fn secrets_are_plain_or_hashed() {
    // Hashes of "password": as `htpasswd -nbB` makes them, and from Spring Security's reference.
    let bcrypt = format!("{{bcrypt}}{}", bcrypt::hash("password", 4).unwrap());
    let pbkdf2 = "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc";
    let scrypt = "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==\
                  $OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=";
    let secrets = [("bcrypt", bcrypt.as_str()), ("pbkdf2", pbkdf2), ("scrypt", scrypt), ("noop", "{noop}password"), ("plain", "password")];
    let user = |(id, secret)| format!("[[rock.users]]\nid = '{id}'\nsecret = '{secret}'\nroles = ['User', 'MANAGER']\n");
    let server = Server::start(&format!("[sessions]\npool = 0\n{}", secrets.map(user).concat()));
    for (name, secret) in secrets {
        let account = Rock::on(&server, name);
        assert_eq!(account.open().await.value("1").await, 1, "{name}");
        assert_eq!(account.get("/rserver").await.status, 200);
        assert_eq!(account.clone().with_password("wrong").get("/").await.status, 401);
        if name != "plain" {
            assert_eq!(account.with_password(secret).get("/").await.status, 401, "{name}");
        }
    }
}

#[tokio::test]
async fn the_configuration_has_the_last_word_at_each_start() {
    let settings =
        |secret: &str, roles: &str| format!("[sessions]\npool = 0\n[[rock.users]]\nid = 'ada'\nsecret = '{secret}'\nroles = '{roles}'");
    let mut server = Server::start(&settings("password", "user"));
    let ada = |server: &Server| Rock::on(server, "ada");
    assert_eq!(ada(&server).get("/rserver").await.status, 403);
    for (secret, roles, rserver) in [("password", "user", 403), ("password", "manager", 200), ("another", "administrator", 200)] {
        server.signal(rustix::process::Signal::TERM);
        server.wait();
        server = Server::start_in(server.into_folder(), &settings(secret, roles));
        assert_eq!(ada(&server).with_password(secret).get("/rserver").await.status, rserver, "{secret} {roles}");
    }
    assert_eq!(ada(&server).get("/").await.status, 401);
    // An administrator of Rock can run code through the other API as well.
    let session = Client::login(&server, "ada", "another").await.session().await;
    assert_eq!(session.value("1").await["value"], 1);
}

/// Starts the program with these variables and arguments; returns its process and its address.
fn start(variables: &[(&str, &str)], arguments: &[&str]) -> (Child, String) {
    let mut command = Server::command();
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().trim_start_matches("listening on ").to_owned())
}

/// A client, without the proxies of the surroundings.
fn http() -> reqwest::Client {
    crate::harness::http().build().unwrap()
}

async fn status(address: &str, path: &str, name: &str, password: &str) -> u16 {
    http().get(format!("{address}{path}")).basic_auth(name, Some(password)).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_variables_of_rocks_container_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (mut child, address) = start(
        &[
            ("ROCK_ADMINISTRATOR_NAME", "root"),
            ("ROCK_ADMINISTRATOR_PASSWORD", "first"),
            ("ROCK_MANAGER_NAME", "boss"),
            ("ROCK_USER_NAME", "ada"),
            ("ROCK_USER_PASSWORD", ""),
            ("ROCK_ID", "node-1"),
            ("ROCK_CLUSTER", "blue"),
            ("ROCK_TAGS", "one, two"),
            ("ROCK_SERVER", "http://node-1:8085"),
            ("OFFSHOOT_ADMIN_PASSWORD", PASSWORD),
        ],
        &["--data", data.to_str().unwrap()],
    );
    let info = http().get(format!("{address}/_info")).send().await.unwrap().text().await.unwrap();
    assert_eq!(info, r#"{"id":"node-1","type":"rock","cluster":"blue","tags":["one","two"],"server":"http://node-1:8085"}"#);
    for (name, password, path, expected) in [
        ("root", "first", "/rserver", 200),
        ("boss", "password", "/rserver", 200),
        ("ada", "password", "/rserver", 403),
        ("ada", "password", "/r/sessions", 200),
        ("administrator", "password", "/r/sessions", 401),
    ] {
        assert_eq!(status(&address, path, name, password).await, expected, "{name} {path}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn values_of_rocks_container_are_taken_as_it_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    for (security, nobody) in [("yes", 401), ("TRUE", 401), ("False", 200), ("0", 200)] {
        let data = folder.path().join(security);
        let (mut child, address) = start(
            &[
                ("ROCK_SECURITY_ENABLED", security),
                ("ROCK_REPOS", "https://one.example, https://two.example"),
                ("ROCK_MANAGER_NAME", " "),
                ("ROCK_USER_NAME", "ada"),
                ("ROCK_USER_PASSWORD", "{secret}word"),
                ("OFFSHOOT_ADMIN_PASSWORD", PASSWORD),
            ],
            &["--data", data.to_str().unwrap()],
        );
        assert_eq!(http().get(format!("{address}/rserver")).send().await.unwrap().status(), nobody, "{security}");
        if nobody == 401 {
            assert_eq!(status(&address, "/r/sessions", "ada", "{secret}word").await, 200);
        } else {
            let asked = http().post(format!("{address}/r/_eval")).body("unname(getOption('repos'))").send().await;
            assert_eq!(asked.unwrap().text().await.unwrap(), r#"["https://one.example","https://two.example"]"#);
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test]
async fn an_account_that_is_declared_twice_has_all_its_roles() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let variables = [
        ("ROCK_ADMINISTRATOR_NAME", "a"),
        ("ROCK_MANAGER_NAME", "boss"),
        ("ROCK_USER_NAME", "a"),
        ("ROCK_USER_PASSWORD", "last"),
        ("OFFSHOOT_ADMIN_PASSWORD", PASSWORD),
    ];
    let (mut child, address) = start(&variables, &["--data", data.to_str().unwrap()]);
    assert_eq!(status(&address, "/rserver", "a", "last").await, 200);
    assert_eq!(status(&address, "/rserver", "a", "password").await, 401);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn the_account_admin_keeps_managing_the_server_whatever_is_declared() {
    let mut server = Server::start("[sessions]\npool = 0\n[[rock.users]]\nid = 'admin'\nsecret = 'password'\nroles = 'manager'");
    let roles = |store: offshoot::store::Store| async move { store.account("admin").await.unwrap().unwrap().roles };
    assert_eq!(roles(server.store().await).await, ["ADMINISTRATOR", "PACKAGE_MANAGER"]);
    assert_eq!(Rock::on(&server, "admin").get("/rserver").await.status, 200);
    server.signal(rustix::process::Signal::TERM);
    server.wait();
    let settings = "[sessions]\npool = 0\n[[rock.users]]\nid = 'admin'\nsecret = 'password'\nroles = 'administrator'";
    let server = Server::start_in(server.into_folder(), settings);
    assert_eq!(roles(server.store().await).await, ["ADMINISTRATOR", "POWER_USER"]);
}

#[tokio::test]
async fn without_security_everybody_may_do_everything() {
    let server = Server::start("[sessions]\npool = 0\n[rock]\nsecurity = false");
    let nobody = Rock::nobody(&server);
    let session = nobody.open().await;
    assert_eq!(session.get("").await.document()["subject"], "?");
    assert_eq!(session.value("1").await, 1);
    assert_eq!(nobody.get("/rserver").await.status, 200);
    // The other API still requires a login.
    assert_eq!(Client::new(&server).get("/r/user/whoami", &[]).await.status, 401);
}

#[tokio::test]
async fn a_demonstration_has_the_accounts_that_rock_comes_with() {
    let (mut child, address) = start(&[], &["--demo"]);
    for (name, password) in [("administrator", "password"), ("manager", "password"), ("user", "password"), ("admin", "secret")] {
        assert_eq!(status(&address, "/r/sessions", name, password).await, 200, "{name}");
    }
    rustix::process::kill_process(rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap(), rustix::process::Signal::TERM)
        .unwrap();
    child.wait().unwrap();
}
