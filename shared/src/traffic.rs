//! How an alias splits its traffic, and the `1:90,2:10` notation in which people write that.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{Version, Weight};

/// The traffic of one alias: all of it on `primary`, less what `secondary` takes. Lambda allows two versions at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// The version that the alias names.
    pub primary: Version,
    /// The additional version and its weight; never with weight zero, never the primary itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<(Version, Weight)>,
}

impl Traffic {
    /// Everything on one version.
    pub fn all_on(version: Version) -> Self {
        Self { primary: version, secondary: None }
    }

    /// `candidate` takes `weight`, `stable` the rest; at 100 % the candidate becomes the primary version.
    pub fn split(stable: Version, candidate: Version, weight: Weight) -> Self {
        if weight == Weight::NONE || stable == candidate {
            Self::all_on(stable)
        } else if weight == Weight::ALL {
            Self::all_on(candidate)
        } else {
            Self { primary: stable, secondary: Some((candidate, weight)) }
        }
    }

    /// The same shares, with this version named first if it is one of the two. An alias is told apart by which is its primary
    /// version; most places are not.
    #[must_use]
    pub fn naming_first(self, version: Version) -> Self {
        match self.secondary {
            Some((other, weight)) if other == version => {
                Self { primary: other, secondary: Some((self.primary, weight.rest())) }
            }
            Some(_) | None => self,
        }
    }

    /// The share that a version takes.
    pub fn share_of(&self, version: Version) -> Weight {
        let secondary = self.secondary.filter(|(_, weight)| *weight != Weight::NONE);
        match secondary {
            Some((other, weight)) if other == version => weight,
            Some((_, weight)) if self.primary == version => weight.rest(),
            None if self.primary == version => Weight::ALL,
            Some(_) | None => Weight::NONE,
        }
    }

    /// Whether every version takes the same share in both, whichever is named first.
    pub fn is_like(&self, other: &Self) -> bool {
        let alike = |version| self.share_of(version) == other.share_of(version);
        self.versions().chain(other.versions()).all(alike)
    }

    /// The versions that take traffic.
    pub fn versions(&self) -> impl Iterator<Item = Version> {
        std::iter::once(self.primary).chain(self.secondary.map(|(version, _)| version))
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secondary {
            None => write!(f, "{} on 100%", self.primary),
            Some((version, weight)) => {
                write!(f, "{} on {}, {version} on {weight}", self.primary, weight.rest())
            }
        }
    }
}

/// Weights as a person writes them: `1:90,2:10`, or `2:100`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightList(Vec<(Version, Weight)>);

/// Why Lambda would refuse a list of weights, said before it is asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WeightListError {
    /// Not in the form `VERSION:PERCENT[,VERSION:PERCENT]`.
    #[error("weights {given:?} are not of the form VERSION:PERCENT[,VERSION:PERCENT], like 1:90,2:10")]
    Form {
        /// The text.
        given: String,
    },
    /// A version that an alias cannot route to.
    #[error("weights {given:?} name {version:?}: an alias routes only to published versions, by number")]
    Unpublished {
        /// The text.
        given: String,
        /// The version in it.
        version: String,
    },
    /// A share outside its range.
    #[error("weights {given:?} give version {version} {percent}%: a weight lies between 0% and 100%")]
    OutOfRange {
        /// The text.
        given: String,
        /// The version in it.
        version: Version,
        /// Its percentage as written.
        percent: String,
    },
    /// More versions than an alias can hold.
    #[error("weights {given:?} name {count} versions: an alias routes to 2 at most")]
    TooMany {
        /// The text.
        given: String,
        /// How many versions it names.
        count: usize,
    },
    /// The primary version given a weight as well.
    #[error("weights {given:?} name version {version} twice: the primary version cannot be weighted as well")]
    Twice {
        /// The text.
        given: String,
        /// The version in it.
        version: Version,
    },
    /// Shares that do not add up.
    #[error("weights {given:?} add up to {sum}%, not 100%")]
    Sum {
        /// The text.
        given: String,
        /// What they add up to.
        sum: f64,
    },
}

impl WeightList {
    /// The versions named, in the order written.
    pub fn versions(&self) -> impl Iterator<Item = Version> {
        self.0.iter().map(|(version, _)| *version)
    }

    /// The share of a version; nothing if it is not named.
    pub fn share_of(&self, version: Version) -> Weight {
        self.0.iter().find(|(named, _)| *named == version).map_or(Weight::NONE, |(_, weight)| *weight)
    }
}

impl std::str::FromStr for WeightList {
    type Err = WeightListError;

    fn from_str(text: &str) -> Result<Self, WeightListError> {
        let given = || text.to_owned();
        let mut weights: Vec<(Version, Weight)> = Vec::new();
        let mut percent_sum = 0.0;
        for pair in text.split(',') {
            let (version, percent) =
                pair.trim().rsplit_once(':').ok_or_else(|| WeightListError::Form { given: given() })?;
            let version = version.trim().parse().map_err(|_| WeightListError::Unpublished {
                given: given(),
                version: version.trim().to_owned(),
            })?;
            let percent = percent.trim();
            let number: f64 = percent.parse().map_err(|_| WeightListError::Form { given: given() })?;
            let weight = Weight::from_share(number / 100.0).map_err(|_| WeightListError::OutOfRange {
                given: given(),
                version,
                percent: percent.to_owned(),
            })?;
            if weights.iter().any(|(named, _)| *named == version) {
                return Err(WeightListError::Twice { given: given(), version });
            }
            percent_sum += number;
            weights.push((version, weight));
        }
        if weights.len() > 2 {
            return Err(WeightListError::TooMany { given: given(), count: weights.len() });
        }
        if (percent_sum - 100.0).abs() > 1e-4 {
            return Err(WeightListError::Sum { given: given(), sum: percent_sum });
        }
        Ok(Self(weights))
    }
}

impl fmt::Display for WeightList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (version, weight)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{version}:{}", weight.share() * 100.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Version {
        Version::new(number).expect("versions count from 1")
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&[(u64, f64)], &str>) {
        let parsed = text.parse::<WeightList>().map(|list| list.0).map_err(|error| error.to_string());
        let expected = expected
            .map(|pairs| {
                pairs
                    .iter()
                    .map(|(v, share)| (version(*v), Weight::from_share(*share).expect("a share")))
                    .collect()
            })
            .map_err(str::to_owned);
        assert_eq!(parsed, expected);
    }

    #[test]
    fn weights_are_read_as_people_write_them() {
        check("1:90,2:10", Ok(&[(1, 0.9), (2, 0.1)]));
        check(" 1:99.5 , 2:0.5 ", Ok(&[(1, 0.995), (2, 0.005)]));
        check("2:100", Ok(&[(2, 1.0)]));
        check("1:100,2:0", Ok(&[(1, 1.0), (2, 0.0)]));
    }

    #[test]
    fn what_lambda_would_refuse_is_refused_by_name() {
        check("", Err(r#"weights "" are not of the form VERSION:PERCENT[,VERSION:PERCENT], like 1:90,2:10"#));
        check(
            "1:9O,2:10",
            Err(
                r#"weights "1:9O,2:10" are not of the form VERSION:PERCENT[,VERSION:PERCENT], like 1:90,2:10"#,
            ),
        );
        check(
            "1:90,$LATEST:10",
            Err(
                r#"weights "1:90,$LATEST:10" name "$LATEST": an alias routes only to published versions, by number"#,
            ),
        );
        check("1:101", Err(r#"weights "1:101" give version 1 101%: a weight lies between 0% and 100%"#));
        check(
            "1:110,2:-10",
            Err(r#"weights "1:110,2:-10" give version 1 110%: a weight lies between 0% and 100%"#),
        );
        check(
            "1:80,2:10,3:10",
            Err(r#"weights "1:80,2:10,3:10" name 3 versions: an alias routes to 2 at most"#),
        );
        check(
            "2:90,2:10",
            Err(
                r#"weights "2:90,2:10" name version 2 twice: the primary version cannot be weighted as well"#,
            ),
        );
        check("1:80,2:10", Err(r#"weights "1:80,2:10" add up to 90%, not 100%"#));
    }

    #[test]
    fn a_split_at_either_end_is_one_version() {
        assert_eq!(Traffic::split(version(1), version(2), Weight::NONE), Traffic::all_on(version(1)));
        assert_eq!(Traffic::split(version(1), version(2), Weight::ALL), Traffic::all_on(version(2)));
        let tenth = Traffic::split(version(1), version(2), Weight::from_share(0.1).expect("a share"));
        assert_eq!(tenth.to_string(), "1 on 90%, 2 on 10%");
        assert_eq!(tenth.share_of(version(1)).share(), 0.9);
        assert_eq!(tenth.share_of(version(3)), Weight::NONE);
    }
}
