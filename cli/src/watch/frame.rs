//! A release drawn as a frame of lines, none longer than the terminal is wide.

use clap::builder::styling::Style;
use jiff::Timestamp;
use ripcord::judge::{Direction, GaugeVerdict, MetricVerdict, Verdict};
use ripcord::preflight::{Check, Outcome};
use ripcord::release::Phase;

use super::line::{Line, flow, wrap};
use super::view::{Look, Progress, Question, Stage, View};
use crate::elapsed::ago;
use crate::figures::{bar, grouped, minutes, percent, spark, stretch};
use crate::output::{BAD, FAINT, GOOD, NAME, WARN};

/// More stages than this are shown in part, around the one that the release is in.
const STAGES_SHOWN_MAX: usize = 12;
/// A reason longer than this has said what matters.
const REASON_LINES_MAX: usize = 4;
/// A stage's bar takes what is left, up to this.
const STAGE_BAR_MAX: usize = 40;
/// What a stage's line holds besides its bar.
const STAGE_WORDS: usize = 56;
const EVIDENCE_BAR: usize = 10;
const SPARK_LENGTH: usize = 30;
const PLAIN: Style = Style::new();

/// Draws a release.
pub(super) fn frame(view: &View, now: Timestamp, width: usize) -> Vec<Line> {
    let mut lines = vec![headline(view, now, width)];
    lines.extend(stages(view, view.ended_at.unwrap_or(now), width));
    // A terminal that is not high enough loses the end, so what matters most comes first.
    lines.extend([Line::default()].into_iter().chain(what_is(view, now, width)));
    lines.push(Line::default());
    for (when, checks) in [("before traffic", &view.checks_before), ("before completing", &view.checks_after)]
    {
        if let Some(checks) = checks {
            lines.extend(checked(when, checks, width));
        }
    }
    if let Some(look) = &view.look {
        look.metrics.iter().for_each(|metric| lines.extend(measured(metric, width)));
        look.gauges.iter().for_each(|gauge| lines.extend(gauged(gauge, width)));
    }
    lines.into_iter().map(|line| line.cut(width)).collect()
}

fn headline(view: &View, now: Timestamp, width: usize) -> Line {
    let title = format!("{} #{}", view.service, view.release);
    let mut line = Line::default().with(NAME, title).with(PLAIN, format!("  {}", view.versions()));
    if let Some(strategy) = &view.strategy {
        line = line.with(FAINT, format!("  {strategy}"));
    }
    let opened = format!("opened {} by {}", ago(view.opened_at, now), view.opened_by);
    line.with(PLAIN, "  ").with(style_of(view.phase), word_of(view.phase)).and_right(FAINT, &opened, width)
}

fn word_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Shifting => "running",
        Phase::Complete => "complete",
        Phase::RolledBack => "rolled back",
        Phase::RollbackFailed => "NOT ROLLED BACK",
        Phase::Held => "held",
        Phase::Withdrawn => "withdrawn",
    }
}

pub(super) fn style_of(phase: Phase) -> Style {
    match phase {
        Phase::Shifting => NAME,
        Phase::Complete => GOOD,
        Phase::RolledBack | Phase::Withdrawn => WARN,
        Phase::RollbackFailed | Phase::Held => BAD,
    }
}

/// The stages around the one that the release is in.
fn stages(view: &View, now: Timestamp, width: usize) -> Vec<Line> {
    let current = view.stage().map_or(0, |stage| stage.number - 1);
    let count = view.stages.len();
    let first = current.saturating_sub(STAGES_SHOWN_MAX / 2).min(count.saturating_sub(STAGES_SHOWN_MAX));
    let last = count.min(first + STAGES_SHOWN_MAX);
    let mut lines = Vec::new();
    let hidden = |number: usize, where_: &str| {
        (number > 0).then(|| Line::indented(4).with(FAINT, format!("… {number} {where_}")))
    };
    lines.extend(hidden(first, "before"));
    let shown = view.stages.get(first..last).unwrap_or_default();
    lines.extend(shown.iter().map(|stage| stage_line(stage, now, width)));
    lines.extend(hidden(count - last, "more"));
    lines
}

fn stage_line(stage: &Stage, now: Timestamp, width: usize) -> Line {
    let (mark, style) = match stage.progress {
        Progress::Passed => ('✓', GOOD),
        Progress::Now => ('▶', NAME),
        Progress::ToCome => (' ', FAINT),
        Progress::Stopped => ('✗', BAD),
    };
    let share = match stage.progress {
        Progress::Passed => 1.0,
        Progress::ToCome => 0.0,
        Progress::Now | Progress::Stopped => baked(stage, now),
    };
    let length = width.saturating_sub(STAGE_WORDS).clamp(5, STAGE_BAR_MAX);
    Line::indented(2)
        .with(style, format!("{mark} {:>2} {:>7}  ", stage.number, stage.weight.to_string()))
        .with(style, bar(share, length))
        .with(
            if stage.progress == Progress::ToCome { FAINT } else { PLAIN },
            format!("  {}", remark(stage, now)),
        )
}

/// What of its bake is over.
fn baked(stage: &Stage, now: Timestamp) -> f64 {
    match (stage.begun_at, stage.baked_at) {
        (Some(begun), Some(end)) if end > begun => {
            now.duration_since(begun).as_secs_f64() / end.duration_since(begun).as_secs_f64()
        }
        (Some(_), Some(_)) => 1.0,
        (_, _) => 0.0,
    }
}

fn remark(stage: &Stage, now: Timestamp) -> String {
    let approved = stage.approved_by.as_ref().map(|by| format!(", approved by {by}")).unwrap_or_default();
    match stage.progress {
        Progress::Passed => format!("passed{approved}"),
        Progress::Stopped => format!("stopped here{approved}"),
        Progress::ToCome if stage.approval => format!("{}, after approval", minutes(stage.bake_minutes)),
        Progress::ToCome => minutes(stage.bake_minutes),
        Progress::Now => match (stage.baked_at, stage.given_up_at) {
            (Some(end), _) if now < end => format!("{} left{approved}", stretch(end.duration_since(now))),
            (_, Some(end)) if now < end => {
                format!("extended, {} left{approved}", stretch(end.duration_since(now)))
            }
            (_, _) => format!("its time is up{approved}"),
        },
    }
}

/// How checks went: a summary, and each that did not simply pass.
fn checked(when: &str, checks: &[Check], width: usize) -> Vec<Line> {
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let mut line = Line::indented(2)
        .with(FAINT, format!("checks {when}: "))
        .with(PLAIN, format!("{} passed", count(Outcome::Passed)));
    for (outcome, word, style) in [
        (Outcome::Noted, "noted", PLAIN),
        (Outcome::Waived, "waived", WARN),
        (Outcome::Failed, "FAILED", BAD),
    ] {
        if count(outcome) > 0 {
            line = line.with(PLAIN, ", ").with(style, format!("{} {word}", count(outcome)));
        }
    }
    let mut lines = vec![line];
    for check in checks {
        let (style, lines_max) = match check.outcome {
            Outcome::Passed | Outcome::Noted => continue,
            // Somebody has looked at it already.
            Outcome::Waived => (WARN, 1),
            Outcome::Failed => (BAD, REASON_LINES_MAX),
        };
        lines.extend(wrap(style, &format!("{}: {}", check.name, check.detail), 4, width, lines_max));
    }
    lines
}

fn measured(metric: &MetricVerdict, width: usize) -> Vec<Line> {
    let MetricVerdict { metric: name, verdict, candidate, stable, limit, .. } = metric;
    let part = |style, text: String| Line::default().with(style, text);
    let mut parts = vec![
        part(NAME, format!("{name}")).with(PLAIN, ": ").with(verdict_style(*verdict), verdict.to_string()),
        part(PLAIN, candidate.to_string()),
        part(FAINT, format!("limit {}", percent(*limit))),
    ];
    parts.extend(stable.map(|stable| part(FAINT, format!("stable {stable}"))));
    let against = metric.evidence_against;
    let style = if against >= 0.5 { WARN } else { PLAIN };
    let evidence = format!("{} {}", bar(against, EVIDENCE_BAR), percent((against * 100.0).round() / 100.0));
    parts.push(part(FAINT, "against it ".to_owned()).with(style, evidence));
    if !metric.recent.is_empty() {
        parts.push(part(PLAIN, spark(&metric.recent, *limit, SPARK_LENGTH)));
    }
    parts
        .extend(metric.needed.map(|needed| part(PLAIN, format!("{} more requests needed", grouped(needed)))));
    flow(parts, 2, width)
}

fn gauged(gauge: &GaugeVerdict, width: usize) -> Vec<Line> {
    let GaugeVerdict { rule, verdict, breaching, worst, recent, .. } = gauge;
    let part = |style, text: String| Line::default().with(style, text);
    let beyond = match rule.bad {
        Direction::Above => "above",
        Direction::Below => "below",
    };
    let mut parts = vec![
        part(NAME, rule.name.clone()).with(PLAIN, ": ").with(verdict_style(*verdict), verdict.to_string()),
        part(PLAIN, format!("{breaching} of {} in a row {beyond} {}", rule.of, rule.threshold)),
        part(FAINT, format!("{} fail", rule.datapoints)),
    ];
    parts.extend(worst.map(|worst| part(FAINT, format!("worst {worst}"))));
    if !recent.is_empty() {
        parts.push(part(PLAIN, spark(recent, rule.threshold, SPARK_LENGTH)));
    }
    flow(parts, 2, width)
}

fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Inconclusive => PLAIN,
        Verdict::Error => WARN,
        Verdict::Fail => BAD,
    }
}

/// The last reason, and what the release waits for.
fn what_is(view: &View, now: Timestamp, width: usize) -> Vec<Line> {
    if view.phase != Phase::Shifting {
        let because = view.ended_because.as_deref().unwrap_or("no reason was noted");
        return wrap(style_of(view.phase), because, 2, width, REASON_LINES_MAX);
    }
    if let Some(question) = &view.awaiting {
        return asked(view, question, now, width);
    }
    match &view.look {
        Some(look) => looked(look, now, width),
        None => vec![Line::indented(2).with(FAINT, before_the_look(view, now))],
    }
}

fn asked(view: &View, question: &Question, now: Timestamp, width: usize) -> Vec<Line> {
    let left = stretch(question.until.duration_since(now));
    let next = match question.stage {
        Some(stage) => format!("stage {stage}"),
        None => "the release to complete".to_owned(),
    };
    let title = format!("waits for a person to approve {next}: {left} left, then traffic goes back");
    let mut lines = wrap(WARN, &title, 2, width, REASON_LINES_MAX);
    lines.extend(wrap(PLAIN, &question.why, 2, width, REASON_LINES_MAX));
    lines.push(Line::indented(4).with(NAME, approve(view)));
    lines.push(Line::indented(4).with(NAME, reject(view)));
    lines
}

/// The command that lets a release go on.
pub(super) fn approve(view: &View) -> String {
    format!("ripcord approve {}", view.service)
}

/// The command that ends a release which waits.
pub(super) fn reject(view: &View) -> String {
    format!("ripcord reject {} --reason 'WHY'", view.service)
}

fn looked(look: &Look, now: Timestamp, width: usize) -> Vec<Line> {
    let mut lines = wrap(PLAIN, &look.reason, 2, width, REASON_LINES_MAX);
    let score = look.score.map(|score| format!("health {score} of 100; ")).unwrap_or_default();
    let next = match look.next_look_at {
        Some(at) if at > now => format!("the next look is in {}", stretch(at.duration_since(now))),
        Some(_) => "being looked at".to_owned(),
        None => "going on".to_owned(),
    };
    lines.push(Line::indented(2).with(FAINT, format!("{score}looked {}, {next}", ago(look.at, now))));
    lines
}

fn before_the_look(view: &View, now: Timestamp) -> String {
    match (view.stage(), view.first_look_at) {
        (Some(_), Some(at)) if at > now => {
            format!("settling, the first look is in about {}", stretch(at.duration_since(now)))
        }
        (Some(_), _) => "about to be looked at".to_owned(),
        (None, _) if view.stages.is_empty() => "moved by hand: nobody looks at it but its guards".to_owned(),
        (None, _) if view.checks_before.is_none() => "being checked before traffic moves".to_owned(),
        (None, _) => "about to get its first traffic".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    fn drawn(view: &View, width: usize) -> String {
        let lines = frame(view, example::now(), width);
        for line in &lines {
            assert!(line.width() <= width, "{} > {width}: {line}", line.width());
        }
        let lines: Vec<String> =
            lines.iter().map(|line| anstream::adapter::strip_str(&line.to_string()).to_string()).collect();
        lines.join("\n")
    }

    #[test]
    fn a_release_in_its_second_stage_at_80_columns() {
        insta::assert_snapshot!(drawn(&example::baking(), 80));
    }

    #[test]
    fn a_release_in_its_second_stage_at_120_columns() {
        insta::assert_snapshot!(drawn(&example::baking(), 120));
    }

    #[test]
    fn a_question_shows_the_commands_that_answer_it() {
        insta::assert_snapshot!(drawn(&example::asking(), 80));
    }

    #[test]
    fn an_end_shows_why() {
        let because = "release 4 was given up in stage 2: errors 7.1% (88 of 1,240) > limit 1% since 12:14Z";
        insta::assert_snapshot!(drawn(&example::ended(Phase::RolledBack, because), 80));
    }

    #[test]
    fn a_release_that_was_just_opened_says_what_it_does() {
        let text = drawn(&example::opened(), 80);
        assert!(text.ends_with("\n\n  being checked before traffic moves\n"), "{text}");
    }

    #[test]
    fn nothing_is_wider_than_a_narrow_terminal() {
        for width in [20, 40, 79] {
            for view in
                [example::baking(), example::asking(), example::ended(Phase::Held, &"word ".repeat(200))]
            {
                drawn(&view, width);
            }
        }
    }

    #[test]
    fn of_many_stages_those_around_the_current_one_are_shown() {
        let mut view = example::baking();
        let one = view.stages[2].clone();
        view.stages = (1..=30).map(|number| Stage { number, ..one.clone() }).collect();
        view.stages[19].begun_at = Some(example::now());
        let text = drawn(&view, 80);
        assert!(text.contains("… 13 before") && text.contains("… 5 more"), "{text}");
        assert!(text.contains(" 14 ") && text.contains(" 25 "), "{text}");
    }

    #[test]
    fn the_time_left_goes_over_into_the_extension() {
        let view = example::baking();
        let stage = view.stage().expect("a stage");
        let left = |text: &str| remark(stage, example::at(text));
        assert_eq!(left("2026-03-02T12:22:59Z"), "1s left");
        assert_eq!(left("2026-03-02T12:23:00Z"), "extended, 10m left");
        assert_eq!(left("2026-03-02T12:33:00Z"), "its time is up");
    }
}
