//! What the state machine asks: to look at the stage, or to ask a person.

use ripcord::error_type::{ErrorType, Failure};
use ripcord::names::{Generation, ServiceName};
use ripcord::preflight::{PreflightRequest, Standing, When, standing};
use ripcord::situation::ServiceRecord;
use serde::Deserialize;
use serde_json::Value;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) service: ServiceName,
    pub(crate) release: Generation,
    /// A question to a person; without one, a look at the stage.
    pub(crate) ask: Option<Ask>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    /// What Step Functions knows the answer by.
    pub(crate) token: String,
    /// The stage that is to begin; one past the last to complete.
    pub(crate) stage: usize,
    /// Why a person is asked.
    pub(crate) why: String,
    /// How long there is to answer, in seconds of the plan.
    pub(crate) wait_seconds: u32,
}

impl Request {
    pub(crate) fn read(event: &Value) -> Result<Self, Failure> {
        let invalid =
            |why: String| Failure::new(ErrorType::RequestInvalid, format!("the request is not valid: {why}"));
        let request: Self = serde_path_to_error::deserialize(event)
            .map_err(|error| invalid(format!("{}: {}", error.path(), error.inner())))?;
        match &request.ask {
            Some(ask) if ask.token.is_empty() => {
                Err(invalid("ask.token is empty: nobody could answer".to_owned()))
            }
            Some(ask) if ask.wait_seconds == 0 => {
                Err(invalid("ask.wait_seconds is 0: nobody could answer in time".to_owned()))
            }
            Some(_) | None => Ok(request),
        }
    }

    /// How the release that is meant stands.
    pub(crate) fn standing<'record>(
        &self,
        record: &'record ServiceRecord,
    ) -> Result<Standing<'record>, Failure> {
        let (service, release) = (self.service.clone(), self.release);
        Ok(standing(&PreflightRequest { service, release, when: When::After }, record)?)
    }
}
