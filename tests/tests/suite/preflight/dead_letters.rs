//! Dead-letter queues that are not empty before a release begins.

use std::collections::BTreeMap;

use ripcord::measure::Answers;
use ripcord::pipeline::Tempo;
use ripcord::preflight::{Outcome, QueueLength, Seen, Unseen};

use super::{Case, check};
use crate::worlds::at;

fn lengths(lengths: &[Option<u64>]) -> impl Fn(&mut Case) {
    let queue = |(index, messages): (usize, &Option<u64>)| {
        Ok(QueueLength { queue: format!("dlq-{index}"), messages: *messages })
    };
    let lengths: Vec<Seen<QueueLength>> = lengths.iter().enumerate().map(queue).collect();
    move |case| case.facts.dead_letters = lengths.clone()
}

#[test]
fn a_message_that_lies_there_already_stops_a_release() {
    check(lengths(&[Some(0)]), "dead_letters", Outcome::Passed, "dlq-0 is empty");
    let full =
        "messages in dlq-1: 1 > 0, and one is enough to put a release back: empty it first; dlq-0 is empty";
    check(lengths(&[Some(0), Some(1)]), "dead_letters", Outcome::Failed, full);
    let idle = "CloudWatch has heard nothing of dlq-0 for 15 min";
    check(lengths(&[None]), "dead_letters", Outcome::Noted, idle);
    let unseen = |case: &mut Case| case.facts.dead_letters = vec![Err(Unseen::because("AccessDenied"))];
    let detail = "the dead-letter queues could not be seen: AccessDenied";
    check(unseen, "dead_letters", Outcome::Failed, detail);
}

#[test]
fn nothing_is_asked_or_checked_where_no_queue_is_registered() {
    assert_eq!(QueueLength::question(&[], at("10:00:00"), Tempo::REAL), None);
    let checks = Case::well().before("10:00:00").checks;
    assert!(checks.iter().all(|check| check.name != "dead_letters"), "{checks:?}");
}

#[test]
fn the_latest_length_counts() {
    let queues = ["orders-dlq".to_owned(), "mail-dlq".to_owned()];
    let question = QueueLength::question(&queues, at("10:20:30"), Tempo::REAL).unwrap();
    assert_eq!((question.from, question.to), (at("10:04:00"), at("10:19:00")));
    let series = BTreeMap::from([(at("10:10:00"), 3.0), (at("10:18:00"), 0.0)]);
    let answers = Answers::from([
        (question.queries[0].id.clone(), Ok(series)),
        (question.queries[1].id.clone(), Err("Forbidden".to_owned())),
    ]);
    let lengths = QueueLength::of(&queues, &answers);
    assert_eq!(lengths[0], Ok(QueueLength { queue: "orders-dlq".to_owned(), messages: Some(0) }));
    assert_eq!(lengths[1], Err(Unseen::because("mail-dlq: Forbidden")));
}
