//! The samples of every metric, and what a statistic makes of one period of them. It must not know alarms or clocks:
//! callers say which stretch of time they mean, and when they look.

pub(crate) mod pages;
mod trouble;

use super::definition::{MetricId, Statistic};
use jiff::Timestamp;
use pages::Pages;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use trouble::Troubles;
pub use trouble::{MetricFault, MetricTrouble};

/// Per metric; the oldest go first. Simulated traffic makes about a thousand samples of a latency a second.
const SAMPLES_MAX: usize = 300_000;

/// One published value, or the summary of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) time_ms: i64,
    pub(crate) sum: f64,
    pub(crate) count: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
}

impl Sample {
    /// The same value, several times.
    pub(crate) fn of(time_ms: i64, value: f64, count: f64) -> Self {
        Self { time_ms, sum: value * count, count, minimum: value, maximum: value }
    }
}

/// One period's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    pub(crate) sample_count: f64,
}

/// All metrics of the local AWS.
#[derive(Debug, Default)]
pub struct MetricStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    series: HashMap<MetricId, VecDeque<Sample>>,
    troubles: Troubles,
    pages: Pages,
}

impl MetricStore {
    /// Publishes one value.
    pub fn publish(&self, metric: &MetricId, time: Timestamp, value: f64) {
        self.add(metric, Sample::of(time.as_millisecond(), value, 1.0));
    }

    /// Forgets every sample.
    pub fn clear(&self) {
        self.lock().series.clear();
    }

    /// From now on, samples are seen only this long (in real time) after their timestamps, by alarms too.
    pub fn delay_all(&self, by: Duration) {
        self.lock().troubles.delay(None, by);
    }

    /// The same for the metrics of one name, such as `Errors`, however late the others are.
    pub fn delay(&self, metric_name: &str, by: Duration) {
        self.lock().troubles.delay(Some(metric_name), by);
    }

    /// From now on, `GetMetricData` has this trouble. Alarms do not.
    pub fn add_fault(&self, fault: MetricFault) {
        self.lock().troubles.add(fault);
    }

    /// Ends every delay and fault.
    pub fn clear_faults(&self) {
        self.lock().troubles = Troubles::default();
    }

    pub(crate) fn trouble(&self, metric: &MetricId) -> Option<MetricTrouble> {
        self.lock().troubles.of(metric)
    }

    pub(crate) fn with_pages<T>(&self, work: impl FnOnce(&mut Pages) -> T) -> T {
        work(&mut self.lock().pages)
    }

    pub(crate) fn add(&self, metric: &MetricId, sample: Sample) {
        self.lock().add(metric, sample);
    }

    /// Adds them at once: whoever looks sees all or none.
    pub(crate) fn add_all(&self, samples: Vec<(MetricId, Sample)>) {
        let mut inner = self.lock();
        for (metric, sample) in samples {
            inner.add(&metric, sample);
        }
    }

    /// The statistic over `from_ms <= time < to_ms`, as far as it is seen at `now_ms`; nothing when there was no sample.
    pub(crate) fn read(
        &self,
        metric: &MetricId,
        statistic: Statistic,
        from_ms: i64,
        to_ms: i64,
        now_ms: i64,
    ) -> Option<Reading> {
        let inner = self.lock();
        let samples = inner.series.get(metric)?;
        let seen_to_ms = inner.troubles.seen_to_ms(metric, now_ms).map_or(to_ms, |seen| seen.min(to_ms));
        let first = samples.partition_point(|sample| sample.time_ms < from_ms);
        let last = samples.partition_point(|sample| sample.time_ms < seen_to_ms).max(first);
        let samples: Vec<Sample> = samples.range(first..last).copied().collect();
        let sample_count: f64 = samples.iter().map(|sample| sample.count).sum();
        if sample_count <= 0.0 {
            return None;
        }
        Some(Reading { value: summarise(&samples, statistic, sample_count), sample_count })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, metric: &MetricId, sample: Sample) {
        let samples = match self.series.get_mut(metric) {
            Some(samples) => samples,
            None => self.series.entry(metric.clone()).or_default(),
        };
        // Kept in order of time. Nearly every sample is the newest, so the place is found at the end at once.
        let place = samples.partition_point(|known| known.time_ms <= sample.time_ms);
        samples.insert(place, sample);
        if samples.len() > SAMPLES_MAX {
            samples.pop_front();
        }
    }
}

fn summarise(samples: &[Sample], statistic: Statistic, count: f64) -> f64 {
    let sum: f64 = samples.iter().map(|sample| sample.sum).sum();
    let within = |low: f64, high: f64| -> f64 {
        // CloudWatch's ranges exclude the lower bound and include the upper one.
        let inside = samples.iter().filter(|sample| {
            let value = sample.sum / sample.count;
            value > low && value <= high
        });
        inside.map(|sample| sample.count).sum()
    };
    match statistic {
        Statistic::Sum => sum,
        Statistic::Average => sum / count,
        Statistic::Minimum => samples.iter().map(|sample| sample.minimum).fold(f64::INFINITY, f64::min),
        Statistic::Maximum => samples.iter().map(|sample| sample.maximum).fold(f64::NEG_INFINITY, f64::max),
        Statistic::SampleCount => count,
        Statistic::Percentile(percent) => percentile(samples, percent, count),
        Statistic::PercentileRank(low, high) => within(low, high) / count * 100.0,
        Statistic::TrimmedCount(low, high) => within(low, high),
    }
}

/// The nearest-rank percentile. CloudWatch does not document its interpolation; with enough samples they agree.
fn percentile(samples: &[Sample], percent: f64, count: f64) -> f64 {
    let mut values: Vec<(f64, f64)> =
        samples.iter().map(|sample| (sample.sum / sample.count, sample.count)).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let rank = (percent / 100.0 * count).max(f64::MIN_POSITIVE);
    let mut seen = 0.0;
    for (value, count) in &values {
        seen += count;
        if seen >= rank {
            return *value;
        }
    }
    values.last().map_or(0.0, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(statistic: Statistic, expect: f64) {
        let store = MetricStore::default();
        let metric = MetricId::new("N", "m", &[]);
        // Out of order, and with one sample on either edge of the period from 1000 to 2000.
        for (time_ms, value) in [(1_999, 4.0), (1_000, 1.0), (1_500, 7.0), (2_000, 100.0), (999, 100.0)] {
            store.add(&metric, Sample::of(time_ms, value, 1.0));
        }
        let value = store.read(&metric, statistic, 1_000, 2_000, 2_000).map(|reading| reading.value);
        assert_eq!(value, Some(expect));
    }

    #[test]
    fn a_period_holds_its_start_and_not_its_end() {
        check(Statistic::Sum, 12.0);
        check(Statistic::SampleCount, 3.0);
        check(Statistic::Average, 4.0);
        check(Statistic::Minimum, 1.0);
        check(Statistic::Maximum, 7.0);
        check(Statistic::Percentile(50.0), 4.0);
        check(Statistic::Percentile(99.0), 7.0);
        check(Statistic::TrimmedCount(f64::NEG_INFINITY, 4.0), 2.0);
        check(Statistic::PercentileRank(0.0, f64::INFINITY), 100.0);
    }

    #[test]
    fn a_metric_is_its_exact_dimension_set() {
        let store = MetricStore::default();
        let narrow = MetricId::new("AWS/Lambda", "Errors", &[("FunctionName", "f"), ("Resource", "f:live")]);
        let wide = MetricId::new("AWS/Lambda", "Errors", &[("FunctionName", "f")]);
        store.publish(&narrow, Timestamp::UNIX_EPOCH, 1.0);
        assert!(store.read(&narrow, Statistic::Sum, 0, 1, 1).is_some());
        assert!(store.read(&wide, Statistic::Sum, 0, 1, 1).is_none());
    }

    #[test]
    fn a_late_sample_is_seen_from_its_delay_on_and_no_sooner() {
        let store = MetricStore::default();
        let [errors, invocations] = ["Errors", "Invocations"].map(|name| MetricId::new("N", name, &[]));
        for metric in [&errors, &invocations] {
            store.add(metric, Sample::of(1_000, 1.0, 1.0));
        }
        let is_seen = |metric, now_ms| store.read(metric, Statistic::Sum, 0, 60_000, now_ms).is_some();
        store.delay("Errors", Duration::from_millis(500));
        assert!(!is_seen(&errors, 1_499) && is_seen(&errors, 1_500) && is_seen(&invocations, 1_000));
        store.delay_all(Duration::from_millis(200));
        assert!(!is_seen(&invocations, 1_199) && is_seen(&invocations, 1_200) && !is_seen(&errors, 1_499));
        store.clear_faults();
        assert!(is_seen(&errors, 1_000));
    }
}
