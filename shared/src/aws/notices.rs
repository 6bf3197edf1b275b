//! Notices, by SNS. The severity and the service are message attributes, so that subscriptions can filter.

use aws_sdk_sns::types::MessageAttributeValue;

use super::execute::Interruption;
use super::{Aws, CallFailed};
use crate::notice::Notice;

impl Aws {
    pub(super) async fn tell(&self, notice: &Notice) -> Result<(), Interruption> {
        let attribute = |value: &str| {
            MessageAttributeValue::builder().data_type("String").string_value(value).build().map_err(
                |error| Interruption::Failed {
                    why: CallFailed::new("sns:Publish", &self.topic_arn, &error).to_string(),
                },
            )
        };
        let call = self
            .sns
            .publish()
            .topic_arn(&self.topic_arn)
            .subject(notice.subject())
            .message(notice.message().to_string())
            .message_attributes("severity", attribute(notice.severity.as_str())?)
            .message_attributes("service", attribute(notice.service.as_str())?);
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(Interruption::Failed {
                why: CallFailed::new("sns:Publish", &self.topic_arn, &error).to_string(),
            }),
        }
    }
}
