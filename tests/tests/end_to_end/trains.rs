//! Release trains on the local AWS, with the real state machines and the real artefact. There is one region here, so the
//! regions of a service are aliases of one function, each registered as a service of its own.

use ripcord::names::{ServiceName, Version};
use ripcord::registration::{Guard, Registration, Target};
use ripcord::release::{Phase, Release};
use ripcord_rehearsal::executions::{Execution, ExecutionStatus};
use ripcord_rehearsal::front::journal::JournalEntry;
use ripcord_rehearsal::traffic::simulated::{SimulatedBehaviour, Simulation, SimulationOptions};
use serde_json::{Value, json};

use crate::driven::Driven;
use crate::operator::Terminal;
use crate::pipelines::{HEALTHY, RELEASE_WAIT_MAX};

const REGIONS: [&str; 3] = ["us", "eu", "ap"];
const BAD: SimulatedBehaviour = SimulatedBehaviour { error_rate: 0.2, ..HEALTHY };

struct Station {
    driven: Driven,
}

impl Station {
    /// The suite, and a service for each region.
    async fn set() -> Self {
        let driven = Driven::set().await;
        for region in REGIONS {
            let alias = json!({ "Name": region, "FunctionVersion": "1" });
            let path = "/2015-03-31/functions/checkout/aliases";
            let made = driven.scene.local.client().lambda("POST", path, &alias).await.unwrap();
            assert!(made.status.is_success(), "{}", made.text());
            driven.scene.stage.register_as(&registration(&driven, region)).await.unwrap();
        }
        Self { driven }
    }

    /// Steady traffic in a region.
    fn traffic(&self, region: &str, candidate: Version, behaviour: SimulatedBehaviour) -> Simulation {
        let options =
            SimulationOptions { requests_per_minute: 6_000.0, ..SimulationOptions::new("checkout", region) };
        let options = options.version("1", HEALTHY).version(candidate.to_string(), behaviour);
        self.driven.scene.local.simulate(options)
    }

    async fn start(&self, waves: Value, on_failure: &str) -> String {
        let machine = &self.driven.scene.stage.suite["ReleaseTrainArn"];
        let input =
            json!({ "train": "checkout-2", "waves": waves, "on_failure": on_failure, "requested_by": "ada" });
        self.driven.scene.local.executions().start(machine, &input).await.unwrap()
    }

    async fn until_ended(&self, execution: &str) -> Execution {
        let executions = self.driven.scene.local.executions();
        executions.until_ended(execution, RELEASE_WAIT_MAX).await.unwrap()
    }

    async fn release(&self, region: &str) -> Option<Release> {
        let record = self.driven.scene.stage.aws.ledger.service(&service(region)).await.unwrap();
        record.unwrap().release
    }

    /// What a region's alias serves: its version, unless it is split.
    async fn serves(&self, region: &str) -> String {
        let path = format!("/2015-03-31/functions/checkout/aliases/{region}");
        let answer = self.driven.scene.local.client().lambda("GET", &path, &Value::Null).await.unwrap();
        let alias: Value = serde_json::from_slice(&answer.body).unwrap();
        let weights = alias.pointer("/RoutingConfig/AdditionalVersionWeights").and_then(Value::as_object);
        assert!(weights.is_none_or(|weights| weights.is_empty()), "{alias}");
        alias["FunctionVersion"].as_str().unwrap().to_owned()
    }

    /// How often a region's traffic went back to the stable version alone.
    fn went_back(&self, region: &str) -> usize {
        let is_back = |call: &JournalEntry| {
            call.resource.as_deref() == Some(&format!("checkout:{region}"))
                && call
                    .change
                    .as_ref()
                    .is_some_and(|change| change.after.version == "1" && change.after.weights.is_empty())
        };
        self.driven.scene.local.journal().matching(is_back).len()
    }
}

fn service(region: &str) -> ServiceName {
    format!("checkout-{region}").parse().unwrap()
}

fn registration(driven: &Driven, region: &str) -> Registration {
    let mut registration = driven.registration();
    registration.service = service(region);
    let place = json!({ "name": "api", "kind": "lambda_alias", "function": "checkout", "alias": region });
    registration.targets = vec![serde_json::from_value::<Target>(place).unwrap()];
    registration.guards = vec![Guard { alarm: "checkout-error-rate".to_owned() }];
    registration.release.stabilise_seconds = 30;
    registration.preflight = ripcord::registration::Preflight::default();
    registration
}

fn car(region: &str, version: Version) -> Value {
    json!({
        "service": format!("checkout-{region}"),
        "version": version.to_string(),
        "stages": "50",
        "stage_duration": "2m",
        "waive": ["traffic"],
        "override": "a region without a past",
    })
}

/// What the train says of the way back: its wave, and each service with its end.
fn told(ended: &Execution) -> Vec<(String, String)> {
    let cause: Value = serde_json::from_str(ended.cause.as_deref().unwrap()).unwrap();
    let services = cause["services"].as_array().unwrap().iter();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    services.map(|service| (word(&service["service"]), word(&service["end"]))).collect()
}

fn back(regions: &[&str]) -> Vec<(String, String)> {
    regions.iter().map(|region| (format!("checkout-{region}"), "back".to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_train_releases_wave_after_wave() {
    let station = Station::set().await;
    let candidate = station.driven.candidate().await;
    let _traffic = REGIONS.map(|region| station.traffic(region, candidate, HEALTHY));
    let waves = json!([[car("us", candidate)], [car("eu", candidate), car("ap", candidate)]]);
    let ended = station.until_ended(&station.start(waves, "wave").await).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{ended:?}");
    let home = station.release("us").await.unwrap();
    for region in REGIONS {
        let release = station.release(region).await.unwrap();
        assert_eq!((release.phase, release.opened_by.as_str()), (Phase::Complete, "ada"), "{release:?}");
        assert_eq!(station.serves(region).await, candidate.to_string());
        assert!(region == "us" || home.ended_at.unwrap() <= release.opened_at, "{region} did not wait");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_service_brings_its_wave_back_and_leaves_the_one_before() {
    let station = Station::set().await;
    let candidate = station.driven.candidate().await;
    let _traffic = [
        station.traffic("us", candidate, HEALTHY),
        station.traffic("eu", candidate, HEALTHY),
        station.traffic("ap", candidate, BAD),
    ];
    let waves = json!([[car("us", candidate)], [car("eu", candidate), car("ap", candidate)]]);
    let ended = station.until_ended(&station.start(waves, "wave").await).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:?}");
    assert_eq!(told(&ended), back(&["eu", "ap"]), "{ended:?}");
    assert_eq!(station.serves("us").await, candidate.to_string());
    assert_eq!(station.release("us").await.unwrap().phase, Phase::Complete);
    for region in ["eu", "ap"] {
        assert_eq!(station.serves(region).await, "1", "{region}");
        assert_eq!(station.release(region).await.unwrap().phase, Phase::RolledBack, "{region}");
        assert_eq!(station.went_back(region), 1, "{region}");
    }
    let because = station.release("eu").await.unwrap().ended_because.unwrap();
    assert!(
        because.starts_with(
            "train checkout-2 brings release 1 back: the release of checkout-ap ended as FAILED"
        ),
        "{because}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_train_that_goes_back_as_a_whole_takes_complete_waves_with_it() {
    let station = Station::set().await;
    let candidate = station.driven.candidate().await;
    let _traffic = [station.traffic("us", candidate, HEALTHY), station.traffic("eu", candidate, BAD)];
    // The third wave is never begun. A person starts it, and waits.
    let waves = json!([[car("us", candidate)], [car("eu", candidate)], [car("ap", candidate)]]);
    let train = json!({ "train": "checkout-2", "waves": waves, "on_failure": "all" });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkout-2.json");
    std::fs::write(&file, train.to_string()).unwrap();
    let terminal = Terminal { scene: &station.driven.scene };
    let told = terminal.says(6, &["train", file.to_str().unwrap()]).await;
    assert!(told.contains("train checkout-2: wave 2 failed, and what was to go back is back"), "{told}");
    assert!(told.contains("checkout-us: back") && told.contains("checkout-eu: back"), "{told}");
    for region in ["us", "eu"] {
        assert_eq!(station.serves(region).await, "1", "{region}");
        assert_eq!(station.release(region).await.unwrap().phase, Phase::RolledBack, "{region}");
        assert_eq!(station.went_back(region), 1, "{region}");
    }
    assert_eq!(station.release("ap").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fails_brings_back_what_has_begun_and_nobody_elses_release() {
    let station = Station::set().await;
    let candidate = station.driven.candidate().await;
    let _traffic = REGIONS.map(|region| station.traffic(region, candidate, HEALTHY));
    // Somebody else releases in one region of the second wave: that release is none of the train's.
    let weights = format!("1:90,{candidate}:10");
    let event = json!({ "service": "checkout-ap", "weights": weights, "requested_by": "grace" });
    let shifted =
        station.driven.scene.stage.invoke(&station.driven.scene.local, "alias-weight-shifter", &event);
    shifted.await.unwrap().unwrap();
    let waves = json!([[car("us", candidate)], [car("eu", candidate), car("ap", candidate)]]);
    let ended = station.until_ended(&station.start(waves, "wave").await).await;
    assert_eq!(ended.error.as_deref(), Some("RolledBack"), "{ended:?}");
    assert_eq!(station.serves("us").await, candidate.to_string());
    assert_eq!(station.serves("eu").await, "1");
    let others = station.release("ap").await.unwrap();
    assert_eq!((others.phase, others.opened_by.as_str()), (Phase::Shifting, "grace"));
    assert_eq!(station.went_back("ap"), 0);
}
