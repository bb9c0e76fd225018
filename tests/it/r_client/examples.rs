//! The examples of the first document of Microsoft R Server's remote execution, in their order.

use crate::{
    harness::{Server, points},
    r_client::{Client, azure::gives_tokens},
    rock::repository,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_r_servers_document_run_in_their_order() {
    let packages = tempfile::tempdir_in(points()).unwrap();
    let answer = "answer <- function() 42\n";
    let repository =
        repository(packages.path(), &[("bitops", "1.0", "", answer), ("arules", "1.0", "", answer), ("caTools", "1.0", "", answer)]);
    let server = Server::start(&format!("[r]\nrepositories = ['{repository}']"));
    let Some(client) = Client::of(&server).await else { return };
    let tokens = gives_tokens(&server).await;
    // What the examples take for granted on the machine of who logs in.
    for (name, content) in [
        ("c/myScript.R", "library(bitops)\nanswer()\n"),
        ("C:/myScript.R", "model <- lm(dist ~ speed, cars)\nout <- 42\n"),
        ("c/myScript2.R", "nrow(data)\nif (file.exists('survey.csv')) read.csv('survey.csv')\n"),
        ("C:/data/survey.csv", "asked,said\n1,yes\n"),
        ("C:/data/survey_reference.csv", "asked,said\n1,no\n"),
        (
            "myscript.R",
            "png(filename=\"myplot.png\", width=1440, height=900)\n\
             ggplot(aes(x=value, group=am, colour=factor(am)), data=mtcarsmelt) + geom_density() + facet_wrap(~variable, scales=\"free\")\n\
             dev.off()\n",
        ),
    ] {
        let path = client.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let variables = [("TOKENS_FROM", tokens)];
    let told = tokio::task::spawn_blocking(move || client.prints_with(include_str!("examples.R"), &variables)).await.unwrap();
    assert!(told.contains("\nall has run\n"), "{told}");
    assert!(!told.contains("Error"), "{told}");
    for line in ["* DONE (bitops)", "[1] 42\n", "  asked said\n1     1  yes\n", "Diff report between local and remote R sessions..."] {
        assert!(told.contains(line), "{line}: {told}");
    }
}
