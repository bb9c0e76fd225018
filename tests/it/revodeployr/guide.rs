//! The examples of the guide, with its own requests, in both formats.

use reqwest::Method;

use super::golden::Golden;
use crate::harness::{Client, Server, Session, read};

/// The script of sections 3.9 and 8.1.
pub(super) const SAMPLE: &str = "##The inputs to this script are \"df\", \"x\" and \"y\".

myformula<-formula(paste(x,\"~\",y))
print(myformula)
lm1<-lm(myformula)
plot(lm1)
";
/// The script of section 8.5.
const ANALYSIS: &str = "##The inputs to this R script are \"myFile=URL to csv file
##dependent=name of column in csv file that will be the dependent variable in the regression
##independent=name of column in csv file that will the independent variable in the regression

df<-read.csv(myFile)
myformula<-formula(paste(\"df$\",dependent,\"~\",\"df$\",independent))
print(myformula)
lm1<-lm(myformula)
plot(lm1)
";
pub(super) const SAMPLE_INPUTS: &str = r#"{
  "df" : { "type": "dataframe", "value": {
    "a": { "type": "vector", "value": [ 1, 2, 3 ] },
    "b": { "type": "vector", "value": [ 4, 5, 6 ] }
  } },
  "x": { "value": "df$b" },
  "y": { "value": "df$a" }
}"#;
/// The same inputs in XML. The guide has only a schema for these.
const SAMPLE_INPUTS_XML: &str = r#"<deployr><inputs>
  <robject name="df" type="dataframe">
    <robject name="a" type="vector"><numeric value="1,2,3"/></robject>
    <robject name="b" type="vector"><numeric value="4,5,6"/></robject>
  </robject>
  <robject name="x"><character value="df$b"/></robject>
  <robject name="y"><character value="df$a"/></robject>
</inputs></deployr>"#;

async fn session() -> Session {
    Client::admin(Server::shared()).await.session().await
}

#[tokio::test]
async fn execute_code_with_a_plot() {
    let session = session().await;
    let mut golden = Golden::new();
    // The guide draws random numbers; with a seed, the answers can be compared.
    let code = "set.seed(1); myVector <- rnorm(10); png(\"myplot.png\"); plot(myVector); dev.off();";
    let form = [("session", session.id.as_str()), ("robjects", "myVector"), ("files", "myplot.png"), ("code", code)];
    golden.call(&session.client, Method::POST, "/r/session/execute/code", &form).await;
    golden.check("guide_3_8_execute_code");
}

#[tokio::test]
async fn execute_script_in_a_session() {
    Server::shared().script("Sample Script", SAMPLE, "authenticated").await;
    let session = session().await;
    let mut golden = Golden::new();
    for inputs in [SAMPLE_INPUTS, SAMPLE_INPUTS_XML] {
        let form = [("session", session.id.as_str()), ("rscript", "Sample Script"), ("inputs", inputs)];
        golden.call(&session.client, Method::POST, "/r/session/execute/script", &form).await;
    }
    let form = [("session", session.id.as_str()), ("rscript", "Sample Script"), ("inputs", SAMPLE_INPUTS), ("robjects", "x,df")];
    golden.call(&session.client, Method::POST, "/r/session/execute/script", &form).await;
    golden.call(&session.client, Method::GET, "/r/session/history", &[("session", &session.id)]).await;
    golden.check("guide_3_9_execute_script");
}

#[tokio::test]
async fn output_and_history() {
    let session = session().await;
    let mut golden = Golden::new();
    let code = "x <- c(1, 2, 3)\r\ny <- c(2, 4, 7)\r\nprint(summary(lm(x ~ y))) ";
    session.run(code).await;
    golden.call(&session.client, Method::GET, "/r/session/output", &[("session", &session.id)]).await;
    golden.call(&session.client, Method::GET, "/r/session/history", &[("session", &session.id)]).await;
    golden.check("guide_3_10_output_and_history");
}

#[tokio::test]
async fn workspaces_and_projects_are_saved() {
    let session = session().await;
    let named = ("session", session.id.as_str());
    session.run("x <- 1:3").await;
    let mut golden = Golden::new();
    golden.call(&session.client, Method::POST, "/r/session/workspace/save", &[named, ("descr", "my workspace")]).await;
    golden.call(&session.client, Method::POST, "/r/session/workspace/save", &[named]).await;
    golden.call(&session.client, Method::POST, "/r/session/project/save", &[named]).await;
    golden.call(&session.client, Method::POST, "/r/session/project/save", &[named, ("descr", "my project")]).await;
    // A session that is saved again keeps its project, and the project keeps its name.
    golden.call(&session.client, Method::POST, "/r/session/project/save", &[named]).await;
    golden.check("guide_3_12_save_workspace_and_project");
}

#[tokio::test]
async fn live_objects() {
    let session = session().await;
    let named = ("session", session.id.as_str());
    session.run("x <- c(13, 14, 15); f <- function() 1").await;
    let mut golden = Golden::new();
    golden.call(&session.client, Method::GET, "/r/session/object/list", &[named, ("filter", "true")]).await;
    golden.call(&session.client, Method::GET, "/r/session/object/get", &[named, ("name", "x")]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/save", &[named, ("name", "x"), ("descr", "test_y")]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/save", &[named, ("name", "absent"), ("descr", "test_y")]).await;
    let saved = session.post("object/save", &[("name", "x"), ("descr", "x")]).await.success();
    let id = saved["repository"]["x"]["value"].as_str().unwrap().to_owned();
    golden.call(&session.client, Method::POST, "/r/session/object/load", &[named, ("id", &id)]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/load", &[named, ("id", "CBNRY-x")]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/stored/load", &[named, ("id", &id)]).await;
    golden.call(&session.client, Method::POST, "/r/repository/object/delete", &[("id", &id)]).await;
    golden.call(&session.client, Method::POST, "/r/session/object/delete", &[named, ("name", "x")]).await;
    golden.check("guide_4_live_objects");
}

#[tokio::test]
async fn repository_objects() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let mut golden = Golden::new();
    golden.call(&client, Method::GET, "/r/repository/object/list", &[]).await;
    session.run("test_y <- 1").await;
    for _ in 0..2 {
        session.post("object/save", &[("name", "test_y"), ("descr", "test_y")]).await.success();
    }
    golden.call(&client, Method::GET, "/r/repository/object/list", &[]).await;
    golden.check("guide_4_8_list_repository_objects");
}

#[tokio::test]
async fn projects() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    let session = client.session().await;
    let saved = session.post("project/save", &[("descr", "My Project")]).await.success();
    let id = saved["projects"]["My Project"]["value"].as_str().unwrap().to_owned();
    let mut golden = Golden::new();
    golden.call(&client, Method::GET, "/r/project/list", &[]).await;
    golden.call(&client, Method::POST, "/r/project/load", &[("id", &id)]).await;
    golden.call(&client, Method::POST, "/r/project/load", &[("id", "PROJ-nothing")]).await;
    // For the second of the two calls, the project is gone.
    golden.call(&client, Method::POST, "/r/project/delete", &[("id", &id)]).await;
    golden.call(&client, Method::POST, "/r/project/load", &[("id", &id)]).await;
    golden.call(&client, Method::GET, "/r/project/list", &[]).await;
    golden.check("guide_6_projects");
}

#[tokio::test]
async fn autosave_and_live() {
    let server = Server::start("[sessions]\npool = 1");
    let client = Client::admin(&server).await;
    client.session().await;
    let mut golden = Golden::new();
    golden.call(&client, Method::POST, "/r/user/autosave", &[("save", "true")]).await;
    golden.call(&client, Method::POST, "/r/user/autosave", &[]).await;
    golden.call(&client, Method::POST, "/r/user/autosave", &[("save", "perhaps")]).await;
    golden.call(&client, Method::POST, "/r/user/autosave", &[("save", "false")]).await;
    golden.call(&client, Method::GET, "/r/user/live", &[]).await;
    golden.check("guide_7_6_autosave_and_live");
}

#[tokio::test]
async fn scripts_without_a_session() {
    let server = Server::start("[sessions]\npool = 1");
    server.script("Sample Script", SAMPLE, "authenticated").await;
    server.script("average", "average <- mean(numbers)", "anonymous").await;
    server.script("stockplot-png", "png('a.png'); plot(1); dev.off()", "private").await;
    let (anonymous, client) = (Client::new(&server), Client::admin(&server).await);
    let mut golden = Golden::new();
    for path in ["/r/script/execute", "/r/execute/script", "/r/session/execute/script"] {
        golden.call(&client, Method::POST, path, &[("rscript", "Sample Script"), ("inputs", SAMPLE_INPUTS)]).await;
    }
    let average = [("rscript", "average"), ("inputs", r#"{"numbers":{"type":"vector","value":[1,2,6]}}"#), ("robjects", "average")];
    golden.call(&anonymous, Method::POST, "/r/script/execute", &average).await;
    let average = [("rscript", "average"), ("inputs", "{\"numbers\":"), ("robjects", "average")];
    golden.call(&anonymous, Method::POST, "/r/script/execute", &average).await;
    golden.call(&anonymous, Method::POST, "/r/script/execute", &[("rscript", "average")]).await;
    golden.call(&anonymous, Method::POST, "/r/script/execute", &[("rscript", "Sample Script")]).await;
    golden.call(&anonymous, Method::POST, "/r/script/execute", &[("rscript", "nothing")]).await;
    golden.call(&anonymous, Method::GET, "/r/script/list", &[]).await;
    golden.call(&client, Method::GET, "/r/script/list", &[]).await;
    golden.check("guide_8_scripts");
}

/// Section 8.5, from login to plots.
#[tokio::test]
async fn a_file_is_uploaded_and_analysed() {
    let server = Server::start("[sessions]\npool = 1");
    server.script("Sample Analysis Script", ANALYSIS, "authenticated").await;
    server.account("analyst", &["BASIC_USER"]).await;
    let client = Client::login(&server, "analyst", crate::harness::PASSWORD).await;
    let csv = include_str!("../../../demo/satscores.csv");
    let mut golden = Golden::new();
    for format in ["xml", "json"] {
        let uploaded = client.post("/r/file/upload", &[("name", "satscores.csv"), ("format", format), ("file", csv)]).await;
        assert_eq!(uploaded.status, 200, "{}", uploaded.text());
        if format == "xml" {
            continue;
        }
        let url = uploaded.success()["files"]["satscores.csv"]["value"].as_str().unwrap().to_owned();
        assert!(url.contains("/deployr/r/repository/get/binary/CFILE-"), "{url}");
        // Anybody who knows the address can read the file, also with the guide's misprint.
        for url in [url.clone(), url.replace("repository/get", "repositoryget")] {
            assert_eq!(Client::new(&server).fetch(&url).await.text(), csv);
        }
        let inputs =
            format!(r#"{{"myFile": {{"value": "{url}"}}, "dependent": {{"value": "VerbalSAT"}}, "independent": {{"value": "MathSAT"}}}}"#);
        let form = [("rscript", "Sample Analysis Script"), ("inputs", inputs.as_str())];
        golden.call(&client, Method::POST, "/r/script/execute", &form).await;
        let reply = client.post("/r/script/execute", &form).await.success();
        for number in 1..=4 {
            let plot = reply["files"][format!("unnamedplot00{number}.png")]["value"].as_str().unwrap();
            let plot = read(Client::new(&server).raw(Method::GET, plot)).await;
            assert!(plot.status == 200 && plot.body.starts_with(b"\x89PNG"), "{}", plot.status);
        }
    }
    golden.check("guide_8_5_analysis");
}
