//! Names and numbers with one meaning each. A value that AWS or the ledger would refuse cannot be constructed.

use std::fmt;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};

/// Why a text is not a valid name, version or weight.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not valid: it must be {rule}")]
pub struct InvalidName {
    /// What the value was meant to be.
    pub what: &'static str,
    /// The value as it was given.
    pub value: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
        pub struct $type(String);

        impl $type {
            /// The name as AWS writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(value: String) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&value) { Ok(Self(value)) } else { Err(InvalidName { what: $what, value, rule: $rule }) }
            }
        }

        impl std::str::FromStr for $type {
            type Err = InvalidName;

            fn from_str(value: &str) -> Result<Self, InvalidName> {
                Self::try_from(value.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_plain(text: &str, length_max: usize, extra: &[char]) -> bool {
    !text.is_empty()
        && text.len() <= length_max
        && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
}

name!(
    /// What a team releases as one unit.
    ServiceName, "the service name", "1 to 64 letters, digits, '-', '_' or '.'", |text| is_plain(text, 64, &['-', '_', '.'])
);
name!(
    /// One place where a service's traffic shifts; unique within the service.
    TargetName, "the target name", "1 to 64 letters, digits, '-', '_' or '.'", |text| is_plain(text, 64, &['-', '_', '.'])
);
name!(
    /// Services that go back together.
    GroupName, "the group's name", "1 to 64 letters, digits, '-', '_' or '.'", |text| is_plain(text, 64, &['-', '_', '.'])
);
name!(
    /// A Lambda function's name. A function in another account is reached through its target's role, not by its ARN.
    FunctionName, "the function name", "1 to 64 letters, digits, '-' or '_'", |text| is_plain(text, 64, &['-', '_'])
);
name!(
    /// A Lambda alias. Lambda refuses names that are only digits, because those are versions.
    AliasName,
    "the alias name",
    "1 to 128 letters, digits, '-' or '_', and not only digits",
    |text| is_plain(text, 128, &['-', '_']) && !text.chars().all(|c| c.is_ascii_digit())
);
name!(
    /// A cluster or a service of ECS.
    EcsName, "the ECS name", "1 to 255 letters, digits, '-' or '_'", |text| is_plain(text, 255, &['-', '_'])
);
name!(
    /// A name or id that AWS gave or took, of which no more needs to be known than that it is one.
    PlainName, "the name", "1 to 255 letters, digits, '-', '_', '.', '*' or '/'", |text| {
        is_plain(text, 255, &['-', '_', '.', '*', '/'])
    }
);
name!(
    /// The ARN of anything.
    Arn, "the ARN", "arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE", |text| {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        matches!(parts.as_slice(), ["arn", partition, service, _, _, resource]
            if partition.starts_with("aws") && !service.is_empty() && !resource.is_empty())
            && text.len() <= 2048
            && text.chars().all(|c| c.is_ascii_graphic())
    }
);
name!(
    /// A region of AWS.
    Region, "the region", "a region's name, like eu-west-1", |text| {
        text.len() <= 32 && text.split('-').count() >= 3 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    }
);
name!(
    /// The token that makes an alias's update a compare-and-swap.
    RevisionId, "the revision id", "1 to 128 visible characters", |text| {
        !text.is_empty() && text.len() <= 128 && text.chars().all(|c| c.is_ascii_graphic())
    }
);
name!(
    /// A CodeDeploy deployment.
    DeploymentId, "the deployment id", "`d-` and up to 32 letters and digits", |text| {
        text.strip_prefix("d-").is_some_and(|rest| is_plain(rest, 32, &[]))
    }
);
name!(
    /// The ARN of a CloudWatch alarm, metric or composite.
    AlarmArn, "the alarm", "an ARN like arn:aws:cloudwatch:REGION:ACCOUNT:alarm:NAME", |text| {
        let mut parts = text.splitn(7, ':');
        parts.next() == Some("arn")
            && parts.next().is_some_and(|partition| partition.starts_with("aws"))
            && parts.next() == Some("cloudwatch")
            && parts.next().is_some_and(|region| !region.is_empty())
            && parts.next().is_some_and(|account| account.len() == 12 && account.chars().all(|c| c.is_ascii_digit()))
            && parts.next() == Some("alarm")
            && parts.next().is_some_and(|name| !name.is_empty() && name.chars().count() <= 255)
    }
);

impl Arn {
    /// Its last part, which people know the resource by.
    pub fn resource(&self) -> &str {
        self.0.splitn(6, ':').nth(5).unwrap_or(&self.0)
    }

    /// The service that it is of, as ARNs name it.
    pub fn service(&self) -> &str {
        self.0.split(':').nth(2).unwrap_or_default()
    }

    /// The region that it lies in, if it lies in one.
    pub fn region(&self) -> Option<&str> {
        self.0.split(':').nth(3).filter(|region| !region.is_empty())
    }
}

impl AlarmArn {
    /// The alarm's name, which people know it by.
    pub fn name(&self) -> &str {
        self.0.splitn(7, ':').nth(6).unwrap_or(&self.0)
    }
}

/// What a target serves, by the name that its service knows it by: a function's published version, a revision of a task
/// definition, a target group, a deployment of an API's stage, a version of a configuration. It is short, and copied about
/// like a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Version(ArrayString<VERSION_BYTES_MAX>);

/// Names that are longer are refused when their target is registered or looked at.
const VERSION_BYTES_MAX: usize = 92;

impl Version {
    /// The version with this number; everything that AWS numbers is counted from 1.
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then(|| number.to_string().parse().ok()).flatten()
    }

    /// A published version of a function, which only a number names: never `$LATEST`, which changes under its users' feet.
    pub fn published(value: &str) -> Result<Self, InvalidName> {
        let version = value.parse::<Self>().ok().filter(|version| version.number().is_some());
        version.ok_or_else(|| InvalidName {
            what: "the version",
            value: value.to_owned(),
            rule: "the number of a published version (not $LATEST, not an alias)",
        })
    }

    /// The name as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its number, where it is one.
    pub fn number(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

impl std::str::FromStr for Version {
    type Err = InvalidName;

    fn from_str(value: &str) -> Result<Self, InvalidName> {
        let is_number = value.parse::<i128>().is_ok();
        let is_canonical = value.parse::<u64>().is_ok_and(|number| number > 0 && number.to_string() == value);
        let is_valid =
            (!is_number || is_canonical) && is_plain(value, VERSION_BYTES_MAX, &['-', '_', '.', ':']);
        is_valid.then(|| ArrayString::from(value).ok()).flatten().map(Self).ok_or_else(|| InvalidName {
            what: "the version",
            value: value.to_owned(),
            rule: "a published version's number (not $LATEST), or 1 to 92 letters, digits, '-', '_', '.' or ':'",
        })
    }
}

/// Numbers are compared as numbers, also those at the end of a name: version 10 comes after version 9, and `checkout:10`
/// after `checkout:9`.
impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |version: &Self| {
            let (family, revision) = version.0.rsplit_once(':').unwrap_or(("", &version.0));
            (family.to_owned(), revision.parse::<u64>().ok())
        };
        key(self).cmp(&key(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<String> for Version {
    type Error = InvalidName;

    fn try_from(value: String) -> Result<Self, InvalidName> {
        value.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which attempt to release a service this is. It only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A share of traffic between 0 and 1, kept in millionths so that weights can be compared exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "f64"))]
pub struct Weight(u32);

impl Weight {
    /// No traffic.
    pub const NONE: Self = Self(0);
    /// All traffic.
    pub const ALL: Self = Self(1_000_000);

    /// The weight for a share between 0 and 1.
    pub fn from_share(share: f64) -> Result<Self, InvalidName> {
        if (0.0..=1.0).contains(&share) {
            // Exact for every share that a person writes: within 0..=1 the product fits a u32.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "0..=1,000,000 by the check above"
            )]
            Ok(Self((share * 1e6).round() as u32))
        } else {
            Err(InvalidName {
                what: "the weight",
                value: share.to_string(),
                rule: "a share of traffic from 0 to 1",
            })
        }
    }

    /// The weight of a whole percentage; above 100 it is all.
    pub const fn from_percent(percent: u32) -> Self {
        if percent >= 100 { Self::ALL } else { Self(percent * 10_000) }
    }

    /// The share between 0 and 1 that Lambda takes.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1e6
    }

    /// What is left for the other version.
    pub fn rest(self) -> Self {
        Self(1_000_000 - self.0)
    }
}

impl TryFrom<f64> for Weight {
    type Error = InvalidName;

    fn try_from(share: f64) -> Result<Self, InvalidName> {
        Self::from_share(share)
    }
}

impl From<Weight> for f64 {
    fn from(weight: Weight) -> f64 {
        weight.share()
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 1e4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: std::str::FromStr<Err = InvalidName>>(text: &str, valid: bool) {
        assert_eq!(text.parse::<T>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn names_are_refused_one_past_their_limit() {
        check::<ServiceName>(&"s".repeat(64), true);
        check::<ServiceName>(&"s".repeat(65), false);
        check::<ServiceName>("", false);
        check::<ServiceName>("pay#ments", false);
        check::<AliasName>("live", true);
        check::<AliasName>("12", false);
        check::<FunctionName>("check out", false);
    }

    #[test]
    fn a_version_is_a_number_from_1_or_a_name() {
        for valid in ["1", "checkout:12", "blue", "0a1b2c", "1.0", &"v".repeat(VERSION_BYTES_MAX)] {
            check::<Version>(valid, true);
        }
        let too_long = "v".repeat(VERSION_BYTES_MAX + 1);
        for refused in ["$LATEST", "0", "01", "-1", "+1", "", "99999999999999999999", &too_long] {
            check::<Version>(refused, false);
        }
    }

    #[test]
    fn versions_are_compared_as_numbers_where_they_are_numbers() {
        let version = |text: &str| text.parse::<Version>().expect("a version");
        assert!(version("9") < version("10"));
        assert!(version("checkout:9") < version("checkout:10"));
        assert!(version("blue") < version("green"));
    }

    #[test]
    fn an_alarm_is_named_by_the_end_of_its_arn() {
        let arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:team: checkout";
        assert_eq!(arn.parse::<AlarmArn>().map(|arn| arn.name().to_owned()), Ok("team: checkout".to_owned()));
        check::<AlarmArn>("arn:aws-cn:cloudwatch:cn-north-1:123456789012:alarm:a", true);
        check::<AlarmArn>("arn:aws:sns:eu-west-1:123456789012:alarm:a", false);
        check::<AlarmArn>("arn:aws:cloudwatch:eu-west-1:12345678901:alarm:a", false);
        check::<AlarmArn>("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:", false);
        check::<AlarmArn>("checkout-error-rate", false);
    }

    #[test]
    fn a_weight_lies_between_nothing_and_everything() {
        assert_eq!(Weight::from_share(0.0), Ok(Weight::NONE));
        assert_eq!(Weight::from_share(1.0), Ok(Weight::ALL));
        for refused in [-0.000_001, 1.000_001, f64::NAN, f64::INFINITY] {
            assert!(Weight::from_share(refused).is_err(), "{refused}");
        }
        let tenth = Weight::from_share(0.1).expect("a tenth is a share");
        assert_eq!(
            (tenth.to_string(), tenth.share(), tenth.rest().to_string()),
            ("10%".into(), 0.1, "90%".into())
        );
        assert_eq!(Weight::from_share(0.125).map(|weight| weight.to_string()), Ok("12.5%".into()));
    }
}
