//! How this dialect introduces itself on the start page.

use axum::http::HeaderMap;

use crate::api::{
    address,
    introduction::{BaseAddress, Introduction},
};

/// R Server's API as this server offers it. On a demonstration server the example works unchanged, because its passwords are known.
#[must_use]
pub fn introduce(headers: &HeaderMap, is_demonstration: bool) -> Introduction {
    let base = address(headers);
    let (name, password) = if is_demonstration { ("admin", "secret") } else { ("NAME", "PASSWORD") };
    Introduction {
        name: "Microsoft R Server",
        about: "Sessions for remote execution, and R code published as web services, as mrsdeploy and generated clients use them.",
        places: vec![
            BaseAddress { address: format!("{base}/login"), what: "access tokens" },
            BaseAddress { address: format!("{base}/sessions"), what: "sessions" },
            BaseAddress { address: format!("{base}/services"), what: "services; each is called below /api" },
        ],
        note: None,
        example: format!(
            "TOKEN=$(curl -s -d '{{\"username\":\"{name}\",\"password\":\"{password}\"}}' {base}/login |\n  \
             sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
             curl -s -H \"Authorization: Bearer $TOKEN\" -X POST {base}/sessions"
        ),
    }
}
