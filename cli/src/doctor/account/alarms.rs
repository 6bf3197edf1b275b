//! What CloudWatch says of how alarms are set.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension, Metric, MetricAlarm};
use ripcord::aws::causes;

/// CloudWatch takes no more names in one call.
const NAMES_MAX: usize = 100;
/// It answers a hundred alarms a page; so many pages for a hundred names would be a fault of its own.
const PAGES_MAX: usize = 10;

/// An alarm, as far as the doctor cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AlarmSettings {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) actions_enabled: bool,
    pub(super) actions: Vec<String>,
    /// Whether it says what missing data mean. Composite alarms read states, which are never missing.
    pub(super) missing_data: bool,
    /// The metric of Lambda, if it reads one without its alias.
    pub(super) function_level: Option<String>,
}

/// The metric and composite alarms of these names; those that do not exist are not among them.
pub(super) async fn settings(client: &Client, names: &[String]) -> Result<Vec<AlarmSettings>, String> {
    let mut found = Vec::new();
    for batch in names.chunks(NAMES_MAX) {
        let mut next = None;
        for page_number in 1..=PAGES_MAX {
            let call = client
                .describe_alarms()
                .set_alarm_names(Some(batch.to_vec()))
                // Without this CloudWatch leaves composite alarms out.
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .set_next_token(next);
            let page = call.send().await.map_err(|error| causes(&error))?;
            found.extend(page.metric_alarms().iter().map(metric));
            found.extend(page.composite_alarms().iter().map(|alarm| AlarmSettings {
                name: alarm.alarm_name().unwrap_or_default().to_owned(),
                arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
                actions_enabled: alarm.actions_enabled().unwrap_or(true),
                actions: alarm.alarm_actions().to_vec(),
                missing_data: true,
                function_level: None,
            }));
            next = page.next_token().map(str::to_owned);
            if next.is_none() {
                break;
            }
            if page_number == PAGES_MAX {
                return Err(format!("the answer has more than {PAGES_MAX} pages"));
            }
        }
    }
    Ok(found)
}

fn metric(alarm: &MetricAlarm) -> AlarmSettings {
    let plain = function_level(alarm.namespace(), alarm.metric_name(), alarm.dimensions());
    let of_query =
        |metric: &Metric| function_level(metric.namespace(), metric.metric_name(), metric.dimensions());
    let queries = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric());
    AlarmSettings {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        arn: alarm.alarm_arn().unwrap_or_default().to_owned(),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        actions: alarm.alarm_actions().to_vec(),
        missing_data: alarm.treat_missing_data().is_some(),
        function_level: plain.or_else(|| queries.into_iter().find_map(of_query)),
    }
}

fn function_level(namespace: Option<&str>, name: Option<&str>, dimensions: &[Dimension]) -> Option<String> {
    let name = name.filter(|name| super::super::alarm::PER_VERSION.contains(name))?;
    let by_alias = dimensions.iter().any(|dimension| dimension.name() == Some("Resource"));
    (namespace == Some("AWS/Lambda") && !by_alias).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
    use aws_sdk_cloudwatch::types::{CompositeAlarm, MetricDataQuery, MetricStat};
    use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
    use ripcord::aws::{Connection, Credentials, Endpoints};

    fn client(rules: &[&Rule]) -> Client {
        let connection = Connection {
            region: "eu-west-1".to_owned(),
            credentials: Credentials::from_keys("AKIDEXAMPLE", "secret", None),
            endpoints: Endpoints::Aws,
        };
        let answers = rules
            .iter()
            .fold(MockResponseInterceptor::new().rule_mode(RuleMode::Sequential), |answers, rule| {
                answers.with_rule(rule)
            });
        Client::from_conf(
            aws_sdk_cloudwatch::config::Builder::from(&connection.sdk_config())
                .http_client(create_mock_http_client())
                .interceptor(answers)
                .build(),
        )
    }

    fn dimension(name: &str, value: &str) -> Dimension {
        Dimension::builder().name(name).value(value).build()
    }

    #[tokio::test]
    async fn every_page_is_read_and_both_kinds_of_alarm() {
        let plain = mock!(Client::describe_alarms)
            .match_requests(|call| {
                call.next_token().is_none() && call.alarm_names() == ["errors", "rate", "both"]
            })
            .then_output(|| {
                let alarm = MetricAlarm::builder()
                    .alarm_name("errors")
                    .namespace("AWS/Lambda")
                    .metric_name("Errors")
                    .dimensions(dimension("FunctionName", "checkout"))
                    .alarm_actions("arn:aws:sns:eu-west-1:123456789012:pages")
                    .actions_enabled(false);
                DescribeAlarmsOutput::builder().metric_alarms(alarm.build()).next_token("more").build()
            });
        let math = mock!(Client::describe_alarms)
            .match_requests(|call| call.next_token() == Some("more"))
            .then_output(|| {
                let metric = Metric::builder()
                    .namespace("AWS/Lambda")
                    .metric_name("Errors")
                    .dimensions(dimension("Resource", "checkout:live"));
                let stat = MetricStat::builder().metric(metric.build()).period(60).stat("Sum").build();
                let query = MetricDataQuery::builder().id("errors").metric_stat(stat).build();
                let rate =
                    MetricAlarm::builder().alarm_name("rate").metrics(query).treat_missing_data("ignore");
                DescribeAlarmsOutput::builder()
                    .metric_alarms(rate.build())
                    .composite_alarms(CompositeAlarm::builder().alarm_name("both").build())
                    .build()
            });
        let names = ["errors", "rate", "both"].map(str::to_owned);
        let found = settings(&client(&[&plain, &math]), &names).await.expect("alarms");
        let short: Vec<_> = found
            .iter()
            .map(|alarm| {
                (
                    alarm.name.as_str(),
                    alarm.missing_data,
                    alarm.actions_enabled,
                    alarm.function_level.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            short,
            [
                ("errors", false, false, Some("Errors")),
                ("rate", true, true, None),
                ("both", true, true, None)
            ]
        );
        assert_eq!(found[0].actions, ["arn:aws:sns:eu-west-1:123456789012:pages"]);
    }

    #[tokio::test]
    async fn pages_without_end_are_a_failure() {
        let endless = mock!(Client::describe_alarms)
            .sequence()
            .output(|| DescribeAlarmsOutput::builder().next_token("more").build());
        let rule = endless.repeatedly().build();
        let error = settings(&client(&[&rule]), &["errors".to_owned()]).await.expect_err("no end");
        assert_eq!(error, "the answer has more than 10 pages");
    }
}
