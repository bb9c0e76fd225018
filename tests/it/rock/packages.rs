//! Packages are listed, described, installed from a repository made for the test, and removed.

use std::{os::unix::fs::PermissionsExt, path::Path};

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    harness::{Reply, Rock, Server, program, read},
    hostile::Way,
};

/// Makes a repository with these packages: name, version, further lines of the description, and R code.
pub fn repository(folder: &Path, packages: &[(&str, &str, &str, &str)]) -> String {
    let contrib = folder.join("src/contrib");
    std::fs::create_dir_all(&contrib).unwrap();
    for (name, version, further, code) in packages {
        let source = folder.join(name);
        std::fs::create_dir_all(source.join("R")).unwrap();
        let description = format!(
            "Package: {name}\nVersion: {version}\nTitle: For a Test\nAuthor: Nobody\nMaintainer: Nobody <nobody@example.org>\n\
             Description: It is for a test.\nLicense: MIT\n{further}"
        );
        std::fs::write(source.join("DESCRIPTION"), description).unwrap();
        std::fs::write(source.join("NAMESPACE"), "exportPattern('.')\n").unwrap();
        std::fs::write(source.join("R/code.R"), code).unwrap();
        if further.contains("MIT-file") {
            std::fs::create_dir_all(source.join("inst")).unwrap();
            std::fs::write(source.join("inst/DATASHIELD"), "AggregateMethods: fromFile\nOptions: a=1,\n b=2\n").unwrap();
        }
        r(&contrib, &["CMD", "build", "--no-build-vignettes", source.to_str().unwrap()]);
        std::fs::remove_dir_all(&source).unwrap();
    }
    r(&contrib, &["--no-echo", "-e", "tools::write_PACKAGES(type='source')"]);
    // Whatever the umask is, the user who installs reads them.
    let files = std::fs::read_dir(&contrib).unwrap().map(|entry| entry.unwrap().path());
    for path in files.chain([folder.to_owned(), folder.join("src"), contrib.clone()]) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    format!("file://{}", folder.display())
}

fn r(folder: &Path, arguments: &[&str]) {
    let output = program("R").args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

async fn install(manager: &Rock, query: &str) -> Reply {
    // As rockr sends it: without a body, but with the type of a script.
    let request = manager.request(Method::POST, &format!("/rserver/packages?{query}"));
    read(request.header(header::CONTENT_TYPE, "application/x-rscript")).await
}

#[tokio::test]
async fn packages_are_installed_updated_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let repository_of = |packages: &[(&str, &str, &str, &str)]| repository(folder.path(), packages);
    let repository = repository_of(&[
        ("needed", "1.0", "", "base <- function() 20\n"),
        (
            "wanted",
            "1.0",
            "Imports: needed\nAggregateMethods: meanDS, varDS\nAssignMethods: one\n",
            "answer <- function() needed::base() + 1\n",
        ),
        ("filed", "1.0", "Note: MIT-file\n", "x <- 1\n"),
        ("broken", "1.0", "", "stop('it does not install')\n"),
    ]);
    let server = Server::start(&Rock::settings(&format!("[sessions]\npool = 2\n[r]\nrepositories = ['{repository}']")));
    let (manager, user) = (Rock::on(&server, "manager"), Rock::on(&server, "user"));
    let before = user.open().await;
    assert_eq!(before.value("requireNamespace('wanted', quietly = TRUE)").await, false);
    assert_eq!(manager.get("/rserver/package/wanted").await.document()["message"], "No package with name: wanted");
    assert_eq!(manager.get("/rserver/packages/_datashield").await.text(), "{}");

    let installed = install(&manager, "name=wanted&manager=cran").await;
    assert_eq!((installed.status.as_u16(), installed.body.len()), (201, 0), "{}", installed.text());
    assert!(installed.headers[header::LOCATION].to_str().unwrap().ends_with("/rserver/package/wanted"));
    assert!(!installed.headers.contains_key(header::CONTENT_TYPE));
    // The package and those it needs are there in new sessions and in open ones.
    for session in [&user.open().await, &before] {
        assert_eq!(session.value("wanted::answer()").await, 21);
        assert_eq!(session.value("dirname(find.package('wanted')) == .libPaths()[2]").await, true);
        if rustix::process::geteuid().is_root() {
            assert_ne!(session.value("file.access(.libPaths()[2], 2)[[1]]").await, 0, "no session can write there");
        }
    }
    let shown = manager.get("/rserver/package/wanted").await.document();
    assert_eq!((&shown["name"], &shown["Version"], &shown["Title"]), (&json!("wanted"), &json!("1.0"), &json!("For a Test")));

    // A failed installation is an error with R's message, and leaves nothing.
    for (query, words) in [("name=broken", "it does not install"), ("name=absent", "absent")] {
        let failed = install(&manager, query).await;
        assert_eq!((failed.status.as_u16(), &failed.document()["key"]), (400, &json!("REvaluationRuntimeException")));
        assert!(failed.document()["message"].as_str().unwrap().contains(words), "{}", failed.text());
    }
    let library = server.data().join("library");
    let names = || {
        let mut names: Vec<_> =
            std::fs::read_dir(&library).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["needed", "wanted"]);

    // Methods for DataSHIELD, from the description and from a file, are always arrays.
    assert_eq!(install(&manager, "name=filed&manager=CRAN").await.status, 201);
    assert_eq!(
        manager.get("/rserver/packages/_datashield").await.document(),
        json!({
            "filed": {"AggregateMethods": ["fromFile"], "AssignMethods": [], "Options": ["a=1", "b=2"]},
            "wanted": {"AggregateMethods": ["meanDS", "varDS"], "AssignMethods": ["one"], "Options": []},
        })
    );

    repository_of(&[("needed", "2.0", "", "base <- function() 40\n")]);
    let updated = read(manager.request(Method::PUT, "/rserver/packages")).await;
    assert_eq!((updated.status.as_u16(), updated.body.len()), (200, 0), "{}", updated.text());
    assert_eq!(user.open().await.value("list(wanted::answer(), as.character(packageVersion('needed')))").await, json!([41, "2.0"]));

    assert_eq!(manager.delete("/rserver/package/wanted").await.status, 204);
    assert_eq!(manager.delete("/rserver/package/wanted").await.status, 204);
    assert_eq!(manager.delete("/rserver/packages?name=needed,,filed,&name=stats").await.status, 204);
    assert!(names().is_empty());
    assert_eq!(
        user.open().await.value("list(requireNamespace('needed', quietly = TRUE), requireNamespace('stats'))").await,
        json!([false, true])
    );
    assert_eq!(
        std::fs::read_dir(server.data().join("run"))
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with("install-") || name.to_string_lossy().starts_with("removed-")
            })
            .count(),
        0
    );
}

#[tokio::test]
async fn a_session_installs_what_was_uploaded_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path(), &[("own", "1.0", "", "answer <- function() 42\n"), ("more", "1.0", "", "x <- 1\n")]);
    let server = Server::start(&Rock::settings(&format!("[sessions]\npool = 0\n[r]\nrepositories = ['{repository}', 'file:///other']")));
    let session = Rock::on(&server, "user").open().await;
    assert_eq!(session.value("list(list.files(), list.files(.libPaths()[1]))").await, json!([[], []]));
    // As Opal does it.
    let source = std::fs::read(folder.path().join("src/contrib/own_1.0.tar.gz")).unwrap();
    session.upload("?path=own.tar.gz&overwrite=true", "own.tar.gz", &source, &[]).await;
    let installed = session.eval("install.packages('own.tar.gz', repos = NULL); own::answer()").await;
    assert_eq!((installed.status.as_u16(), installed.text()), (200, "42"), "{}", session.get("/_console").await.text());
    // Packages come from the server's repositories, and R processes that the session starts have them, too.
    assert_eq!(session.value("getOption('repos')[['CRAN']]").await, repository.as_str());
    assert_eq!(session.value("length(getOption('repos'))").await, 2);
    assert_eq!(session.value("options(repos = getOption('repos')[1]); install.packages('more', quiet = TRUE); more::x").await, 1);
    let child = "system2(file.path(R.home('bin'), 'Rscript'), c('-e', shQuote('cat(own::answer())')), stdout = TRUE)";
    assert_eq!(session.value(child).await, "42");
    assert_eq!(session.value("list.files()").await, "own.tar.gz");
    // No other session has the package, and it is removed with the session.
    assert_eq!(Rock::on(&server, "user").open().await.value("requireNamespace('own', quietly = TRUE)").await, false);
}

#[tokio::test]
async fn installing_is_confined() {
    let folder = tempfile::tempdir().unwrap();
    let code = "writeLines(c(Sys.getenv(), as.character(Sys.getpid())), file.path(Sys.getenv('TMPDIR'), 'x'))
        system('setsid sleep 1000 >/dev/null 2>&1 &')
        store <- dirname(grep('/data/library$', strsplit(Sys.getenv('R_LIBS'), ':')[[1]], value = TRUE))
        x <- tryCatch(readLines(file.path(store, 'offshoot.db')), error = function(e) 'no', warning = function(w) 'no')
        written <- suppressWarnings(c(file.create(file.path(store, 'planted')), Sys.chmod(file.path(store, 'offshoot.db'))))
        shared <- tryCatch({ writeLines('x', '/tmp/of-the-installation'); file.remove('/tmp/of-the-installation') }, error = function(e) FALSE)
        user <- Sys.info()[['effective_user']]; secret <- Sys.getenv('OFFSHOOT_ADMIN_PASSWORD')\n";
    let repository = repository(folder.path(), &[("curious", "1.0", "", code)]);
    for way in Way::all() {
        let server = way.start(&Rock::settings(&format!("[sessions]\npool = 0\n[r]\nrepositories = ['{repository}']")));
        let installed = install(&Rock::on(&server, "manager"), "name=curious").await;
        assert_eq!(installed.status, 201, "{way:?}: {}", installed.text());
        let session = Rock::on(&server, "user").open().await;
        assert_eq!(session.value("curious::secret").await, "");
        assert_eq!(session.value("curious::store").await, server.data().display().to_string());
        assert_eq!(session.value("curious::x").await, "no");
        // Without namespaces, the mode of a file is its owner's to change.
        let has_namespaces = server.log().contains("system-calls namespaces");
        let written = session.value("curious::written").await;
        assert_eq!(written[0], false, "{way:?}");
        assert!(written[1] == false || (way == Way::OneUser && !has_namespaces), "{way:?}");
        assert!(way == Way::Users || !has_namespaces || session.value("curious::shared").await == true);
        if way == Way::Users {
            assert_ne!(session.value("curious::user").await, "root");
            // Processes that the package has started are gone. Without users of their own, they stay.
            assert!(!sleeps(server.pid()));
        }
    }
}

/// Whether a process that the package has started is still there.
fn sleeps(server: i32) -> bool {
    crate::harness::descendants(server)
        .iter()
        .any(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == b"sleep\x001000\0"))
}

#[tokio::test]
async fn other_managers_go_through_their_packages() {
    let folder = tempfile::tempdir().unwrap();
    // Stand-ins for the packages of these managers, which cannot reach their sources here.
    let note = |what: &str| format!("writeLines(paste({what}), 'note.txt'); stop(paste('asked for', {what}), call. = FALSE)");
    let remotes = format!("install_github <- function(repo, ref, upgrade, force, lib) {{ {} }}\n", note("repo, ref, upgrade"));
    let bioc = format!("install <- function(pkgs, ask, update, lib) {{ {} }}\n", note("pkgs, ask"));
    let repository = repository(folder.path(), &[("remotes", "1.0", "", &remotes), ("BiocManager", "1.0", "", &bioc)]);
    // They may be in the machine's own library.
    let settings = format!("[sessions]\npool = 0\n[r]\nrepositories = ['{repository}']\nenvironment = {{ R_LIBS_SITE = '/nowhere' }}");
    let server = Server::start(&Rock::settings(&settings));
    let manager = Rock::on(&server, "manager");
    for (query, asked) in [
        ("name=dsBase&manager=github", "asked for obiba/dsBase master FALSE"),
        ("name=datashield/dsBase&manager=GH&ref=v6.3.0", "asked for datashield/dsBase v6.3.0 FALSE"),
        ("name=limma&manager=bioc", "asked for limma FALSE"),
        ("name=limma&manager=Bioconductor", "asked for limma FALSE"),
    ] {
        let reply = install(&manager, query).await;
        assert_eq!(reply.status, 400);
        assert!(reply.document()["message"].as_str().unwrap().contains(asked), "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn names_and_refs_are_checked() {
    let manager = Rock::by("manager");
    for name in ["a'b", "a b", "-e", "..", "a/b", "a\\b", "größe", "x'); q(); ('"] {
        let encoded = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string();
        let message = json!(format!("Not a valid name: {name}"));
        assert_eq!(install(&manager, &format!("name={encoded}")).await.document()["message"], message);
        if name != "a/b" {
            let github = install(&manager, &format!("name={encoded}&manager=gh")).await;
            assert_eq!(github.document()["message"], message);
        }
        if name == ".." {
            continue; // In a path, it is not a name but a step, which clients take themselves.
        }
        let shown = manager.get(&format!("/rserver/package/{encoded}")).await;
        assert_eq!((shown.status.as_u16(), &shown.document()["message"]), (400, &message), "{name}");
        assert_eq!(manager.delete(&format!("/rserver/package/{encoded}")).await.status, 400);
        assert_eq!(manager.delete(&format!("/rserver/packages?name=fine,{encoded}")).await.status, 400);
    }
    for (query, message) in [
        ("manager=cran", "Required parameter 'name' is not present."),
        ("name=x&manager=npm", "Not a package manager: npm; there are cran, github and bioconductor"),
        ("name=x&manager=gh&ref=a'b", "Not a valid ref: a'b"),
        ("name=x&manager=gh&ref=../x", "Not a valid ref: ../x"),
        ("name=x/y/z&manager=gh", "Not a valid name: x/y/z"),
    ] {
        assert_eq!(install(&manager, query).await.document()["message"], message, "{query}");
    }
    assert_eq!(manager.delete("/rserver/packages").await.status, 400);
}

#[tokio::test]
async fn packages_are_listed_as_a_matrix() {
    let manager = Rock::by("manager");
    let list = manager.get("/rserver/packages").await.document();
    let names: Vec<&str> = list["rowNames"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let columns: Vec<&str> = list["columnNames"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let column = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let row = &list["rows"][names.iter().position(|name| *name == "stats").unwrap()];
    assert_eq!((&row[column("Package")], &row[column("Priority")]), (&json!("stats"), &json!("base")));
    // A missing cell is null. So are cells in columns that only some packages have.
    assert_eq!(row[column("AggregateMethods")], Value::Null);
    assert_eq!(list["rows"].as_array().unwrap().len(), names.len());
    for expected in ["Version", "Title", "Description", "Author", "Maintainer", "Date/Publication", "AssignMethods", "Options"] {
        column(expected);
    }
    for path in ["/rserver/packages", "/rserver/packages/_datashield", "/rserver/package/stats", "/rserver/package/absent"] {
        let accept = "application/octet-stream, application/json";
        let serialized = read(manager.request(Method::GET, path).header(header::ACCEPT, accept)).await;
        assert_eq!((serialized.status.as_u16(), &serialized.body[..2]), (200, &b"X\n"[..]), "{path}");
        let neither = read(manager.request(Method::GET, path).header(header::ACCEPT, "text/html")).await;
        assert_eq!(neither.status, 406);
    }
}
