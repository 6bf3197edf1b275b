//! `count-called-rate`: an alarm that people read as a rate and that compares a count.

use super::{About, Scope};
use crate::doctor::alarm::{Alarm, Metric};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

use super::api_5xx_sum;

pub(super) const ABOUT: About = About {
    id: "count-called-rate",
    title: "an alarm is called a rate and compares a count",
    why: "Five errors are a disaster in ten requests and nothing in a million. An alarm on the sum goes off with \
          traffic, not with quality, and people who read \"rate\" believe otherwise.",
    scope: Scope::Template(check),
};

/// What a rate is taken of, where a rate of failures is meant. A rate of requests may well be a count per minute.
const SHARES: [&str; 10] =
    ["error", "errors", "failure", "failures", "fail", "fault", "success", "5xx", "4xx", "throttle"];

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    survey.alarms.iter().filter_map(|alarm| judge(survey, alarm)).collect()
}

fn judge(survey: &Survey<'_>, alarm: &Alarm<'_>) -> Option<Sign> {
    let metric = alarm.plain().filter(|metric| is_count(metric))?;
    if api_5xx_sum::is_failed_requests(metric) {
        return None;
    }
    let word = alarm.words(survey.template).iter().find_map(|text| rate_in(text))?;
    let id = &alarm.resource.id;
    let name = metric.name.as_deref().unwrap_or("its metric");
    let statistic = metric.statistic.as_deref().unwrap_or_default();
    let properties = alarm.resource.attribute("Properties")?;
    let threshold = survey.template.number(properties, "Threshold");
    let threshold = threshold.map_or_else(|| "its threshold".to_owned(), |threshold| threshold.to_string());
    let severity = if survey.is_guard(alarm.resource) { Severity::Warning } else { Severity::Note };
    let message = format!(
        "{id} speaks of \"{word}\" and compares the {statistic} of {name} with {threshold}: a count, which grows with traffic"
    );
    let mend = "Metrics:\n  - Id: rate\n    Expression: IF(invocations >= 100, 100 * errors / invocations, 0)\n    ReturnData: true\n  - Id: errors\n    ReturnData: false\n    MetricStat: …\n  - Id: invocations\n    ReturnData: false\n    MetricStat: …".to_owned();
    Some(Sign::of(severity, alarm.resource, message, mend).at(metric.spot("Statistic")))
}

fn is_count(metric: &Metric<'_>) -> bool {
    let statistic = metric.statistic.as_deref();
    let is_share = |name: &str| {
        ["rate", "percent", "utilization", "ratio"].iter().any(|word| name.to_lowercase().contains(word))
    };
    matches!(statistic, Some("Sum" | "SampleCount")) && !metric.name.as_deref().is_some_and(is_share)
}

/// The words of a text that speak of a share, if any do.
pub(super) fn rate_in(text: &str) -> Option<String> {
    let words = words(text);
    let lower = |index: usize| words.get(index).map(|word| word.to_lowercase());
    (0..words.len()).find_map(|index| {
        let word = lower(index)?;
        let before = index.checked_sub(1).and_then(lower);
        match word.as_str() {
            "rate" | "rates" | "ratio" => {
                let of = before.filter(|before| SHARES.contains(&before.as_str()))?;
                Some(format!("{of} {word}"))
            }
            "percent" | "percentage" | "%" => Some(word),
            _ => None,
        }
    })
}

/// The words of a sentence or of a name such as `CheckoutErrorRate`.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut previous = ' ';
    for letter in text.chars() {
        let begins = letter == '%'
            || previous == '%'
            || !previous.is_alphanumeric()
            || letter.is_uppercase() && previous.is_lowercase();
        if letter.is_alphanumeric() || letter == '%' {
            match words.last_mut() {
                Some(word) if !begins => word.push(letter),
                Some(_) | None => words.push(letter.to_string()),
            }
        }
        previous = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_told_from_other_words() {
        for (text, expected) in [
            ("CheckoutErrorRate", Some("error rate")),
            ("checkout-error-rate", Some("error rate")),
            ("More than 5% of requests fail", Some("%")),
            ("more than 5 percent", Some("percent")),
            ("5xxRate", Some("5xx rate")),
            ("the request rate", None),
            ("RateLimitExceeded", None),
            ("errors, rated high", None),
            ("AccurateErrors", None),
            ("Separate", None),
        ] {
            assert_eq!(rate_in(text).as_deref(), expected, "{text}");
        }
    }
}
