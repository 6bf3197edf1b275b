//! Why a flag was answered as it was: always the rule of the flag that was asked for, with the numbers that decided.
//!
//! A reason leaves the service, so it holds no value of a rule or of the context: those may be names of people.

use std::fmt;

use super::bucket::Share;
use super::condition::Operator;
use crate::judge::grouped;

/// A flag's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation<'f> {
    /// Whether it is on.
    pub enabled: bool,
    /// Which of its variants.
    pub variant: Option<&'f str>,
    /// Why.
    pub reason: Reason<'f>,
}

/// Why a flag was answered as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason<'f> {
    /// The document has no flag of this name: it is off.
    UnknownFlag,
    /// The kill switch: `enabled` is false.
    Off {
        /// The flag.
        flag: &'f str,
    },
    /// Another flag is not as this one needs it.
    Prerequisite {
        /// The flag.
        flag: &'f str,
        /// The other flag.
        needs: &'f str,
        /// The variant that it should have.
        variant: Option<&'f str>,
        /// Whether it is on.
        is_on: bool,
    },
    /// The subject is on the allowlist.
    Allowlist {
        /// The flag.
        flag: &'f str,
        /// The attribute that holds the subject.
        subject: &'f str,
    },
    /// A rule matched. A subject outside the rule's share gets the default.
    Rule {
        /// The flag.
        flag: &'f str,
        /// The rule's place in the document, from 0.
        index: usize,
        /// The rule's name.
        name: Option<&'f str>,
        /// What it looked at.
        attribute: &'f str,
        /// How.
        operator: Operator,
        /// The rule's share, and the subject's bucket if it was needed.
        share: Option<Drawn>,
    },
    /// The subject lies in the share that the flag is rolled out to.
    Rollout {
        /// The flag.
        flag: &'f str,
        /// The share.
        percentage: Share,
        /// The subject's bucket, if it was needed.
        bucket: Option<u16>,
    },
    /// Nothing else decided.
    Default {
        /// The flag.
        flag: &'f str,
        /// Why nothing else did.
        because: Because<'f>,
    },
}

/// A share, and a subject's bucket if everything did not lie in it or outside of it anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The share.
    pub percentage: Share,
    /// The bucket.
    pub bucket: Option<u16>,
}

/// Why a flag's default is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because<'f> {
    /// No rule matched, and the flag has no rollout.
    NothingMatched,
    /// The subject lies outside the rollout.
    OutsideRollout(Drawn),
    /// A bucket was needed, and the context has no such attribute to make one of.
    NoSubject {
        /// The attribute.
        attribute: &'f str,
    },
}

impl Reason<'_> {
    /// A stable word for what decided.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownFlag => "unknown_flag",
            Self::Off { .. } => "off",
            Self::Prerequisite { .. } => "prerequisite",
            Self::Allowlist { .. } => "allowlist",
            Self::Rule { .. } => "rule",
            Self::Rollout { .. } => "rollout",
            Self::Default { because: Because::NoSubject { .. }, .. } => "no_subject",
            Self::Default { because: Because::NothingMatched | Because::OutsideRollout(_), .. } => "default",
        }
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UnknownFlag => f.write_str("there is no flag of this name"),
            Self::Off { flag } => write!(f, "{flag} is switched off"),
            Self::Prerequisite { flag, needs, variant, is_on } => {
                let is = if is_on { "on with another" } else { "off" };
                match variant {
                    Some(variant) => write!(f, "{flag} needs variant {variant} of {needs}, which is {is}"),
                    None => write!(f, "{flag} needs {needs}, which is {is}"),
                }
            }
            Self::Allowlist { flag, subject } => write!(f, "its {subject} is on the allowlist of {flag}"),
            Self::Rule { flag, index, name, attribute, operator, share } => {
                write!(f, "rules[{index}]")?;
                if let Some(name) = name {
                    write!(f, " `{name}`")?;
                }
                write!(f, " of {flag} matched: {attribute} {}", operator.name())?;
                share.map_or(Ok(()), |drawn| write!(f, ", and {drawn} of the rule"))
            }
            Self::Rollout { flag, percentage, bucket } => {
                write!(f, "{} of the rollout of {flag}", Drawn { percentage, bucket })
            }
            Self::Default { flag, because } => match because {
                Because::NothingMatched => write!(f, "no rule of {flag} matched: its default"),
                Because::OutsideRollout(drawn) => write!(f, "{drawn} of the rollout of {flag}: its default"),
                Because::NoSubject { attribute } => {
                    write!(f, "there is no {attribute} to place in {flag}: its default")
                }
            },
        }
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { percentage, bucket } = *self;
        let bound = grouped(percentage.hundredths().into());
        match bucket {
            Some(bucket) if percentage.holds(bucket) => {
                write!(f, "bucket {} < {bound} is inside the {percentage}", grouped(bucket.into()))
            }
            Some(bucket) => {
                write!(f, "bucket {} >= {bound} is outside the {percentage}", grouped(bucket.into()))
            }
            None if percentage == Share::NONE => write!(f, "everything is outside the {percentage}"),
            None => write!(f, "everything is inside the {percentage}"),
        }
    }
}
