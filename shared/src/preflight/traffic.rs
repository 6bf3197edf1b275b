//! Is there enough traffic for the limits to be proved while a stage is watched? What the last day had is taken for what is
//! to come: fewer requests than a proof needs mean a release that would wait in vain and then go back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::facts::{Seen, Unseen};
use super::subject::Subject;
use super::{Check, Outcome, Remark};
use crate::judge::{Tally, requests_to_prove};
use crate::measure::{Answers, Query, Question, Wanted};
use crate::names::Weight;
use crate::pipeline::{Tempo, Waivable};
use crate::place::LambdaAlias;
use crate::reason::duration;
use crate::registration::{MetricSource, Unproven};
use crate::strategy::PlannedStage;

/// The requests to the alias of the last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficHistory {
    /// All of them, and those that failed.
    pub seen: Tally,
    /// In how many minutes they came: from the first of them on, because an alias that is an hour old is no idle one.
    pub minutes: u32,
}

/// So many stages that need more time than they have, or more requests than there are, are told one by one.
const TOLD_MAX: usize = 3;
/// Short enough to see when an alias began to serve, and few enough for one page: 288 a day.
const PERIOD_MINUTES: u32 = 5;
const DAY_MINUTES: u32 = 24 * 60;
const REQUESTS: &str = "requests";
const ERRORS: &str = "errors";

impl TrafficHistory {
    /// What CloudWatch is asked: the last day, in whole periods of which it has everything.
    pub fn question(alias: &LambdaAlias, now: Timestamp, tempo: Tempo) -> Question {
        let period_ms = i64::try_from(tempo.minutes(PERIOD_MINUTES).as_millis()).unwrap_or(i64::MAX).max(1);
        let settled = tempo.settled(now);
        let begun = SignedDuration::from_millis(settled.as_millisecond().rem_euclid(period_ms));
        let to = settled.saturating_sub(begun).unwrap_or(settled);
        let from = to.saturating_sub(tempo.minutes(DAY_MINUTES)).unwrap_or(to);
        let queries = vec![sum_of(REQUESTS, "Invocations", alias), sum_of(ERRORS, "Errors", alias)];
        Question { from, to, period_seconds: PERIOD_MINUTES * 60, queries }
    }

    /// What the answers come to. A period without a request has no value.
    pub fn of(question: &Question, answers: &Answers, tempo: Tempo) -> Seen<Self> {
        let series = |id: &str| match answers.get(id) {
            Some(Ok(series)) => Ok(series),
            Some(Err(why)) => Err(Unseen { why: format!("{id}: {why}") }),
            None => Err(Unseen { why: format!("{id}: not answered") }),
        };
        let total = |series: &BTreeMap<Timestamp, f64>| {
            // Sums of counts: whole numbers far below what a double holds exactly, and never negative.
            series.values().sum::<f64>().max(0.0).round() as u64
        };
        let (requests, errors) = (series(REQUESTS)?, series(ERRORS)?);
        let began = requests.iter().find(|(_, sum)| **sum > 0.0).map(|(start, _)| *start);
        let all = total(requests);
        Ok(Self {
            seen: Tally { bad: total(errors).min(all), requests: all },
            minutes: began.map_or(0, |began| tempo.plan_seconds(question.to.duration_since(began)) / 60),
        })
    }

    /// How many requests a version with this share of them is to expect in so many minutes. Counted in millionths, which
    /// weights are, so that a limit that is met exactly is not missed by a rounding.
    fn expected(&self, weight: Weight, minutes: u32) -> u64 {
        let millionths = u128::from((weight.share() * 1e6).round() as u64);
        let requests = u128::from(self.seen.requests) * millionths * u128::from(minutes);
        let expected = requests.checked_div(u128::from(self.minutes) * 1_000_000).unwrap_or(0);
        u64::try_from(expected).unwrap_or(u64::MAX)
    }
}

/// What a stage needs to be proved, and what it is to expect.
struct Prospect {
    needed: Option<u64>,
    baked: u64,
    watched: u64,
    sentence: String,
}

impl Subject<'_> {
    /// Every stage can be proved by the traffic that is to be expected.
    pub(super) fn check_traffic(&self, history: Option<&Seen<TrafficHistory>>) -> Check {
        let history = match history {
            Some(Ok(history)) => history,
            None => return Remark::failed("the requests of the last day were not asked for").of("traffic"),
            Some(Err(unseen)) => {
                let detail = format!("the requests of the last day {unseen}");
                return self.failed_unless_waived(Waivable::Traffic, detail).of("traffic");
            }
        };
        let stages = self.run.strategy.stages.iter().enumerate();
        let prospects: Vec<Prospect> =
            stages.map(|(index, stage)| self.prospect(index, stage, history)).collect();
        let mut remarks = self.shortfalls(&prospects);
        let untold = remarks.len().saturating_sub(TOLD_MAX);
        remarks.truncate(TOLD_MAX);
        if untold > 0 {
            remarks.extend(
                remarks.last().map(|last| Remark {
                    outcome: last.outcome,
                    detail: format!("and {untold} more stages"),
                }),
            );
        }
        let tightest = prospects
            .iter()
            .min_by_key(|prospect| prospect.baked.saturating_sub(prospect.needed.unwrap_or(u64::MAX)));
        if remarks.is_empty() {
            remarks.extend(tightest.map(|tightest| Remark::passed(&tightest.sentence)));
        }
        let minutes = duration(i64::from(history.minutes) * 60);
        let least = remarks.iter().map(|remark| remark.outcome).min().unwrap_or(Outcome::Passed);
        let known =
            format!("known from {} requests in {minutes}, errors {}", history.seen.requests, history.seen);
        remarks.push(Remark { outcome: least, detail: known });
        Check::of("traffic", remarks)
    }

    /// The stages that need more than their own time, the worst first.
    fn shortfalls(&self, prospects: &[Prospect]) -> Vec<Remark> {
        let (short, late): (Vec<&Prospect>, Vec<&Prospect>) = prospects
            .iter()
            .filter(|prospect| prospect.needed.is_none_or(|needed| prospect.baked < needed))
            .partition(|prospect| prospect.needed.is_none_or(|needed| prospect.watched < needed));
        let short = short.into_iter().map(|prospect| match self.run.strategy.unproven {
            Unproven::Ask => Remark::noted(format!("{}; a person will be asked", prospect.sentence)),
            Unproven::RollBack => self.failed_unless_waived(Waivable::Traffic, &prospect.sentence),
        });
        short.chain(late.into_iter().map(|prospect| Remark::noted(&prospect.sentence))).collect()
    }

    fn prospect(&self, index: usize, stage: &PlannedStage, history: &TrafficHistory) -> Prospect {
        let watched_minutes = self.run.strategy.watched_minutes_max(stage);
        let expected = |minutes| history.expected(stage.weight, minutes);
        let (baked, watched) = (expected(stage.bake_minutes), expected(watched_minutes));
        let error_rate = history.seen.rate().unwrap_or(0.0);
        // How many requests are slow is only known of the minutes in which the limit is measured: none, at best.
        let limits = [
            ("errors", stage.limits.error_rate_max, error_rate),
            ("slow requests", stage.limits.slow_rate_max, 0.0),
        ];
        let needs = limits.into_iter().filter_map(|(what, limit, rate)| {
            let limit = limit?;
            Some((what, limit, requests_to_prove(limit, rate)))
        });
        // A limit that nothing can prove needs more than any other.
        let hardest = needs.max_by_key(|(_, _, needed)| needed.unwrap_or(u64::MAX));
        let (weight, number) = (stage.weight, index + 1);
        let (needed, sentence) = match hardest {
            None => (Some(0), format!("stage {number} has no limits to prove")),
            Some((what, limit, None)) => {
                let limit = percent(limit);
                let why = "the stable version itself is too close to it or beyond it";
                (None, format!("stage {number} at {weight} can never prove {what} below {limit}: {why}"))
            }
            Some((what, limit, Some(needed))) => {
                let limit = percent(limit);
                let sentence = format!(
                    "stage {number} at {weight} needs {needed} requests to prove {what} below {limit}, and {baked} are \
                     expected in {} min, {watched} in {watched_minutes} min at most",
                    stage.bake_minutes
                );
                (Some(needed), sentence)
            }
        };
        Prospect { needed, baked, watched, sentence }
    }
}

fn sum_of(id: &str, metric: &str, LambdaAlias { function, alias }: &LambdaAlias) -> Query {
    let dimensions = BTreeMap::from([
        ("FunctionName".to_owned(), function.to_string()),
        ("Resource".to_owned(), format!("{function}:{alias}")),
    ]);
    Query {
        id: id.to_owned(),
        what: format!("{id} to {function}:{alias}"),
        wanted: Wanted::Metric(MetricSource {
            namespace: "AWS/Lambda".to_owned(),
            name: metric.to_owned(),
            dimensions,
            stat: "Sum".to_owned(),
        }),
        is_answered: true,
    }
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}
