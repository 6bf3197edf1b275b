//! What goes over the wire for targets of other regions and accounts: clients as the suite makes them, on a connection that
//! notes what is asked and answers it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::aws::{Connection, Endpoints, SuiteNames};
use crate::situation::Sighting;

const ROLE: &str = "arn:aws:iam::222222222222:role/ripcord";
/// How long a role's rights last, in seconds.
const RIGHTS_SECONDS: u64 = 3_600;

/// A call as it was sent.
#[derive(Clone, Debug)]
struct Sent {
    host: String,
    /// Whose key signed it, and for which region.
    key: String,
    region: String,
    body: String,
}

impl Sent {
    fn of(request: &HttpRequest) -> Self {
        let host = request.uri().split('/').nth(2).unwrap_or_default().to_owned();
        // `AWS4-HMAC-SHA256 Credential=KEY/DAY/REGION/SERVICE/aws4_request, …`.
        let authorization = request.headers().get("authorization").unwrap_or_default();
        let scope: Vec<&str> =
            authorization.split(&['=', ',']).nth(1).unwrap_or_default().split('/').collect();
        let part = |number: usize| scope.get(number).copied().unwrap_or_default().to_owned();
        let body = request.body().bytes().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
        Self { host, key: part(0), region: part(2), body }
    }

    fn is_sts(&self) -> bool {
        self.body.contains("Action=AssumeRole")
    }
}

/// Answers every call: Lambda's with an alias, those for a role with rights, or with a denial.
#[derive(Clone, Debug, Default)]
struct Wire {
    sent: Arc<Mutex<Vec<Sent>>>,
    now_seconds: Arc<Mutex<u64>>,
    denies_roles: bool,
}

impl Wire {
    fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nobody panics while holding it").clone()
    }

    fn roles(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(Sent::is_sts).collect()
    }

    fn answer(&self, sent: &Sent) -> (u16, String) {
        match (sent.is_sts(), self.denies_roles) {
            (true, true) => (
                403,
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized \
                 to perform: sts:AssumeRole</Message></Error></ErrorResponse>"
                    .to_owned(),
            ),
            (true, false) => {
                let number = self.roles().len();
                let until = *self.now_seconds.lock().expect("a time") + RIGHTS_SECONDS;
                let until = jiff::Timestamp::from_second(i64::try_from(until).expect("a second"));
                let until = until.expect("a time");
                (
                    200,
                    format!(
                        "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA{number}\
                         </AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token\
                         </SessionToken><Expiration>{until}</Expiration></Credentials>\
                         </AssumeRoleResult></AssumeRoleResponse>"
                    ),
                )
            }
            (false, _) => (200, r#"{"Name": "live", "FunctionVersion": "7", "RevisionId": "r1"}"#.to_owned()),
        }
    }

    /// A suite at home in `eu-west-1`, whose clients call this.
    fn suite(&self, endpoints: Endpoints) -> Aws {
        let wire = self.clone();
        let connection = Connection {
            region: "eu-west-1".to_owned(),
            credentials: Credentials::from_keys("AKIAHOME", "secret", None),
            endpoints,
        };
        let client = http_client_fn(move |_: &HttpConnectorSettings, _: &RuntimeComponents| {
            SharedHttpConnector::new(wire.clone())
        });
        let config = connection.sdk_config().to_builder().http_client(client).time_source(self.clone());
        let names = SuiteNames { table: "ripcord-ledger".to_owned(), topic_arn: String::new() };
        Aws::new(&config.build(), names)
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = Sent::of(&request);
        self.sent.lock().expect("nobody panics while holding it").push(sent.clone());
        let (status, body) = self.answer(&sent);
        let status = status.try_into().expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

impl TimeSource for Wire {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(*self.now_seconds.lock().expect("a time"))
    }
}

fn reach(region: Option<&str>, role_arn: Option<&str>, external_id: Option<&str>) -> Reach {
    Reach {
        region: region.map(|region| region.parse().expect("a region")),
        role_arn: role_arn.map(|role| role.parse().expect("an ARN")),
        external_id: external_id.map(str::to_owned),
    }
}

async fn look(aws: &Aws) -> Sighting {
    aws.alias(&"checkout".parse().expect("a name"), &"live".parse().expect("a name")).await
}

#[track_caller]
fn served(sighting: &Sighting) -> String {
    sighting.traffic().unwrap_or_else(|| panic!("{sighting:?}")).to_string()
}

#[tokio::test]
async fn a_target_at_home_is_asked_there_and_no_role_is_assumed() {
    let wire = Wire::default();
    let aws = wire.suite(Endpoints::Aws);
    assert_eq!(served(&look(&aws.at(&Reach::default())).await), "7 on 100%");
    // Nor once clients of other accounts were made.
    let _remote = aws.at(&reach(Some("eu-central-1"), Some(ROLE), None));
    look(&aws.at(&Reach::default())).await;
    for sent in wire.sent() {
        let at = (sent.host.as_str(), sent.region.as_str(), sent.key.as_str());
        assert_eq!(at, ("lambda.eu-west-1.amazonaws.com", "eu-west-1", "AKIAHOME"));
    }
    assert_eq!(wire.sent().len(), 2);
}

#[tokio::test]
async fn a_target_in_another_region_is_asked_and_signed_for_there() {
    let wire = Wire::default();
    let aws = wire.suite(Endpoints::Aws).at(&reach(Some("ap-south-1"), None, None));
    assert_eq!(served(&look(&aws).await), "7 on 100%");
    let [sent] = wire.sent().try_into().expect("one call");
    assert_eq!(sent.host, "lambda.ap-south-1.amazonaws.com");
    assert_eq!((sent.region.as_str(), sent.key.as_str()), ("ap-south-1", "AKIAHOME"));
}

#[test]
fn clients_are_made_once_for_each_region_role_and_external_id() {
    let aws = Wire::default().suite(Endpoints::Aws);
    let reaches = [
        reach(Some("ap-south-1"), None, None),
        reach(Some("eu-central-1"), None, None),
        reach(Some("eu-central-1"), Some(ROLE), None),
        reach(Some("eu-central-1"), Some(ROLE), Some("one")),
        reach(Some("eu-central-1"), Some(ROLE), Some("two")),
    ];
    for (one, first) in reaches.iter().enumerate() {
        for (other, second) in reaches.iter().enumerate() {
            let same = Arc::ptr_eq(&aws.at(first).places, &aws.at(second).places);
            assert_eq!(same, one == other, "{first:?} {second:?}");
        }
    }
}

#[tokio::test]
async fn a_role_is_assumed_once_for_all_clients_and_again_when_its_rights_end() {
    let wire = Wire::default();
    let aws = wire.suite(Endpoints::Aws);
    let reach = reach(Some("eu-central-1"), Some(ROLE), Some("ticket+4711"));
    for _ in 0..5 {
        assert_eq!(served(&look(&aws.at(&reach)).await), "7 on 100%");
    }
    // Another client of the same role needs no rights of its own.
    let numbers = aws.at(&reach).alarms(&["errors".to_owned()]).await;
    assert!(numbers.is_err(), "an alias is no answer of CloudWatch's: {numbers:?}");
    let roles = wire.roles();
    assert_eq!(roles.len(), 1, "{roles:?}");
    // The role is asked for at home, with home's rights.
    assert_eq!(roles[0].host, "sts.eu-west-1.amazonaws.com");
    assert_eq!((roles[0].region.as_str(), roles[0].key.as_str()), ("eu-west-1", "AKIAHOME"));
    let fields = ["RoleArn=arn%3Aaws%3Aiam%3A%3A222222222222%3Arole%2Fripcord", "ExternalId=ticket%2B4711"];
    assert!(fields.iter().all(|field| roles[0].body.contains(field)), "{}", roles[0].body);
    let theirs: Vec<Sent> = wire.sent().into_iter().filter(|sent| !sent.is_sts()).collect();
    assert!(theirs.iter().all(|sent| sent.key == "ASIA1" && sent.region == "eu-central-1"), "{theirs:?}");

    *wire.now_seconds.lock().expect("a time") = RIGHTS_SECONDS + 1;
    look(&aws.at(&reach)).await;
    look(&aws.at(&reach)).await;
    assert_eq!(wire.roles().len(), 2);
    assert_eq!(wire.sent().last().map(|sent| sent.key.clone()), Some("ASIA2".to_owned()));
}

#[tokio::test]
async fn a_role_that_is_denied_is_named_and_nothing_is_sent_to_its_account() {
    let wire = Wire { denies_roles: true, ..Wire::default() };
    let aws = wire.suite(Endpoints::Aws).at(&reach(Some("eu-central-1"), Some(ROLE), None));
    let Sighting::Unseen { why } = look(&aws).await else { panic!("it cannot be seen") };
    assert!(why.contains(ROLE) && why.contains("AccessDenied"), "{why}");
    assert!(wire.sent().iter().all(Sent::is_sts), "{:?}", wire.sent());
}

#[tokio::test]
async fn whoever_asks_a_role_is_assumed_from_home() {
    let wire = Wire::default();
    let aws = wire.suite(Endpoints::Aws);
    let first = reach(None, Some(ROLE), None);
    let second = reach(None, Some("arn:aws:iam::333333333333:role/ripcord"), None);
    look(&aws.at(&first).at(&second)).await;
    assert!(wire.roles().iter().all(|sent| sent.key == "AKIAHOME"), "{:?}", wire.roles());
    look(&aws.at(&second).at(&Reach::default())).await;
    assert_eq!(wire.sent().last().map(|sent| sent.key.clone()), Some("AKIAHOME".to_owned()));
}

#[tokio::test]
async fn an_endpoint_of_the_environment_holds_for_other_regions_too() {
    let wire = Wire::default();
    let variables = |name: &str| match name {
        "AWS_ENDPOINT_URL_LAMBDA" => Some("http://lambda.local:4566".to_owned()),
        "AWS_ENDPOINT_URL" => Some("http://aws.local:4566".to_owned()),
        _ => None,
    };
    let aws = wire.suite(Endpoints::Variables(variables));
    look(&aws.at(&reach(Some("eu-central-1"), Some(ROLE), None))).await;
    let hosts: Vec<String> = wire.sent().into_iter().map(|sent| sent.host).collect();
    assert_eq!(hosts, ["aws.local:4566", "lambda.local:4566"]);
}
