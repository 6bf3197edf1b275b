//! Asking the suite's functions, and where the suite lives.

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use ripcord::aws::causes;
use ripcord::registration::Home;
use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Asked, Failure, Kind};
use crate::session::Session;

/// A function of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// Puts traffic back.
    AlarmRollback,
    /// Moves traffic on.
    AliasWeightShifter,
}

impl Function {
    fn name(self, project: &str) -> String {
        match self {
            Self::AlarmRollback => format!("{project}-alarm-rollback"),
            Self::AliasWeightShifter => format!("{project}-alias-weight-shifter"),
        }
    }

    fn asked(self) -> Asked {
        match self {
            Self::AlarmRollback => Asked::Rollback,
            Self::AliasWeightShifter => Asked::Shift,
        }
    }
}

/// How Lambda says that a function failed.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FunctionError {
    error_type: String,
    error_message: String,
}

impl Session {
    /// Asks a function and waits for its answer.
    pub(crate) async fn ask(&self, function: Function, event: &Value) -> Result<Value, Failure> {
        let name = function.name(&self.project);
        let payload = Blob::new(event.to_string());
        let answer = self
            .functions
            .invoke()
            .function_name(&name)
            .payload(payload)
            .send()
            .await
            .map_err(|error| call_failed("lambda:Invoke", &name, &error))?;
        let payload = answer.payload().map_or(&[][..], |payload| payload.as_ref());
        read_answer(function, answer.function_error().is_some(), payload)
    }

    /// The account and region of the suite, in which bare alarm names are meant; also proves that the suite is there.
    pub(crate) async fn home(&self) -> Result<Home, Failure> {
        let name = Function::AlarmRollback.name(&self.project);
        let answer = self
            .functions
            .get_function_configuration()
            .function_name(&name)
            .send()
            .await
            .map_err(|error| call_failed("lambda:GetFunctionConfiguration", &name, &error))?;
        let arn = answer.function_arn().unwrap_or_default();
        home_of(arn).ok_or_else(|| {
            Failure::new(Kind::Unexpected, format!("{name} has no function's ARN but {arn:?}"))
        })
    }
}

fn read_answer(function: Function, failed: bool, payload: &[u8]) -> Result<Value, Failure> {
    if failed {
        let error: FunctionError = serde_json::from_slice(payload).unwrap_or_default();
        let kind = if error.error_type.is_empty() { "FunctionFailed" } else { &error.error_type };
        let message = if error.error_message.is_empty() {
            String::from_utf8_lossy(payload).into_owned()
        } else {
            error.error_message
        };
        return Err(Failure::of_function(function.asked(), kind, message));
    }
    serde_json::from_slice(payload).map_err(|error| {
        Failure::of_function(
            function.asked(),
            "AnswerUnreadable",
            format!("the function's answer is not JSON: {error}"),
        )
    })
}

/// A call that AWS refused or that did not get there, in a line.
pub(crate) fn call_failed<E, R>(call: &str, subject: &str, error: &SdkError<E, R>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let code = error.code().unwrap_or_default();
    if code == "ResourceNotFoundException" {
        return Failure::new(
            Kind::SuiteMissing,
            format!("there is no function {subject} in this account and region"),
        )
        .hint("check --project, --region and --profile; or deploy the suite with sam deploy");
    }
    let why = match error.message() {
        Some(message) => format!("{code}: {message}"),
        None => causes(error),
    };
    Failure::new(Kind::AwsCallFailed, format!("{call} of {subject} failed: {why}"))
        .hint("check the network, --region and the credentials (--profile)")
}

/// `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME`.
fn home_of(arn: &str) -> Option<Home> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "lambda", region, account, "function", ..]
            if !partition.is_empty() && !region.is_empty() && !account.is_empty() =>
        {
            Some(Home {
                partition: (*partition).to_owned(),
                region: (*region).to_owned(),
                account: (*account).to_owned(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

    #[test]
    fn the_suites_home_is_read_off_a_functions_arn() {
        let home = home_of("arn:aws-cn:lambda:cn-north-1:123456789012:function:ripcord-alarm-rollback");
        let expected =
            Home { partition: "aws-cn".into(), region: "cn-north-1".into(), account: "123456789012".into() };
        assert_eq!(home, Some(expected));
        for other in [
            "",
            "ripcord-alarm-rollback",
            "arn:aws:sns:eu-west-1:123456789012:notices",
            "arn:aws:lambda:::function:f",
        ] {
            assert_eq!(home_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_functions_error_keeps_its_type_and_message() {
        let payload = br#"{"errorType":"VersionQuarantined","errorMessage":"version 2 is quarantined"}"#;
        let failure = read_answer(Function::AliasWeightShifter, true, payload).expect_err("it failed");
        assert_eq!((failure.kind.as_str(), failure.exit), ("VersionQuarantined", ExitCode::Refused));
        assert_eq!(failure.message, "version 2 is quarantined");
    }

    #[test]
    fn a_function_that_crashed_or_babbles_leaves_a_rollback_failed() {
        let timed_out = br#"{"errorMessage":"2026-01-01T00:00:00Z Task timed out after 30.00 seconds"}"#;
        for (failed, payload) in
            [(true, &timed_out[..]), (true, b"oops"), (true, b""), (false, b""), (false, b"oops")]
        {
            let failure = read_answer(Function::AlarmRollback, failed, payload).expect_err("it failed");
            assert_eq!(failure.exit, ExitCode::RollbackFailed, "{payload:?}");
        }
    }
}
