//! A suite on mocked clients: rules say what AWS answers, and a journal keeps what was asked.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsInput;
use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataInput;
use aws_sdk_cloudwatchlogs::Client as Logs;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::{FilterLogEventsInput, FilterLogEventsOutput};
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::config::interceptors::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_lambda::error::BoxError;
use aws_sdk_lambda::operation::create_alias::CreateAliasInput;
use aws_sdk_lambda::operation::get_alias::{GetAliasInput, GetAliasOutput};
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationInput;
use aws_sdk_lambda::operation::get_provisioned_concurrency_config::GetProvisionedConcurrencyConfigInput;
use aws_sdk_lambda::operation::invoke::InvokeInput;
use aws_sdk_lambda::operation::update_alias::{UpdateAliasInput, UpdateAliasOutput};
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use aws_sdk_sns::Client as Sns;
use aws_sdk_sns::operation::publish::{PublishInput, PublishOutput};
use aws_smithy_mocks::{MockResponseInterceptor, Rule, RuleMode, create_mock_http_client, mock};
use jiff::Timestamp;
use ripcord::aws::{Aws, Clients, Connection, Credentials, Endpoints, PlaceClients, SuiteNames};
use ripcord::situation::ServiceRecord;
use serde::Serialize;
use serde_json::{Value, json};

use crate::worlds::{SERVICE, at};

mod api_gateway;
mod appconfig;
mod cloudformation;
pub(super) mod codedeploy;
mod ecs;
mod load_balancers;
mod route53;
mod states;

pub(super) const FUNCTION: &str = "checkout-api";
pub(super) const PIN: &str = "live-last-known-good";
pub(super) const ALARM: &str = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:errors";

/// Now, for every handler under test: five minutes into the release.
pub(super) fn clock() -> Timestamp {
    at("10:05:00")
}

pub(super) fn deadline() -> Timestamp {
    at("10:05:30")
}

/// An item of the ledger as DynamoDB holds it.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The clients under test and what was asked of them.
pub(super) struct Scene {
    pub(super) aws: Aws,
    journal: Journal,
}

impl Scene {
    /// Clients with the suite's own settings, whose calls are answered by the first rule that matches and is not used up.
    pub(super) fn new(rules: &[&Rule]) -> Self {
        let connection = Connection {
            region: "eu-west-1".to_owned(),
            credentials: Credentials::from_keys("AKIDEXAMPLE", "secret", None),
            endpoints: Endpoints::Aws,
        };
        let shared = connection.sdk_config();
        let journal = Journal::default();
        let answers = || {
            rules
                .iter()
                .fold(MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny), |interceptor, rule| {
                    interceptor.with_rule(rule)
                })
        };
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(&shared)
                        .http_client(create_mock_http_client())
                        .interceptor(journal.clone())
                        .interceptor(answers())
                        .build(),
                )
            };
        }
        let mut places = PlaceClients::default();
        places.api_gateway = client!(aws_sdk_apigateway).into();
        places.app_config = client!(aws_sdk_appconfig).into();
        places.cloudformation = client!(aws_sdk_cloudformation).into();
        places.ecr = client!(aws_sdk_ecr).into();
        places.ecs = client!(aws_sdk_ecs).into();
        places.load_balancers = client!(aws_sdk_elasticloadbalancingv2).into();
        places.route53 = client!(aws_sdk_route53).into();
        places.sts = client!(aws_sdk_sts).into();
        let aws = Aws::from_clients(
            Clients {
                dynamodb: client!(aws_sdk_dynamodb),
                cloudwatch: client!(aws_sdk_cloudwatch),
                codedeploy: client!(aws_sdk_codedeploy),
                executions: client!(aws_sdk_sfn),
                lambda: client!(aws_sdk_lambda),
                sns: client!(aws_sdk_sns),
                logs: client!(aws_sdk_cloudwatchlogs),
                places,
            },
            SuiteNames {
                table: "ripcord-ledger".to_owned(),
                topic_arn: "arn:aws:sns:eu-west-1:123456789012:ripcord-notices".to_owned(),
            },
        );
        Self { aws, journal }
    }

    /// The calls so far, one per line, however often the SDK tried each.
    pub(super) fn calls(&self) -> String {
        self.journal.0.lock().unwrap().calls.join("\n")
    }

    /// The names of the calls so far.
    pub(super) fn call_names(&self) -> Vec<String> {
        let calls = &self.journal.0.lock().unwrap().calls;
        calls.iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect()
    }

    /// What went over the wire, once per try.
    pub(super) fn bodies(&self) -> Vec<String> {
        self.journal.0.lock().unwrap().bodies.clone()
    }

    /// Every item that was put into the ledger, the last one of each key.
    pub(super) fn written(&self) -> BTreeMap<(String, String), Item> {
        self.journal.0.lock().unwrap().written.clone()
    }

    /// What was published: the subject, the attributes and the message of each notice.
    pub(super) fn published(&self) -> Vec<(String, BTreeMap<String, String>, Value)> {
        self.journal.0.lock().unwrap().published.clone()
    }
}

/// Notes each operation once, before it is tried, and each body that is sent.
#[derive(Clone, Debug, Default)]
struct Journal(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    calls: Vec<String>,
    written: BTreeMap<(String, String), Item>,
    published: Vec<(String, BTreeMap<String, String>, Value)>,
    bodies: Vec<String>,
}

impl Intercept for Journal {
    fn name(&self) -> &'static str {
        "Journal"
    }

    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input();
        let mut notes = self.0.lock().unwrap();
        let call = if let Some(call) = codedeploy::call(context)
            .or_else(|| ecs::call(context))
            .or_else(|| api_gateway::call(context))
            .or_else(|| load_balancers::call(context))
            .or_else(|| route53::call(context))
            .or_else(|| cloudformation::call(context))
            .or_else(|| appconfig::call(context))
            .or_else(|| states::call(context))
        {
            call
        } else if let Some(query) = input.downcast_ref::<QueryInput>() {
            let start = if query.exclusive_start_key().is_some() { " from the next page" } else { "" };
            assert_eq!(query.consistent_read(), Some(true), "a stale read would be decided on");
            format!("dynamodb:Query {}{start}", asked_for(query))
        } else if let Some(put) = input.downcast_ref::<PutItemInput>() {
            notes.put(put)
        } else if let Some(write) = input.downcast_ref::<TransactWriteItemsInput>() {
            notes.transact(write)
        } else if let Some(get) = input.downcast_ref::<GetAliasInput>() {
            format!("lambda:GetAlias {}:{}", text(get.function_name()), text(get.name()))
        } else if let Some(update) = input.downcast_ref::<UpdateAliasInput>() {
            let weights =
                update.routing_config().and_then(AliasRoutingConfiguration::additional_version_weights);
            format!(
                "lambda:UpdateAlias {}:{} to {}, weights {}, if {}",
                text(update.function_name()),
                text(update.name()),
                text(update.function_version()),
                weights.map_or("left as they are".to_owned(), |weights| format!("{weights:?}")),
                text(update.revision_id()),
            )
        } else if let Some(create) = input.downcast_ref::<CreateAliasInput>() {
            format!(
                "lambda:CreateAlias {}:{} on {}",
                text(create.function_name()),
                text(create.name()),
                text(create.function_version())
            )
        } else if let Some(get) = input.downcast_ref::<GetFunctionConfigurationInput>() {
            format!("lambda:GetFunctionConfiguration {}:{}", text(get.function_name()), text(get.qualifier()))
        } else if let Some(get) = input.downcast_ref::<GetProvisionedConcurrencyConfigInput>() {
            let (function, qualifier) = (text(get.function_name()), text(get.qualifier()));
            format!("lambda:GetProvisionedConcurrencyConfig {function}:{qualifier}")
        } else if let Some(invoke) = input.downcast_ref::<InvokeInput>() {
            let kind = invoke.invocation_type().map_or("-", |kind| kind.as_str());
            format!("lambda:Invoke {}:{} {kind}", text(invoke.function_name()), text(invoke.qualifier()))
        } else if let Some(describe) = input.downcast_ref::<DescribeAlarmsInput>() {
            let start = if describe.next_token().is_some() { " from the next page" } else { "" };
            format!("cloudwatch:DescribeAlarms {}{start}", describe.alarm_names().join(", "))
        } else if let Some(get) = input.downcast_ref::<GetMetricDataInput>() {
            let start = if get.next_token().is_some() { " from the next page" } else { "" };
            let queries = get.metric_data_queries().iter().map(|query| text(query.id()));
            format!("cloudwatch:GetMetricData {}{start}", queries.collect::<Vec<_>>().join(", "))
        } else if let Some(publish) = input.downcast_ref::<PublishInput>() {
            notes.publish(publish)
        } else if let Some(filter) = input.downcast_ref::<FilterLogEventsInput>() {
            format!("logs:FilterLogEvents {}", text(filter.log_group_name()))
        } else {
            panic!("a call that no test knows: {input:?}");
        };
        notes.calls.push(call);
        Ok(())
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request().body().bytes().unwrap_or_default();
        // CloudWatch's are no text, and nobody reads them.
        self.0.lock().unwrap().bodies.push(String::from_utf8_lossy(body).into_owned());
        Ok(())
    }
}

impl Notes {
    fn put(&mut self, put: &PutItemInput) -> String {
        let item = put.item().unwrap();
        let key = (text_of(item, "pk"), text_of(item, "sk"));
        let call = format!("dynamodb:PutItem {} / {} if {}", key.0, key.1, text(put.condition_expression()));
        self.written.insert(key, item.clone());
        call
    }

    fn transact(&mut self, write: &TransactWriteItemsInput) -> String {
        let mut call = "dynamodb:TransactWriteItems".to_owned();
        for (index, item) in write.transact_items().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if let Some(put) = item.put() {
                assert_eq!(put.table_name(), "ripcord-ledger");
                let key = (text_of(put.item(), "pk"), text_of(put.item(), "sk"));
                write!(call, "{comma} {}/{}", key.0, key.1).unwrap();
                if let Some(condition) = put.condition_expression() {
                    let values = put.expression_attribute_values().cloned().unwrap_or_default();
                    write!(call, " if {}", spelt_out(condition, &values)).unwrap();
                }
                self.written.insert(key, put.item().clone());
            } else if let Some(delete) = item.delete() {
                let (pk, sk) = (text_of(delete.key(), "pk"), text_of(delete.key(), "sk"));
                write!(call, "{comma} delete {pk}/{sk}").unwrap();
            } else {
                panic!("neither put nor deleted: {item:?}");
            }
        }
        call
    }

    fn publish(&mut self, publish: &PublishInput) -> String {
        assert!(publish.topic_arn().unwrap().ends_with(":ripcord-notices"));
        let attributes = publish.message_attributes().into_iter().flatten();
        let attributes: BTreeMap<String, String> = attributes
            .map(|(name, value)| {
                assert_eq!(value.data_type(), "String");
                (name.clone(), value.string_value().unwrap().to_owned())
            })
            .collect();
        let subject = text(publish.subject()).to_owned();
        let call = format!("sns:Publish {} {subject:?}", attributes["severity"]);
        let message = serde_json::from_str(publish.message().unwrap()).unwrap();
        self.published.push((subject, attributes, message));
        call
    }
}

/// A condition with its values in their places.
fn spelt_out(condition: &str, values: &HashMap<String, AttributeValue>) -> String {
    values.iter().fold(condition.to_owned(), |condition, (name, value)| {
        let value = value.as_n().cloned().unwrap_or_else(|_| format!("{value:?}"));
        condition.replace(name, &value)
    })
}

fn asked_for(query: &QueryInput) -> String {
    let condition = query.key_condition_expression();
    assert!(
        matches!(
            condition,
            Some(
                "pk = :pk"
                    | "pk = :pk AND begins_with(sk, :prefix)"
                    | "pk = :pk AND sk BETWEEN :from AND :until"
            )
        ),
        "{condition:?}"
    );
    text_of(query.expression_attribute_values().unwrap(), ":pk")
}

fn text(text: Option<&str>) -> &str {
    text.unwrap_or("-")
}

fn text_of(item: &Item, attribute: &str) -> String {
    item[attribute].as_s().unwrap().clone()
}

/// Answers a query for a partition with these items, every time.
pub(super) fn holds(pk: impl Into<String>, items: Vec<Item>) -> Rule {
    let pk = pk.into();
    mock!(DynamoDb::query)
        .match_requests(move |query| asked_for(query) == pk)
        .then_output(move || QueryOutput::builder().set_items(Some(items.clone())).build())
}

/// Answers queries for a partition with one list of items after the other.
pub(super) fn holds_in_turn(pk: impl Into<String>, turns: Vec<Vec<Item>>) -> Rule {
    let pk = pk.into();
    let mut rule = mock!(DynamoDb::query).match_requests(move |query| asked_for(query) == pk).sequence();
    for items in turns {
        rule = rule.output(move || QueryOutput::builder().set_items(Some(items.clone())).build());
    }
    rule.build()
}

/// An item as the ledger writes it.
pub(super) fn item(pk: impl Into<String>, sk: impl Into<String>, doc: &impl Serialize) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(pk.into())),
        ("sk".to_owned(), AttributeValue::S(sk.into())),
        ("doc".to_owned(), AttributeValue::S(serde_json::to_string(doc).unwrap())),
    ])
}

/// The items behind a service's record.
pub(super) fn items_of(record: &ServiceRecord) -> Vec<Item> {
    let pk = format!("service#{SERVICE}");
    let mut registration = item(&pk, "registration", &record.registration);
    registration.insert("version".to_owned(), AttributeValue::N(record.registration_version.to_string()));
    let mut items = vec![registration];
    items.extend(record.known_good.iter().map(|good| item(&pk, format!("good#{}", good.target), good)));
    items.extend(record.heard.iter().map(|heard| item(&pk, format!("heard#{}", heard.key), heard)));
    items.extend(record.release.iter().map(|release| item(&pk, "release", release)));
    items.extend(record.rollbacks.iter().map(|rollback| {
        item(&pk, format!("rollback#{:010}#{}", rollback.generation.0, rollback.target), rollback)
    }));
    items
}

/// The alarm's mapping to the service.
pub(super) fn guarding(record: &ServiceRecord) -> Rule {
    let mapping = json!({ "service": SERVICE, "targets": record.registration.targets });
    holds(
        format!("alarm#{ALARM}"),
        vec![item(format!("alarm#{ALARM}"), format!("service#{SERVICE}"), &mapping)],
    )
}

/// The service's record, every time.
pub(super) fn recorded(record: &ServiceRecord) -> Rule {
    holds(format!("service#{SERVICE}"), items_of(record))
}

/// An alias as Lambda answers it.
pub(super) fn alias(version: &str, weights: &[(&str, f64)], revision: &str) -> GetAliasOutput {
    let weights = weights.iter().map(|(version, weight)| ((*version).to_owned(), *weight)).collect();
    GetAliasOutput::builder()
        .name("live")
        .function_version(version)
        .routing_config(
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build(),
        )
        .revision_id(revision)
        .build()
}

/// The alias `live` looks like this, one look after the other.
pub(super) fn seen_in_turn(looks: Vec<GetAliasOutput>) -> Rule {
    let mut rule = mock!(Lambda::get_alias).match_requests(|get| get.name() == Some("live")).sequence();
    for look in looks {
        rule = rule.output(move || look.clone());
    }
    rule.build()
}

/// Lambda refuses with this error, on its own wire.
pub(super) fn refusal(error: &str) -> String {
    json!({ "__type": error, "message": "made up" }).to_string()
}

/// DynamoDB cancels a transaction for these reasons, on its own wire.
pub(super) fn canceled(reasons: &[&str]) -> String {
    let codes: Vec<Value> = reasons.iter().map(|code| json!({ "Code": code })).collect();
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", reasons.join(", ")),
        "CancellationReasons": codes,
    })
    .to_string()
}

pub(super) fn updates() -> Rule {
    mock!(Lambda::update_alias).then_output(|| UpdateAliasOutput::builder().build())
}

pub(super) fn writes() -> Rule {
    mock!(DynamoDb::transact_write_items).then_output(|| TransactWriteItemsOutput::builder().build())
}

pub(super) fn publishes() -> Rule {
    mock!(Sns::publish).then_output(|| PublishOutput::builder().message_id("m").build())
}

pub(super) fn logs() -> Rule {
    mock!(Logs::filter_log_events).then_output(|| FilterLogEventsOutput::builder().build())
}
