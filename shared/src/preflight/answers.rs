//! What the service answers: may the new version be called, does it answer as it should, is its address well?

use serde_json::Value;

use super::facts::{Answers, HealthAnswer, Seen, SmokeAnswer};
use super::subject::Subject;
use super::{Check, Remark, cut};
use crate::registration::{AnswerSchema, HealthCheck, Smoke, SmokeExpectation, without_query};

/// So many unmet expectations are told one by one.
const UNMET_TOLD_MAX: usize = 3;

impl Subject<'_> {
    /// Lambda would let the version be called.
    pub(super) fn check_invocable(&self, invocable: &Seen<()>) -> Check {
        let version = format!("{}:{}", self.alias.function, self.change.candidate);
        let remark = match invocable {
            Ok(()) => Remark::passed(format!("{version} may be called")),
            Err(unseen) => Remark::failed(format!("that {version} may be called {unseen}")),
        };
        remark.of("invocable")
    }

    /// The checks of what was asked of the service.
    pub(super) fn check_answers(&self, answers: &Answers) -> Vec<Check> {
        let preflight = &self.record.registration.preflight;
        let smoke = preflight.smoke.as_ref().map(|smoke| self.smoke(smoke, answers.smoke.as_ref()));
        let health = preflight.health.as_ref().map(|health| check_health(health, answers.health.as_ref()));
        smoke.into_iter().chain(health).collect()
    }

    fn smoke(&self, smoke: &Smoke, answer: Option<&Seen<SmokeAnswer>>) -> Check {
        let version = self.change.candidate;
        let remarks = match answer {
            None => vec![Remark::failed(format!("version {version} was not asked"))],
            Some(Err(unseen)) => vec![Remark::failed(format!("the answer of version {version} {unseen}"))],
            Some(Ok(SmokeAnswer { function_error: Some(error), payload })) => {
                vec![Remark::failed(format!("version {version} failed ({error}): {}", cut(payload)))]
            }
            Some(Ok(SmokeAnswer { function_error: None, payload })) => {
                expectations(smoke, payload, &format!("version {version}"))
            }
        };
        Check::of("smoke", remarks)
    }
}

fn expectations(smoke: &Smoke, payload: &str, version: &str) -> Vec<Remark> {
    let expected = smoke.expect.len() + usize::from(smoke.status.is_some());
    if expected == 0 && smoke.schema.is_none() {
        return vec![Remark::passed(format!("{version} answered without failing"))];
    }
    let Ok(answer) = serde_json::from_str::<Value>(payload) else {
        return vec![Remark::failed(format!("{version} answered what is no JSON: {}", cut(payload)))];
    };
    let status = smoke.status.and_then(|status| unmet_status(status, &answer));
    let unmet: Vec<String> = status
        .into_iter()
        .chain(smoke.expect.iter().filter_map(|expectation| unmet(expectation, &answer)))
        .collect();
    let mut remarks = Vec::new();
    if !unmet.is_empty() {
        let count = unmet.len();
        remarks.push(Remark::failed(format!("{version} does not meet {count} of {expected} expectations")));
        remarks.extend(unmet.into_iter().take(UNMET_TOLD_MAX).map(Remark::failed));
    } else if expected > 0 {
        remarks.push(Remark::passed(format!("{version} meets all of {expected} expectations")));
    }
    remarks.extend(smoke.schema.iter().flat_map(|schema| satisfies(schema, &answer, version)));
    remarks
}

/// Whether the answer satisfies the schema, and where not.
fn satisfies(schema: &Value, answer: &Value, version: &str) -> Vec<Remark> {
    // It was registered by a suite with other rules, or never ends. What it demands is not known, so it may be unmet.
    let unknown = |why: &dyn std::fmt::Display| {
        vec![Remark::failed(format!(
            "whether the answer of {version} satisfies its schema is not known: {why}"
        ))]
    };
    let breaches = match AnswerSchema::parse(schema).map(|schema| schema.breaches(answer)) {
        Ok(Ok(breaches)) => breaches,
        Ok(Err(endless)) => return unknown(&endless),
        Err(invalid) => return unknown(&invalid),
    };
    if breaches.is_empty() {
        return vec![Remark::passed(format!("the answer of {version} satisfies its schema"))];
    }
    let told = format!("the answer of {version} breaks its schema in {} places", breaches.len());
    let breaches = breaches.into_iter().take(UNMET_TOLD_MAX).map(Remark::failed);
    std::iter::once(Remark::failed(told)).chain(breaches).collect()
}

/// The status that stands in the answer in place of the one that is expected. API Gateway takes a number as text, too.
fn unmet_status(status: u16, answer: &Value) -> Option<String> {
    let found = answer.pointer("/statusCode");
    let is_met = match found {
        Some(Value::Number(number)) => number.as_f64() == Some(f64::from(status)),
        Some(Value::String(text)) => text.parse() == Ok(status),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => false,
    };
    let shown = found.map_or("missing".to_owned(), |found| cut(&found.to_string()));
    (!is_met).then(|| format!("/statusCode is {shown}, expected {status}"))
}

/// What stands in the answer in place of what is expected there.
fn unmet(SmokeExpectation { pointer, equals }: &SmokeExpectation, answer: &Value) -> Option<String> {
    let found = answer.pointer(pointer);
    let place = if pointer.is_empty() { "the answer" } else { pointer };
    let shown = found.map_or("missing".to_owned(), |found| cut(&found.to_string()));
    (found != Some(equals)).then(|| format!("{place} is {shown}, expected {}", cut(&equals.to_string())))
}

/// The address that must answer has answered as it should.
pub fn check_health(health: &HealthCheck, answer: Option<&Seen<HealthAnswer>>) -> Check {
    let (url, status) = (cut(health.shown()), &health.status);
    let remark = match answer {
        None => Remark::failed(format!("{url} was not asked")),
        Some(Err(unseen)) => Remark::failed(format!("the answer of {url} {unseen}")),
        Some(Ok(answer)) if answer.status == *status => Remark::passed(format!("{url} answered {status}")),
        Some(Ok(HealthAnswer { status: found, location: Some(location), .. })) => Remark::failed(format!(
            "{url} answered {found} with a redirect to {}, expected {status}: redirects are not followed",
            // It often repeats the query that it answers.
            cut(without_query(location))
        )),
        Some(Ok(HealthAnswer { status: found, location: None, body })) => {
            let body = if body.is_empty() { String::new() } else { format!(": {}", cut(body)) };
            Remark::failed(format!("{url} answered {found}, expected {status}{body}"))
        }
    };
    remark.of("health")
}
