//! Each function's role allows exactly the calls that the function can issue: no step of a plan may meet a denial, and
//! nothing may be allowed that no plan holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use ripcord::aws::{
    CALLED_BY_FLAG_EVALUATOR, CALLED_BY_RELEASE_RECORDER, OBSERVED_BY_ALARM_ROLLBACK,
    OBSERVED_BY_ALIAS_WEIGHT_SHIFTER, OBSERVED_BY_ECS_LIFECYCLE_HOOK, OBSERVED_BY_POST_TRAFFIC_HOOK,
    OBSERVED_BY_PRE_TRAFFIC_HOOK, OBSERVED_BY_RELEASE_PREFLIGHT, OBSERVED_BY_STAGE_VALIDATOR,
};
use ripcord::deployment::AliasShift;
use ripcord::finding::{Finding, Found};
use ripcord::names::Generation;
use ripcord::notice::{Notice, Severity};
use ripcord::plan::{KeepLogs, LedgerWrite, Reversal, SetTraffic, Step};
use ripcord::registration::Reach;
use ripcord::release::Report;
use ripcord::situation::Heard;
use saphyr::{LoadableYamlNode, Yaml};

use crate::worlds::{SERVICE, traffic, v};

mod places;

/// What Lambda itself does in a function's name: its log stream, and the event that failed for good.
const BY_LAMBDA: &[&str] = &["logs:CreateLogStream", "logs:PutLogEvents"];
const BY_LAMBDA_ON_FAILURE: &str = "sqs:SendMessage";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    AlarmRollback,
    AliasWeightShifter,
    EcsLifecycleHook,
    FlagEvaluator,
    FlagValidator,
    PostTrafficHook,
    PreTrafficHook,
    ReleasePreflight,
    ReleaseRecorder,
    ReleaseWidget,
    StageValidator,
}

const FUNCTIONS: [(&str, Function); 11] = [
    ("AlarmRollback", Function::AlarmRollback),
    ("AliasWeightShifter", Function::AliasWeightShifter),
    ("EcsLifecycleHook", Function::EcsLifecycleHook),
    ("FlagEvaluator", Function::FlagEvaluator),
    ("FlagValidator", Function::FlagValidator),
    ("PostTrafficHook", Function::PostTrafficHook),
    ("PreTrafficHook", Function::PreTrafficHook),
    ("ReleasePreflight", Function::ReleasePreflight),
    ("ReleaseRecorder", Function::ReleaseRecorder),
    ("ReleaseWidget", Function::ReleaseWidget),
    ("StageValidator", Function::StageValidator),
];

/// What AWS authorises on `*` alone.
const ONLY_ON_EVERYTHING: [&str; 6] = [
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:ListDeploymentTargets",
    "codedeploy:PutLifecycleEventHookExecutionStatus",
    "codedeploy:StopDeployment",
];

/// Which functions have a kind of step in their plans.
fn issued_by(step: &Step) -> &'static [Function] {
    use Function::{
        AlarmRollback, AliasWeightShifter, EcsLifecycleHook, PostTrafficHook, PreTrafficHook,
        ReleasePreflight, StageValidator,
    };
    match step {
        Step::SetTraffic(_) => &[AlarmRollback, AliasWeightShifter],
        Step::Confirm { .. } => &[AlarmRollback, AliasWeightShifter, PostTrafficHook, PreTrafficHook],
        Step::Write(_) => &[
            AlarmRollback,
            AliasWeightShifter,
            PostTrafficHook,
            PreTrafficHook,
            ReleasePreflight,
            StageValidator,
        ],
        Step::Tell(_) => &[
            AlarmRollback,
            AliasWeightShifter,
            EcsLifecycleHook,
            PostTrafficHook,
            PreTrafficHook,
            StageValidator,
        ],
        Step::Hear { .. } => &[AlarmRollback, PostTrafficHook, PreTrafficHook],
        // What they call stands in the policies of their kinds, which `places` compares.
        Step::Turn(_) | Step::See(_) => &[AlarmRollback, AliasWeightShifter],
        Step::KeepLogs(_) | Step::StopDeployment { .. } | Step::Reverse(_) | Step::Await { .. } => {
            &[AlarmRollback]
        }
        Step::StopExecution { .. } => &[AlarmRollback, AliasWeightShifter],
        Step::Pin { .. } => &[AliasWeightShifter],
        Step::Note(_) => {
            &[EcsLifecycleHook, PostTrafficHook, PreTrafficHook, ReleasePreflight, StageValidator]
        }
    }
}

/// A step of every kind, and of every kind of call within it. The exhaustive match above fails when a kind joins.
fn every_step() -> Vec<Step> {
    let service = || SERVICE.parse().unwrap();
    let (function, alias) = ("checkout".parse().unwrap(), "live".parse().unwrap());
    let deployment = || "d-A1B2C3D4E".parse().unwrap();
    let at = Timestamp::UNIX_EPOCH;
    let set = SetTraffic {
        reach: Reach::default(),
        target: "api".parse().unwrap(),
        function,
        alias,
        traffic: traffic("1:100"),
        was: traffic("1:90,2:10"),
        revision: "r1".parse().unwrap(),
    };
    let pin = |replaces| Step::Pin {
        reach: Reach::default(),
        function: set.function.clone(),
        alias: set.alias.clone(),
        version: v(1),
        replaces,
    };
    vec![
        Step::StopDeployment { deployment: deployment() },
        Step::Reverse(Box::new(Reversal {
            application: "checkout".to_owned(),
            group: "live".to_owned(),
            shift: AliasShift {
                function: set.function.clone(),
                alias: set.alias.clone(),
                current: v(2),
                target: v(1),
            },
            why: String::new(),
        })),
        Step::Await {
            function: set.function.clone(),
            alias: set.alias.clone(),
            traffic: set.traffic,
            ended: Some(deployment()),
            until: at,
        },
        set.confirm(),
        pin(None),
        pin(Some("p1".parse().unwrap())),
        Step::Write(Box::new(LedgerWrite::nothing(service()))),
        Step::Hear {
            service: service(),
            heard: Heard { key: "errors".to_owned(), report: Report::NotDue },
            now: at,
            until: at,
        },
        Step::Tell(Box::new(Notice {
            severity: Severity::Info,
            service: service(),
            title: String::new(),
            description: String::new(),
            next_steps: Vec::new(),
            thread: String::new(),
        })),
        Step::KeepLogs(KeepLogs {
            reach: Reach::default(),
            service: service(),
            generation: Generation(1),
            function: set.function.clone(),
            version: v(2),
            from: at,
            to: at,
            keep_until: at,
        }),
        Step::Note(Box::new(Finding {
            service: service(),
            generation: Generation(1),
            at,
            found: Found::Before(Vec::new()),
            keep_until: at,
        })),
        Step::StopExecution { execution: String::new(), why: String::new() },
        Step::SetTraffic(set),
    ]
}

fn needed(function: Function) -> BTreeSet<String> {
    let observed = match function {
        Function::AlarmRollback => OBSERVED_BY_ALARM_ROLLBACK,
        Function::AliasWeightShifter => OBSERVED_BY_ALIAS_WEIGHT_SHIFTER,
        Function::EcsLifecycleHook => OBSERVED_BY_ECS_LIFECYCLE_HOOK,
        Function::FlagEvaluator => CALLED_BY_FLAG_EVALUATOR,
        // It is handed what it looks at.
        Function::FlagValidator => &[],
        Function::PostTrafficHook => OBSERVED_BY_POST_TRAFFIC_HOOK,
        Function::PreTrafficHook => OBSERVED_BY_PRE_TRAFFIC_HOOK,
        Function::ReleasePreflight => OBSERVED_BY_RELEASE_PREFLIGHT,
        Function::ReleaseRecorder => CALLED_BY_RELEASE_RECORDER,
        Function::ReleaseWidget => release_widget::CALLED,
        Function::StageValidator => OBSERVED_BY_STAGE_VALIDATOR,
    };
    let is_kept = match function {
        Function::AlarmRollback
        | Function::PostTrafficHook
        | Function::PreTrafficHook
        | Function::ReleaseRecorder => true,
        Function::AliasWeightShifter
        | Function::EcsLifecycleHook
        | Function::FlagEvaluator
        | Function::FlagValidator
        | Function::ReleasePreflight
        | Function::ReleaseWidget
        | Function::StageValidator => false,
    };
    let on_failure = is_kept.then_some(BY_LAMBDA_ON_FAILURE);
    let steps = every_step();
    let steps = steps.iter().filter(|step| issued_by(step).contains(&function)).flat_map(Step::iam_actions);
    let needed = steps.chain(observed).chain(BY_LAMBDA).copied().chain(on_failure);
    needed.map(str::to_owned).collect()
}

/// A node's value, whatever tag of CloudFormation's (`!If`, `!Sub` …) it has.
pub(crate) fn plain<'node>(node: &'node Yaml<'node>) -> &'node Yaml<'node> {
    if let Yaml::Tagged(_, inner) = node { plain(inner) } else { node }
}

pub(crate) fn get<'node>(node: &'node Yaml<'node>, path: &str) -> Option<&'node Yaml<'node>> {
    path.split('.').try_fold(node, |node, field| plain(node).as_mapping_get(field)).map(plain)
}

fn list<'node>(node: &'node Yaml<'node>) -> Vec<&'node Yaml<'node>> {
    let node = plain(node);
    if let Yaml::Sequence(items) = node { items.iter().map(plain).collect() } else { vec![node] }
}

/// Each statement of a role: its actions and its resources.
fn statements<'node>(role: &'node Yaml<'node>) -> Vec<&'node Yaml<'node>> {
    list(get(role, "Properties.Policies").unwrap())
        .into_iter()
        .flat_map(|policy| list(get(policy, "PolicyDocument.Statement").unwrap()))
        .collect()
}

fn actions(statement: &Yaml<'_>) -> Vec<String> {
    let actions = list(get(statement, "Action").unwrap());
    actions.into_iter().map(|action| action.as_str().unwrap().to_owned()).collect()
}

pub(crate) fn with_template(check: impl FnOnce(&Yaml<'_>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let text = fs::read_to_string(path).unwrap();
    let documents = Yaml::load_from_str(&text).unwrap();
    check(get(&documents[0], "Resources").unwrap());
}

#[test]
fn each_role_allows_exactly_what_its_function_can_call() {
    with_template(|resources| {
        for (name, function) in FUNCTIONS {
            let role = get(resources, &format!("{name}Role")).unwrap();
            let allowed: BTreeSet<String> = statements(role).into_iter().flat_map(actions).collect();
            assert_eq!(allowed, needed(function), "{name}Role");
        }
    });
}

#[test]
fn no_role_allows_everything_of_a_service_or_on_every_resource() {
    with_template(|resources| {
        let functions = FUNCTIONS.map(|(name, _)| format!("{name}Role"));
        for role in functions.iter().map(String::as_str).chain(["ProgressiveReleaseRole"]) {
            for statement in statements(get(resources, role).unwrap()) {
                assert_eq!(get(statement, "Effect").and_then(|effect| effect.as_str()), Some("Allow"));
                for action in actions(statement) {
                    assert!(!action.contains('*'), "{role} allows {action}");
                }
                if actions(statement).iter().all(|action| ONLY_ON_EVERYTHING.contains(&action.as_str())) {
                    continue;
                }
                for resource in list(get(statement, "Resource").unwrap()) {
                    assert_ne!(
                        resource.as_str(),
                        Some("*"),
                        "{role} allows {:?} on everything",
                        actions(statement)
                    );
                }
            }
        }
    });
}

#[test]
fn every_function_has_the_role_of_its_name() {
    with_template(|resources| {
        let Yaml::Mapping(fields) = resources else { panic!("resources are a mapping") };
        let roles: BTreeMap<String, String> = fields
            .iter()
            .filter(|(_, resource)| {
                get(resource, "Type").and_then(|it| it.as_str()) == Some("AWS::Serverless::Function")
            })
            .map(|(name, function)| {
                let role = get(function, "Properties.Role").and_then(|role| role.as_str());
                (name.as_str().unwrap().to_owned(), role.unwrap().to_owned())
            })
            .collect();
        let expected = FUNCTIONS.map(|(name, _)| (name.to_owned(), format!("{name}Role.Arn")));
        assert_eq!(roles, BTreeMap::from(expected));
    });
}
