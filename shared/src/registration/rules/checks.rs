//! The rules for what is checked before a release, and for freezes.

use std::collections::BTreeSet;

use super::Violation;
use crate::registration::{AnswerSchema, HealthCheck, Registration, Smoke};

const URL_LENGTH_MAX: usize = 2_048;
/// A smoke test is a small question. Lambda would take 6 MB, but the ledger holds the registration in one item of 400 KB.
const PAYLOAD_BYTES_MAX: usize = 128 * 1024;

impl Registration {
    pub(super) fn check_preflight(&self, violations: &mut Vec<Violation>) {
        if let Some(smoke) = &self.preflight.smoke {
            check_smoke(smoke, violations);
        }
        if let Some(health) = &self.preflight.health {
            check_health("preflight.health", health, violations);
        }
        check_attestations(&self.preflight.attestations, violations);
        for (index, freeze) in self.freezes.iter().enumerate() {
            let field = format!("freezes[{index}]");
            if freeze.reason.trim().is_empty() {
                let rule = "says why, because people read it when they are refused";
                violations.push(Violation::new(
                    format!("{field}.reason"),
                    format!("{:?}", freeze.reason),
                    rule,
                ));
            }
            violations.extend(freeze.span(&field).err().into_iter().flatten());
        }
    }
}

fn check_smoke(smoke: &Smoke, violations: &mut Vec<Violation>) {
    let bytes = smoke.payload.to_string().len();
    if bytes > PAYLOAD_BYTES_MAX {
        let rule = format!("at most {PAYLOAD_BYTES_MAX} bytes of JSON");
        violations.push(Violation::new("preflight.smoke.payload", format!("{bytes} bytes long"), rule));
    }
    if let Some(status) = smoke.status {
        check_status("preflight.smoke.status", status, violations);
    }
    if let Some(schema) = &smoke.schema {
        let bytes = schema.to_string().len();
        if bytes > PAYLOAD_BYTES_MAX {
            let rule = format!("at most {PAYLOAD_BYTES_MAX} bytes of JSON");
            violations.push(Violation::new("preflight.smoke.schema", format!("{bytes} bytes long"), rule));
        } else if let Err(invalid) = AnswerSchema::parse(schema) {
            violations.push(Violation::new("preflight.smoke.schema", "not valid", invalid.to_string()));
        }
    }
    for (index, expectation) in smoke.expect.iter().enumerate() {
        if !expectation.pointer.is_empty() && !expectation.pointer.starts_with('/') {
            let rule = "a JSON pointer, which begins with '/'; an empty one is the whole answer";
            violations.push(Violation::new(
                format!("preflight.smoke.expect[{index}].pointer"),
                format!("{:?}", expectation.pointer),
                rule,
            ));
        }
    }
}

/// The rules for an address that must answer, wherever it is registered.
pub(super) fn check_health(field: &str, health: &HealthCheck, violations: &mut Vec<Violation>) {
    let url = &health.url;
    let length = url.chars().count();
    if length > URL_LENGTH_MAX {
        let rule = format!("at most {URL_LENGTH_MAX} characters");
        violations.push(Violation::new(format!("{field}.url"), format!("{length} characters long"), rule));
    } else if let Some((value, rule)) = url_breach(url) {
        violations.push(Violation::new(format!("{field}.url"), value, rule));
    } else if health.forbidden_address().is_some() {
        let rule = "an address that is not public is only asked with \"private\": true";
        violations.push(Violation::new(format!("{field}.url"), format!("{url:?}"), rule));
    }
    check_status(&format!("{field}.status"), health.status, violations);
}

fn check_status(field: &str, status: u16, violations: &mut Vec<Violation>) {
    if !(100..=599).contains(&status) {
        violations.push(Violation::new(field, status, "a status of HTTP, between 100 and 599"));
    }
}

fn url_breach(url: &str) -> Option<(String, &'static str)> {
    let shown = format!("{url:?}");
    let Some((authority, _)) = HealthCheck::parts(url) else {
        return Some((shown, "an address that begins with http:// or https:// and names a host"));
    };
    if let Some((_, host)) = authority.rsplit_once('@') {
        // What is refused here is printed, in the logs of a pipeline perhaps.
        let rule = "without credentials: the registration is no place for secrets";
        Some((format!("an address with credentials for {host}"), rule))
    } else if !url.chars().all(|c| c.is_ascii_graphic()) || url.contains('#') {
        Some((shown, "visible ASCII characters, and no fragment, which a server never sees"))
    } else if !has_usable_port(authority) {
        Some((shown, "a host, and behind it a port from 1 to 65535 or none"))
    } else {
        None
    }
}

/// The client would ask at the usual port where it cannot read the one that is given.
fn has_usable_port(authority: &str) -> bool {
    let host_and_port = authority.split_once("://").map_or(authority, |(_, host_and_port)| host_and_port);
    // The colons of an IPv6 address stand within brackets.
    let after_brackets = host_and_port.rsplit_once(']').map_or(host_and_port, |(_, port)| port);
    match after_brackets.split_once(':') {
        Some((host, port)) => {
            let is_named = !host.is_empty() || after_brackets != host_and_port;
            let digits = !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
            is_named && digits && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => true,
    }
}

fn check_attestations(names: &[String], violations: &mut Vec<Violation>) {
    let mut seen = BTreeSet::new();
    for (index, name) in names.iter().enumerate() {
        let is_plain = (1..=64).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c));
        let rule = if !is_plain {
            "1 to 64 letters, digits, '-', '_' or '.'"
        } else if !seen.insert(name) {
            "an attestation is named once"
        } else {
            continue;
        };
        violations.push(Violation::new(
            format!("preflight.attestations[{index}]"),
            format!("{name:?}"),
            rule,
        ));
    }
}
