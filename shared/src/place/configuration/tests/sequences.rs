//! Whatever is seen: calls that are made one after the other end, and end where they should.

use proptest::prelude::*;

use super::super::flags_off;
use super::*;

const FLAG: &str = "fast";

fn content(is_on: bool) -> String {
    format!(
        r#"{{"version":"1","flags":{{"fast":{{"name":"Fast"}}}},"values":{{"fast":{{"enabled":{is_on}}}}}}}"#
    )
}

/// An environment that does what calls say and no more. AppConfig's refusals are no part of it.
#[derive(Clone, Debug)]
struct World {
    deployments: Vec<Listed>,
    hosted: Vec<(String, Option<String>)>,
    has_monitors: bool,
}

impl World {
    fn seen(&self) -> Option<Seen> {
        let seen = Seen::of(self.deployments.clone(), true, self.has_monitors)?;
        seen.traffic()?;
        let sheets = self.hosted.iter().zip(1..).map(|((text, _), number)| Sheet {
            version: version(number),
            content: Content::Text { content_type: "application/json".to_owned(), text: text.clone() },
        });
        let number = u32::try_from(self.hosted.len()).expect("few versions");
        let newest = Ok(Hosted { number, label: self.hosted.last().and_then(|(_, label)| label.clone()) });
        let flags = Some(Flags { are_feature_flags: true, newest, sheets: sheets.collect() });
        Some(Seen { flags, ..seen })
    }

    fn apply(&mut self, call: &PlaceCall) {
        let PlaceCall::Configuration(call) = call else { panic!("a call on something else: {call}") };
        match call {
            Call::Stop { deployment, .. } => {
                for listed in &mut self.deployments {
                    if let Listed::Ours(ours) = listed
                        && ours.number == *deployment
                    {
                        let had_completed = ours.state == State::Complete;
                        ours.state = if had_completed { State::Reverted } else { State::RolledBack };
                    }
                }
            }
            Call::Start { version, .. } => {
                let number = u32::try_from(self.deployments.len()).expect("few deployments") + 1;
                let label = version.number().and_then(|number| {
                    self.hosted.get(usize::try_from(number - 1).ok()?).and_then(|(_, label)| label.clone())
                });
                let started = ours(number, version.number().expect("a number"), State::Deploying);
                let Listed::Ours(started) = started else { panic!("one of ours") };
                self.deployments.push(Listed::Ours(Deployment { label, ..started }));
            }
            Call::SwitchOff { content, label, .. } => {
                self.hosted.push((content.clone(), Some(label.clone())))
            }
        }
    }

    /// What is under way arrives, as AppConfig lets it when no alarm fires.
    fn pass_time(&mut self) {
        for listed in &mut self.deployments {
            if let Listed::Ours(ours) = listed {
                ours.state = match ours.state {
                    State::Deploying | State::Validating | State::Baking => State::Complete,
                    State::RollingBack => State::RolledBack,
                    settled @ (State::Complete | State::Reverted | State::RolledBack) => settled,
                };
            }
        }
    }
}

fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![
        State::Baking,
        State::Complete,
        State::Deploying,
        State::Reverted,
        State::RolledBack,
        State::RollingBack,
        State::Validating,
    ])
}

/// Everything but the newest deployment is settled, because AppConfig deploys one thing at a time.
fn any_world() -> impl Strategy<Value = World> {
    let settled = prop::sample::select(vec![State::Complete, State::Reverted, State::RolledBack]);
    let earlier = prop::collection::vec((1..=3_u64, settled, any::<bool>()), 0..6);
    (earlier, 1..=3_u64, any_state(), any::<bool>(), any::<[bool; 3]>()).prop_map(
        |(earlier, newest, state, has_monitors, flags)| {
            let mut deployments = Vec::new();
            for (index, (of, state, is_old)) in (1..).zip(earlier) {
                let listed =
                    if is_old && state == State::Complete { old(index, of) } else { ours(index, of, state) };
                deployments.push(listed);
            }
            let number = u32::try_from(deployments.len()).expect("few deployments") + 1;
            deployments.push(ours(number, newest, state));
            let hosted = flags.into_iter().map(|is_on| (content(is_on), None)).collect();
            World { deployments, hosted, has_monitors }
        },
    )
}

/// Follows ways until there is none to take, within so few calls that nothing goes round in circles.
fn follow(world: &mut World, way: impl Fn(&Seen) -> Way) -> Result<(Way, usize), TestCaseError> {
    const CALLS_MAX: usize = 4;
    let mut calls = 0;
    for _ in 0..2 * CALLS_MAX {
        let Some(seen) = world.seen() else { return Ok((Way::There, calls)) };
        match way(&seen) {
            Way::Call { call, .. } if calls < CALLS_MAX => {
                world.apply(&call);
                calls += 1;
            }
            Way::Coming { .. } => world.pass_time(),
            way @ (Way::There | Way::Blocked(_) | Way::Call { .. }) => return Ok((way, calls)),
        }
    }
    Err(TestCaseError::fail("it never ends"))
}

proptest! {
    #[test]
    fn a_way_back_ends_after_two_calls_at_most(mut world in any_world()) {
        let place = place(&[]);
        let (end, calls) = follow(&mut world, |seen| way(&place, seen, &wanted(0)))?;
        prop_assert!(calls <= 2, "{calls} calls");
        match end {
            Way::There => {
                let served = world.seen().and_then(|seen| seen.traffic());
                prop_assert!(served.is_none_or(|served| served.share_of(version(1)) == Weight::ALL));
            }
            Way::Blocked(_) => {}
            Way::Call { .. } | Way::Coming { .. } => prop_assert!(false, "{}", told(&end)),
        }
    }

    #[test]
    fn flags_go_off_and_stay_off(mut world in any_world()) {
        let place = place(&[FLAG]);
        let (end, _) = follow(&mut world, |seen| flags_off(&place, seen))?;
        prop_assert!(matches!(&end, Way::There | Way::Blocked(_)), "{}", told(&end));
        if end == Way::There {
            world.pass_time();
            let served = world.seen().and_then(|seen| seen.settled().map(|deployment| deployment.version));
            let text = served.and_then(|served| served.number()).and_then(|number| {
                world.hosted.get(usize::try_from(number - 1).ok()?).map(|(text, _)| text.clone())
            });
            prop_assert!(text.is_none_or(|text| text == content(false)));
        }
    }

    /// A service goes back and its flags go off: neither undoes the other.
    #[test]
    fn a_way_back_and_its_flags_end_together(mut world in any_world()) {
        let place = place(&[FLAG]);
        let (back, _) = follow(&mut world, |seen| way(&place, seen, &wanted(0)))?;
        let (off, _) = follow(&mut world, |seen| flags_off(&place, seen))?;
        let (again, calls) = follow(&mut world, |seen| way(&place, seen, &wanted(0)))?;
        if back == Way::There && off == Way::There {
            prop_assert_eq!((again, calls), (Way::There, 0));
        }
    }
}
