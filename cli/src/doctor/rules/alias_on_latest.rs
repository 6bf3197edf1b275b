//! `alias-on-latest`: an alias that serves `$LATEST`.

use super::{About, Scope};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "alias-on-latest",
    title: "an alias serves $LATEST",
    why: "`$LATEST` changes under the alias with every upload: there is no earlier version to go back to, and Lambda \
          refuses to weight such an alias.",
    scope: Scope::Template(check),
};

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let aliases = template.of_kind("AWS::Lambda::Alias");
    aliases
        .flat_map(|alias| template.values(alias, "FunctionVersion").into_iter().map(move |node| (alias, node)))
        .filter(|(_, node)| template.text(node).exact() == Some("$LATEST"))
        .map(|(alias, node)| {
            let shifts = survey.shifts.iter().any(|shift| shift.subject.id == alias.id);
            let weighted = alias.property("RoutingConfig").is_some();
            let severity = if shifts || weighted { Severity::Error } else { Severity::Warning };
            let id = &alias.id;
            let message = format!("{id} serves $LATEST: no earlier version stays to go back to, and it cannot be weighted");
            let mend = format!(
                "{id}Version:\n  Type: AWS::Lambda::Version\n  DeletionPolicy: Retain\n  UpdateReplacePolicy: Retain\n  Properties: {{ FunctionName: … }}\nand in {id}: FunctionVersion: !GetAtt {id}Version.Version"
            );
            Sign::of(severity, alias, message, mend).at(node)
        })
        .collect()
}
