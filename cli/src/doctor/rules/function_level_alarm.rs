//! `function-level-alarm`: a guard that counts every version of a function together.

use super::{About, Scope};
use crate::doctor::alarm::{Alarm, Metric, PER_VERSION};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "function-level-alarm",
    title: "an alarm cannot tell the alias from the rest of the function",
    why: "With `FunctionName` alone, Lambda's metrics count every version, every alias and every test call together. \
          Errors of the old version roll back the new one, and ten percent of bad traffic drown in ninety percent of \
          good.",
    scope: Scope::Template(check),
};

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let guards = survey.alarms.iter().filter(|alarm| survey.is_guard(alarm.resource));
    guards.filter_map(|alarm| judge(survey, alarm)).collect()
}

fn judge(survey: &Survey<'_>, alarm: &Alarm<'_>) -> Option<Sign> {
    let blind = |metric: &&Metric<'_>| {
        metric.is_of("AWS/Lambda")
            && metric.name.as_deref().is_some_and(|name| PER_VERSION.contains(&name))
            && metric.dimensions.has("Resource") == Some(false)
    };
    let metric = alarm.metrics.iter().find(blind)?;
    let id = &alarm.resource.id;
    let name = metric.name.as_deref().unwrap_or_default();
    let function = metric.dimensions.value("FunctionName").and_then(|node| survey.template.target(node));
    let of = function.map_or_else(
        || match metric.dimensions.value("FunctionName") {
            Some(node) => survey.template.text(node).text,
            None => "every function of the account".to_owned(),
        },
        |function| function.id.clone(),
    );
    let message = format!(
        "{id} {} on {name} of {of} as a whole: all versions and aliases count together, and the old version can roll back the new one",
        survey.guarding(alarm.resource)
    );
    let function = function.map_or("MyFunction", |function| function.id.as_str());
    let alias = alias_of(survey, function).unwrap_or_else(|| "live".to_owned());
    let mend = format!(
        "Dimensions:\n  - {{ Name: FunctionName, Value: !Ref {function} }}\n  - {{ Name: Resource, Value: !Sub \"${{{function}}}:{alias}\" }}\nand, to see the new version alone:\n  - {{ Name: ExecutedVersion, Value: !GetAtt {function}.Version.Version }}"
    );
    Some(Sign::of(Severity::Warning, alarm.resource, message, mend).at(metric.spot("Dimensions")))
}

/// The alias under which SAM publishes, or that of an alias resource.
fn alias_of(survey: &Survey<'_>, function: &str) -> Option<String> {
    let template = survey.template;
    let own = template.resource(function).map(|function| template.values(function, "AutoPublishAlias"));
    let published = own.into_iter().flatten().find_map(|node| template.text(node).exact().map(str::to_owned));
    published.or_else(|| {
        let mut aliases = template.of_kind("AWS::Lambda::Alias").filter(|alias| {
            let functions = template.values(alias, "FunctionName");
            functions.iter().any(|node| template.target(node).is_some_and(|named| named.id == function))
        });
        aliases.find_map(|alias| template.exact(alias.attribute("Properties")?, "Name"))
    })
}
