//! Issuers of tokens.

use super::Findings;
use crate::{
    auth::issuers::{IssuerReport, report},
    config::{Config, issuer::IssuerSettings},
};

const SUBJECT: &str = "issuer";

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    for issuer in &config.auth.issuer {
        match report(issuer).await {
            Ok(report) => judge(issuer, &report, findings),
            Err(error) => findings.error(
                SUBJECT,
                format!("{}: {error}", issuer.name),
                "look at issuer, discovery and ca of this [[auth.issuer]], and whether this machine reaches it",
            ),
        }
    }
}

fn judge(issuer: &IssuerSettings, report: &IssuerReport, findings: &mut Findings) {
    let (name, algorithms) = (&issuer.name, issuer.algorithms.join(", "));
    if report.with_key.is_empty() {
        findings.error(
            SUBJECT,
            format!("{name}: it publishes no key for {algorithms}"),
            "set algorithms to what it signs its access tokens with, and no more",
        );
    } else if !report.unlisted.is_empty() {
        findings.warning(
            SUBJECT,
            format!("{name}: {} is not among the algorithms that it names for ID tokens", report.unlisted.join(", ")),
            "take it out of algorithms, unless its access tokens are signed so",
        );
    } else if !issuer.client_id.is_empty() && !report.has_login {
        findings.error(
            SUBJECT,
            format!("{name}: its document has no addresses for logins by a browser"),
            "remove client_id, or use another issuer",
        );
    } else {
        findings.good(SUBJECT, format!("{name}: {} names its keys, for {}", report.document, report.with_key.join(", ")));
    }
}
