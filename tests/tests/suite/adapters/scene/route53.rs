//! Route 53's part of a scene.

use aws_sdk_lambda::config::interceptors::BeforeSerializationInterceptorContextRef;
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsInput;
use aws_sdk_route53::operation::get_change::GetChangeInput;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsInput;

use super::text;

/// How a call of Route 53 reads in the journal. The records are read from what went over the wire.
pub(super) fn call(context: &BeforeSerializationInterceptorContextRef<'_>) -> Option<String> {
    let input = context.input();
    if let Some(list) = input.downcast_ref::<ListResourceRecordSetsInput>() {
        let kind = list.start_record_type().map_or("-", |kind| kind.as_str());
        let (zone, name) = (text(list.hosted_zone_id()), text(list.start_record_name()));
        let from = list.start_record_identifier().map(|from| format!(" {from}")).unwrap_or_default();
        Some(format!("route53:ListResourceRecordSets {zone} from {name} {kind}{from}"))
    } else if let Some(get) = input.downcast_ref::<GetChangeInput>() {
        Some(format!("route53:GetChange {}", text(get.id())))
    } else {
        let change = input.downcast_ref::<ChangeResourceRecordSetsInput>()?;
        Some(format!("route53:ChangeResourceRecordSets {}", text(change.hosted_zone_id())))
    }
}
