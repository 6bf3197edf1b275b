//! The timeline: what happened to a service's releases, each moment under a key of its own, written once.
//!
//! Also the two ways to read the history that do not read all of it: a service may have been released thousands of times.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use super::{Item, Ledger, LedgerError, PAGES_MAX, document, s, seconds};
use crate::aws::CallFailed;
use crate::names::{Generation, ServiceName};
use crate::release::Release;
use crate::timeline::{Moment, What};

/// For so long a moment is kept: a year of comparisons, and a month to make them in.
const MOMENT_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// AWS's word on a release may come so long before it is opened, or after it has ended.
const AWS_WORD: SignedDuration = SignedDuration::from_mins(60);
/// One page of history is asked for at a time.
const RELEASES_A_PAGE: i32 = 100;

impl Ledger {
    /// Keeps a moment; whether it was not known before.
    pub async fn keep_moment(&self, moment: &Moment) -> Result<bool, CallFailed> {
        let pk = format!("timeline#{}", moment.service);
        let key = moment.key();
        let until = moment.at.saturating_add(MOMENT_KEPT).unwrap_or(moment.at);
        // These types serialize: they hold names, numbers and texts.
        let doc = serde_json::to_string(moment).unwrap_or_default();
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(&key))
            .item("doc", s(doc))
            .item("expires_at", seconds(until))
            .condition_expression("attribute_not_exists(pk)");
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(CallFailed::new("dynamodb:PutItem", format_args!("{pk} / {key}"), &error)),
        }
    }

    /// What happened to a release, in order: its own moments, and what AWS said while it was open and around that.
    pub async fn timeline(
        &self,
        service: &ServiceName,
        generation: Generation,
    ) -> Result<Vec<Moment>, LedgerError> {
        let pk = format!("timeline#{service}");
        let own = self.query_from(&pk, Some(&format!("{:010}#", generation.0))).await?;
        let mut moments: Vec<Moment> = own.iter().map(document).collect::<Result<_, _>>()?;
        let times = || moments.iter().map(|moment| moment.at);
        if let (Some(first), Some(last)) = (times().min(), times().max()) {
            let from = first.saturating_sub(AWS_WORD).unwrap_or(first);
            let until = last.saturating_add(AWS_WORD).unwrap_or(last);
            moments.extend(self.told_between(service, from, until).await?);
        }
        moments.sort_by_key(|moment| (moment.at, moment.write, moment.key()));
        Ok(moments)
    }

    /// What AWS said of a service's places in a stretch of time, oldest first.
    pub async fn told_between(
        &self,
        service: &ServiceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Moment>, LedgerError> {
        let pk = format!("timeline#{service}");
        let mut items: Vec<Item> = Vec::new();
        let mut start = None;
        for _ in 0..PAGES_MAX {
            let page = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until")
                .expression_attribute_values(":pk", s(&pk))
                .expression_attribute_values(":from", s(Moment::told_at(from)))
                // A tilde follows every character of a key.
                .expression_attribute_values(":until", s(format!("{}~", Moment::told_at(until))))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| CallFailed::new("dynamodb:Query", &pk, &error))?;
            start = page.last_evaluated_key;
            items.extend(page.items.unwrap_or_default());
            if start.is_none() {
                let moments: Vec<Moment> = items.iter().map(document).collect::<Result<_, _>>()?;
                let is_told = |moment: &Moment| matches!(moment.what, What::Aws(_));
                return Ok(moments.into_iter().filter(is_told).collect());
            }
        }
        let why = format!("it has more than {PAGES_MAX} pages in these days");
        Err(LedgerError::Unreadable { pk, sk: Moment::told_at(from), why })
    }

    /// The latest releases of a service, newest first: as long as they are `wanted`, a page more or less, and a bounded number.
    pub async fn latest_releases(
        &self,
        service: &ServiceName,
        wanted: impl Fn(usize, &Release) -> bool,
    ) -> Result<Vec<Release>, LedgerError> {
        let pk = format!("history#{service}");
        let mut releases: Vec<Release> = Vec::new();
        let mut start = None;
        for _ in 0..HISTORY_PAGES_MAX {
            let page = self
                .dynamodb
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .scan_index_forward(false)
                .limit(RELEASES_A_PAGE)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", AttributeValue::S(pk.clone()))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| CallFailed::new("dynamodb:Query", &pk, &error))?;
            start = page.last_evaluated_key;
            for item in page.items.unwrap_or_default() {
                let release: Release = document(&item)?;
                if !wanted(releases.len(), &release) {
                    return Ok(releases);
                }
                releases.push(release);
            }
            if start.is_none() {
                return Ok(releases);
            }
        }
        let why = format!("more than {HISTORY_PAGES_MAX} pages of it were asked for");
        Err(LedgerError::Unreadable { pk, sk: "*".to_owned(), why })
    }
}

/// Ten thousand releases of one service in what a person asks about: more is a mistake.
const HISTORY_PAGES_MAX: usize = 100;
