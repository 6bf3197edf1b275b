//! The rules: one registry, one file for each that looks at templates.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::finding::Sign;
use super::survey::Survey;

mod alarm_actions_enabled;
mod alarm_invoke_permission;
mod alarm_without_rollback;
mod alarms_not_wired;
mod alias_on_latest;
mod api_5xx_sum;
mod count_called_rate;
mod function_level_alarm;
mod hook_name;
mod hook_permission;
mod hook_shifts_itself;
mod hook_timeout;
mod missing_data;
mod percentile_floor;
mod provisioned_with_weights;
mod retention_deletes_target;
mod slow_detection;

/// A rule. Its name is what `--ignore` and scripts know it by, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    HookName,
    HookPermission,
    HookTimeout,
    HookShiftsItself,
    AlarmsNotWired,
    AlarmWithoutRollback,
    SlowDetection,
    FunctionLevelAlarm,
    MissingData,
    CountCalledRate,
    #[value(name = "api-5xx-sum")]
    #[serde(rename = "api-5xx-sum")]
    Api5xxSum,
    PercentileFloor,
    AlarmInvokePermission,
    AlarmWithoutActionsEnabled,
    ProvisionedWithWeights,
    AliasOnLatest,
    RetentionDeletesTarget,
    GuardMissing,
    GuardWithoutAction,
    LastKnownGoodGone,
    LeftoverWeights,
}

/// Where a rule looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    Template(fn(&Survey<'_>) -> Vec<Sign>),
    /// At what is deployed: [`super::account`] has these.
    Account,
}

impl Rule {
    pub(super) const EVERY: [Self; 21] = [
        Self::HookName,
        Self::HookPermission,
        Self::HookTimeout,
        Self::HookShiftsItself,
        Self::AlarmsNotWired,
        Self::AlarmWithoutRollback,
        Self::SlowDetection,
        Self::FunctionLevelAlarm,
        Self::MissingData,
        Self::CountCalledRate,
        Self::Api5xxSum,
        Self::PercentileFloor,
        Self::AlarmInvokePermission,
        Self::AlarmWithoutActionsEnabled,
        Self::ProvisionedWithWeights,
        Self::AliasOnLatest,
        Self::RetentionDeletesTarget,
        Self::GuardMissing,
        Self::GuardWithoutAction,
        Self::LastKnownGoodGone,
        Self::LeftoverWeights,
    ];

    pub(super) fn id(self) -> &'static str {
        match self {
            Self::HookName => "hook-name",
            Self::HookPermission => "hook-permission",
            Self::HookTimeout => "hook-timeout",
            Self::HookShiftsItself => "hook-shifts-itself",
            Self::AlarmsNotWired => "alarms-not-wired",
            Self::AlarmWithoutRollback => "alarm-without-rollback",
            Self::SlowDetection => "slow-detection",
            Self::FunctionLevelAlarm => "function-level-alarm",
            Self::MissingData => "missing-data",
            Self::CountCalledRate => "count-called-rate",
            Self::Api5xxSum => "api-5xx-sum",
            Self::PercentileFloor => "percentile-floor",
            Self::AlarmInvokePermission => "alarm-invoke-permission",
            Self::AlarmWithoutActionsEnabled => "alarm-without-actions-enabled",
            Self::ProvisionedWithWeights => "provisioned-with-weights",
            Self::AliasOnLatest => "alias-on-latest",
            Self::RetentionDeletesTarget => "retention-deletes-target",
            Self::GuardMissing => "guard-missing",
            Self::GuardWithoutAction => "guard-without-action",
            Self::LastKnownGoodGone => "last-known-good-gone",
            Self::LeftoverWeights => "leftover-weights",
        }
    }

    /// What it finds, in a line.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::HookName => "CodeDeploy may not call a hook",
            Self::HookPermission => "a hook may not report to CodeDeploy",
            Self::HookTimeout => "a hook has too little time",
            Self::HookShiftsItself => "a hook's own traffic is shifted gradually",
            Self::AlarmsNotWired => "no alarm stops a gradual shift, or more than CodeDeploy takes",
            Self::AlarmWithoutRollback => "an alarm stops a shift and leaves it where it stopped",
            Self::SlowDetection => "an alarm fires after the shift has got past it",
            Self::FunctionLevelAlarm => "an alarm cannot tell the alias from the rest of the function",
            Self::MissingData => "an alarm does not say what missing data mean",
            Self::CountCalledRate => "an alarm is called a rate and compares a count",
            Self::Api5xxSum => "a count of failed requests guards a release",
            Self::PercentileFloor => "a percentile is taken of too few requests",
            Self::AlarmInvokePermission => "an alarm may not call the function that it names",
            Self::AlarmWithoutActionsEnabled => "an alarm's actions are switched off",
            Self::ProvisionedWithWeights => "an alias has provisioned concurrency and is weighted",
            Self::AliasOnLatest => "an alias serves $LATEST",
            Self::RetentionDeletesTarget => "what a rollback needs is deleted",
            Self::GuardMissing => "a registered guard does not exist",
            Self::GuardWithoutAction => "a registered guard does not call the suite",
            Self::LastKnownGoodGone => "the version to go back to is gone, or unprotected",
            Self::LeftoverWeights => "an alias is weighted and nothing is being released",
        }
    }

    /// Why it matters.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::HookName => {
                "SAM makes a role for CodeDeploy that may call only functions whose names begin with `CodeDeployHook_`. \
                 Another hook is never called, and the deployment fails or hangs."
            }
            Self::HookPermission => {
                "CodeDeploy waits an hour for a hook's answer. A hook that may not call \
                 `codedeploy:PutLifecycleEventHookExecutionStatus` cannot give it, so that every deployment hangs for that \
                 hour and then fails."
            }
            Self::HookTimeout => {
                "A hook that runs out of time has told CodeDeploy nothing: the deployment hangs for an hour. Lambda's own \
                 3 seconds are less than many a cold start and one request take; more than 900 are refused."
            }
            Self::HookShiftsItself => {
                "A hook that inherits the preference from `Globals` is a hook of its own release: the functions wait for \
                 each other and the stack does not deploy, or hooks are shifted gradually that nobody guards."
            }
            Self::AlarmsNotWired => {
                "A canary that no alarm watches gets the rest of the traffic whatever it does. CodeDeploy takes at most ten \
                 alarms for a deployment group."
            }
            Self::AlarmWithoutRollback => {
                "An alarm of a deployment group stops the deployment; only `AutoRollbackConfiguration` with \
                 `DEPLOYMENT_STOP_ON_ALARM` puts traffic back. Without it the alias stays on two versions, and the next \
                 deployment fails too. SAM writes it for you, CloudFormation does not."
            }
            Self::SlowDetection => {
                "An alarm fires at the end of the periods that must breach, and metrics take about a minute to arrive. If \
                 the shift is over by then, everybody has the bad version before anything stops it."
            }
            Self::FunctionLevelAlarm => {
                "With `FunctionName` alone, Lambda's metrics count every version, every alias and every test call together. \
                 Errors of the old version roll back the new one, and ten percent of bad traffic drown in ninety percent of \
                 good."
            }
            Self::MissingData => {
                "Lambda sends no metrics while nobody calls. Without `TreatMissingData` the alarm goes to \
                 INSUFFICIENT_DATA then, and in sparse traffic it reaches further back for old datapoints, so that one bad \
                 minute may fire it long after."
            }
            Self::CountCalledRate => {
                "Five errors are a disaster in ten requests and nothing in a million. An alarm on the sum goes off with \
                 traffic, not with quality, and people who read \"rate\" believe otherwise."
            }
            Self::Api5xxSum => {
                "API Gateway and load balancers count failed requests; the sum grows with traffic. A release at noon is \
                 rolled back for what passes at midnight. For API Gateway the `Average` of `5XXError` is the rate."
            }
            Self::PercentileFloor => {
                "Below 10 / (1 - p) samples in a period a percentile is little more than the slowest request, says \
                 CloudWatch's own documentation: 200 samples for p95, 1,000 for p99. Such an alarm fires by chance."
            }
            Self::AlarmInvokePermission => {
                "A CloudWatch alarm calls a function only if the function's policy lets the service \
                 `lambda.alarms.cloudwatch.amazonaws.com` do so. Otherwise the alarm fires and nothing happens."
            }
            Self::AlarmWithoutActionsEnabled => {
                "With `ActionsEnabled: false` the alarm changes its state and calls nobody. CodeDeploy, which polls, still \
                 sees it."
            }
            Self::ProvisionedWithWeights => {
                "Lambda changes no provisioned concurrency while an alias is weighted (`Alias with weights can not be used \
                 with Provisioned Concurrency`), and a changed primary version takes it from the old one, so that a rollback \
                 lands cold."
            }
            Self::AliasOnLatest => {
                "`$LATEST` changes under the alias with every upload: there is no earlier version to go back to, and Lambda \
                 refuses to weight such an alias."
            }
            Self::RetentionDeletesTarget => {
                "A rollback needs the version before, with its image. CloudFormation deletes a version that has left the \
                 template unless it is retained, and lifecycle rules delete images that a version still needs."
            }
            Self::GuardMissing => {
                "A guard that does not exist never pulls the cord, and no release passes its checks."
            }
            Self::GuardWithoutAction => {
                "Ripcord hears of an alarm from the alarm itself. One with neither the suite's function nor a topic among its \
                 actions is heard only if EventBridge routes alarms to the suite."
            }
            Self::LastKnownGoodGone => {
                "Rollback goes to the last known good version. A second alias pins it, because Lambda deletes no version \
                 that an alias names; without both there may be nothing to go back to."
            }
            Self::LeftoverWeights => {
                "An alias that was left on two versions serves some requests from a version that nobody watches any more."
            }
        }
    }

    pub(super) fn scope(self) -> Scope {
        match self {
            Self::HookName => Scope::Template(hook_name::check),
            Self::HookPermission => Scope::Template(hook_permission::check),
            Self::HookTimeout => Scope::Template(hook_timeout::check),
            Self::HookShiftsItself => Scope::Template(hook_shifts_itself::check),
            Self::AlarmsNotWired => Scope::Template(alarms_not_wired::check),
            Self::AlarmWithoutRollback => Scope::Template(alarm_without_rollback::check),
            Self::SlowDetection => Scope::Template(slow_detection::check),
            Self::FunctionLevelAlarm => Scope::Template(function_level_alarm::check),
            Self::MissingData => Scope::Template(missing_data::check),
            Self::CountCalledRate => Scope::Template(count_called_rate::check),
            Self::Api5xxSum => Scope::Template(api_5xx_sum::check),
            Self::PercentileFloor => Scope::Template(percentile_floor::check),
            Self::AlarmInvokePermission => Scope::Template(alarm_invoke_permission::check),
            Self::AlarmWithoutActionsEnabled => Scope::Template(alarm_actions_enabled::check),
            Self::ProvisionedWithWeights => Scope::Template(provisioned_with_weights::check),
            Self::AliasOnLatest => Scope::Template(alias_on_latest::check),
            Self::RetentionDeletesTarget => Scope::Template(retention_deletes_target::check),
            Self::GuardMissing
            | Self::GuardWithoutAction
            | Self::LastKnownGoodGone
            | Self::LeftoverWeights => Scope::Account,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        let known = Self::EVERY.into_iter().find(|rule| rule.id() == id);
        known.ok_or_else(|| "no such rule: ripcord doctor --list-rules names them".to_owned())
    }
}
