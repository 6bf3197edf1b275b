//! `hook-shifts-itself`: a hook that is released with the preference whose hook it is.

use super::{About, Scope};
use crate::doctor::finding::{Severity, Sign};
use crate::doctor::survey::Survey;

pub(super) const ABOUT: About = About {
    id: "hook-shifts-itself",
    title: "a hook's own traffic is shifted gradually",
    why: "A hook that inherits the preference from `Globals` is a hook of its own release: the functions wait for \
          each other and the stack does not deploy, or hooks are shifted gradually that nobody guards.",
    scope: Scope::Template(check),
};

fn check(survey: &Survey<'_>) -> Vec<Sign> {
    let template = survey.template;
    let is_hook = |id: &str| {
        let mut hooks = survey.shifts.iter().flat_map(|shift| shift.hook_functions(template));
        hooks.any(|(hook, _)| hook.id == id)
    };
    let shifting = survey.shifts.iter().filter(|shift| is_hook(&shift.subject.id));
    shifting
        .map(|shift| {
            let id = &shift.subject.id;
            let own = shift.hook_functions(template).iter().any(|(hook, _)| hook.id == *id);
            let (severity, message) = if own {
                (
                    shift.gravest(),
                    format!(
                        "{id} is a hook of its own shift: it depends on itself, and the stack does not deploy"
                    ),
                )
            } else {
                (
                    Severity::Warning,
                    format!("{id} is a hook, and its own traffic is shifted by CodeDeploy too"),
                )
            };
            let mend = format!("{id}:\n  Properties:\n    DeploymentPreference:\n      Enabled: false");
            Sign::of(severity, shift.subject, message, mend).at(shift.node)
        })
        .collect()
}
