//! What the doctor says: a rule, how grave it is, where, what is wrong there, and what would mend it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::document::{Node, Place};
use super::rules::Rule;
use super::template::{Resource, Template};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    /// Worth knowing.
    Note,
    /// A rollback may come late, or for the wrong reason.
    Warning,
    /// A release hangs or fails, or a rollback cannot happen.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// What a rule sees in a template.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) severity: Severity,
    pub(super) resource: String,
    pub(super) at: Place,
    pub(super) message: String,
    pub(super) mend: String,
}

impl Sign {
    /// Something about a resource as a whole; also what is missing in it.
    pub(super) fn of(severity: Severity, resource: &Resource, message: String, mend: String) -> Self {
        Self { severity, resource: resource.id.clone(), at: resource.at, message, mend }
    }

    /// The same, at one of its values.
    pub(super) fn at(self, node: &Node) -> Self {
        Self { at: node.at, ..self }
    }
}

/// A finding, as it is printed. The names of these fields are what scripts read.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(super) rule: Rule,
    pub(super) severity: Severity,
    pub(super) place: Whereabouts,
    pub(super) message: String,
    pub(super) mend: String,
}

/// Where a finding is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Whereabouts {
    /// In a template.
    Template {
        file: PathBuf,
        #[serde(flatten)]
        at: Place,
        resource: String,
        property: Option<String>,
    },
    /// In the account.
    Account { service: String, subject: String },
}

impl Finding {
    pub(super) fn in_template(rule: Rule, sign: Sign, file: &Path, template: &Template) -> Self {
        let path = template.path_of(sign.at).filter(|path| !path.is_empty());
        let place = Whereabouts::Template {
            file: file.to_owned(),
            at: sign.at,
            resource: sign.resource,
            property: path,
        };
        Self { rule, severity: sign.severity, place, message: sign.message, mend: sign.mend }
    }

    /// What order findings are read in.
    pub(super) fn order(&self) -> (PathBuf, Option<Place>, String, Rule) {
        match &self.place {
            Whereabouts::Template { file, at, resource, .. } => {
                (file.clone(), Some(*at), resource.clone(), self.rule)
            }
            Whereabouts::Account { service, subject } => {
                (PathBuf::from(service), None, subject.clone(), self.rule)
            }
        }
    }
}
