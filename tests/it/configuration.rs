//! docs/configuration.md is generated from the configuration's types: their fields, defaults and comments.

use std::{collections::HashMap, fmt::Write, path::Path};

use offshoot::config::Config;

/// The sources of the types.
const SOURCES: [&str; 10] = [
    include_str!("../../src/config/mod.rs"),
    include_str!("../../src/config/auth.rs"),
    include_str!("../../src/config/issuer.rs"),
    include_str!("../../src/config/ldap.rs"),
    include_str!("../../src/config/listen.rs"),
    include_str!("../../src/config/mlserver.rs"),
    include_str!("../../src/config/rock.rs"),
    include_str!("../../src/config/rtvs.rs"),
    include_str!("../../src/config/services.rs"),
    include_str!("../../src/config/snapshots.rs"),
];

const INTRODUCTION: &str = "# Settings

This page is made from the source: `UPDATE_DOCS=1 cargo test --test it configuration::` writes it, and `make test`
fails while it is out of date.

Settings come from four sources; a later one overrides an earlier one: defaults, the TOML file that `--config` (or
`OFFSHOOT_CONFIG`) names, environment variables, and flags. The environment variable of a setting is `OFFSHOOT_`, the
section, `_` and the key, in capitals; items of lists are separated by commas. If a name or a value is wrong, the server
does not start, and says which one.

`offshoot serve --print-config` shows the settings in force, with secrets masked. `offshoot doctor` says whether a server
with these settings would work. Settings that can be changed while the server runs are policies: see `offshoot policy`.
";

/// The fields of the structs in the sources, with their types and comments.
fn fields() -> HashMap<(String, String), (String, String)> {
    let mut fields = HashMap::new();
    for source in SOURCES {
        let (mut of, mut comment) = (String::new(), String::new());
        for line in source.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("///") {
                write!(comment, "{text}").unwrap();
            } else if let Some(rest) = line.strip_prefix("pub struct ") {
                rest.split([' ', '(', '<']).next().unwrap().clone_into(&mut of);
                comment.clear();
            } else if let Some((name, kind)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")) {
                let known = (of.clone(), name.to_owned());
                fields.insert(known, (kind.trim_end_matches(',').to_owned(), comment.trim().to_owned()));
                comment.clear();
            } else if !line.starts_with("#[") {
                comment.clear();
            }
        }
    }
    fields
}

/// Without links to other items of the source, which the page does not have.
fn plain(comment: &str) -> String {
    assert!(!comment.contains("[`"), "a comment of a setting has no links: {comment}");
    comment.replace('|', "\\|")
}

fn section(page: &mut String, of: &str, name: &str, table: &toml::Table) {
    let fields = fields();
    writeln!(page, "\n| setting | default | variable | |\n|---|---|---|---|").unwrap();
    for (key, default) in table {
        let (_, comment) = fields.get(&(of.to_owned(), key.clone())).unwrap_or_else(|| panic!("{of}.{key} has no comment"));
        assert!(!comment.is_empty(), "{of}.{key} has no comment");
        let path = if name.is_empty() { key.clone() } else { format!("{name}_{key}") };
        let variable =
            if default.is_table() || name.starts_with('[') { "-".to_owned() } else { format!("`OFFSHOOT_{}`", path.to_uppercase()) };
        let default = match default {
            _ if key == "home" => "where R was at the build".to_owned(),
            toml::Value::Table(keys) if !keys.is_empty() => format!("the section `[{name}.{key}]`"),
            default => format!("`{default}`"),
        };
        writeln!(page, "| `{key}` | {default} | {variable} | {} |", plain(comment)).unwrap();
    }
}

fn page() -> String {
    let all = toml::Table::try_from(Config::default()).unwrap();
    let types = fields();
    let mut page = INTRODUCTION.to_owned();
    let (sections, keys): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, value)| value.is_table());
    writeln!(page, "\n## Before the first section").unwrap();
    section(&mut page, "Config", "", &keys.into_iter().collect());
    for (name, value) in sections {
        let (of, comment) = &types[&("Config".to_owned(), name.clone())];
        writeln!(page, "\n## [{name}]\n\n{}", plain(comment)).unwrap();
        section(&mut page, of, &name, value.as_table().unwrap());
        if name == "auth" {
            let directory = toml::Table::try_from(offshoot::config::ldap::Ldap::default()).unwrap();
            writeln!(page, "\n## [[auth.source]] with kind = \"ldap\"\n\nA directory that is asked by LDAP.").unwrap();
            section(&mut page, "Ldap", "[[auth.source]]", &directory);
        }
    }
    page
}

#[test]
fn the_page_of_the_settings_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap();
    assert!(written == page, "docs/configuration.md is out of date: UPDATE_DOCS=1 cargo test --test it configuration::");
}
