//! Fault injection: which calls are hit, and by what. Rules count the calls that match them; how a fault looks on the
//! wire is in `fault_answers`. Faults hit the system under test alone, never the rehearsal's own calls.

use super::call::{Call, Caller};
use serde::Deserialize;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Called at a crash point: the test ends its process there.
pub type CrashCallback = Arc<dyn Fn() + Send + Sync>;

/// What happens to a call.
#[derive(Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Answered as throttled, in the service's own shape; not forwarded.
    Throttle,
    /// Answered as denied by IAM, in the service's own shape; not forwarded.
    Deny,
    /// Answered with a server error; not forwarded.
    ServerError {
        /// 500 or 503.
        status: u16,
    },
    /// Held back, then handled as usual (or by the next fault that hits it).
    Delay {
        /// For how long.
        duration_ms: u64,
    },
    /// The connection closes; the call has no effect.
    DropBefore,
    /// The call takes effect; the connection closes without an answer.
    DropAfter,
    /// The call takes effect twice; the second answer is returned.
    Duplicate,
    /// The callback runs, then the connection closes; the call has no effect.
    #[serde(skip)]
    CrashBefore(CrashCallback),
    /// The call takes effect, the callback runs, then the connection closes without an answer.
    #[serde(skip)]
    CrashAfter(CrashCallback),
}

impl Fault {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Deny => "deny",
            Self::ServerError { .. } => "server_error",
            Self::Delay { .. } => "delay",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::Duplicate => "duplicate",
            Self::CrashBefore(_) => "crash_before",
            Self::CrashAfter(_) => "crash_after",
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a fault strikes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The operation, such as `UpdateAlias`; `*` is every operation.
    pub operation: String,
    /// The signing name of the service; every service when absent.
    #[serde(default)]
    pub service: Option<String>,
    /// The function whose calls are hit; when absent, everybody's but the recorder's.
    #[serde(default)]
    pub caller: Option<String>,
    /// The first matching call that is hit, from 1.
    #[serde(default = "first")]
    pub nth: u32,
    /// How many calls in a row are hit; all that follow when absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// What hits them.
    pub fault: Fault,
}

impl FaultRule {
    /// Hits every call of `operation`.
    pub fn always(operation: impl Into<String>, fault: Fault) -> Self {
        Self { operation: operation.into(), service: None, caller: None, nth: 1, times: None, fault }
    }

    /// Hits only the first call of `operation`.
    pub fn once(operation: impl Into<String>, fault: Fault) -> Self {
        Self::nth(operation, 1, fault)
    }

    /// Hits only the `nth` call of `operation`, from 1.
    pub fn nth(operation: impl Into<String>, nth: u32, fault: Fault) -> Self {
        Self { nth, times: Some(1), ..Self::always(operation, fault) }
    }

    /// Hits `times` calls in a row instead.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Hits the calls of one function alone.
    #[must_use]
    pub fn of(self, function: impl Into<String>) -> Self {
        Self { caller: Some(function.into()), ..self }
    }

    /// The recorder is at work behind whatever is tried, at moments of its own, and would be hit instead.
    fn is_about(&self, caller: &Caller) -> bool {
        match (caller, &self.caller) {
            (Caller::Function(function), Some(meant)) => function == meant,
            (_, Some(_)) => false,
            (Caller::Function(function), None) => !function.ends_with(RECORDER),
            (_, None) => true,
        }
    }

    fn matches(&self, call: &Call) -> bool {
        (self.operation == "*" || self.operation == call.operation)
            && self.service.as_ref().is_none_or(|service| *service == call.service)
            && self.is_about(&call.caller)
    }
}

/// How the name of the function ends that works behind every other.
const RECORDER: &str = "-release-recorder";

fn first() -> u32 {
    1
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Counted>>,
}

#[derive(Debug)]
struct Counted {
    rule: FaultRule,
    matched: u32,
}

/// What strikes one call: first the delays, then at most one other fault.
#[derive(Debug, Default)]
pub(crate) struct Strike {
    pub(crate) delay: Duration,
    pub(crate) fault: Option<Fault>,
    pub(crate) names: Vec<&'static str>,
}

impl Faults {
    /// Adds a rule; its count starts now.
    pub fn add(&self, rule: FaultRule) {
        self.lock().push(Counted { rule, matched: 0 });
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Counts the call against every rule and says what strikes it.
    pub(crate) fn strike(&self, call: &Call) -> Strike {
        let mut strike = Strike::default();
        if !call.caller.is_under_test() {
            return strike;
        }
        for counted in self.lock().iter_mut().filter(|counted| counted.rule.matches(call)) {
            counted.matched = counted.matched.saturating_add(1);
            let rule = &counted.rule;
            let since = counted.matched.checked_sub(rule.nth);
            let hit = since.is_some_and(|since| rule.times.is_none_or(|times| since < times));
            if !hit {
                continue;
            }
            if let Fault::Delay { duration_ms } = rule.fault {
                strike.delay += Duration::from_millis(duration_ms);
                strike.names.push(rule.fault.name());
            } else if strike.fault.is_none() {
                strike.names.push(rule.fault.name());
                strike.fault = Some(rule.fault.clone());
            }
        }
        strike
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::call::{Caller, Protocol};

    fn call(operation: &str, caller: Caller) -> Call {
        Call {
            service: "lambda".to_owned(),
            region: "us-east-1".to_owned(),
            account_id: String::new(),
            operation: operation.to_owned(),
            resource: None,
            caller,
            protocol: Protocol::RestJson,
        }
    }

    fn struck(faults: &Faults, operation: &str) -> Vec<&'static str> {
        faults.strike(&call(operation, Caller::Unsigned)).names
    }

    #[test]
    fn a_rule_hits_from_its_nth_match_for_its_times_only() {
        let faults = Faults::default();
        faults.add(FaultRule::nth("UpdateAlias", 2, Fault::Throttle).times(2));
        let seen: Vec<bool> = (0..5).map(|_| !struck(&faults, "UpdateAlias").is_empty()).collect();
        assert_eq!(seen, [false, true, true, false, false]);
        assert!(struck(&faults, "GetAlias").is_empty());
    }

    #[test]
    fn delays_add_up_before_one_other_fault() {
        let faults = Faults::default();
        faults.add(FaultRule::always("*", Fault::Delay { duration_ms: 3 }));
        faults.add(FaultRule::once("GetAlias", Fault::DropAfter));
        faults.add(FaultRule::once("GetAlias", Fault::Deny));
        assert_eq!(struck(&faults, "GetAlias"), ["delay", "drop_after"]);
        assert_eq!(struck(&faults, "GetAlias"), ["delay"]);
    }

    #[test]
    fn the_recorder_is_hit_where_it_is_named_and_nowhere_else() {
        let recorder = || call("PutItem", Caller::Function("ripcord-release-recorder".to_owned()));
        let shifter = || call("PutItem", Caller::Function("ripcord-alias-weight-shifter".to_owned()));
        let faults = Faults::default();
        faults.add(FaultRule::always("*", Fault::Deny));
        assert!(faults.strike(&recorder()).fault.is_none() && faults.strike(&shifter()).fault.is_some());
        faults.clear();
        faults.add(FaultRule::always("*", Fault::Deny).of("ripcord-release-recorder"));
        assert!(faults.strike(&recorder()).fault.is_some() && faults.strike(&shifter()).fault.is_none());
    }

    #[test]
    fn the_rehearsals_own_calls_are_left_alone() {
        let faults = Faults::default();
        faults.add(FaultRule::always("Invoke", Fault::Deny));
        for (caller, hit) in [(Caller::Traffic, false), (Caller::Rehearsal, false), (Caller::Unsigned, true)]
        {
            assert_eq!(faults.strike(&call("Invoke", caller)).fault.is_some(), hit);
        }
    }
}
