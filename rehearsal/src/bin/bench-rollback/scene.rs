//! The scene of every event: a release of `checkout` has moved a tenth of its traffic, and its alarm fires.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use ripcord_rehearsal::tls_endpoint::{TlsEndpoint, World};
use serde_json::{Value, json};

use crate::contenders::Folders;

const FUNCTION: &str = "checkout";
const ALIAS: &str = "live";
const ALARM: &str = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:checkout-error-rate";
/// Where Linux distributions keep the roots that everybody trusts; Lambda's own is the second.
const ROOTS: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// How long before the run the release was opened; the alarm has to be younger than the release.
const OPENED_BEFORE: SignedDuration = SignedDuration::from_mins(10);

/// The endpoints, the picture of the world before the alarm, and how to get there.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) endpoint: TlsEndpoint,
    before: World,
    ca_file: PathBuf,
}

impl Scene {
    /// Starts the endpoints over a ledger in which the example service is registered and has an open release.
    pub(crate) async fn prepare(folders: &Folders) -> anyhow::Result<Self> {
        let document = folders.root.join("examples/checkout/ripcord.json");
        let registration =
            std::fs::read(&document).with_context(|| format!("failed to read {}", document.display()))?;
        let world = world(&serde_json::from_slice(&registration)?)?;
        let endpoint = TlsEndpoint::start(world, Duration::ZERO).await?;
        let ca_file = folders.made.join("ca.pem");
        // Parsing the usual roots is part of every cold start; without them it would look cheaper than it is.
        let roots = ROOTS.iter().find_map(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        std::fs::write(&ca_file, format!("{roots}\n{}", endpoint.ca_pem()))
            .context("failed to write the certificates")?;
        let before = endpoint.with_world(|world| world.clone());
        Ok(Self { endpoint, before, ca_file })
    }

    /// What every contender is started with: where AWS is, whom to trust, and the suite's settings.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let ca_file = self.ca_file.display().to_string();
        let mut env = self.endpoint.env();
        let trusted = ["SSL_CERT_FILE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];
        env.extend(trusted.map(|name| (name.to_owned(), ca_file.clone())));
        let settings = [
            ("RIPCORD_PROJECT", "bench"),
            ("RIPCORD_TABLE", "bench-ledger"),
            ("RIPCORD_TOPIC_ARN", "arn:aws:sns:us-east-1:000000000000:bench-notices"),
            ("RIPCORD_NAMESPACE", "bench/Deployments"),
        ];
        env.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        env
    }

    /// Back to the moment before the alarm.
    pub(crate) fn reset(&self) {
        self.endpoint.with_world(|world| world.clone_from(&self.before));
        drop(self.endpoint.take_log());
    }

    /// Whether all traffic is on the stable version.
    pub(crate) fn is_restored(&self) -> bool {
        self.endpoint.with_world(|world| {
            let alias = world.alias(FUNCTION, ALIAS);
            alias.is_some_and(|alias| alias["FunctionVersion"] == "1" && alias["RoutingConfig"].is_null())
        })
    }

    /// The event that CloudWatch sends to a function when a metric-math alarm fires, as of now.
    pub(crate) fn alarm(&self) -> Vec<u8> {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
        let reason_data = json!({
            "version": "1.0", "queryDate": now, "startDate": now, "period": 60, "recentDatapoints": [0.31],
            "threshold": 0.01, "evaluatedDatapoints": [{"timestamp": now, "value": 0.31}],
        });
        let stat = |metric: &str| {
            json!({
                "metric": {
                    "namespace": "AWS/Lambda", "name": metric,
                    "dimensions": {"FunctionName": FUNCTION, "Resource": format!("{FUNCTION}:{ALIAS}")},
                },
                "period": 60, "stat": "Sum",
            })
        };
        let event = json!({
            "source": "aws.cloudwatch",
            "alarmArn": ALARM,
            "accountId": "000000000000",
            "time": now,
            "region": "us-east-1",
            "alarmData": {
                "alarmName": "checkout-error-rate",
                "state": {
                    "value": "ALARM",
                    "reason": "Threshold Crossed: 1 datapoint [0.31] was greater than the threshold (0.01).",
                    "reasonData": reason_data.to_string(),
                    "timestamp": now,
                },
                "previousState": {
                    "value": "OK", "reason": "No datapoint crossed", "timestamp": "2023-08-04T12:31:15.490+0000",
                },
                "configuration": {
                    "description": "More than 1 % of the requests to checkout fail",
                    "metrics": [
                        {"id": "rate", "expression": "errors / invocations", "label": "rate", "returnData": true},
                        {"id": "errors", "metricStat": stat("Errors"), "returnData": false},
                        {"id": "invocations", "metricStat": stat("Invocations"), "returnData": false},
                    ],
                },
            },
        });
        event.to_string().into_bytes()
    }
}

/// The ledger as `ripcord apply` and the first stage of a release leave it. If the suite's items change, its own
/// function finds nothing to put back here, and the benchmark ends with an error.
fn world(registration: &Value) -> anyhow::Result<World> {
    let opened_at = Timestamp::now().checked_sub(OPENED_BEFORE)?.to_string();
    let service = registration["service"].as_str().context("the registration names no service")?;
    let pk = format!("service#{service}");
    let target = &registration["targets"][0]["name"];
    let release = json!({
        "service": service,
        "generation": 7,
        "seq": 3,
        "phase": "shifting",
        "opened_at": opened_at,
        "opened_by": "pipeline",
        "changes": [{
            "target": target, "stable": "1", "candidate": "2", "weight": 0.1,
            "artefact": "jMVoJGb8EoS0kK9e9yJvXQ2e1yyWTaM4Y8cVUkJvUQE=", "intent": null,
        }],
        "ended_at": null,
        "ended_because": null,
        "report": "not_due",
    });
    let good = json!({"target": target, "version": "1", "since": opened_at});
    let guarded = json!({"service": service, "targets": registration["targets"]});
    let text = |text: &str| json!({"S": text});
    let number = |number: u64| json!({"N": number.to_string()});
    let item = |pk: &str, sk: &str, doc: &Value| json!({"pk": text(pk), "sk": text(sk), "doc": text(&doc.to_string())});

    let mut registration_item = item(&pk, "registration", registration);
    registration_item["version"] = number(1);
    let mut release_item = item(&pk, "release", &release);
    release_item["seq"] = number(3);
    release_item["phase"] = text("shifting");
    let mut world = World::default();
    world.put_item(&registration_item);
    world.put_item(&release_item);
    world.put_item(&item(&pk, &format!("good#{}", target.as_str().unwrap_or_default()), &good));
    world.put_item(&item(&format!("alarm#{ALARM}"), &pk, &guarded));
    world.put_alias(FUNCTION, ALIAS, "1", &json!({"2": 0.1}));
    Ok(world)
}
