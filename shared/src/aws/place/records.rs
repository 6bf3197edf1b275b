//! Looking at records, and moving them.

use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::operation::get_change::GetChangeError;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsError;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ChangeStatus, RrType};
use futures_util::future::join;

use crate::aws::execute::Interruption;
use crate::aws::{Aws, CallFailed, causes};
use crate::names::Version;
use crate::place::records::{Call, RecordSet, Records, Replacement, Seen};
use crate::place::{Live, Seen as SeenOf};

mod record_set;

/// Route 53 holds at most 100 records of one name and type for any routing policy, so one page of so many is enough.
const RECORDS_MAX: i32 = 100;
/// One page more, in case that limit is raised for somebody.
const PAGES_MAX: usize = 2;

/// Looks at it; nothing if there is none.
pub(super) async fn observe(aws: &Aws, place: &Records) -> Result<Option<Live>, CallFailed> {
    let (listed, propagating) = join(list(aws, place), propagating(aws, place)).await;
    let Some(listed) = listed? else { return Ok(None) };
    let is =
        |record: &RecordSet, identifier: Version| record.identifier.as_deref() == Some(identifier.as_str());
    let of = |identifier| listed.iter().find(|record| is(record, identifier)).cloned();
    let records: Vec<_> = place.identifiers.into_iter().filter_map(of).collect();
    if records.is_empty() {
        return Ok(None);
    }
    let others = listed.iter().filter(|listed| !records.contains(listed)).cloned().collect();
    let seen = Seen { records, others, propagating: propagating? };
    Ok(Some(Live { traffic: seen.traffic(place), brought: None, seen: SeenOf::DnsRecords(Box::new(seen)) }))
}

/// The records of the name and type; nothing if there is no such zone.
async fn list(aws: &Aws, place: &Records) -> Result<Option<Vec<RecordSet>>, CallFailed> {
    let record_type = RrType::from(place.record_type.as_str());
    // Route 53 keeps names in small letters, and lists from the first name that is not less than this one.
    let name = place.record.as_str().to_ascii_lowercase();
    let mut start = (name, record_type.clone(), None);
    let mut listed = Vec::new();
    for _ in 0..PAGES_MAX {
        let (name, kind, identifier) = start;
        let page = aws
            .route53()
            .list_resource_record_sets()
            .hosted_zone_id(place.zone.as_str())
            .start_record_name(name)
            .start_record_type(kind)
            .set_start_record_identifier(identifier)
            .max_items(RECORDS_MAX)
            .send()
            .await;
        let page = match page {
            Ok(page) => page,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(ListResourceRecordSetsError::is_no_such_hosted_zone) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(CallFailed::new("route53:ListResourceRecordSets", place, &error)),
        };
        for record in page.resource_record_sets {
            // They are sorted by name and type, so what follows is not asked about.
            if record.r#type != record_type || !place.is_named(&record.name) {
                return Ok(Some(listed));
            }
            listed.push(record_set::seen(record));
        }
        match (page.is_truncated, page.next_record_name, page.next_record_type) {
            (true, Some(name), Some(kind)) => start = (name, kind, page.next_record_identifier),
            (true | false, _, _) => return Ok(Some(listed)),
        }
    }
    Err(CallFailed {
        call: "route53:ListResourceRecordSets",
        subject: place.to_string(),
        why: format!("there are more than {PAGES_MAX} pages of {RECORDS_MAX} records of that name"),
    })
}

/// The change that this process made last, if it has not reached every server yet.
async fn propagating(aws: &Aws, place: &Records) -> Result<Option<String>, CallFailed> {
    let subject = place.to_string();
    let Some(change) = aws.places.memory.recall(&subject) else { return Ok(None) };
    match aws.route53().get_change().id(&change).send().await {
        Ok(answer) if answer.change_info.as_ref().is_some_and(|info| info.status != ChangeStatus::Insync) => {
            Ok(Some(change))
        }
        Ok(_) => {
            aws.places.memory.forget(&subject);
            Ok(None)
        }
        Err(error) if error.as_service_error().is_some_and(GetChangeError::is_no_such_change) => {
            aws.places.memory.forget(&subject);
            Ok(None)
        }
        Err(error) => Err(CallFailed::new("route53:GetChange", change, &error)),
    }
}

/// Makes one call.
pub(super) async fn call(aws: &Aws, call: &Call) -> Result<(), Interruption> {
    let Call::Replace(replacement) = call;
    let place = &replacement.place;
    let failed = |error: &(dyn std::error::Error + 'static)| Interruption::Failed {
        why: CallFailed::new("route53:ChangeResourceRecordSets", place, error).to_string(),
    };
    let batch = batch(replacement).map_err(|error| failed(&error))?;
    let changed = aws
        .route53()
        .change_resource_record_sets()
        .hosted_zone_id(place.zone.as_str())
        .change_batch(batch)
        .send()
        .await;
    match changed {
        Ok(answer) => {
            if let Some(change) = answer.change_info.filter(|info| info.status != ChangeStatus::Insync) {
                aws.places.memory.keep(place.to_string(), change.id);
            }
            Ok(())
        }
        // A record is not as it was seen any more: somebody else came first, or an earlier try of this call has landed and
        // its answer was lost. What Route 53 says is kept, because a batch may also break one of its rules.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(ChangeResourceRecordSetsError::is_invalid_change_batch) =>
        {
            Err(Interruption::Raced {
                what: format!("{place} was changed by someone else: {}", causes(&error)),
            })
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Deletes what was seen and creates what is wanted. Route 53 takes all of it or nothing, and refuses a deletion whose values
/// are not those that are there.
fn batch(replacement: &Replacement) -> Result<ChangeBatch, aws_sdk_route53::error::BuildError> {
    let deleted = replacement.before.iter().map(|record| (ChangeAction::Delete, record));
    let created = replacement.after.iter().map(|record| (ChangeAction::Create, record));
    let changes: Result<Vec<_>, _> = deleted
        .chain(created)
        .map(|(action, record)| {
            Change::builder().action(action).resource_record_set(record_set::sent(record)?).build()
        })
        .collect();
    ChangeBatch::builder().comment("ripcord").set_changes(Some(changes?)).build()
}
