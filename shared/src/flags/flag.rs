//! A flag of a valid document, made ready to be asked.

use std::cell::Cell;

use super::bucket::{Draw, Share};
use super::condition::{Condition, Operator};
use super::context::{Attribute, Context};
use super::reason::{Because, Drawn, Evaluation, Reason};

/// A flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Flag {
    pub(super) key: Box<str>,
    pub(super) description: Option<Box<str>>,
    pub(super) owner: Option<Box<str>>,
    pub(super) is_enabled: bool,
    /// The attribute that holds the subject.
    pub(super) subject: Box<str>,
    pub(super) prerequisites: Vec<Prerequisite>,
    /// Sorted.
    pub(super) allowlist: Vec<Box<str>>,
    pub(super) rules: Vec<Rule>,
    pub(super) rollout: Option<Share>,
    pub(super) default: Outcome,
    pub(super) variants: Vec<Variant>,
}

/// Another flag that must be on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prerequisite {
    pub(super) key: Box<str>,
    /// Its place among the flags.
    pub(super) flag: usize,
    pub(super) variant: Option<Box<str>>,
}

/// One of several forms of what is behind a flag.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    pub(super) name: Box<str>,
    pub(super) weight: Share,
}

impl Variant {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its share of those whom the flag is on for.
    pub fn weight(&self) -> Share {
        self.weight
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) name: Option<Box<str>>,
    pub(super) attribute: Box<str>,
    pub(super) operator: Operator,
    pub(super) condition: Condition,
    pub(super) then: Outcome,
    /// Whom of those that match it is for; the others get the flag's default.
    pub(super) share: Option<Share>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) enabled: bool,
    /// The named variant, by its place; otherwise the weights choose.
    pub(super) variant: Option<usize>,
}

impl Outcome {
    /// On, with the variant that the weights choose.
    pub(super) const ON: Self = Self { enabled: true, variant: None };
}

impl Flag {
    /// Its name in the document.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Who answers for it.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Whether its kill switch lets it be on for anybody.
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// The attribute of a context that it is sticky to.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The share that it is rolled out to, apart from its allowlist and rules.
    pub fn rollout(&self) -> Option<Share> {
        self.rollout
    }

    /// Its variants, in the order of the document.
    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The answer, once the kill switch and the prerequisites have let it through.
    pub(super) fn answer(&self, context: &Context) -> Evaluation<'_> {
        let subject = Subject {
            flag: self,
            text: context.get(&self.subject).and_then(Attribute::subject),
            draw: Cell::new(None),
        };
        let flag = self.key();
        if subject
            .text
            .is_some_and(|text| self.allowlist.binary_search_by(|one| one.as_ref().cmp(text)).is_ok())
        {
            return subject.given(Outcome::ON, Reason::Allowlist { flag, subject: &self.subject });
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if rule
                .condition
                .holds(context.get(&rule.attribute), |text| subject.draw_of(&rule.attribute, text))
            {
                return subject.ruled(index, rule);
            }
        }
        let Some(percentage) = self.rollout else {
            return subject.default(Because::NothingMatched);
        };
        match subject.place(percentage) {
            Ok((true, bucket)) => subject.given(Outcome::ON, Reason::Rollout { flag, percentage, bucket }),
            Ok((false, bucket)) => subject.default(Because::OutsideRollout(Drawn { percentage, bucket })),
            Err(missing) => subject.default(missing),
        }
    }
}

/// Whom a flag is asked for. Its hash is made when it is first needed, and once.
struct Subject<'f, 'c> {
    flag: &'f Flag,
    text: Option<&'c str>,
    draw: Cell<Option<Draw>>,
}

impl<'f> Subject<'f, '_> {
    fn draw(&self) -> Result<Draw, Because<'f>> {
        let text = self.text.ok_or(Because::NoSubject { attribute: &self.flag.subject })?;
        Ok(self.draw.get().unwrap_or_else(|| {
            let draw = Draw::of(&self.flag.key, text);
            self.draw.set(Some(draw));
            draw
        }))
    }

    /// Where the value of any attribute lies.
    fn draw_of(&self, attribute: &str, text: &str) -> Draw {
        let own = if *attribute == *self.flag.subject { self.draw().ok() } else { None };
        own.unwrap_or_else(|| Draw::of(&self.flag.key, text))
    }

    /// Whether it lies in the share, and its bucket. Nobody needs a bucket for all or for none.
    fn place(&self, share: Share) -> Result<(bool, Option<u16>), Because<'f>> {
        if share == Share::NONE || share == Share::ALL {
            return Ok((share == Share::ALL, None));
        }
        let bucket = self.draw()?.rollout;
        Ok((share.holds(bucket), Some(bucket)))
    }

    fn ruled(&self, index: usize, rule: &'f Rule) -> Evaluation<'f> {
        let reason = |share| Reason::Rule {
            flag: &self.flag.key,
            index,
            name: rule.name.as_deref(),
            attribute: &rule.attribute,
            operator: rule.operator,
            share,
        };
        let Some(percentage) = rule.share else { return self.given(rule.then, reason(None)) };
        match self.place(percentage) {
            Ok((true, bucket)) => self.given(rule.then, reason(Some(Drawn { percentage, bucket }))),
            Ok((false, bucket)) => Evaluation {
                reason: reason(Some(Drawn { percentage, bucket })),
                ..self.default(Because::NothingMatched)
            },
            Err(missing) => self.default(missing),
        }
    }

    /// The outcome, with a variant by weight if it needs one. Without a subject there is none, and the default holds.
    fn given(&self, outcome: Outcome, reason: Reason<'f>) -> Evaluation<'f> {
        let variants = &self.flag.variants;
        let name = |index: usize| variants.get(index).map(Variant::name);
        let variant = match outcome.variant {
            Some(index) => name(index),
            None if !outcome.enabled || variants.is_empty() => None,
            None => match self.draw() {
                Ok(draw) => weighted(variants, draw.variant).map(Variant::name),
                Err(missing) => return self.default(missing),
            },
        };
        Evaluation { enabled: outcome.enabled, variant, reason }
    }

    /// The default names its variant, so that it always has an answer.
    fn default(&self, because: Because<'f>) -> Evaluation<'f> {
        let Outcome { enabled, variant } = self.flag.default;
        let variant = variant.and_then(|index| self.flag.variants.get(index)).map(Variant::name);
        Evaluation { enabled, variant, reason: Reason::Default { flag: &self.flag.key, because } }
    }
}

/// The variant at a point: their weights lie one behind another.
fn weighted(variants: &[Variant], point: u16) -> Option<&Variant> {
    let mut end = 0;
    variants.iter().find(|variant| {
        end += variant.weight.hundredths();
        point < end
    })
}
