//! The policies for targets that are no aliases of functions: each kind's actions stand in a policy of its own, behind the
//! parameter that names what may be touched, and nothing else stands there. Nothing in the suite may touch a database.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ripcord::place::{Call, Place, api_stage, configuration, ecs, records, stack, state_machine};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::{Value, json};

use super::{ONLY_ON_EVERYTHING, actions, get, list, plain, statements, with_template};

/// A kind's policy, its condition, and the parameter that names what may be touched.
type Grant = (&'static str, &'static str, &'static str);

const ECS: Grant = ("EcsServicesPolicy", "IsAnyEcsServiceReleased", "ReleasedEcsServices");
const LISTENERS: Grant = ("ListenersPolicy", "IsAnyListenerReleased", "ReleasedListeners");
const STAGES: Grant = ("ApiStagesPolicy", "IsAnyApiStageReleased", "ReleasedApiStages");
const CONFIGURATIONS: Grant =
    ("ConfigurationsPolicy", "IsAnyConfigurationReleased", "ReleasedConfigurations");
const ZONES: Grant = ("HostedZonesPolicy", "IsAnyHostedZoneReleased", "ReleasedHostedZones");
const STACKS: Grant = ("StacksPolicy", "IsAnyStackReleased", "ReleasedStacks");
const MACHINES: Grant = ("StateMachinesPolicy", "IsAnyStateMachineReleased", "ReleasedStateMachines");
const ACCOUNTS: Grant = ("OtherAccountsPolicy", "IsAnyRoleAssumed", "AssumableRoles");

/// What AWS authorises on `*` alone, besides what the functions' own roles have of that.
const KINDS_ONLY_ON_EVERYTHING: [&str; 5] = [
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeListeners",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetHealth",
];
/// The ledger keeps the templates of stacks, and is every function's anyway.
const OF_THE_LEDGER: &str = "dynamodb:Query";

const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/blue/1a2b3c4d5e6f7a8b";
const OTHER_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/green/1a2b3c4d5e6f7a8b";
const LISTENER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/web/1a2b3c4d5e6f7a8b/1a2b3c4d5e6f7a8b";
const RULE: &str = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener-rule/app/web/1a2b3c4d5e6f7a8b/1a2b3c4d5e6f7a8b/1a2b3c4d5e6f7a8b";
const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders:live";

fn grant_of(place: &Place) -> Option<Grant> {
    match place {
        Place::LambdaAlias(_) => None,
        Place::EcsService(_) => Some(ECS),
        Place::LoadBalancer(_) => Some(LISTENERS),
        Place::ApiStage(_) => Some(STAGES),
        Place::Configuration(_) => Some(CONFIGURATIONS),
        Place::DnsRecords(_) => Some(ZONES),
        Place::Stack(_) => Some(STACKS),
        Place::StateMachineAlias(_) => Some(MACHINES),
    }
}

/// Whose call it is. When a call joins, this fails to compile until it is among the examples below.
fn grant_of_call(call: &Call) -> Grant {
    match call {
        Call::EcsService(
            ecs::Call::StopDeployment { .. } | ecs::Call::Update { .. } | ecs::Call::StopTasks { .. },
        ) => ECS,
        Call::LoadBalancer(_) => LISTENERS,
        Call::ApiStage(api_stage::Call { .. }) => STAGES,
        Call::Configuration(
            configuration::Call::Stop { .. }
            | configuration::Call::Start { .. }
            | configuration::Call::SwitchOff { .. },
        ) => CONFIGURATIONS,
        Call::DnsRecords(records::Call::Replace(_)) => ZONES,
        Call::Stack(stack::Call::Cancel { .. } | stack::Call::RollBack { .. } | stack::Call::Redeploy(_)) => {
            STACKS
        }
        Call::StateMachineAlias(state_machine::Call::Route { .. }) => MACHINES,
    }
}

fn profile() -> Value {
    json!({ "application": "abc1234", "environment": "def1234", "profile": "ghi1234" })
}

fn zone() -> Value {
    json!({ "zone": "Z1", "record": "api.example.com", "record_type": "A", "identifiers": ["blue", "green"] })
}

/// A place of every kind.
fn every_place() -> Vec<Place> {
    let of = |kind: &str, mut place: Value| -> Place {
        place["kind"] = kind.into();
        serde_json::from_value(place).unwrap_or_else(|error| panic!("{kind}: {error}"))
    };
    vec![
        of("lambda_alias", json!({ "function": "checkout", "alias": "live" })),
        of("ecs_service", json!({ "cluster": "prod", "service": "web" })),
        of("load_balancer", json!({ "rule": LISTENER, "target_groups": [GROUP, OTHER_GROUP] })),
        of("api_stage", json!({ "api": "a1b2c3d4e5", "stage": "prod" })),
        of("configuration", profile()),
        of("dns_records", zone()),
        of("stack", json!({ "stack": "checkout" })),
        of("state_machine_alias", json!({ "state_machine_alias": MACHINE })),
    ]
}

/// A call of every sort.
fn every_call() -> Vec<Call> {
    let task = "arn:aws:ecs:eu-west-1:123456789012:task/prod/1";
    let deployment = "arn:aws:ecs:eu-west-1:123456789012:service-deployment/prod/web/1";
    let forward = |rule: &str| json!({ "load_balancer": { "rule": rule, "actions": [], "changes": [] } });
    let stage = |update: Value| json!({ "api_stage": { "stage": { "api": "a1b2c3d4e5", "stage": "prod" }, "update": update } });
    let redeployment = json!({
        "stack": "checkout", "from": "1", "to": "2", "changed_at": "2026-03-02T12:00:00Z", "triggers": [],
        "role": null, "tags": [], "parameters": [],
    });
    let calls = [
        json!({ "ecs_service": { "stop_deployment": { "deployment": deployment, "target": "web:7" } } }),
        json!({ "ecs_service": { "update": {
            "cluster": "prod", "service": "web", "to": "web:7", "from": "web:8", "is_forced": false,
        } } }),
        json!({ "ecs_service": { "stop_tasks": {
            "cluster": "prod", "tasks": [task], "version": "web:8",
        } } }),
        forward(LISTENER),
        forward(RULE),
        stage(json!({ "remove_canary": { "deployment": "abc123" } })),
        stage(json!({ "deploy": { "deployment": "abc123", "was": "def456", "removes_canary": false } })),
        stage(json!({ "promote_canary": { "deployment": "abc123", "has_variables": false } })),
        json!({ "configuration": { "stop": {
            "place": profile(), "deployment": 7, "version": "2", "state": "deploying",
        } } }),
        json!({ "configuration": { "start": {
            "place": profile(), "version": "1", "strategy": "AppConfig.AllAtOnce", "after": 7,
        } } }),
        json!({ "configuration": { "switch_off": {
            "place": profile(), "from": "2", "content": "{}", "content_type": "application/json",
            "label": "off", "after": 2,
        } } }),
        json!({ "dns_records": { "replace": { "place": zone(), "before": [], "after": [] } } }),
        json!({ "stack": { "cancel": { "stack": "checkout", "token": "t" } } }),
        json!({ "stack": { "roll_back": { "stack": "checkout", "token": "t" } } }),
        json!({ "stack": { "redeploy": redeployment } }),
        json!({ "state_machine_alias": { "route": {
            "alias": { "state_machine_alias": MACHINE }, "routes": [], "was": [],
        } } }),
    ];
    let read = |call: Value| -> Call {
        serde_json::from_value(call.clone()).unwrap_or_else(|error| panic!("{call}: {error}"))
    };
    calls.into_iter().map(read).collect()
}

/// What each kind's policy must hold.
fn needed() -> BTreeMap<Grant, BTreeSet<String>> {
    let mut needed: BTreeMap<Grant, BTreeSet<String>> = BTreeMap::new();
    let mut need = |grant: Grant, actions: &'static [&'static str]| {
        let actions = actions.iter().filter(|action| **action != OF_THE_LEDGER);
        needed.entry(grant).or_default().extend(actions.map(|action| (*action).to_owned()));
    };
    for place in every_place() {
        if let Some(grant) = grant_of(&place) {
            need(grant, place.observing_actions());
        }
    }
    for call in every_call() {
        need(grant_of_call(&call), call.iam_actions());
    }
    need(ACCOUNTS, &["sts:AssumeRole"]);
    needed
}

/// The statements of a policy, those behind a condition of their own included.
fn policy_statements<'node>(policy: &'node Yaml<'node>) -> Vec<&'node Yaml<'node>> {
    let statements = list(get(policy, "Properties.PolicyDocument.Statement").unwrap());
    let inner = |statement: &'node Yaml<'node>| match plain(statement) {
        Yaml::Sequence(choice) => choice.get(1).map(plain).unwrap(),
        Yaml::Representation(..)
        | Yaml::Value(_)
        | Yaml::Mapping(_)
        | Yaml::Tagged(..)
        | Yaml::Alias(_)
        | Yaml::BadValue => statement,
    };
    statements.into_iter().map(inner).collect()
}

#[test]
fn each_kind_of_target_has_exactly_its_actions_behind_its_parameter() {
    with_template(|resources| {
        for ((policy, condition, _), expected) in needed() {
            let node = get(resources, policy).unwrap_or_else(|| panic!("no {policy}"));
            let allowed: BTreeSet<String> = policy_statements(node).into_iter().flat_map(actions).collect();
            assert_eq!(allowed, expected, "{policy}");
            assert_eq!(get(node, "Condition").and_then(|it| it.as_str()), Some(condition), "{policy}");
        }
    });
}

#[test]
fn whoever_puts_back_and_whoever_shifts_have_the_rights_of_every_kind() {
    with_template(|resources| {
        for (policy, _, _) in needed().into_keys() {
            let roles = list(get(resources, &format!("{policy}.Properties.Roles")).unwrap());
            let roles: BTreeSet<&str> = roles.into_iter().filter_map(|role| role.as_str()).collect();
            let mut expected = BTreeSet::from(["AlarmRollbackRole", "AliasWeightShifterRole"]);
            if policy == ACCOUNTS.0 {
                expected.extend(["ReleasePreflightRole", "StageValidatorRole"]);
            }
            assert_eq!(roles, expected, "{policy}");
        }
    });
}

#[test]
fn a_kind_of_target_is_allowed_on_everything_only_where_aws_knows_nothing_narrower() {
    with_template(|resources| {
        for (policy, _, parameter) in needed().into_keys() {
            let statements = policy_statements(get(resources, policy).unwrap());
            let mut is_bounded = false;
            for statement in statements {
                let (actions, on) = (actions(statement), list(get(statement, "Resource").unwrap()));
                assert!(actions.iter().all(|action| !action.contains('*')), "{policy}: {actions:?}");
                is_bounded |= on.iter().any(|resource| resource.as_str() == Some(parameter));
                if on.iter().any(|resource| resource.as_str() == Some("*")) {
                    let known = |action: &String| KINDS_ONLY_ON_EVERYTHING.contains(&action.as_str());
                    assert!(actions.iter().all(known), "{policy} allows {actions:?} on everything");
                }
            }
            assert!(is_bounded, "{policy} asks for no {parameter}");
        }
    });
}

#[test]
fn a_parameter_that_names_nothing_grants_nothing() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let text = fs::read_to_string(path).unwrap();
    let documents = Yaml::load_from_str(&text).unwrap();
    for (_, condition, parameter) in needed().into_keys().chain([("", "IsAnyTaskRolePassed", "TaskRoles")]) {
        let default = get(&documents[0], &format!("Parameters.{parameter}.Default"));
        assert_eq!(default.and_then(|it| it.as_str()), Some(""), "{parameter}");
        let line = format!("  {condition}: !Not [!Equals [!Join [\"\", !Ref {parameter}], \"\"]]\n");
        assert!(text.contains(&line), "{condition} must ask whether {parameter} names anything");
    }
}

#[test]
fn no_function_may_touch_a_database_of_rds() {
    with_template(|resources| {
        let Yaml::Mapping(fields) = resources else { panic!("resources are a mapping") };
        let mut policies = 0;
        for (name, resource) in fields {
            let granted = match get(resource, "Type").and_then(|it| it.as_str()) {
                Some("AWS::IAM::Role") => statements(resource),
                Some("AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy") => policy_statements(resource),
                _ => continue,
            };
            policies += 1;
            for action in granted.into_iter().flat_map(actions) {
                assert!(!action.starts_with("rds"), "{:?} allows {action}", name.as_str());
            }
        }
        assert!(policies > ONLY_ON_EVERYTHING.len(), "the template has roles and policies");
    });
}
