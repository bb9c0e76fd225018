//! How this dialect introduces itself on the start page.

use axum::http::HeaderMap;

use crate::{
    api::{
        address,
        introduction::{BaseAddress, Introduction},
    },
    app::App,
};

/// Rock's API as this server offers it. On a demonstration server the example works unchanged, because its passwords are known.
#[must_use]
pub fn introduce(app: &App, headers: &HeaderMap, is_demonstration: bool) -> Introduction {
    let base = address(headers);
    // If curl gets only a name, it asks for the password.
    let user = match (app.settings().rock.security, is_demonstration) {
        (false, _) => "",
        (true, true) => "-u user:password ",
        (true, false) => "-u NAME ",
    };
    Introduction {
        name: "OBiBa Rock",
        about: "R over REST, as rockr, Opal and MOLGENIS Armadillo speak it: a script goes in, its value comes back as JSON.",
        places: vec![
            BaseAddress { address: format!("{base}/r/sessions"), what: "sessions" },
            BaseAddress { address: format!("{base}/rserver"), what: "R and its packages" },
        ],
        note: (!app.settings().rock.security).then_some("It asks for no password: rock.security is off."),
        example: format!("curl -s {user}-H 'Content-Type: application/x-rscript' \\\n  -d 'mean(c(1, 2, 6))' {base}/r/_eval"),
    }
}
