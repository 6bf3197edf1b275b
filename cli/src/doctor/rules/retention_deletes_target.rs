//! `retention-deletes-target`: clean-up that takes away what a rollback needs.

use serde::Deserialize;

use super::{About, Scope};
use crate::doctor::document::Node;
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;
use crate::doctor::template::{Resource, SAM_FUNCTION};

pub(super) const ABOUT: About = About {
    id: "retention-deletes-target",
    title: "what a rollback needs is deleted",
    why: "A rollback needs the version before, with its image. CloudFormation deletes a version that has left the \
          template unless it is retained, and lifecycle rules delete images that a version still needs.",
    scope: Scope::Template(check),
};

/// What serves now, and what it goes back to.
const IMAGES_MIN: u64 = 2;

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let published = template.of_kind(SAM_FUNCTION).filter_map(|function| published(survey, function));
    let versions = template.of_kind("AWS::Lambda::Version").filter_map(|version| deleted(survey, version));
    let images = template.of_kind("AWS::ECR::Repository").filter_map(|images| expired(survey, images));
    let code = template.of_kind("AWS::S3::Bucket").filter_map(|bucket| forgotten(survey, bucket));
    published.chain(versions).chain(images).chain(code).collect()
}

/// SAM retains versions unless it is told otherwise, or the function's own policy is handed down to them.
fn published(survey: &Survey<'_>, function: &Resource) -> Option<Sign> {
    let template = survey.template;
    if template.values(function, "AutoPublishAlias").is_empty() {
        return None;
    }
    let own = function.attribute("DeletionPolicy").map(|node| template.alternatives(node));
    let stated = own.unwrap_or_else(|| template.values(function, "VersionDeletionPolicy"));
    let delete = stated.into_iter().find(|node| template.text(node).exact() == Some("Delete"))?;
    let id = &function.id;
    let message =
        format!("versions of {id} are deleted when the next one is published: nothing is left to go back to");
    let mend = format!("{id}:\n  Properties:\n    VersionDeletionPolicy: Retain");
    Some(Sign::of(Severity::Warning, function, message, mend).at(delete))
}

/// Only a version that an alias of this template serves is one that traffic goes back to.
fn deleted(survey: &Survey<'_>, version: &Resource) -> Option<Sign> {
    let template = survey.template;
    let served = template.of_kind("AWS::Lambda::Alias").any(|alias| {
        let versions = template.values(alias, "FunctionVersion");
        versions.iter().any(|node| template.target(node).is_some_and(|named| named.id == version.id))
    });
    let kept = ["DeletionPolicy", "UpdateReplacePolicy"].iter().any(|policy| {
        let stated = version.attribute(policy).map(|node| template.text(node));
        stated.is_some_and(|policy| policy.exact() != Some("Delete"))
    });
    if !served || kept {
        return None;
    }
    let id = &version.id;
    let message =
        format!("{id} is not retained: CloudFormation deletes it once another version takes its place");
    let mend = format!("{id}:\n  DeletionPolicy: Retain\n  UpdateReplacePolicy: Retain");
    Some(Sign::of(Severity::Warning, version, message, mend))
}

/// A lifecycle policy of ECR, as far as it may delete images with tags.
#[derive(Debug, Deserialize)]
struct Lifecycle {
    rules: Vec<LifecycleRule>,
}

#[derive(Debug, Deserialize)]
struct LifecycleRule {
    selection: Selection,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selection {
    tag_status: String,
    count_type: String,
    count_number: u64,
}

fn expired(survey: &Survey<'_>, repository: &Resource) -> Option<Sign> {
    let template = survey.template;
    let policies = template.values(repository, "LifecyclePolicy").into_iter();
    let texts = policies.flat_map(|policy| template.all(policy, "LifecyclePolicyText"));
    let id = &repository.id;
    let sign = |node: &Node| {
        let lifecycle: Lifecycle = serde_json::from_str(template.text(node).exact()?).ok()?;
        let message = lifecycle.rules.iter().map(|rule| &rule.selection).find_map(|of| {
            let Selection { tag_status, count_type, count_number } = of;
            match (tag_status.as_str(), count_type.as_str()) {
                ("untagged", _) => None,
                (_, "imageCountMoreThan") if *count_number >= IMAGES_MIN => None,
                (_, "imageCountMoreThan") => {
                    Some(format!("{id} keeps {count_number} image < {IMAGES_MIN}: the one to go back to is deleted"))
                }
                (_, "sinceImagePushed") => Some(format!(
                    "{id} deletes images {count_number} days after they were pushed, those that a version still needs too"
                )),
                _ => None,
            }
        })?;
        let mend = "{\"selection\": {\"tagStatus\": \"any\", \"countType\": \"imageCountMoreThan\", \"countNumber\": 20}, …}";
        Some(Sign::of(Severity::Warning, repository, message, mend.to_owned()).at(node))
    };
    texts.into_iter().find_map(sign)
}

/// Lambda keeps a copy of the code, so only a redeployment of an earlier template needs the bucket.
fn forgotten(survey: &Survey<'_>, bucket: &Resource) -> Option<Sign> {
    let template = survey.template;
    let holds_code = template.resources.iter().any(|resource| {
        let places = ["CodeUri", "Code", "ArtifactStore", "ArtifactStores"];
        let mut nodes = places.iter().filter_map(|place| resource.property(place));
        nodes.any(|node| template.mentions(node).iter().any(|named| named.id == bucket.id))
    });
    let lifecycles = template.values(bucket, "LifecycleConfiguration");
    let rules = lifecycles.iter().filter_map(|node| node.get("Rules")).flat_map(|rules| template.list(rules));
    let expiring = rules.into_iter().find_map(|rule| {
        let enabled = template.exact(rule, "Status").is_none_or(|status| status == "Enabled");
        let days = template.number(rule, "ExpirationInDays")?;
        enabled.then_some((rule, days))
    });
    let (rule, days) = expiring.filter(|_| holds_code)?;
    let id = &bucket.id;
    let message = format!(
        "{id} holds code and forgets it after {days} days: an earlier template that names it can then not be deployed again"
    );
    let mend = format!(
        "expire old versions of objects instead, in {id}: NoncurrentVersionExpiration: {{ NoncurrentDays: {days} }}"
    );
    Some(Sign::of(Severity::Note, bucket, message, mend).at(rule))
}
