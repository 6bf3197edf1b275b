//! A template seen with a release's eyes: what shifts, and which alarms guard it.

use super::alarm::{Alarm, COMPOSITE};
use super::document::Node;
use super::shift::Shift;
use super::template::{Resource, Template};

/// Everything that the rules look at.
#[derive(Debug)]
pub(super) struct Survey<'t> {
    pub(super) template: &'t Template,
    pub(super) shifts: Vec<Shift<'t>>,
    pub(super) alarms: Vec<Alarm<'t>>,
}

/// Suites export their rollback function under a name that ends so.
const ROLLBACK_EXPORT: &str = "-AlarmRollbackArn";

impl<'t> Survey<'t> {
    pub(super) fn of(template: &'t Template) -> Self {
        let alarms = template.resources.iter().filter_map(|resource| Alarm::of(template, resource)).collect();
        Self { template, shifts: Shift::all(template), alarms }
    }

    /// The shifts that stop when this alarm fires, by itself or through a composite one.
    pub(super) fn guarded_by(&self, alarm: &Resource) -> Vec<&Shift<'t>> {
        let stops = |shift: &&Shift<'t>| {
            shift.alarms.iter().any(|node| self.is_named(alarm, node) || self.is_part_of(alarm, node))
        };
        self.shifts.iter().filter(stops).collect()
    }

    /// Whether the alarm, or a composite one that it is part of, calls Ripcord.
    pub(super) fn pulls_the_cord(&self, alarm: &Resource) -> bool {
        let pulls = |resource: &Resource| {
            let mut actions = self.template.listed(resource, "AlarmActions").into_iter();
            actions.any(|action| self.is_rollback(action))
        };
        pulls(alarm)
            || self.template.of_kind(COMPOSITE).any(|parent| pulls(parent) && self.reads(parent, alarm))
    }

    /// Whether something goes back when it fires.
    pub(super) fn is_guard(&self, alarm: &Resource) -> bool {
        !self.guarded_by(alarm).is_empty() || self.pulls_the_cord(alarm)
    }

    /// What it guards, in words.
    pub(super) fn guarding(&self, alarm: &Resource) -> String {
        match self.guarded_by(alarm).first() {
            Some(shift) => format!("stops the shift of {}", shift.subject.id),
            None => "pulls the cord".to_owned(),
        }
    }

    pub(super) fn is_rollback(&self, action: &Node) -> bool {
        let Some(("Fn::ImportValue", name)) = action.intrinsic() else { return false };
        self.template.text(name).text.ends_with(ROLLBACK_EXPORT)
    }

    fn is_named(&self, alarm: &Resource, node: &Node) -> bool {
        if let Some(resource) = self.template.target(node) {
            return resource.id == alarm.id;
        }
        let named = self.template.text(node);
        named.exact().is_some()
            && self.template.values(alarm, "AlarmName").iter().any(|own| self.template.text(own) == named)
    }

    /// Whether a name stands for a composite alarm that reads this one.
    fn is_part_of(&self, alarm: &Resource, node: &Node) -> bool {
        let mut composites = self.template.of_kind(COMPOSITE);
        composites.any(|composite| self.is_named(composite, node) && self.reads(composite, alarm))
    }

    fn reads(&self, composite: &Resource, alarm: &Resource) -> bool {
        let Some(rule) = composite.property("AlarmRule") else { return false };
        let by_name = || {
            let rule = self.template.text(rule).text;
            let mut names = self.template.values(alarm, "AlarmName").into_iter();
            names.any(|name| {
                let name = self.template.text(name);
                name.exact().is_some_and(|name| {
                    rule.contains(&format!("\"{name}\"")) || rule.contains(&format!("({name})"))
                })
            })
        };
        self.template.mentions(rule).iter().any(|named| named.id == alarm.id) || by_name()
    }
}
