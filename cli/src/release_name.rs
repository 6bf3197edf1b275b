//! `SERVICE[#RELEASE]`: how a person names a release. Without a number it is the latest one; with one it must be.

use ripcord::names::{Generation, ServiceName};
use ripcord::release::Release;
use ripcord::situation::ServiceRecord;

use crate::failure::{Failure, Kind};

/// A service, and which of its releases is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReleaseName {
    pub(crate) service: ServiceName,
    pub(crate) release: Option<Generation>,
}

impl std::str::FromStr for ReleaseName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (service, release) = match text.split_once('#') {
            None => (text, None),
            Some((service, number)) => {
                let rule = || format!("the release in {text:?} must be a number, like checkout#4");
                (service, Some(Generation(number.parse().map_err(|_| rule())?)))
            }
        };
        let service = service.parse().map_err(|error: ripcord::names::InvalidName| error.to_string())?;
        Ok(Self { service, release })
    }
}

impl ReleaseName {
    /// The latest release. A person who names another one has an old picture of the service, and must look first.
    pub(crate) fn latest<'record>(
        &self,
        record: &'record ServiceRecord,
    ) -> Result<&'record Release, Failure> {
        let service = &self.service;
        let Some(release) = &record.release else {
            return Err(Failure::new(
                Kind::NothingReleased,
                format!("nothing of {service} was released yet"),
            )
            .hint(format!("start a release with: ripcord deploy {service} --version N")));
        };
        match self.release {
            Some(named) if named != release.generation => {
                let message =
                    format!("release {named} is not the latest one of {service}: {} is", release.generation);
                Err(Failure::new(Kind::OtherRelease, message)
                    .hint(format!("look with: ripcord watch {service}")))
            }
            Some(_) | None => Ok(release),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::example;

    #[test]
    fn a_release_is_named_by_its_service_and_perhaps_its_number() {
        let read =
            |text: &str| text.parse::<ReleaseName>().map(|name| (name.service.to_string(), name.release));
        assert_eq!(read("checkout"), Ok(("checkout".to_owned(), None)));
        assert_eq!(read("checkout#4"), Ok(("checkout".to_owned(), Some(Generation(4)))));
        for refused in ["", "#4", "checkout#", "checkout#four", "checkout#-1", "check out", "checkout#4#5"] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn only_the_latest_release_is_acted_on() {
        let mut record = example::shifting().record;
        let latest = |text: &str, record: &ServiceRecord| {
            let name: ReleaseName = text.parse().expect("a name");
            name.latest(record).map(|release| release.generation).map_err(|failure| failure.kind)
        };
        assert_eq!(latest("checkout", &record), Ok(Generation(4)));
        assert_eq!(latest("checkout#4", &record), Ok(Generation(4)));
        assert_eq!(latest("checkout#3", &record), Err("other_release".to_owned()));
        assert_eq!(latest("checkout#5", &record), Err("other_release".to_owned()));
        record.release = None;
        assert_eq!(latest("checkout", &record), Err("nothing_released".to_owned()));
    }
}
