//! A look at the stage that a release is in: what CloudWatch measured, the guards, the alias. Nothing that is looked at may
//! take the time that saying what was seen needs.

use std::future::Future;
use std::time::Duration;

use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::{AsyncSleep, TokioSleep};
use futures_util::future::join4;
use jiff::Timestamp;

use super::{Aws, CallFailed};
use crate::measure::{Answers, Question, Sights, questions};
use crate::pipeline::Tempo;
use crate::preflight::Subject;
use crate::situation::Sighting;

impl Aws {
    /// Looks at the stage, where its target lies, for as long as `patience`.
    pub async fn sights(
        &self,
        subject: &Subject<'_>,
        patience: Duration,
        (now, tempo): (Timestamp, Tempo),
    ) -> Sights {
        let asked = questions(subject, now, tempo);
        let there = self.at(&subject.target.reach);
        let (counts, gauges, guards, live) = join4(
            there.answers(asked.counts.as_ref(), patience),
            there.answers(asked.gauges.as_ref(), patience),
            in_time(patience, self.guards_of(subject)),
            there.live(subject, patience),
        )
        .await;
        Sights { counts, gauges, guards, live }
    }

    /// What CloudWatch answers; nothing if there is nothing to ask yet.
    async fn answers(&self, question: Option<&Question>, patience: Duration) -> Result<Answers, String> {
        match question {
            Some(question) => in_time(patience, self.metrics(question)).await,
            None => Ok(Answers::new()),
        }
    }

    async fn live(&self, subject: &Subject<'_>, patience: Duration) -> Sighting {
        let look = async { Ok(self.alias(&subject.alias.function, &subject.alias.alias).await) };
        in_time(patience, look).await.unwrap_or_else(|why| Sighting::Unseen { why })
    }
}

/// What a call answers, or why it does not, in time for saying so.
async fn in_time<T>(
    patience: Duration,
    call: impl Future<Output = Result<T, CallFailed>>,
) -> Result<T, String> {
    match Timeout::new(call, TokioSleep::new().sleep(patience)).await {
        Ok(answer) => answer.map_err(|failed| failed.to_string()),
        Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_does_not_answer_leaves_time_to_say_so() {
        let patience = Duration::from_secs(20);
        let begun = tokio::time::Instant::now();
        let silent: Result<(), String> = in_time(patience, pending()).await;
        assert_eq!(silent, Err("no answer within 20000 ms".to_owned()));
        assert_eq!(begun.elapsed(), patience);
        assert_eq!(in_time(Duration::ZERO, ready(Ok(5))).await, Ok(5));
        let failed =
            CallFailed { call: "cloudwatch:X", subject: "s".to_owned(), why: "throttled".to_owned() };
        let failed: Result<(), String> = in_time(patience, ready(Err(failed))).await;
        assert_eq!(failed, Err("cloudwatch:X of s failed: throttled".to_owned()));
    }
}
