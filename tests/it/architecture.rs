//! Keeps the structure of ARCHITECTURE.md: which room may use which, and what must not occur in any.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The rooms, and those that each may use. A new arrow has to be added here and to ARCHITECTURE.md; fewer are better. A dialect reaches
/// sessions, the store and R only through `app`. From `server` it may learn how requests come, from `config` its own section, and from
/// `wire` how values are written.
const ARROWS: [(&str, &[&str]); 16] = [
    ("wire", &[]),
    ("system", &[]),
    ("foreign_hash", &[]),
    ("config", &["foreign_hash"]),
    ("link", &["wire"]),
    ("r", &["wire"]),
    ("worker", &["link", "r", "system", "wire"]),
    ("telemetry", &["config"]),
    ("store", &["config", "wire"]),
    ("session", &["config", "link", "system"]),
    ("packages", &["config", "link", "session", "system", "worker"]),
    ("auth", &["config", "foreign_hash", "store", "telemetry"]),
    ("app", &["auth", "config", "link", "packages", "session", "store", "system", "telemetry", "wire"]),
    ("server", &["auth", "config", "telemetry"]),
    ("api", &["app", "auth", "config", "server", "wire"]),
    ("site", &["api", "app", "auth", "config", "server", "telemetry"]),
];
/// The command line may use every room.
const TOP: [&str; 1] = ["cli"];

/// Files that may have `unsafe` code, besides the room that knows R.
const UNSAFE: [&str; 16] = [
    "cli/serve.rs",
    "link/shared.rs",
    "system/environment.rs",
    "system/leftovers.rs",
    "system/locks.rs",
    "system/processes.rs",
    "system/sandbox/calls.rs",
    "system/sandbox/connections.rs",
    "system/sandbox/private.rs",
    "worker/fork.rs",
    "worker/libraries.rs",
    "worker/pages.rs",
    "worker/reaping.rs",
    "worker/setup.rs",
    "worker/signals.rs",
    "r/",
];

/// Dialects, each with the words that only it may use.
const DIALECTS: [(&str, &[&str]); 4] =
    [("revodeployr", &["deployr"]), ("rock", &["rock"]), ("mlserver", &["mlserver"]), ("rtvs", &["rtvs"])];

/// Places that may name a dialect, besides its own folder and its section of the configuration, and why.
const NAMING_DIALECTS: [(&str, &str); 14] = [
    ("api/mod.rs", "puts the dialects together"),
    ("api/unrouted.rs", "finds the dialect whose paths an unknown path looks like"),
    ("config/mod.rs", "puts the sections together"),
    ("config/listen.rs", "finds the certificate of each listener"),
    ("config/layers.rs", "reads accounts from the variables of Rock's container"),
    ("app/logins.rs", "asks how long a login lasts, which is a setting of RevoDeployR's"),
    ("auth/gate.rs", "lets pages of the web context in, which is a setting of RevoDeployR's"),
    ("cli/serve.rs", "declares the accounts that are in Rock's section"),
    ("cli/mod.rs", "has the command that takes the place of the daemon of remote workspaces"),
    ("cli/rtvsd/mod.rs", "is that command"),
    ("cli/rtvsd/settings.rs", "reads the settings of that daemon"),
    ("cli/doctor/network.rs", "looks at each listener"),
    ("cli/demo.rs", "has an address of RevoDeployR's in an example"),
    ("wire/typed/input/xml.rs", "reads the outermost element of inputs, which is called like the product"),
];

/// Rooms that run in processes with one thread.
const WITHOUT_RUNTIME: [&str; 4] = ["link", "r", "wire", "worker"];

/// Type names that are declared in two places, and why.
const SHARED_NAMES: [(&str, &str); 8] = [
    ("Ending", "how an evaluation ended: `r` does not know `link`, and `worker` makes the one of the other"),
    ("Error", "the answer of each dialect to a request that failed"),
    ("Handler", "the functions in each dialect's table of routes"),
    ("Incoming", "a request, as each dialect has read it"),
    ("Kind", "what an object of the store is, and what a plain value is declared to be"),
    ("Parameter", "what a script takes, and what plain inputs are declared to be"),
    ("Route", "a row of each dialect's table of routes"),
    ("Scratch", "the memory of each of the three writers of values"),
];

/// A source file, without its comments.
struct Source {
    path: PathBuf,
    /// Its path below `src/`.
    name: String,
    lines: Vec<String>,
}

impl Source {
    /// The room of the file: a folder, or a file beside the folders.
    fn room(&self) -> &str {
        self.name.split('/').next().unwrap().trim_end_matches(".rs")
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{}", self.path.display(), line + 1)
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let text = fs::read_to_string(&path).unwrap();
                // Tests at the end of a file may use anything.
                let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
                let lines = code.lines().map(|line| line.split("//").next().unwrap().to_owned()).collect();
                found.push(Source { path, name, lines });
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The rooms that a file names by `crate::room`, also in a list of several, each with the line.
fn named_rooms(source: &Source) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    let mut depth = None;
    for (at, line) in source.lines.iter().enumerate() {
        let mut rest = line.as_str();
        if depth.is_none() {
            while let Some(found) = rest.find("crate::") {
                rest = &rest[found + "crate::".len()..];
                if let Some(list) = rest.strip_prefix('{') {
                    depth = Some(1);
                    rest = list;
                    break;
                }
                named.push((at, word(rest)));
            }
        }
        if let Some(open) = &mut depth {
            let mut start = true;
            for (offset, letter) in rest.char_indices() {
                match letter {
                    '{' => *open += 1,
                    '}' => *open -= 1,
                    ',' => start = true,
                    letter if *open == 1 && start && letter.is_alphabetic() => {
                        named.push((at, word(&rest[offset..])));
                        start = false;
                    }
                    _ => {}
                }
                if *open == 0 {
                    break;
                }
            }
            if *open == 0 {
                depth = None;
            }
        }
    }
    named.retain(|(_, room)| !room.is_empty());
    named
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn rooms_know_those_that_they_may_know_and_no_others() {
    let rooms: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).chain(TOP).collect();
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for source in sources() {
        let Some((from, allowed)) = ARROWS.iter().find(|(room, _)| *room == source.room()) else { continue };
        for (line, to) in named_rooms(&source) {
            if to == *from || !rooms.contains(to.as_str()) {
                continue;
            }
            if allowed.contains(&to.as_str()) {
                used.insert((*from, to));
            } else {
                wrong.push(format!("{}: `{from}` knows `{to}`, and may not", source.at(line)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // An arrow that is no longer used must be removed, or its return would not be noticed.
    let unused: Vec<_> = ARROWS
        .iter()
        .flat_map(|(from, allowed)| allowed.iter().map(move |to| (*from, *to)))
        .filter(|(from, to)| !used.contains(&(*from, (*to).to_owned())))
        .collect();
    assert!(unused.is_empty(), "arrows that nobody uses: {unused:?}");
}

#[test]
fn every_folder_of_the_source_is_a_room_of_the_table() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).chain(TOP).chain(["main", "lib", "bin"]).collect();
    let unknown: BTreeSet<_> =
        sources().iter().map(|source| source.room().to_owned()).filter(|room| !known.contains(room.as_str())).collect();
    assert!(unknown.is_empty(), "rooms that are in no table: {unknown:?}");
}

#[test]
fn unsafe_code_is_where_it_may_be() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !UNSAFE.iter().any(|place| source.name.starts_with(place))) {
        for (at, line) in source.lines.iter().enumerate() {
            if ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait"].iter().any(|code| line.contains(code)) {
                wrong.push(format!("{}: unsafe code outside of {UNSAFE:?}", source.at(at)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_runs_in_a_worker_has_no_runtime_and_no_http() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| WITHOUT_RUNTIME.contains(&source.room())) {
        for (at, line) in source.lines.iter().enumerate() {
            if let Some(library) = ["tokio", "axum", "hyper"].iter().find(|library| line.contains(&format!("{library}::"))) {
                wrong.push(format!("{}: {library} in a room whose processes have one thread", source.at(at)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dialects_are_named_by_themselves_and_where_they_are_put_together() {
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    // Files of tests may use anything.
    for source in sources().iter().filter(|source| !source.name.ends_with("tests.rs")) {
        for (dialect, words) in DIALECTS {
            if source.name.starts_with(&format!("api/{dialect}/")) || source.name == format!("config/{dialect}.rs") {
                continue;
            }
            for (at, line) in source.lines.iter().enumerate() {
                let line = line.to_lowercase();
                if !words.iter().any(|word| line.contains(word)) {
                    continue;
                }
                match NAMING_DIALECTS.iter().find(|(file, _)| *file == source.name) {
                    Some((file, _)) => drop(used.insert(*file)),
                    None => wrong.push(format!("{}: names the dialect {dialect}, and may not", source.at(at))),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<_> = NAMING_DIALECTS.iter().filter(|(file, _)| !used.contains(file)).collect();
    assert!(unused.is_empty(), "these name no dialect any more: {unused:?}");
}

/// The name of the type that the line declares for other rooms.
fn declared_type(line: &str) -> Option<String> {
    let line = line.trim_start();
    let declared = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) "))?;
    let declared = declared.strip_prefix("unsafe ").unwrap_or(declared);
    ["struct ", "enum ", "union ", "trait ", "type "].iter().find_map(|keyword| declared.strip_prefix(keyword)).map(word)
}

#[test]
fn a_type_name_means_one_thing() {
    let mut declared = BTreeMap::<String, Vec<String>>::new();
    for source in sources() {
        for (at, line) in source.lines.iter().enumerate() {
            if let Some(name) = declared_type(line) {
                declared.entry(name).or_default().push(source.at(at));
            }
        }
    }
    declared.retain(|_, places| places.len() > 1);
    let unused: Vec<_> = SHARED_NAMES.iter().filter(|(name, _)| declared.remove(*name).is_none()).collect();
    assert!(declared.is_empty(), "names of several types: {declared:#?}");
    assert!(unused.is_empty(), "these are names of one type: {unused:?}");
}

#[test]
fn files_have_one_subject() {
    let long: Vec<_> = sources()
        .iter()
        .map(|source| (source.name.clone(), fs::read_to_string(&source.path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .collect();
    assert!(long.is_empty(), "files with more than 500 lines have two subjects: {long:?}");
}
