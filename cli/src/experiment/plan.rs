//! `ripcord experiment plan`: subjects and days, before anything is built.

use std::fmt;

use ripcord::experiment::Probability;
use ripcord::experiment::document::Effect;
use ripcord::experiment::plan::{Plan, Question};
use ripcord::experiment::power::{Aim, SUBJECTS_MAX, Split};
use ripcord::experiment::words::{number, percent};
use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::figures::grouped;
use crate::output::{FAINT, GOOD, NAME, WARN, styled};

pub(crate) const EXAMPLES: &str = "\
Examples:
  ripcord experiment plan --baseline 4% --effect 0.5pp --per-day 20000
  ripcord experiment plan --baseline 4% --effect 10% --split 80/20 --metrics 2 --per-day 20000
  ripcord experiment plan --mean 52.30 --sd 31 --effect 3% --per-day 4000
  ripcord experiment plan --baseline 4% --effect 0.5pp --subjects 30000      what so many can show";

/// What the experiment is to show.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("today").required(true).args(["baseline", "mean"]))]
pub(super) struct Args {
    /// The share of subjects who do it today: 4%
    #[arg(long, value_name = "PERCENT", value_parser = probability)]
    baseline: Option<Probability>,
    /// The mean today
    #[arg(long, requires = "sd", allow_negative_numbers = true)]
    mean: Option<f64>,
    /// The standard deviation of what the mean is of
    #[arg(long, requires = "mean")]
    sd: Option<f64>,
    /// The smallest difference that matters: 0.5pp, 10% of today's value, or 1.5 in the mean's own unit
    #[arg(long, allow_hyphen_values = true)]
    effect: Effect,
    /// How often it is to be seen if it is there
    #[arg(long, value_name = "PERCENT", value_parser = probability, default_value = "80%")]
    power: Probability,
    /// How often a difference may be seen that is not there
    #[arg(long, value_name = "PERCENT", value_parser = probability, default_value = "5%")]
    alpha: Probability,
    /// The arms' shares, the control's first
    #[arg(long, default_value = "50/50", value_parser = split)]
    split: Split,
    /// How many metrics decide
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    metrics: u32,
    /// How many subjects come in a day
    #[arg(long, value_name = "SUBJECTS", value_parser = clap::value_parser!(u64).range(1..))]
    per_day: Option<u64>,
    /// Say what so many subjects can show, instead of how many are needed
    #[arg(long, value_parser = clap::value_parser!(u64).range(2..=SUBJECTS_MAX))]
    subjects: Option<u64>,
}

fn probability(text: &str) -> Result<Probability, String> {
    let refused = || format!("{text:?} is no share between 0 and 1: write 4% or 0.04");
    let number = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.trim().parse::<f64>(),
    };
    number.ok().and_then(Probability::new).ok_or_else(refused)
}

fn split(text: &str) -> Result<Split, String> {
    let shares: Result<Vec<f64>, _> = text.split('/').map(|share| share.trim().parse::<f64>()).collect();
    let shares = shares.ok().filter(|shares| shares.len() <= 10).and_then(Split::new);
    shares.ok_or_else(|| format!("{text:?} is no split: write 50/50, or 80/10/10 for three arms"))
}

/// The plan as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    plan: Plan,
    effect: Effect,
    whole_weeks_days: Option<u64>,
    /// Whether the number of subjects was given rather than asked for.
    #[serde(skip)]
    given: bool,
}

pub(super) fn run(args: &Args) -> Result<Answer, Failure> {
    let question = Question {
        aim: aim(args)?,
        split: args.split.clone(),
        alpha: args.alpha,
        power: args.power,
        metrics: args.metrics,
        per_day: args.per_day,
    };
    let plan = match args.subjects {
        Some(subjects) => question.with(subjects),
        None => question.plan().ok_or_else(|| {
            let message = format!("not even {} subjects would show that", grouped(SUBJECTS_MAX));
            Failure::new(Kind::Usage, message).hint("look for a larger effect")
        })?,
    };
    let whole_weeks_days = plan.whole_weeks_days();
    Ok(Answer { plan, effect: args.effect, whole_weeks_days, given: args.subjects.is_some() })
}

fn aim(args: &Args) -> Result<Aim, Failure> {
    let refused = |message: String| Failure::new(Kind::Usage, message);
    let effect = args.effect;
    if let Some(control) = args.baseline {
        if matches!(effect, Effect::Absolute(_)) {
            let message = format!("--effect {effect} of a share: write {effect}pp or {effect}%");
            return Err(refused(message));
        }
        let treatment = control.get() + effect.on(control.get());
        let treatment = Probability::new(treatment).filter(|treatment| *treatment != control);
        return match treatment {
            Some(treatment) => Ok(Aim::Share { control, treatment }),
            None => Err(refused(format!(
                "--effect {effect} of {} leaves nothing between 0% and 100% to find",
                percent(control.get())
            ))),
        };
    }
    let (mean, deviation) = (args.mean.unwrap_or_default(), args.sd.unwrap_or_default());
    if matches!(effect, Effect::Points(_)) {
        return Err(refused(format!("--effect {effect} of a mean: percentage points are of shares")));
    }
    let difference = effect.on(mean);
    let possible = difference != 0.0 && difference.is_finite() && deviation > 0.0 && deviation.is_finite();
    if possible {
        Ok(Aim::Mean { difference, deviation })
    } else {
        Err(refused(format!(
            "--effect {effect} of --mean {mean} with --sd {deviation} is nothing to look for"
        )))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { aim, per_arm, subjects, power, days, answers, alpha_each } = &self.plan;
        let what = match aim {
            Aim::Share { control, treatment } => {
                format!("a share that goes from {} to {}", percent(control.get()), percent(treatment.get()))
            }
            Aim::Mean { difference, deviation } => {
                format!("a mean that moves by {} (deviation {})", number(*difference), number(*deviation))
            }
        };
        if self.given {
            let style = if *power >= 0.8 { GOOD } else { WARN };
            writeln!(
                f,
                "{} subjects see {what} in {} of such experiments.",
                grouped(*subjects),
                styled(style, percent(*power))
            )?;
        } else {
            writeln!(
                f,
                "{} subjects, to see {what} in {} of such experiments.",
                styled(NAME, grouped(*subjects)),
                percent(*power)
            )?;
        }
        let arms: Vec<String> = per_arm.iter().map(|arm| grouped(*arm)).collect();
        writeln!(f, "  arms     {}  {}", arms.join(" / "), styled(FAINT, "the control first"))?;
        if let (Some(days), Some(weeks)) = (days, self.whole_weeks_days) {
            let advice = format!("run it {weeks}, so that every weekday counts alike");
            writeln!(f, "  days     {}  {}", grouped(*days), styled(FAINT, advice))?;
        }
        writeln!(
            f,
            "  level    {}  {}",
            percent(alpha_each.get()),
            styled(
                FAINT,
                if *answers == 1 {
                    "for the one answer".to_owned()
                } else {
                    format!("for each of {answers} answers")
                }
            )
        )?;
        writeln!(f, "\n{}", styled(FAINT, "Look at the end, and once: earlier looks call no winner."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn asked(words: &str) -> Result<Answer, String> {
        let line =
            Line::try_parse_from(format!("plan {words}").split(' ')).map_err(|error| error.to_string())?;
        run(&line.args).map_err(|failure| failure.message)
    }

    #[track_caller]
    fn needs(words: &str, subjects: u64, days: Option<u64>) {
        let plan = asked(words).expect("it can be planned").plan;
        assert_eq!((plan.subjects, plan.days), (subjects, days), "{words}");
    }

    #[test]
    fn subjects_and_days_follow_from_what_is_to_be_shown() {
        // Statsmodels says 25,551 and 64 for each arm.
        needs("--baseline 4% --effect 0.5pp --per-day 20000", 51_102, Some(3));
        needs("--baseline 0.04 --effect 12.5%", 51_102, None);
        needs("--mean 10 --sd 2 --effect 1", 128, None);
        needs("--mean 10 --sd 2 --effect 10% --per-day 128", 128, Some(1));
        needs("--mean 10 --sd 2 --effect=-10% --per-day 127", 128, Some(2));
    }

    #[test]
    fn more_answers_and_uneven_splits_cost_subjects() {
        let subjects = |words: &str| asked(words).expect("it can be planned").plan.subjects;
        let plain = subjects("--baseline 4% --effect 0.5pp");
        assert!(subjects("--baseline 4% --effect 0.5pp --metrics 3") > plain);
        assert!(subjects("--baseline 4% --effect 0.5pp --split 80/20") > plain);
        assert!(subjects("--baseline 4% --effect 0.5pp --power 90%") > plain);
        assert!(subjects("--baseline 4% --effect 0.5pp --alpha 1%") > plain);
        let three = asked("--baseline 4% --effect 0.5pp --split 1/1/1").expect("it can be planned").plan;
        assert_eq!((three.per_arm.len(), three.answers), (3, 2));
    }

    #[test]
    fn a_number_of_subjects_is_told_what_it_can_show() {
        let answer = asked("--baseline 4% --effect 0.5pp --subjects 51102").expect("it can be planned");
        assert!((answer.plan.power - 0.8).abs() < 1e-4, "{}", answer.plan.power);
        assert!(answer.to_string().contains("of such experiments"));
    }

    #[test]
    fn what_cannot_be_planned_is_said() {
        for (words, rule) in [
            ("--baseline 4% --effect 0.5", "write 0.5pp or 0.5%"),
            ("--baseline 99% --effect 2pp", "nothing between 0% and 100%"),
            ("--baseline 4% --effect 0pp", "nothing between"),
            ("--baseline 4 --effect 1pp", "no share between 0 and 1"),
            ("--baseline 4% --effect much", "is no effect"),
            ("--mean 5 --effect 1", "--sd"),
            ("--mean 5 --sd 0 --effect 1", "nothing to look for"),
            ("--mean 5 --sd 1 --effect 1pp", "percentage points are of shares"),
            ("--mean 0 --sd 1 --effect 10%", "nothing to look for"),
            ("--mean 5 --sd 1e9 --effect 1e-9", "not even 10,000,000,000 subjects"),
            ("--baseline 4% --effect 1pp --split 100", "no split"),
            ("--baseline 4% --effect 1pp --split 50/0", "no split"),
            ("--baseline 4% --mean 3 --sd 1 --effect 1pp", "cannot be used with"),
            ("--baseline NaN --effect 1pp", "no share"),
        ] {
            let said = asked(words).map(|answer| answer.plan).expect_err(words);
            assert!(said.contains(rule), "{words}: {said}");
        }
    }
}
