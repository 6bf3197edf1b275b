//! Where a target lies, in words for people.

use ripcord::place::LambdaAlias;
use ripcord::registration::{Home, Reach, Target};
use serde_json::Value;

/// What a target is: an alias as everybody writes it, any other place by its name.
pub(crate) fn what(target: &Target) -> String {
    match target.lambda() {
        Some(LambdaAlias { function, alias }) => format!("{function}:{alias}"),
        None => target.place.to_string(),
    }
}

/// The account whose role is assumed to reach it, if one is.
pub(crate) fn account(reach: &Reach) -> Option<&str> {
    // `arn:PARTITION:iam::ACCOUNT:role/NAME`.
    reach.role_arn.as_ref().and_then(|role| role.as_str().split(':').nth(4))
}

/// What a target is, and where it lies if that is elsewhere than the suite.
pub(crate) fn whereabouts(target: &Target) -> String {
    let mut words = what(target);
    if let Some(region) = &target.reach.region {
        words.push_str(&format!(" in {region}"));
    }
    if let Some(account) = account(&target.reach) {
        words.push_str(&format!(" of account {account}"));
    }
    words
}

/// Why a target would not be found: an ARN that it is registered by lies elsewhere than it is looked for.
pub(crate) fn misplaced(target: &Target, home: &Home) -> Option<String> {
    let region = target.reach.region.as_ref().map_or(home.region.as_str(), |region| region.as_str());
    let account = account(&target.reach).unwrap_or(&home.account);
    let place = serde_json::to_value(&target.place).ok()?;
    let mut arns = Vec::new();
    collect_arns(&place, &mut arns);
    let (arn, lies_in) = arns.into_iter().find_map(|arn| {
        let mut parts = arn.split(':').skip(3);
        let lies_in = (parts.next()?, parts.next()?);
        (lies_in != (region, account)).then_some((arn, lies_in))
    })?;
    let (its_region, its_account) = lies_in;
    Some(format!(
        "{}: {arn} lies in {its_region} of account {its_account}, and would be looked for in {region} of {account}",
        target.name
    ))
}

fn collect_arns<'value>(value: &'value Value, arns: &mut Vec<&'value str>) {
    match value {
        Value::String(text) if text.starts_with("arn:") => arns.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect_arns(value, arns)),
        Value::Object(fields) => fields.values().for_each(|value| collect_arns(value, arns)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example;

    #[test]
    fn a_target_is_looked_for_where_its_arns_say() {
        let targets = example::balanced("blue:100").record.registration.targets;
        let [api, web] = targets.as_slice() else { unreachable!() };
        let home =
            Home { partition: "aws".into(), region: "eu-west-1".into(), account: "111111111111".into() };
        assert_eq!(misplaced(api, &home), None, "its function has no ARN here");
        assert_eq!(misplaced(web, &home), None);
        assert!(
            whereabouts(web).ends_with(" in eu-central-1 of account 222222222222"),
            "{}",
            whereabouts(web)
        );
        let at_home = Target { reach: Reach::default(), ..web.clone() };
        let words = misplaced(&at_home, &home).expect("it lies elsewhere");
        assert!(words.starts_with("web: arn:aws:elasticloadbalancing:eu-central-1:222222222222:"), "{words}");
        assert!(words.ends_with("would be looked for in eu-west-1 of 111111111111"), "{words}");
        let region_alone = Reach { role_arn: None, ..web.reach.clone() };
        assert!(misplaced(&Target { reach: region_alone, ..web.clone() }, &home).is_some());
    }
}
