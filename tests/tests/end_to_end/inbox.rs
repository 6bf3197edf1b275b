//! What people are told, as a chat or a pager receives it.

use ripcord_rehearsal::aws_client::AwsClient;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::scene::Scene;

/// A queue on the notices' topic, as a chat or a pager would be.
pub(crate) struct Inbox {
    client: AwsClient,
    queue: String,
    /// What has arrived: a queue shows each message once.
    notices: Mutex<Vec<Value>>,
}

impl Inbox {
    pub(crate) async fn subscribe(scene: &Scene) -> Self {
        let client = scene.local.client();
        let created =
            client.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": "inbox" })).await.unwrap();
        let queue: Value = serde_json::from_slice(&created.body).unwrap();
        let arn = format!("arn:aws:sqs:{}:{}:inbox", scene.local.region(), scene.local.account_id());
        let topic = &scene.stage.suite["NoticesTopicArn"];
        let fields = [("Action", "Subscribe"), ("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", &arn)];
        let subscribed = client.query("sns", &fields).await.unwrap();
        assert!(subscribed.status.is_success(), "{}", subscribed.text());
        Self { client, queue: queue["QueueUrl"].as_str().unwrap().to_owned(), notices: Mutex::default() }
    }

    /// The first notice whose text contains `part`.
    pub(crate) async fn notice(&self, part: &str) -> Value {
        for _ in 0..20 {
            let mut notices = self.notices.lock().await;
            if let Some(notice) = notices.iter().find(|notice| notice.to_string().contains(part)) {
                return notice.clone();
            }
            notices.extend(self.receive().await);
        }
        panic!("no notice contains {part:?}: {:?}", self.notices.lock().await);
    }

    async fn receive(&self) -> Vec<Value> {
        let ask = json!({ "QueueUrl": self.queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
        let received = self.client.json("sqs", "AmazonSQS.ReceiveMessage", &ask).await.unwrap();
        let received: Value = serde_json::from_slice(&received.body).unwrap_or_default();
        let messages = received["Messages"].as_array().into_iter().flatten();
        let notice = |message: &Value| {
            let envelope: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap()
        };
        messages.map(notice).collect()
    }
}
