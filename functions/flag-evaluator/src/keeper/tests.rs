use super::*;

const GOOD: &str = r#"{"version": 1, "flags": {"search": {"enabled": true, "rollout_percentage": 100}}}"#;
const OTHER: &str = r#"{"version": 1, "flags": {"search": {"enabled": false}, "late": {"enabled": false}}}"#;
const BAD: &str = r#"{"version": 1, "flags": {"search": {"enabled": "yes", "rollout_percentage": 101}}}"#;

fn keeper() -> Keeper {
    Keeper::new(15, Tempo::REAL)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn fetched(content: Option<&str>) -> Result<Fetched, String> {
    Ok(Fetched {
        content: content.map(|text| text.as_bytes().to_vec()),
        token: None,
        again_after_seconds: 15,
    })
}

/// A look that is due, and what came of it.
#[track_caller]
fn look(keeper: &mut Keeper, now: Timestamp, outcome: Result<Fetched, String>) -> Option<News> {
    assert!(keeper.begin(now).is_some(), "no look was due");
    keeper.end(outcome, now)
}

fn away() -> Result<Fetched, String> {
    Err("timed out".to_owned())
}

#[track_caller]
fn serves(keeper: &Keeper, flags: usize, trouble: Option<Trouble>) {
    let (document, seen) = keeper.served();
    assert_eq!((document.unwrap().flags.len(), seen), (flags, trouble));
}

#[test]
fn appconfig_is_left_alone_until_the_interval_is_over() {
    let mut keeper = keeper();
    assert!(matches!(look(&mut keeper, at(0), fetched(Some(GOOD))), Some(News::Loaded { flags: 1, .. })));
    assert!(keeper.begin(at(14)).is_none());
    assert!(keeper.begin(at(15)).is_some());
}

#[test]
fn a_longer_interval_that_appconfig_wants_is_obeyed_and_a_shorter_one_is_not() {
    for (wanted, due) in [(60, 60), (1, 15)] {
        let mut keeper = keeper();
        let fetched = Fetched { content: None, token: None, again_after_seconds: wanted };
        look(&mut keeper, at(0), Ok(fetched));
        assert!(keeper.begin(at(due - 1)).is_none(), "{wanted}");
        assert!(keeper.begin(at(due)).is_some(), "{wanted}");
    }
}

#[test]
fn while_one_request_looks_no_other_does() {
    let mut keeper = keeper();
    let first = keeper.begin(at(0)).unwrap();
    assert_eq!(first.patience, PATIENCE_FIRST);
    assert!(keeper.begin(at(3)).is_none());
    // Whoever began it was frozen or killed meanwhile.
    assert!(keeper.begin(at(4)).is_some());
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_a_look_away() {
    let mut keeper = keeper();
    look(&mut keeper, at(86_400), fetched(Some(GOOD)));
    assert!(keeper.begin(at(0)).is_some());
}

#[test]
fn an_invalid_document_is_told_once_and_never_served() {
    let mut keeper = keeper();
    look(&mut keeper, at(0), fetched(Some(GOOD)));
    let Some(News::Rejected(invalid)) = look(&mut keeper, at(15), fetched(Some(BAD))) else { panic!() };
    assert_eq!(invalid.problems.len(), 2, "{invalid}");
    serves(&keeper, 1, Some(Trouble::Rejected));
    // Nothing new from AppConfig means that it still has the invalid one; so does a new session that is given it again.
    for (seconds, content) in [(30, None), (45, Some(BAD))] {
        assert!(look(&mut keeper, at(seconds), fetched(content)).is_none());
        serves(&keeper, 1, Some(Trouble::Rejected));
    }
    assert!(matches!(look(&mut keeper, at(60), fetched(Some(OTHER))), Some(News::Loaded { flags: 2, .. })));
    serves(&keeper, 2, None);
}

#[test]
fn the_document_that_is_served_is_good_again_when_appconfig_goes_back_to_it() {
    let mut keeper = keeper();
    look(&mut keeper, at(0), fetched(Some(GOOD)));
    look(&mut keeper, at(15), fetched(Some(BAD)));
    assert!(look(&mut keeper, at(30), fetched(Some(GOOD))).is_none());
    serves(&keeper, 1, None);
    // The invalid one is news once more when it comes again.
    assert!(matches!(look(&mut keeper, at(45), fetched(Some(BAD))), Some(News::Rejected(_))));
}

#[test]
fn while_appconfig_is_away_the_last_good_document_is_served_and_that_is_told_once() {
    let mut keeper = keeper();
    look(&mut keeper, at(0), fetched(Some(GOOD)));
    assert!(matches!(look(&mut keeper, at(15), away()), Some(News::Unreachable(_))));
    serves(&keeper, 1, Some(Trouble::Unreachable));
    assert!(look(&mut keeper, at(16), away()).is_none());
    assert!(matches!(look(&mut keeper, at(18), fetched(None)), Some(News::Reached)));
    serves(&keeper, 1, None);
}

#[test]
fn an_outage_does_not_make_an_invalid_document_valid() {
    let mut keeper = keeper();
    look(&mut keeper, at(0), fetched(Some(GOOD)));
    look(&mut keeper, at(15), fetched(Some(BAD)));
    look(&mut keeper, at(30), away());
    serves(&keeper, 1, Some(Trouble::Unreachable));
    look(&mut keeper, at(31), fetched(None));
    serves(&keeper, 1, Some(Trouble::Rejected));
}

#[test]
fn failures_in_a_row_are_further_apart_and_waited_for_longer_up_to_a_bound() {
    let mut keeper = keeper();
    look(&mut keeper, at(0), fetched(Some(GOOD)));
    let mut now = 15;
    let mut seen = Vec::new();
    for _ in 0..6 {
        let look = keeper.begin(at(now)).unwrap();
        assert!(keeper.end(away(), at(now)).is_none_or(|news| matches!(news, News::Unreachable(_))));
        let pause = (1..=15).find(|pause| keeper.look_again_at == at(now + pause)).unwrap();
        seen.push((look.patience.as_millis(), pause));
        now += pause;
    }
    assert_eq!(seen, [(300, 1), (600, 2), (1_200, 4), (2_400, 8), (2_400, 15), (2_400, 15)]);
}

#[test]
fn without_any_document_it_is_said_why() {
    let mut keeper = keeper();
    assert!(keeper.served().0.is_none());
    assert!(look(&mut keeper, at(0), fetched(None)).is_none());
    assert_eq!(keeper.served().1, Some(Trouble::NothingDeployed));
    assert_eq!(keeper.retry_after_seconds(at(0)), 15);
    assert_eq!(keeper.retry_after_seconds(at(15)), 1);
    look(&mut keeper, at(15), fetched(Some(BAD)));
    assert_eq!((keeper.served().0.is_none(), keeper.served().1), (true, Some(Trouble::Rejected)));
    look(&mut keeper, at(30), away());
    assert_eq!(keeper.served().1, Some(Trouble::Unreachable));
}
