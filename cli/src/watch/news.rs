//! What is new between two views of a release: a line each, for logs, and an event's name, for scripts.

use clap::builder::styling::Style;
use jiff::Timestamp;
use ripcord::preflight::{Check, Outcome};
use serde::Serialize;

use super::frame::{approve, reject, style_of};
use super::view::{Question, Stage, View};
use crate::output::{FAINT, NAME, WARN, styled};

/// Something new. The names of the events are what scripts read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct News {
    pub(super) event: Event,
    text: String,
    style: Style,
}

/// What can be new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The release is there.
    Opened,
    /// It was checked, before traffic moved or before it completes.
    Checked,
    /// A stage has its traffic.
    StageBegun,
    /// A stage was looked at, with another verdict or another reason.
    Looked,
    /// A person is asked.
    Asked,
    /// It is over.
    Ended,
}

/// A line of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Document<'view> {
    event: Event,
    at: Timestamp,
    text: &'view str,
    /// How whoever waited ends; only with the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(flatten)]
    view: &'view View,
}

/// Everything that is new, in the order in which it happens.
pub(super) fn news(before: Option<&View>, after: &View) -> Vec<News> {
    let mut news = Vec::new();
    let plain = Style::new();
    let mut tell = |event, style, text: String| news.push(News { event, text, style });
    if before.is_none() {
        let strategy = match &after.strategy {
            Some(name) => format!(", {name} in {} stages", after.stages.len()),
            None => String::new(),
        };
        let text = format!("release of {}{strategy}, opened by {}", after.versions(), after.opened_by);
        tell(Event::Opened, NAME, text);
    }
    if let Some(checks) = is_new(before, after, |view| view.checks_before.as_ref()) {
        tell(Event::Checked, plain, checked("before traffic", checks));
    }
    let begun = before.map_or(0, |view| begun(view).count());
    for stage in self::begun(after).skip(begun) {
        tell(Event::StageBegun, NAME, has_begun(stage, after.stages.len()));
    }
    let said = |view: &View| view.look.as_ref().map(|look| (look.stage, look.verdict, look.reason.clone()));
    if let Some((stage, verdict, reason)) =
        said(after).filter(|look| before.and_then(said).as_ref() != Some(look))
    {
        tell(Event::Looked, plain, format!("stage {stage} of {}: {verdict}: {reason}", after.stages.len()));
    }
    if let Some(question) = is_new(before, after, |view| view.awaiting.as_ref()) {
        tell(Event::Asked, WARN, asked(question, after));
    }
    if let Some(checks) = is_new(before, after, |view| view.checks_after.as_ref()) {
        tell(Event::Checked, plain, checked("before completing", checks));
    }
    if after.exit().is_some() && before.map(|view| view.phase) != Some(after.phase) {
        let because = after.ended_because.as_deref().unwrap_or("no reason was noted");
        tell(Event::Ended, style_of(after.phase), format!("{}: {because}", after.phase));
    }
    news
}

/// What one view has and the other has not, or has otherwise.
fn is_new<'view, T: PartialEq>(
    before: Option<&'view View>,
    after: &'view View,
    part: impl Fn(&'view View) -> Option<&'view T>,
) -> Option<&'view T> {
    part(after).filter(|now| before.and_then(&part) != Some(*now))
}

fn begun(view: &View) -> impl Iterator<Item = &Stage> {
    view.stages.iter().filter(|stage| stage.begun_at.is_some())
}

fn has_begun(stage: &Stage, stages: usize) -> String {
    let approved = stage.approved_by.as_ref().map(|by| format!(", approved by {by}")).unwrap_or_default();
    format!("stage {} of {stages} at {} has begun{approved}", stage.number, stage.weight)
}

fn checked(when: &str, checks: &[Check]) -> String {
    let of = |outcome| checks.iter().filter(move |check| check.outcome == outcome);
    let mut text = format!("checks {when}: {} of {} passed", of(Outcome::Passed).count(), checks.len());
    for (outcome, word) in
        [(Outcome::Noted, "noted"), (Outcome::Waived, "waived"), (Outcome::Failed, "FAILED")]
    {
        for check in of(outcome) {
            text.push_str(&format!("; {word} {}: {}", check.name, check.detail));
        }
    }
    text
}

fn asked(question: &Question, view: &View) -> String {
    let next = match question.stage {
        Some(stage) => format!("stage {stage}"),
        None => "completion".to_owned(),
    };
    format!(
        "waits until {:.0} for a person to approve {next} ({}): {} | {}",
        question.until,
        question.why,
        approve(view),
        reject(view)
    )
}

impl News {
    /// The line of a log.
    pub(super) fn line(&self, view: &View, now: Timestamp) -> String {
        let time = styled(FAINT, now.strftime("%H:%M:%SZ"));
        format!("{time} {}#{} {}", view.service, view.release, styled(self.style, &self.text))
    }

    /// The document of a script.
    pub(super) fn document<'news>(&'news self, view: &'news View, now: Timestamp) -> Document<'news> {
        let exit = view.exit().filter(|_| self.event == Event::Ended);
        Document {
            event: self.event,
            at: now,
            text: &self.text,
            exit_code: exit.map(|exit| exit.number()),
            view,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use ripcord::release::Phase;

    fn lines(before: Option<&View>, after: &View) -> String {
        let lines: Vec<String> =
            news(before, after).iter().map(|news| news.line(after, example::now())).collect();
        anstream::adapter::strip_str(&lines.join("\n")).to_string()
    }

    #[test]
    fn whoever_comes_late_hears_everything() {
        insta::assert_snapshot!(lines(None, &example::baking()));
    }

    #[test]
    fn only_what_is_new_is_told() {
        assert_eq!(lines(Some(&example::baking()), &example::baking()), "");
        let (opened, baking) = (example::opened(), example::baking());
        let events: Vec<Event> = news(Some(&opened), &baking).iter().map(|news| news.event).collect();
        assert_eq!(events, [Event::Checked, Event::StageBegun, Event::StageBegun, Event::Looked]);
        insta::assert_snapshot!(lines(Some(&baking), &example::asking()));
    }

    #[test]
    fn a_number_that_changes_without_a_word_is_not_told() {
        let mut later = example::baking();
        let look = later.look.as_mut().expect("a look");
        look.metrics[0].candidate.requests += 1;
        look.score = Some(76);
        assert_eq!(lines(Some(&example::baking()), &later), "");
        later.look.as_mut().expect("a look").reason = "errors 8%".to_owned();
        assert_eq!(
            lines(Some(&example::baking()), &later),
            "12:17:30Z checkout#4 stage 2 of 4: inconclusive: errors 8%"
        );
    }

    #[test]
    fn the_end_is_told_once_and_says_how_to_exit() {
        let ended = example::ended(Phase::RolledBack, "errors 7%");
        let told = news(Some(&example::baking()), &ended);
        assert_eq!(told.len(), 1);
        assert_eq!(lines(Some(&example::baking()), &ended), "12:17:30Z checkout#4 rolled back: errors 7%");
        let document = serde_json::to_value(told[0].document(&ended, example::now())).expect("it serializes");
        assert_eq!((&document["event"], &document["exit_code"]), (&"ended".into(), &6.into()));
        assert_eq!((&document["phase"], &document["release"]), (&"rolled_back".into(), &4.into()));
        assert!(news(Some(&ended), &ended).is_empty());
    }

    #[test]
    fn a_document_is_one_line() {
        let baking = example::baking();
        for news in news(None, &baking) {
            let text = serde_json::to_string(&news.document(&baking, example::now())).expect("it serializes");
            assert!(!text.contains('\n') && !text.contains("exit_code"), "{text}");
        }
    }
}
