//! The report as the beginning of a review: what is known stands there, and what only people know is left blank.

use std::fmt::Write;

use ripcord::evidence::LogExcerpt;
use ripcord::preflight::Outcome;

use super::story::{KnownFrom, Story};
use super::words::{clock, day, of, rate};
use ripcord::judge::{Tally, grouped};

/// The review.
pub(super) fn review(story: &Story) -> String {
    let mut text = String::new();
    // Writing into a text cannot fail.
    let _ = write_review(&mut text, story);
    text
}

fn write_review(out: &mut String, story: &Story) -> std::fmt::Result {
    writeln!(out, "# Review: {}\n", plain(&story.answer))?;
    if let Some(because) = &story.because {
        writeln!(out, "{}\n", plain(because))?;
    }
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| release | {} #{}: {} |", story.service, story.release, plain(&story.versions))?;
    writeln!(out, "| opened | {} by {} |", day(story.opened_at), plain(&story.opened_by))?;
    if let Some(commit) = &story.commit {
        writeln!(out, "| commit | {} |", plain(commit))?;
    }
    for fact in &story.facts {
        let note = if fact.note.is_empty() { String::new() } else { format!(" ({})", plain(&fact.note)) };
        writeln!(out, "| {} | {}{note} |", plain(&fact.name.to_lowercase()), plain(&fact.value))?;
    }
    if let Some(at) = story.told_at {
        writeln!(out, "| people told | {} |", day(at))?;
    }
    writeln!(out, "\n## Impact\n\n{}\n", impact(story))?;
    writeln!(out, "<!-- Who noticed? What could customers not do, and for how long? -->\n")?;
    writeln!(out, "## Timeline\n\nAll times are UTC, {}.\n", story.opened_at.strftime("%-d %B %Y"))?;
    writeln!(out, "| time | after opening | what |\n|---|---|---|")?;
    for moment in &story.timeline {
        writeln!(out, "| {} | {} | {} |", clock(moment.at), moment.after, plain(&moment.what))?;
    }
    details(out, story)?;
    if !story.missing.is_empty() {
        writeln!(out, "\n## What is missing\n")?;
        story.missing.iter().try_for_each(|missing| writeln!(out, "- {}", plain(missing)))?;
    }
    write!(out, "{BLANKS}")
}

/// What only people can write.
const BLANKS: &str = "
## What went well

-

## What went badly, and where we were lucky

-

## Open questions

-

## What we do now

| what | who | until when |
|---|---|---|
| | | |
";

fn impact(story: &Story) -> String {
    match (story.served.requests, story.served.errors) {
        (Some(requests), Some(errors)) => {
            let tally = Tally { bad: errors, requests };
            let from = match story.served.known_from {
                KnownFrom::CloudWatch => "by CloudWatch's count of all its minutes",
                KnownFrom::Looks | KnownFrom::Nothing => {
                    "in the minutes that were judged; those in which traffic settled are not in it"
                }
            };
            format!(
                "The candidate answered {} requests, of which {} failed ({}), {from}.",
                grouped(requests),
                grouped(errors),
                rate(tally)
            )
        }
        _ => "How many requests the candidate answered is not known.".to_owned(),
    }
}

fn details(out: &mut String, story: &Story) -> std::fmt::Result {
    for decision in &story.decisions {
        writeln!(
            out,
            "\n## Decision at {}: {}\n\n{}\n",
            clock(decision.at),
            plain(&decision.kind),
            plain(&decision.reason)
        )?;
        writeln!(out, "- signal: {}", plain(&decision.signal))?;
        decision.saw.iter().try_for_each(|saw| writeln!(out, "- seen: {}", plain(saw)))?;
        decision.calls.iter().try_for_each(|call| writeln!(out, "- call: {}", plain(call)))?;
    }
    if !story.stages.is_empty() {
        writeln!(
            out,
            "\n## What the judge said\n\n| stage | share | verdict | errors | why |\n|---|---|---|---|---|"
        )?;
        for stage in &story.stages {
            let verdict = stage.verdict.map(|verdict| verdict.to_string()).unwrap_or_default();
            let errors = stage.errors.map(of).unwrap_or_default();
            writeln!(
                out,
                "| {} | {} | {verdict} | {errors} | {} |",
                stage.number,
                stage.weight,
                plain(&stage.why)
            )?;
        }
    }
    if !story.checks.is_empty() {
        writeln!(out, "\n## Checks that had something to say\n")?;
        for check in &story.checks {
            writeln!(out, "- {} {}: {}", plain(&check.name), outcome(check.outcome), plain(&check.detail))?;
        }
    }
    for LogExcerpt { source, lines, unread_because } in &story.logs {
        writeln!(out, "\n## What {} logged\n", plain(source))?;
        if lines.is_empty() {
            writeln!(
                out,
                "{}",
                plain(unread_because.as_deref().unwrap_or("Nothing that looks like an error."))
            )?;
        } else {
            let fence = fence(lines);
            writeln!(out, "{fence}text\n{}\n{fence}", lines.join("\n"))?;
        }
    }
    Ok(())
}

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Noted => "noted",
        Outcome::Waived => "waived",
        Outcome::Failed => "failed",
    }
}

/// Text that stays text: no link, no markup, no second cell, no second line.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => plain.extend(['\\', letter]),
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            letter if letter.is_control() => plain.push(' '),
            letter => plain.push(letter),
        }
    }
    plain
}

/// A fence that no line can close: longer than any row of backticks in them.
fn fence(lines: &[String]) -> String {
    let runs = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len);
    "`".repeat(runs.max().unwrap_or(0).max(2) + 1)
}
