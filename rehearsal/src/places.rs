//! What each region of each account has of its own and no backend has: alarms with the samples that they judge, and
//! CodeDeploy. A place comes about when it is first asked for. It decides nothing.

use crate::{
    alarms::{AlarmBoard, dispatch, metrics::MetricStore},
    aws_client::AwsClient,
    codedeploy::CodeDeploy,
    front::call::{CODEDEPLOY_KEY, REHEARSAL_KEY},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::runtime::Handle;

/// One region of one account.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) metrics: Arc<MetricStore>,
    pub(crate) alarms: Arc<AlarmBoard>,
    pub(crate) codedeploy: Arc<CodeDeploy>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) front: SocketAddr,
    pub(crate) home: (String, String),
    pub(crate) period_scale: f64,
    pub(crate) codedeploy_scale: f64,
    pub(crate) failures: Arc<dispatch::ActionFailures>,
    /// The rehearsal's own threads, on which alarms are judged.
    pub(crate) threads: Handle,
    pub(crate) places: Mutex<BTreeMap<(String, String), Place>>,
}

impl Places {
    /// The region that everything is in unless it says otherwise.
    pub(crate) fn home(&self) -> Place {
        self.at(&self.home.0, &self.home.1)
    }

    pub(crate) fn at(&self, account_id: &str, region: &str) -> Place {
        // A call that nobody signed is one from home.
        let region = if region == "unknown" { &self.home.1 } else { region };
        let key = (account_id.to_owned(), region.to_owned());
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(key).or_insert_with(|| self.make(account_id, region)).clone()
    }

    /// What calls there: under the key's own name at home, and else under the key that stands for the account.
    pub(crate) fn client(&self, account_id: &str, region: &str, key: &str) -> AwsClient {
        let key = if account_id == self.home.0 { key } else { account_id };
        AwsClient::new(self.front, region, key)
    }

    fn make(&self, account_id: &str, region: &str) -> Place {
        let metrics = Arc::new(MetricStore::default());
        let board = AlarmBoard::new(Arc::clone(&metrics), account_id, region, self.period_scale);
        let alarms = Arc::new(board);
        let notices = self.client(account_id, region, REHEARSAL_KEY);
        let codedeploy = Arc::new(CodeDeploy::new(
            Arc::clone(&alarms),
            self.client(account_id, region, CODEDEPLOY_KEY),
            notices.clone(),
            Arc::clone(&self.failures),
            self.codedeploy_scale,
        ));
        self.threads.spawn(dispatch::run(Arc::clone(&alarms), notices, Arc::clone(&self.failures)));
        Place { metrics, alarms, codedeploy }
    }
}
