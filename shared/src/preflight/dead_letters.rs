//! The dead-letter queues: a message that lies in one already would be taken for the new version's.

use jiff::Timestamp;

use super::facts::Seen;
use super::subject::Surroundings;
use super::{Check, Remark};
use crate::measure::{Answers, Question, dead_letter_query, whole_minutes};
use crate::pipeline::Tempo;

/// SQS publishes a queue's length every minute while the queue is in use, and for six hours after.
const LOOKED_BACK_MINUTES: u32 = 15;

/// How many messages a queue had last; nothing if CloudWatch has heard nothing of it of late, as of one that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueLength {
    /// Its name.
    pub queue: String,
    /// Its messages.
    pub messages: Option<u64>,
}

impl QueueLength {
    /// What CloudWatch is asked; nothing if there are no queues.
    pub fn question(queues: &[String], now: Timestamp, tempo: Tempo) -> Option<Question> {
        let to = whole_minutes(tempo.settled(now), tempo);
        let from = to.saturating_sub(tempo.minutes(LOOKED_BACK_MINUTES)).unwrap_or(to);
        let queries: Vec<_> =
            queues.iter().enumerate().map(|(index, queue)| dead_letter_query(index, queue)).collect();
        (!queries.is_empty()).then_some(Question { from, to, period_seconds: 60, queries })
    }

    /// What the answers come to, queue by queue.
    pub fn of(queues: &[String], answers: &Answers) -> Vec<Seen<Self>> {
        let of = |(index, queue): (usize, &String)| {
            let series = answers.get(&dead_letter_query(index, queue).id);
            let values = match series {
                Some(Ok(values)) => values,
                Some(Err(why)) => return Err(super::Unseen::because(format!("{queue}: {why}"))),
                None => return Err(super::Unseen::because(format!("{queue}: not answered"))),
            };
            // A length is a whole number, and never negative.
            let messages = values.last_key_value().map(|(_, length)| length.max(0.0).round() as u64);
            Ok(Self { queue: queue.clone(), messages })
        };
        queues.iter().enumerate().map(of).collect()
    }
}

impl Surroundings<'_> {
    /// Every dead-letter queue is empty; nothing to check without any.
    pub fn check_dead_letters(&self, queues: &[Seen<QueueLength>]) -> Option<Check> {
        let remark = |queue: &Seen<QueueLength>| match queue {
            Ok(QueueLength { queue, messages: Some(0) }) => Remark::passed(format!("{queue} is empty")),
            Ok(QueueLength { queue, messages: None }) => Remark::noted(format!(
                "CloudWatch has heard nothing of {queue} for {LOOKED_BACK_MINUTES} min"
            )),
            Ok(QueueLength { queue, messages: Some(messages) }) => Remark::failed(format!(
                "messages in {queue}: {messages} > 0, and one is enough to put a release back: empty it first"
            )),
            Err(unseen) => Remark::failed(format!("the dead-letter queues {unseen}")),
        };
        let remarks: Vec<Remark> = queues.iter().map(remark).collect();
        (!remarks.is_empty()).then(|| Check::of("dead_letters", remarks))
    }
}
