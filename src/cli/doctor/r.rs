//! R: started as the server does, with one evaluation and one plot.

use std::{path::Path, sync::Arc};

use super::Findings;
use crate::{
    config::{Config, SandboxMode},
    link::{
        command::{Ending, Execute},
        messages::{Walls, folder},
    },
    session::{Admission, Opening, Session, Sessions},
    system::removal,
    wire::Encoding,
    with_sources,
};

/// Where fonts are looked for.
const FONTS: [&str; 3] = ["/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/texmf/fonts"];
/// A picture with axes and text has more bytes than one without.
const EMPTY_PLOT: u64 = 2_000;

/// R code that prints facts about R, one a line.
const CODE: &str = r#"
cat("sum", sum(1:100), "\n")
cat("locale", Sys.getlocale("LC_CTYPE"), "\n")
cat("blas", basename(extSoftVersion()[["BLAS"]]), "\n")
cat("lapack", La_version(), "\n")
cat("curl", libcurlVersion(), "\n")
cat("libraries", .libPaths(), "\n")
cat("png", capabilities("png"), "\n")
cat("cairo", capabilities("cairo"), "\n")
cat("missing", setdiff(strsplit(PRELOAD, " ")[[1]], loadedNamespaces()), "\n")
"#;

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    let name = format!("offshoot-doctor-{}", uuid::Uuid::new_v4());
    // Sessions of the server have their folders in the data folder, but that may not exist yet.
    let places = [std::env::temp_dir(), config.data.clone()].map(|place| place.join(&name));
    let (mut folder, mut made) = (places[0].clone(), make(&places[0]));
    if made.is_err() && make(&places[1]).is_ok() {
        (folder, made) = (places[1].clone(), Ok(()));
    }
    if let Err(error) = made {
        return findings.error("R", format!("{}: {error}", folder.display()), "make the folder for temporary files writable");
    }
    in_folder(config, &folder, findings).await;
    let _ = removal::remove(&folder);
    fonts(findings);
}

/// The walls around sessions.
fn walls(walls: &Walls, config: &Config, findings: &mut Findings) {
    if config.sessions.sandbox == SandboxMode::Off {
        return findings.warning(
            "sandbox",
            "it is off: sessions reach all that their user does",
            "set sessions.sandbox to auto or require",
        );
    }
    if walls.missing.is_empty() {
        findings.good("sandbox", format!("sessions have walls around them: {}", walls.present().join(", ")));
    }
    for missing in &walls.missing {
        findings.warning("sandbox", missing, "docs/security.md says what each system needs");
    }
}

fn make(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
}

async fn in_folder(config: &Config, folder: &Path, findings: &mut Findings) {
    let mut settings = config.sessions.clone();
    settings.pool = 0;
    let sessions = match Sessions::start(settings, config.r.clone(), folder, config.private_places()).await {
        Ok(sessions) => sessions,
        Err(error) => {
            return findings.error(
                "R",
                with_sources(&error),
                "install R with its shared library (apt-get install r-base-core), or set r.home and r.worker",
            );
        }
    };
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    let (running, built) = (sessions.r_version().to_owned(), env!("BUILT_FOR_R_VERSION"));
    if minor(&running) == minor(built) {
        findings.good("R", format!("{running}, in {}", config.r.home.display()));
    } else {
        findings.warning("R", format!("this is R {running}, and Offshoot was built for R {built}"), "build Offshoot again, with this R");
    }
    walls(sessions.walls(), config, findings);
    match sessions.open(Opening { owner: "doctor", ..Opening::default() }).await {
        Ok(session) => {
            evaluate(&session, config, findings).await;
            plot(&session, findings).await;
            sessions.close(&session);
        }
        Err(error) => {
            findings.error(
                "session",
                error.to_string(),
                "look at sessions.users, at the limits of this user, and at the log of the server",
            );
        }
    }
    sessions.stop(std::time::Duration::from_secs(5)).await;
}

/// Runs code. Returns what it printed, or what went wrong.
async fn run(session: &Arc<Session>, code: String) -> Result<(String, Vec<String>), String> {
    let execute = Execute { encoding: Encoding::TypedJson, ..Execute::default() };
    let answer = session.operate(execute, code.into(), Admission::Immediate).await.map_err(|error| error.to_string())?;
    match answer.reply.ending {
        Ending::Completed => Ok((answer.console, answer.reply.published.iter().map(|file| file.id.to_string()).collect())),
        Ending::Failed(condition) => Err(condition.message),
        other => Err(format!("{other:?}")),
    }
}

async fn evaluate(session: &Arc<Session>, config: &Config, findings: &mut Findings) {
    let code = format!("PRELOAD <- {:?}\n{CODE}", config.r.preload.join(" "));
    let printed = match run(session, code).await {
        Ok((printed, _)) => printed,
        Err(error) => return findings.error("evaluation", error, "start R by itself, and look whether it says the same"),
    };
    let said = |name: &str| printed.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    if said("sum") == "5050" {
        findings.good("evaluation", "sum(1:100) is 5050");
    } else {
        findings.error("evaluation", format!("sum(1:100) is {:?}", said("sum")), "install R again");
    }
    if said("locale").to_ascii_lowercase().replace('-', "").ends_with("utf8") {
        findings.good("locale", said("locale"));
    } else {
        findings.error("locale", format!("it is {}", said("locale")), "install the locale of r.locale, or set it to C.UTF-8");
    }
    findings.good(
        "libraries",
        format!("BLAS {}, LAPACK {}, curl {}; packages in {}", said("blas"), said("lapack"), said("curl"), said("libraries")),
    );
    if !said("missing").is_empty() {
        findings.error(
            "packages",
            format!("these of r.preload are not loaded: {}", said("missing")),
            "install them, or take them out of r.preload",
        );
    }
    if said("png") != "TRUE" || said("cairo") != "TRUE" {
        findings.error(
            "graphics",
            "this R draws no PNG files with cairo",
            "install an R that was built with cairo and png (r-base-core is)",
        );
    }
}

async fn plot(session: &Arc<Session>, findings: &mut Findings) {
    const SUBJECT: &str = "plot";
    const MEND: &str = "install what R's graphics need: apt-get install libcairo2 libpango-1.0-0 fonts-dejavu-core";
    let file = match run(session, "plot(cars, main = 'speed, distance')".to_owned()).await {
        Ok((_, files)) => files.first().map(|id| session.folder.join(folder::FILES).join(id)),
        Err(error) => return findings.error(SUBJECT, error, MEND),
    };
    let bytes = file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
    if bytes.starts_with(b"\x89PNG") && bytes.len() as u64 > EMPTY_PLOT {
        findings.good(SUBJECT, format!("a PNG file of {} bytes", bytes.len()));
    } else {
        findings.error(SUBJECT, format!("what came is no picture with text: {} bytes", bytes.len()), MEND);
    }
}

fn fonts(findings: &mut Findings) {
    let count: usize = FONTS.iter().map(|folder| count_fonts(Path::new(folder), 6)).sum();
    if count > 0 {
        findings.good("fonts", format!("{count} files"));
    } else {
        findings.error("fonts", "there are none, and plots have no text", "apt-get install fonts-dejavu-core");
    }
}

/// Font files in a folder and, for some levels, below.
fn count_fonts(folder: &Path, levels: usize) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |path: std::path::PathBuf| {
        if path.is_dir() && levels > 0 {
            return count_fonts(&path, levels - 1);
        }
        let is_font = path.extension().and_then(|end| end.to_str()).is_some_and(|end| ["ttf", "otf", "ttc", "pfb", "t1"].contains(&end));
        usize::from(is_font)
    };
    entries.flatten().map(|entry| count(entry.path())).sum()
}
