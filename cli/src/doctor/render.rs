//! A diagnosis as people read it.

use std::fmt;

use clap::builder::styling::Style;
use serde::Serialize;

use super::Diagnosis;
use super::finding::{Finding, Severity, Whereabouts};
use super::rules::Rule;
use crate::output::{BAD, FAINT, GOOD, NAME, WARN, styled};

pub(super) fn diagnosis(f: &mut fmt::Formatter<'_>, diagnosis: &Diagnosis) -> fmt::Result {
    let mut heading = String::new();
    for finding in &diagnosis.findings {
        let of = heading_of(finding);
        if of != heading {
            writeln!(f, "{}", styled(NAME, &of))?;
            heading = of;
        }
        one(f, finding)?;
    }
    for unreadable in &diagnosis.unreadable {
        writeln!(
            f,
            "{}: {} {}",
            styled(NAME, unreadable.file.display()),
            styled(BAD, "not readable:"),
            unreadable.error
        )?;
    }
    let looked_at = count(diagnosis.looked_at.len(), "place", "places");
    let tally = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        let number = diagnosis.findings.iter().filter(|finding| finding.severity == severity).count();
        count(number, &severity.to_string(), &format!("{severity}s"))
    });
    if diagnosis.findings.is_empty() && diagnosis.unreadable.is_empty() {
        return writeln!(f, "{} in {}", styled(GOOD, "no findings"), diagnosis.looked_at.join(", "));
    }
    writeln!(f, "{} in {looked_at}", tally.join(", "))
}

fn heading_of(finding: &Finding) -> String {
    match &finding.place {
        Whereabouts::Template { file, .. } => file.display().to_string(),
        Whereabouts::Account { service, .. } => format!("service {service}"),
    }
}

fn one(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let severity = styled(style_of(finding.severity), finding.severity);
    let rule = styled(FAINT, format!("[{}]", finding.rule));
    match &finding.place {
        Whereabouts::Template { file, at, resource, property } => {
            let path = property.as_ref().map(|path| format!(" {}", styled(FAINT, path))).unwrap_or_default();
            let place = format!("{}:{}:{}", file.display(), at.line, at.column);
            writeln!(f, "  {severity} {place} {}{} {rule}", styled(NAME, resource), path)?;
        }
        Whereabouts::Account { subject, .. } => {
            writeln!(f, "  {severity} {} {rule}", styled(NAME, subject))?;
        }
    }
    writeln!(f, "    {}", finding.message)?;
    for (index, line) in finding.mend.lines().enumerate() {
        let label = if index == 0 { styled(FAINT, "mend:") } else { "     ".to_owned() };
        writeln!(f, "    {label} {line}")?;
    }
    writeln!(f)
}

fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Error => BAD,
        Severity::Warning => WARN,
        Severity::Note => FAINT,
    }
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The rules, for `--list-rules`.
#[derive(Debug, Serialize)]
pub(super) struct Rules {
    rules: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Listed {
    rule: Rule,
    finds: &'static str,
    why: &'static str,
}

impl Rules {
    pub(super) fn all() -> Self {
        let listed = |rule: Rule| Listed { rule, finds: rule.about().title, why: rule.about().why };
        Self { rules: Rule::EVERY.map(listed).into() }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rules.iter().map(|listed| listed.rule.id().len()).max().unwrap_or_default();
        for Listed { rule, finds, .. } in &self.rules {
            writeln!(f, "{}  {finds}", styled(NAME, format!("{:width$}", rule.id())))?;
        }
        Ok(())
    }
}
