//! Log excerpts for the review. By now traffic is back and people know: nothing here may stop or fail the rollback.

use super::{Aws, CallFailed, console};
use crate::evidence::LogExcerpt;
use crate::plan::KeepLogs;

/// Enough to see what went wrong, little enough for an item of the ledger.
const LINES_MAX: i32 = 25;
const LINE_LENGTH_MAX: usize = 1_000;
/// The words by which runtimes and frameworks mark what went wrong.
const PATTERN: &str = r#"?ERROR ?Error ?error ?Exception ?"Task timed out""#;

impl Aws {
    pub(super) async fn keep_logs(&self, keep: &KeepLogs) {
        let excerpt = self.excerpt(keep).await;
        if let Err(failed) = self.ledger.keep_excerpt(keep, &excerpt).await {
            console::record("warn", &format!("failed to keep log lines: {failed}"), serde_json::json!({}));
        }
    }

    async fn excerpt(&self, keep: &KeepLogs) -> LogExcerpt {
        let group = format!("/aws/lambda/{}", keep.function);
        // Lambda names a version's streams `YYYY/MM/DD/[VERSION]…`. Around midnight the excerpt has the new day only.
        let streams = format!("{}/[{}]", keep.to.strftime("%Y/%m/%d"), keep.version);
        let call = self
            .at(&keep.reach)
            .logs
            .filter_log_events()
            .log_group_name(&group)
            .log_stream_name_prefix(streams)
            .filter_pattern(PATTERN)
            .start_time(keep.from.as_millisecond())
            .end_time(keep.to.as_millisecond())
            .limit(LINES_MAX);
        let (lines, unread_because) = match call.send().await {
            Ok(answer) => (answer.events.unwrap_or_default(), None),
            Err(error) => {
                (Vec::new(), Some(CallFailed::new("logs:FilterLogEvents", &group, &error).to_string()))
            }
        };
        LogExcerpt {
            source: format!("{}:{}", keep.function, keep.version),
            lines: lines
                .into_iter()
                .filter_map(|event| event.message)
                .map(|line| line.trim_end().chars().take(LINE_LENGTH_MAX).collect())
                .collect(),
            unread_because,
        }
    }
}
