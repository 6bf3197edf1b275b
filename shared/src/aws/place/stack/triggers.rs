//! Writing a stack's rollback triggers as they are registered: when a service is registered, with the rights of whoever does.

use aws_sdk_cloudformation::types::{Parameter, RollbackConfiguration, RollbackTrigger};

use super::{Deployed, alarms, deployed, is_refused};
use crate::aws::{Aws, CallFailed};
use crate::place::stack::{RollbackTriggers, Stack};
use crate::registration::Reach;

/// What became of a stack's rollback triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triggers {
    /// None are registered, or the stack has them already.
    AsTheyShouldBe,
    /// CloudFormation writes them down.
    Written,
    /// CloudFormation takes them only along with a change: they belong in the team's next deployment.
    WithNextDeployment,
}

/// What CloudFormation names a metric alarm or a composite one in a trigger. It asks for the kind, and an ARN does not tell it.
const ALARM_KIND: &str = "AWS::CloudWatch::Alarm";

impl Aws {
    /// Writes the registered rollback triggers of a stack, and leaves everything else of it as it is.
    pub async fn write_rollback_triggers(
        &self,
        reach: &Reach,
        place: &Stack,
    ) -> Result<Triggers, CallFailed> {
        let (aws, name) = (self.at(reach), &place.stack);
        let Some(wanted) = &place.rollback_triggers else { return Ok(Triggers::AsTheyShouldBe) };
        let Some(Deployed { stack, kept, .. }) = deployed(&aws, name).await? else {
            return Ok(Triggers::WithNextDeployment);
        };
        if stack.rollback_configuration.as_ref().is_some_and(|written| is_like(written, wanted)) {
            return Ok(Triggers::AsTheyShouldBe);
        }
        let as_it_is =
            |key: &String| Parameter::builder().parameter_key(key).use_previous_value(true).build();
        let answer = aws
            .cloudformation()
            .update_stack()
            .stack_name(name.as_str())
            .use_previous_template(true)
            .set_parameters(Some(kept.parameters.iter().map(|parameter| as_it_is(&parameter.key)).collect()))
            .set_capabilities(stack.capabilities)
            .rollback_configuration(configuration(wanted))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Triggers::Written),
            Err(error) if is_refused(&error, &["No updates are to be performed"]) => {
                Ok(Triggers::WithNextDeployment)
            }
            Err(error) => Err(CallFailed::new("cloudformation:UpdateStack", name, &error)),
        }
    }
}

fn is_like(written: &RollbackConfiguration, wanted: &RollbackTriggers) -> bool {
    let minutes = written.monitoring_time_in_minutes().and_then(|minutes| u32::try_from(minutes).ok());
    minutes.unwrap_or_default() == wanted.monitoring_minutes
        && alarms(written).iter().map(String::as_str).eq(wanted.alarms.iter().map(|alarm| alarm.as_str()))
}

fn configuration(wanted: &RollbackTriggers) -> RollbackConfiguration {
    let trigger = |arn: &str| RollbackTrigger::builder().arn(arn).r#type(ALARM_KIND).build();
    RollbackConfiguration::builder()
        .set_rollback_triggers(Some(wanted.alarms.iter().map(|alarm| trigger(alarm.as_str())).collect()))
        .set_monitoring_time_in_minutes(i32::try_from(wanted.monitoring_minutes).ok())
        .build()
}
