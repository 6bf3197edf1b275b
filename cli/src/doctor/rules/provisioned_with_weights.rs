//! `provisioned-with-weights`: provisioned concurrency on an alias that takes weights.

use super::{About, Scope};
use crate::doctor::document::Node;
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;
use crate::doctor::template::Resource;

pub(super) const ABOUT: About = About {
    id: "provisioned-with-weights",
    title: "an alias has provisioned concurrency and is weighted",
    why: "Lambda changes no provisioned concurrency while an alias is weighted (`Alias with weights can not be used \
          with Provisioned Concurrency`), and a changed primary version takes it from the old one, so that a rollback \
          lands cold.",
    scope: Scope::Template(check),
};

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let shifting = survey.shifts.iter().filter(|shift| shift.is_gradual()).filter_map(|shift| {
        let provisioned = provisioned(survey, shift.subject)?;
        let id = &shift.subject.id;
        let (pace, _) = shift.paces.iter().find(|(pace, _)| pace.is_gradual())?;
        let message = format!(
            "{id} has provisioned concurrency and is shifted gradually ({pace}): Lambda changes none while the alias is weighted, and a rollback may land cold"
        );
        let mend = "remove ProvisionedConcurrencyConfig, or let DeploymentPreference be AllAtOnce for this function".to_owned();
        Some(Sign::of(Severity::Warning, shift.subject, message, mend).at(provisioned))
    });
    let weighted = survey.template.of_kind("AWS::Lambda::Alias").filter_map(|alias| {
        let provisioned = provisioned(survey, alias)?;
        let routing = survey.template.values(alias, "RoutingConfig");
        let routing = routing.iter().flat_map(|node| survey.template.all(node, "AdditionalVersionWeights"));
        routing.flat_map(|node| survey.template.list(node)).next()?;
        let message = format!(
            "{} has provisioned concurrency and weights: Lambda refuses an alias with both",
            alias.id
        );
        let mend = format!("remove RoutingConfig from {} and let the release set weights", alias.id);
        Some(Sign::of(Severity::Error, alias, message, mend).at(provisioned))
    });
    shifting.chain(weighted).collect()
}

fn provisioned<'a>(survey: &Survey<'_>, resource: &'a Resource) -> Option<&'a Node> {
    survey.template.values(resource, "ProvisionedConcurrencyConfig").pop()
}
