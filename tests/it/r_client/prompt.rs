//! The remote prompt in scripts that R reads as its input.

use std::io::{BufRead, BufReader};

use axum::{body::Body, extract::Request, response::Response};

use crate::{
    harness::{Server, http, until},
    r_client::{Client, output},
};

/// What R prints that gets this script as its input.
async fn prints(client: Client, script: &'static str) -> String {
    tokio::task::spawn_blocking(move || client.prints(script)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_after_a_login_are_remote_until_pause() {
    let server = Server::start("[sessions]\npool = 0");
    let Some(client) = Client::of(&server).await else { return };
    let script = "library(mrsdeploy)
LOGIN
x <- c(1, 2, 3)
double <- function(a) {
  a * 2
}
double(x)
'two
  lines'
y <- )
stop('oh no')
x # still there
  pause ()  # back
exists('x')
getRemoteObject('x'); x
local <- list(f = function(z) z + x[[1]]); putLocalObject('local')
pause()
resume()
resume() # is there already
local$f(41)
readline('name? ')
exit  # for good
tryCatch(listRemoteFiles(), error = function(error) class(error)[1])
LOGIN
quit(status = 3)
'here again'
";
    let told = prints(client, script).await;
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("r_client_prompt", told);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_names_missing_packages_and_versions_that_differ() {
    let server = Server::start("[sessions]\npool = 0");
    let Some(client) = Client::of(&server).await else { return };
    // Three packages of this R: one that nobody else has, and another version of one that everybody has.
    let script = "library(offshoot)
folder <- file.path(getwd(), 'library')
make <- function(name, version) {
  dir.create(file.path(folder, name, 'Meta'), recursive = TRUE)
  saveRDS(list(DESCRIPTION = c(Package = name, Version = version)), file.path(folder, name, 'Meta', 'package.rds'))
}
make('ours', '1.0'); make('stats', '0.1')
keep <- .libPaths(); .libPaths(c(folder, keep))
suppressMessages(LOGIN)
pause()
all <- capture.output(told <- diffLocalRemote())
told$missing['ours' == told$missing]; identical(told$local, told$remote)
told$versions[told$versions$Package == 'stats', 'Local']
all[c(1, 3)] == c('Diff report between local and remote R sessions...', paste('Local and Remote R versions are the same:', R.version.string))
grep('Missing Packages|^[0-9]+ +ours$|Package +Local +Remote', sub('^ +', '', all), value = TRUE)
for (i in 1:3000) make(paste0('many', i), '1.0')
took <- system.time(capture.output(diffLocalRemote()))[['elapsed']]
exit <- remoteLogout()
";
    let told = prints(client, script).await;
    for line in ["[1] \"ours\"\n[1] TRUE", "[1] \"0.1\"", "[1] TRUE TRUE", "Missing Packages", "Package +Local"] {
        assert!(told.contains(line), "{line}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_lines_follow_the_code_goes_on_here() {
    let server = Server::start("[sessions]\npool = 0");
    let Some(client) = Client::of(&server).await else { return };
    let code = format!("library(offshoot)\n{}\ncat('here\\n')\ninvisible(remote(cat('there\\n')))\nremoteLogout()\n", client.login());
    std::fs::write(client.folder.path().join("code.R"), &code).unwrap();
    let ways: [&[&str]; 3] = [&["Rscript", "code.R"], &["Rscript", "-e", &code], &["Rscript", "-e", "eval(quote(source('code.R')))"]];
    for way in ways {
        let mut command = client.command(way[0]);
        command.args(&way[1..]);
        let output = output(command).await;
        let told = String::from_utf8_lossy(&output.stdout);
        assert_eq!(told, "here\nthere\n", "{way:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("There is no prompt under Rscript and source()"), "{way:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_r_takes_for_its_input_is_as_one_that_is_piped() {
    let server = Server::start("[sessions]\npool = 0");
    let Some(client) = Client::of(&server).await else { return };
    let code = format!("library(offshoot)\n{}\nx <- 42\npause()\nexists('x')\nremote(x)\nremoteLogout()\n", client.login());
    std::fs::write(client.folder.path().join("code.R"), &code).unwrap();
    let mut command = client.command("R");
    command.args(["--no-echo", "--no-save", "-f", "code.R"]);
    let output = output(command).await;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("REMOTE> ") && told.ends_with("[1] FALSE\n[1] 42\n"), "{told}");
}

/// A server that passes requests on to this one, but knows nothing of events.
async fn without_events(server: String) -> String {
    let client = http().build().unwrap();
    let pass = move |request: Request| {
        let (client, server) = (client.clone(), server.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            parts.headers.remove("accept");
            parts.headers.remove("host");
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let answer =
                client.request(parts.method, format!("{server}{}", parts.uri)).headers(parts.headers).body(body).send().await.unwrap();
            let kind = answer.headers().get("content-type").map_or(&b""[..], |value| value.as_bytes()).to_owned();
            let response = Response::builder().status(answer.status()).header("content-type", kind);
            response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(pass)).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn output_appears_while_code_runs_also_without_events() {
    let server = Server::start("[sessions]\npool = 0");
    let Some(mut client) = Client::of(&server).await else { return };
    client.server = without_events(server.address.clone()).await;
    let code = format!(
        "options(mrsdeploy.console_update = 1000); library(offshoot); {}
         invisible(remoteExecute(\"cat('begun\\n'); while (!file.exists('go')) Sys.sleep(0.05); cat('ended\\n')\"))",
        client.login().replace("diff = FALSE", "diff = FALSE, commandline = FALSE")
    );
    let mut process = client.command("Rscript").args(["-e", &code]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (lines, line) = tokio::task::spawn_blocking(move || {
        let line = lines.next().unwrap().unwrap();
        (lines, line)
    })
    .await
    .unwrap();
    assert_eq!(line, "begun");
    // Somebody else with the same account lets it go on.
    let other = crate::mlserver::Ml::login(&server, "ada").await;
    let sessions = other.get("/sessions").await.document();
    let path = format!("/sessions/{}/files", sessions[0]["id"].as_str().unwrap());
    let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::text("").file_name("go"));
    assert_eq!(other.request(reqwest::Method::POST, &path).multipart(form).send().await.unwrap().status(), 201);
    let lines: Vec<_> = tokio::task::spawn_blocking(move || lines.map(Result::unwrap).collect()).await.unwrap();
    assert_eq!(lines, ["ended"]);
    until("R has ended", async || process.try_wait().unwrap().is_some()).await;
}
