//! Packages that are loaded before the fork are in each session as if it had loaded them itself.

use std::{os::unix::fs::PermissionsExt, path::Path};

use crate::harness::{Client, Server, program};

/// Packages, installed into a library for a server.
struct Library(tempfile::TempDir);

impl Library {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Self(folder)
    }

    /// Adds a package with R code and C code, of which either may be none.
    fn with(self, name: &str, r: &str, c: &str) -> Self {
        let source = self.0.path().join("source").join(name);
        let write = |path: &str, text: &str| {
            let path = source.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("DESCRIPTION", &format!("Package: {name}\nVersion: 1.0\nTitle: T\nDescription: T.\nLicense: MIT\n"));
        let native = if c.is_empty() { String::new() } else { format!("useDynLib({name})\n") };
        write("NAMESPACE", &format!("exportPattern('^[a-z]')\n{native}"));
        write("R/code.R", r);
        if !c.is_empty() {
            write(&format!("src/{name}.c"), c);
        }
        install(self.0.path(), &source);
        self
    }

    /// A server that has these packages preloaded.
    fn preloaded(&self, packages: &[&str]) -> Server {
        Server::start(&format!("[sessions]\npool = 0\n[r]\npreload = {packages:?}\nlibraries = ['{}']", self.0.path().display()))
    }
}

fn install(library: &Path, source: &Path) {
    let mut command = program("R");
    let install = command.args(["CMD", "INSTALL", "--no-docs", "-l"]).arg(library).arg(source).env_remove("R_HOME").output().unwrap();
    assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
}

/// C code that starts a thread when it is loaded.
fn starting_thread(name: &str, work: &str) -> String {
    format!(
        "#include <pthread.h>\n#include <unistd.h>\n\
         static void *run(void *x) {{ {work}; return x; }}\n\
         void R_init_{name}(void *dll) {{ pthread_t thread; pthread_create(&thread, 0, run, 0); }}\n"
    )
}

#[tokio::test]
async fn packages_are_preloaded_unless_they_start_a_thread_or_are_not_there() {
    let library = Library::new().with("threaded", "", &starting_thread("threaded", "for (;;) pause()"));
    let server = library.preloaded(&["lattice", "threaded", "nowhere"]);
    let log = server.log();
    assert!(log.contains("package threaded is not preloaded: it starts a thread, which would not live in the sessions"), "{log}");
    assert!(log.contains("package nowhere is not preloaded: there is no package called"), "{log}");
    let session = Client::admin(&server).await.session().await;
    assert_eq!(
        session.prints("cat(c('lattice', 'threaded') %in% loadedNamespaces(), sub('.*\\\\s', '', grep('^Threads', readLines('/proc/self/status'), value = TRUE)))").await,
        "TRUE FALSE 1",
        "{log}"
    );
    // A session may load the package itself.
    assert_eq!(
        session.prints("library(threaded); cat(sub('.*\\\\s', '', grep('^Threads', readLines('/proc/self/status'), value = TRUE)))").await,
        "2"
    );
}

/// Pango starts such threads when it looks for fonts, and the last of them was sometimes mistaken for a thread that stays.
#[tokio::test]
async fn a_package_whose_thread_ends_after_a_moment_is_preloaded() {
    let library = Library::new().with("passing", "", &starting_thread("passing", "usleep(100000)"));
    let server = library.preloaded(&["passing", "lattice"]);
    let session = Client::admin(&server).await.session().await;
    assert_eq!(session.prints("cat(c('passing', 'lattice') %in% loadedNamespaces())").await, "TRUE TRUE", "{}", server.log());
}

/// Package callr, for one, chooses the names of its files when it is loaded.
#[tokio::test]
async fn a_preloaded_package_has_its_files_in_the_temporary_folder_of_the_session() {
    const CODE: &str = "
        file <- NULL
        inner <- new.env()
        .onLoad <- function(libname, pkgname) {
          file <<- tempfile('of-package-')
          inner$deep <- structure(list(a = list(normalizePath(tempdir())), b = 1), class = 'own', note = file)
          options(folders.file = file)
          Sys.setenv(FOLDERS_FILE = paste0('file://', file))
        }";
    let library = Library::new().with("folders", CODE, "");
    let server = library.preloaded(&["folders"]);
    let log = server.log();
    let note = "package folders is preloaded, and each session has to put its own temporary folder into deep of package folders, \
                environment variable FOLDERS_FILE, file of package folders, option folders.file";
    assert_eq!(log.matches(note).count(), 1, "{log}");
    let client = Client::admin(&server).await;
    for session in [client.session().await, client.session().await] {
        let code = "stopifnot('folders' %in% loadedNamespaces());\
                    own <- asNamespace('folders');\
                    all <- list(own$file, own$inner$deep$a[[1]], attr(own$inner$deep, 'note'), getOption('folders.file'), Sys.getenv('FOLDERS_FILE'));\
                    cat(sub('-.*', '', sub(tempdir(), 'HERE', unlist(all), fixed = TRUE)), class(own$inner$deep), own$inner$deep$b);\
                    writeLines('x', own$file); cat('', bindingIsLocked('file', own), file.exists(getOption('folders.file')))";
        assert_eq!(session.prints(code).await, "HERE/of HERE HERE/of HERE/of file://HERE/of own 1 TRUE TRUE", "{log}");
    }
}

/// C code of a package with a random generator of its own, which gets its seed when the package is loaded.
fn generator(name: &str, kept: &str, seed: &str) -> String {
    format!(
        "#include <stdlib.h>\n#include <time.h>\n#include <sys/random.h>\n#include <Rinternals.h>\n#include <R_ext/Random.h>\n\
         {kept};\n\
         void R_init_{name}(void *dll) {{ {seed}; }}\n\
         SEXP draw(void) {{ *state = *state * 6364136223846793005ULL + 1442695040888963407ULL; return Rf_ScalarReal(*state >> 11); }}\n"
    )
}

#[tokio::test]
async fn a_preloaded_package_with_a_generator_of_its_own_draws_other_numbers_in_each_session() {
    const IN_LIBRARY: &str = "static unsigned long long own, *state = &own";
    const ON_HEAP: &str = "static unsigned long long *state";
    const DRAW: &str = "draw <- function() .Call('draw')";
    let library = Library::new()
        .with("fromsystem", DRAW, &generator("fromsystem", IN_LIBRARY, "getrandom(state, sizeof *state, 0)"))
        .with("fromtime", DRAW, &generator("fromtime", IN_LIBRARY, "*state = time(0)"))
        .with("fromr", DRAW, &generator("fromr", ON_HEAP, "state = malloc(64); GetRNGstate(); *state = unif_rand() * 1e15; PutRNGstate()"))
        .with("inr", "state <- NULL\n.onLoad <- function(...) state <<- stats::runif(1)\ndraw <- function() state", "")
        .with("always", DRAW, &generator("always", IN_LIBRARY, "*state = 1"));
    let packages = ["fromsystem", "fromtime", "fromr", "inr"];
    let server = library.preloaded(&[&packages[..], &["always"]].concat());
    let log = server.log();
    for (package, what) in
        packages.iter().zip(["variables of fromsystem.so", "variables of fromtime.so", "variables of fromr.so", "state of package inr"])
    {
        let line =
            format!("package {package} is not preloaded: it keeps what belongs to one process, and each session loads it anew: {what}\"");
        assert_eq!(log.matches(&line).count(), 1, "{log}");
    }
    let client = Client::admin(&server).await;
    let code = "stopifnot('always' %in% loadedNamespaces()); cat(format(c(fromsystem::draw(), fromr::draw(), inr::draw()), digits = 17))";
    let (first, second) = (client.session().await.prints(code).await, client.session().await.prints(code).await);
    for (first, second) in first.split_whitespace().zip(second.split_whitespace()) {
        assert_ne!(first, second, "{log}");
    }
    assert_eq!(first.split_whitespace().count(), 3, "{first}");
    // A seed that is always the same is what the package wants.
    let code = "cat(format(always::draw(), digits = 17))";
    assert_eq!(client.session().await.prints(code).await, client.session().await.prints(code).await);
}

/// The files of a zygote are not those of its sessions, and its descriptors are closed in them.
#[tokio::test]
async fn a_package_that_keeps_something_open_or_leaves_a_file_is_loaded_by_each_session() {
    let library = Library::new()
        .with("opened", ".onLoad <- function(...) own <<- file('/dev/null', 'r')\nown <- NULL\nlook <- function() readLines(own)", "")
        .with("left", ".onLoad <- function(...) writeLines('x', file.path(tempdir(), 'left'))\nlook <- function() readLines(file.path(tempdir(), 'left'))", "");
    let server = library.preloaded(&["opened", "left"]);
    let log = server.log();
    for line in [
        "package opened is not preloaded: it keeps what belongs to one process, and each session loads it anew: open /dev/null",
        "each session loads it anew: file left in the temporary folder",
    ] {
        assert!(log.contains(line), "{line}\n{log}");
    }
    let session = Client::admin(&server).await.session().await;
    assert_eq!(session.prints("cat(length(opened::look()), left::look())").await, "0 x", "{log}");
}

/// Package cli counts time by a thread, and half of the packages that people load need cli.
#[tokio::test]
async fn packages_that_need_cli_are_preloaded_and_show_progress_as_usual() {
    let server = Server::start("[sessions]\npool = 0\n[r]\npreload = ['tibble', 'ggplot2']");
    let log = server.log();
    assert!(
        log.contains("package tibble is preloaded, and each session has to start the thread by which package cli counts time"),
        "{log}"
    );
    let session = Client::admin(&server).await.session().await;
    let seen = "cat(c('cli', 'tibble', 'ggplot2') %in% loadedNamespaces(), sub('.*\\\\s', '', grep('^Threads', readLines('/proc/self/status'), value = TRUE)), nzchar(Sys.getenv('CLI_NO_THREAD')))";
    assert_eq!(session.prints(seen).await, "TRUE TRUE TRUE 2 FALSE", "{log}");
    // As in an R that has loaded cli by itself, progress is due after some time, and not at each step.
    let due = "options(cli.progress_show_after = 0); due <- function() cli:::`__cli_update_due`;\
               .Call(cli:::clic_tick_reset); cat(isTRUE(due()[1])); while (!isTRUE(due()[1])) Sys.sleep(0.01); cat('', isTRUE(due()[1]))";
    assert_eq!(session.prints(due).await, "FALSE TRUE");
    let drawn = session.run("print(ggplot2::ggplot(cars, ggplot2::aes(speed, dist)) + ggplot2::geom_point())").await;
    assert!(drawn["files"]["unnamedplot001.png"].is_object(), "{drawn}");
}
