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
mod deployed;
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

/// A rule in words, and where it looks.
#[derive(Debug)]
pub(super) struct About {
    pub(super) id: &'static str,
    /// What it finds, in a line.
    pub(super) title: &'static str,
    /// Why it matters.
    pub(super) why: &'static str,
    pub(super) scope: Scope,
}

/// Where a rule looks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scope {
    Template(fn(&Survey<'_>) -> Vec<Sign>),
    /// At what is deployed.
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

    /// What there is to say of it.
    pub(super) fn about(self) -> &'static About {
        match self {
            Self::HookName => &hook_name::ABOUT,
            Self::HookPermission => &hook_permission::ABOUT,
            Self::HookTimeout => &hook_timeout::ABOUT,
            Self::HookShiftsItself => &hook_shifts_itself::ABOUT,
            Self::AlarmsNotWired => &alarms_not_wired::ABOUT,
            Self::AlarmWithoutRollback => &alarm_without_rollback::ABOUT,
            Self::SlowDetection => &slow_detection::ABOUT,
            Self::FunctionLevelAlarm => &function_level_alarm::ABOUT,
            Self::MissingData => &missing_data::ABOUT,
            Self::CountCalledRate => &count_called_rate::ABOUT,
            Self::Api5xxSum => &api_5xx_sum::ABOUT,
            Self::PercentileFloor => &percentile_floor::ABOUT,
            Self::AlarmInvokePermission => &alarm_invoke_permission::ABOUT,
            Self::AlarmWithoutActionsEnabled => &alarm_actions_enabled::ABOUT,
            Self::ProvisionedWithWeights => &provisioned_with_weights::ABOUT,
            Self::AliasOnLatest => &alias_on_latest::ABOUT,
            Self::RetentionDeletesTarget => &retention_deletes_target::ABOUT,
            Self::GuardMissing => &deployed::GUARD_MISSING,
            Self::GuardWithoutAction => &deployed::GUARD_WITHOUT_ACTION,
            Self::LastKnownGoodGone => &deployed::LAST_KNOWN_GOOD_GONE,
            Self::LeftoverWeights => &deployed::LEFTOVER_WEIGHTS,
        }
    }

    pub(super) fn id(self) -> &'static str {
        self.about().id
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
