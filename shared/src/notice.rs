//! What people are told, in the custom schema that Amazon Q Developer in chat applications renders for Slack and Teams.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::ServiceName;

/// A message to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// How loud it is.
    pub severity: Severity,
    /// The service that it is about.
    pub service: ServiceName,
    /// What happened, in a line.
    pub title: String,
    /// Why, with the numbers.
    pub description: String,
    /// What the reader may want to do now.
    pub next_steps: Vec<String>,
    /// What binds the messages about one thing together: the release.
    pub thread: String,
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Something was put right, and wants a review.
    Warning,
    /// A person is needed now.
    Page,
}

impl Severity {
    /// The name on the wire, for subscription filters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Page => "page",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Info => ":information_source:",
            Self::Warning => ":leftwards_arrow_with_hook:",
            Self::Page => ":rotating_light:",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The subject line of an SNS e-mail: ASCII, no line breaks, at most 100 characters.
const SUBJECT_LENGTH_MAX: usize = 100;
/// The schema allows 8,000 characters in a description.
const DESCRIPTION_LENGTH_MAX: usize = 8_000;
/// The schema allows 250 characters in a title.
const TITLE_LENGTH_MAX: usize = 250;

impl Notice {
    /// The message body.
    pub fn message(&self) -> Value {
        json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": cut(&format!("{} {}", self.severity.sign(), self.title), TITLE_LENGTH_MAX),
                "description": cut(&self.description, DESCRIPTION_LENGTH_MAX),
                "nextSteps": self.next_steps,
                "keywords": [self.service.as_str(), self.severity.as_str()],
            },
            "metadata": {
                "threadId": self.thread,
                "summary": cut(&self.title, TITLE_LENGTH_MAX),
                "eventType": "ripcord",
                "relatedResources": [self.service.as_str()],
                "additionalContext": { "severity": self.severity.as_str(), "service": self.service.as_str() },
            },
        })
    }

    /// The subject for readers of e-mail.
    pub fn subject(&self) -> String {
        let plain: String =
            self.title.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        cut(&plain, SUBJECT_LENGTH_MAX)
    }
}

fn cut(text: &str, length_max: usize) -> String {
    if text.chars().count() <= length_max {
        text.to_owned()
    } else {
        text.chars().take(length_max.saturating_sub(3)).chain("...".chars()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(title: &str) -> Notice {
        Notice {
            severity: Severity::Page,
            service: "checkout".parse().expect("a service name"),
            title: title.to_owned(),
            description: "the alarm fired".to_owned(),
            next_steps: vec!["ripcord status checkout".to_owned()],
            thread: "checkout#5".to_owned(),
        }
    }

    #[test]
    fn a_notice_is_what_amazon_q_developer_renders() {
        let expected = json!({
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": ":rotating_light: checkout was rolled back",
                "description": "the alarm fired",
                "nextSteps": ["ripcord status checkout"],
                "keywords": ["checkout", "page"],
            },
            "metadata": {
                "threadId": "checkout#5",
                "summary": "checkout was rolled back",
                "eventType": "ripcord",
                "relatedResources": ["checkout"],
                "additionalContext": { "severity": "page", "service": "checkout" },
            },
        });
        assert_eq!(notice("checkout was rolled back").message(), expected);
    }

    #[test]
    fn a_subject_is_what_sns_accepts() {
        assert_eq!(notice(&"x".repeat(100)).subject().len(), 100);
        assert_eq!(notice(&"x".repeat(101)).subject(), format!("{}...", "x".repeat(97)));
        assert_eq!(notice("café\nbroke").subject(), "caf??broke");
    }
}
