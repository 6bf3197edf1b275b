use super::route::{Route, Serving, WayBack, route};
use crate::deployment::DeploymentStatus;

const STATUSES: [DeploymentStatus; 8] = [
    DeploymentStatus::Created,
    DeploymentStatus::Queued,
    DeploymentStatus::InProgress,
    DeploymentStatus::Baking,
    DeploymentStatus::Ready,
    DeploymentStatus::Succeeded,
    DeploymentStatus::Failed,
    DeploymentStatus::Stopped,
];
const WAYS: [WayBack; 4] = [WayBack::None, WayBack::UnderWay, WayBack::Succeeded, WayBack::Failed];
const SERVINGS: [Serving; 3] = [Serving::Wanted, Serving::Released, Serving::Other];

/// The rows of a deployment that has ended; a running one has a single answer.
#[test]
fn the_way_back_is_chosen_by_what_codedeploy_and_the_alias_do() {
    let mut table = String::new();
    for status in [DeploymentStatus::Succeeded, DeploymentStatus::Failed, DeploymentStatus::Stopped] {
        for way in WAYS {
            for serving in SERVINGS {
                let (alarm, person) = (route(status, way, serving, true), route(status, way, serving, false));
                let chosen = if alarm == person {
                    format!("{alarm:?}")
                } else {
                    format!("{alarm:?}, or {person:?} for a person")
                };
                table.push_str(&format!("{status}, way back {way:?}, serves {serving:?}: {chosen}\n"));
            }
        }
    }
    let expected = "\
succeeded, way back None, serves Wanted: Rest
succeeded, way back None, serves Released: Reverse
succeeded, way back None, serves Other: Drifted, or Reverse for a person
succeeded, way back UnderWay, serves Wanted: Await
succeeded, way back UnderWay, serves Released: Await
succeeded, way back UnderWay, serves Other: Drifted, or Await for a person
succeeded, way back Succeeded, serves Wanted: Rest
succeeded, way back Succeeded, serves Released: Reverse
succeeded, way back Succeeded, serves Other: Drifted, or Reverse for a person
succeeded, way back Failed, serves Wanted: Rest
succeeded, way back Failed, serves Released: SetTraffic
succeeded, way back Failed, serves Other: Drifted, or SetTraffic for a person
failed, way back None, serves Wanted: Rest
failed, way back None, serves Released: SetTraffic
failed, way back None, serves Other: Drifted, or SetTraffic for a person
failed, way back UnderWay, serves Wanted: Await
failed, way back UnderWay, serves Released: Await
failed, way back UnderWay, serves Other: Drifted, or Await for a person
failed, way back Succeeded, serves Wanted: Rest
failed, way back Succeeded, serves Released: SetTraffic
failed, way back Succeeded, serves Other: Drifted, or SetTraffic for a person
failed, way back Failed, serves Wanted: Rest
failed, way back Failed, serves Released: SetTraffic
failed, way back Failed, serves Other: Drifted, or SetTraffic for a person
stopped, way back None, serves Wanted: Rest
stopped, way back None, serves Released: SetTraffic
stopped, way back None, serves Other: Drifted, or SetTraffic for a person
stopped, way back UnderWay, serves Wanted: Await
stopped, way back UnderWay, serves Released: Await
stopped, way back UnderWay, serves Other: Drifted, or Await for a person
stopped, way back Succeeded, serves Wanted: Rest
stopped, way back Succeeded, serves Released: SetTraffic
stopped, way back Succeeded, serves Other: Drifted, or SetTraffic for a person
stopped, way back Failed, serves Wanted: Rest
stopped, way back Failed, serves Released: SetTraffic
stopped, way back Failed, serves Other: Drifted, or SetTraffic for a person
";
    assert_eq!(table, expected);
}

#[test]
fn a_running_deployment_is_stopped_and_its_alias_left_to_codedeploy() {
    for status in STATUSES.into_iter().filter(|status| !status.has_ended()) {
        for way in WAYS {
            for serving in SERVINGS {
                let expected = if serving == Serving::Other { Route::Drifted } else { Route::Stop };
                assert_eq!(route(status, way, serving, true), expected, "{status} {way:?} {serving:?}");
                assert_eq!(route(status, way, serving, false), Route::Stop, "{status} {way:?} {serving:?}");
            }
        }
    }
}
