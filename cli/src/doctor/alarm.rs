//! The alarms of a template, as far as a release cares.

use super::document::Node;
use super::template::{Resource, Template};

pub(super) const ALARM: &str = "AWS::CloudWatch::Alarm";
pub(super) const COMPOSITE: &str = "AWS::CloudWatch::CompositeAlarm";

/// The metrics that Lambda also sends for each alias and version.
pub(super) const PER_VERSION: [&str; 4] = ["Errors", "Invocations", "Duration", "Throttles"];

/// A metric alarm.
#[derive(Debug)]
pub(super) struct Alarm<'t> {
    pub(super) resource: &'t Resource,
    /// The metrics that it reads, alone or for metric math.
    pub(super) metrics: Vec<Metric<'t>>,
    /// The metric math.
    pub(super) expressions: Vec<String>,
}

/// A metric as an alarm reads it. What is not known has no value.
#[derive(Debug)]
pub(super) struct Metric<'t> {
    /// Where it is written down.
    pub(super) node: &'t Node,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) statistic: Option<String>,
    pub(super) period_seconds: Option<f64>,
    pub(super) dimensions: Dimensions<'t>,
}

/// The dimensions of a metric.
#[derive(Debug)]
pub(super) enum Dimensions<'t> {
    Known(Vec<(String, &'t Node)>),
    /// A value that only the deployment knows stands where they should.
    Unknown,
}

impl Dimensions<'_> {
    fn of<'t>(template: &Template, node: Option<&'t Node>) -> Dimensions<'t> {
        let items = node.map(|node| template.list(node)).unwrap_or_default();
        let pair = |item: &'t Node| Some((template.exact(item, "Name")?, item.get("Value")?));
        items.into_iter().map(pair).collect::<Option<_>>().map_or(Dimensions::Unknown, Dimensions::Known)
    }

    /// Whether there is one of this name; nothing if that is not known.
    pub(super) fn has(&self, name: &str) -> Option<bool> {
        match self {
            Self::Known(pairs) => Some(pairs.iter().any(|(known, _)| known == name)),
            Self::Unknown => None,
        }
    }

    pub(super) fn value(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Known(pairs) => pairs.iter().find(|(known, _)| known == name).map(|(_, value)| *value),
            Self::Unknown => None,
        }
    }
}

impl<'t> Alarm<'t> {
    pub(super) fn of(template: &Template, resource: &'t Resource) -> Option<Self> {
        if !resource.is(ALARM) {
            return None;
        }
        let properties = resource.attribute("Properties")?;
        let queries = template.listed(resource, "Metrics");
        let expressions = queries.iter().filter_map(|query| template.all(query, "Expression").pop());
        let expressions = expressions.map(|expression| template.text(expression).text).collect();
        let mut metrics: Vec<_> =
            queries.iter().flat_map(|query| Metric::of_query(template, query)).collect();
        if properties.get("MetricName").is_some() {
            metrics.push(Metric::of(template, properties, properties));
        }
        Some(Self { resource, metrics, expressions })
    }

    /// The one metric that it compares with its threshold, if it uses no metric math.
    pub(super) fn plain(&self) -> Option<&Metric<'t>> {
        match self.metrics.as_slice() {
            [only] if self.expressions.is_empty() => Some(only),
            _ => None,
        }
    }

    /// How long the breach has to last, in seconds: the periods that must breach times their length.
    pub(super) fn breach_seconds(&self, template: &Template) -> Option<(f64, f64)> {
        let properties = self.resource.attribute("Properties")?;
        let periods = match properties.get("DatapointsToAlarm") {
            Some(_) => template.number(properties, "DatapointsToAlarm")?,
            None => template.number(properties, "EvaluationPeriods")?,
        };
        let lengths: Option<Vec<f64>> = self.metrics.iter().map(|metric| metric.period_seconds).collect();
        let longest = lengths?.into_iter().fold(0.0, f64::max);
        (longest > 0.0).then_some((periods, longest))
    }

    /// What people read of it: its name, its logical id and its description.
    pub(super) fn words(&self, template: &Template) -> Vec<String> {
        let named = ["AlarmName", "AlarmDescription"];
        let texts = named.iter().flat_map(|name| template.values(self.resource, name));
        let texts = texts.map(|node| template.text(node).text);
        texts.chain([self.resource.id.clone()]).collect()
    }
}

impl<'t> Metric<'t> {
    /// A metric query with a metric; one with an expression has none.
    fn of_query(template: &Template, query: &'t Node) -> Option<Self> {
        let stat = query.get("MetricStat")?;
        let metric = stat.get("Metric")?;
        Some(Self {
            statistic: template.exact(stat, "Stat"),
            period_seconds: template.number(stat, "Period"),
            node: query,
            ..Self::of(template, metric, stat)
        })
    }

    fn of(template: &Template, metric: &'t Node, node: &'t Node) -> Self {
        let statistic = template.exact(metric, "ExtendedStatistic");
        Self {
            node,
            namespace: template.exact(metric, "Namespace"),
            name: template.exact(metric, "MetricName"),
            statistic: statistic.or_else(|| template.exact(metric, "Statistic")),
            period_seconds: template.number(metric, "Period"),
            dimensions: Dimensions::of(template, metric.get("Dimensions")),
        }
    }

    /// Where one of its settings stands: in the alarm itself, or in its query.
    pub(super) fn spot(&self, setting: &str) -> &'t Node {
        let stat = self.node.get("MetricStat");
        let metric = stat.and_then(|stat| stat.get("Metric"));
        let places = [Some(self.node), stat, metric];
        places.into_iter().flatten().find_map(|place| place.get(setting)).unwrap_or(self.node)
    }

    pub(super) fn is_of(&self, namespace: &str) -> bool {
        self.namespace.as_deref() == Some(namespace)
    }

    /// The percentile that it takes, between 0 and 100: `p99.9` is 99.9.
    pub(super) fn percentile(&self) -> Option<f64> {
        let digits = self.statistic.as_deref()?.strip_prefix('p')?;
        digits.parse().ok().filter(|percentile| (0.0..100.0).contains(percentile))
    }
}
