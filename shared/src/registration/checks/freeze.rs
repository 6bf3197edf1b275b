//! Freezes: times in which no release may begin. A freeze never concerns a rollback: nothing that puts traffic back asks
//! for one.
//!
//! The times are those on a clock that hangs in the freeze's time zone. Where that clock is put forward, a time that it
//! leaves out is as much later as the clock is put forward; where it is put back, a time that it shows twice is the first
//! one. The zones are those that the suite was built with, so that every process and every person's machine agrees.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::registration::Violation;

/// A time in which no release may begin: from one date to another, or on days of the week between two times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// Why; people read it when they are refused.
    pub reason: String,
    /// Whose clock is meant, such as `Europe/Berlin`.
    pub time_zone: String,
    /// When it begins: `2026-12-19T18:00`, or with `days` a time, `16:00`.
    pub from: String,
    /// When it ends, likewise; with `days`, `24:00` is the end of the day.
    pub to: String,
    /// The days of the week on which it returns: `monday` … `sunday`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
}

/// The times of a freeze, read.
pub(crate) struct Span {
    zone: TimeZone,
    times: Times,
}

enum Times {
    Once { from: DateTime, to: DateTime },
    Weekly { days: Vec<Weekday>, from: Time, to: EndOfDay },
}

/// A time of day that something ends at. No clock shows the last of them.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum EndOfDay {
    At(Time),
    Midnight,
}

const DATE_AND_TIME: &str = "%Y-%m-%dT%H:%M";
const TIME: &str = "%H:%M";

impl Freeze {
    /// Reads the times; `field` is where the freeze stands.
    pub(crate) fn span(&self, field: &str) -> Result<Span, Vec<Violation>> {
        let mut violations = Vec::new();
        let zone = self.zone(field, &mut violations);
        let times = if self.days.is_empty() {
            self.once(field, &mut violations)
        } else {
            self.weekly(field, &mut violations)
        };
        match (zone, times) {
            (Some(zone), Some(times)) if violations.is_empty() => Ok(Span { zone, times }),
            (_, _) => Err(violations),
        }
    }

    fn zone(&self, field: &str, violations: &mut Vec<Violation>) -> Option<TimeZone> {
        let zone = TimeZoneDatabase::bundled().get(&self.time_zone).ok();
        if zone.is_none() {
            let rule = "a time zone of the IANA database, such as Europe/Berlin or UTC";
            violations.push(Violation::new(
                format!("{field}.time_zone"),
                format!("{:?}", self.time_zone),
                rule,
            ));
        }
        zone
    }

    fn once(&self, field: &str, violations: &mut Vec<Violation>) -> Option<Times> {
        let mut read = |name: &str, text: &str| {
            let time = DateTime::strptime(DATE_AND_TIME, text).ok();
            // What is read leniently is written in one way: a person may have meant something else.
            let time = time.filter(|time| time.strftime(DATE_AND_TIME).to_string() == text);
            if time.is_none() {
                let rule =
                    "a date and a time such as 2026-12-19T18:00; with days beside it, a time such as 16:00";
                violations.push(Violation::new(format!("{field}.{name}"), format!("{text:?}"), rule));
            }
            time
        };
        let (from, to) = (read("from", &self.from), read("to", &self.to));
        let (from, to) = (from?, to?);
        self.ends_after_it_begins(from < to, field, violations).then_some(Times::Once { from, to })
    }

    fn weekly(&self, field: &str, violations: &mut Vec<Violation>) -> Option<Times> {
        let days = self.weekdays(field, violations);
        let mut read = |name: &str, text: &str| {
            let time = time_of_day(text);
            if time.is_none() {
                let rule = "on days of the week, a time such as 16:00";
                violations.push(Violation::new(format!("{field}.{name}"), format!("{text:?}"), rule));
            }
            time
        };
        let from = read("from", &self.from);
        let to = if self.to == "24:00" {
            Some(EndOfDay::Midnight)
        } else {
            read("to", &self.to).map(EndOfDay::At)
        };
        let (from, to) = (from?, to?);
        let ends_after = EndOfDay::At(from) < to;
        self.ends_after_it_begins(ends_after, field, violations).then_some(Times::Weekly { days, from, to })
    }

    fn weekdays(&self, field: &str, violations: &mut Vec<Violation>) -> Vec<Weekday> {
        let mut days = Vec::new();
        for (index, name) in self.days.iter().enumerate() {
            let rule = match weekday(name) {
                Some(day) if days.contains(&day) => "a day is named once",
                Some(day) => {
                    days.push(day);
                    continue;
                }
                None => "one of monday, tuesday, wednesday, thursday, friday, saturday, sunday",
            };
            violations.push(Violation::new(format!("{field}.days[{index}]"), format!("{name:?}"), rule));
        }
        days
    }

    fn ends_after_it_begins(&self, does: bool, field: &str, violations: &mut Vec<Violation>) -> bool {
        if !does {
            let rule = format!(
                "after it begins, {:?}; one that goes on after midnight of a weekday is two freezes",
                self.from
            );
            violations.push(Violation::new(format!("{field}.to"), format!("{:?}", self.to), rule));
        }
        does
    }
}

impl Span {
    /// When the freeze that holds now ends; nothing if it does not hold. It holds from its beginning on and no longer at
    /// its end.
    pub(crate) fn until(&self, now: Timestamp) -> Option<Zoned> {
        let today = now.to_zoned(self.zone.clone());
        let (from, to) = match &self.times {
            Times::Once { from, to } => (*from, *to),
            Times::Weekly { days, from, to } => {
                let date = days.contains(&today.weekday()).then(|| today.date())?;
                (date.to_datetime(*from), to.on(date)?)
            }
        };
        let at = |time: DateTime| time.to_zoned(self.zone.clone()).ok();
        let (from, to) = (at(from)?, at(to)?);
        (from.timestamp() <= now && now < to.timestamp()).then_some(to)
    }
}

impl EndOfDay {
    fn on(self, date: Date) -> Option<DateTime> {
        match self {
            Self::At(time) => Some(date.to_datetime(time)),
            Self::Midnight => Some(date.tomorrow().ok()?.to_datetime(Time::midnight())),
        }
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    let time = Time::strptime(TIME, text).ok()?;
    (time.strftime(TIME).to_string() == text).then_some(time)
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}
