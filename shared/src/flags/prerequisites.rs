//! What flags need of one another: that it exists, leads back to no flag, and ends soon.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::flag::{Flag, Variant};
use super::limits::FLAGS_ASKED_MAX;
use super::problem::{Path, Problems};

/// Finds each prerequisite's flag, and says what is wrong with those that have none or never end. `known` are all names
/// that the document has flags for, also those that could not be read.
pub(super) fn resolve(
    flags: &mut [Flag],
    known: &BTreeSet<&str>,
    flags_path: &Path<'_>,
    problems: &mut Problems,
) {
    let places: BTreeMap<Box<str>, usize> =
        flags.iter().enumerate().map(|(place, flag)| (flag.key.clone(), place)).collect();
    let variants: Vec<Vec<Variant>> = flags.iter().map(|flag| flag.variants.clone()).collect();
    for flag in flags.iter_mut() {
        let key = flag.key.clone();
        for (index, prerequisite) in flag.prerequisites.iter_mut().enumerate() {
            let flag_path = flags_path.name(&key);
            let list_path = flag_path.name("prerequisites");
            let path = list_path.index(index);
            let needed = &prerequisite.key;
            let Some(place) = places.get(needed) else {
                if !known.contains(needed.as_ref()) {
                    problems.say(
                        path.name("flag"),
                        "unknown-prerequisite",
                        format!("there is no flag {needed}"),
                    );
                }
                continue;
            };
            prerequisite.flag = *place;
            let Some(wanted) = &prerequisite.variant else { continue };
            if !variants.get(*place).is_some_and(|all| all.iter().any(|one| one.name == *wanted)) {
                let message = format!("flag {needed} has no variant {wanted}");
                problems.say(path.name("variant"), "unknown-variant", message);
            }
        }
    }
    check_ends(flags, &places, flags_path, problems);
}

/// Walks from flags that need nothing to those that need them. What is never reached leads into a circle.
fn check_ends(flags: &[Flag], places: &BTreeMap<Box<str>, usize>, path: &Path<'_>, problems: &mut Problems) {
    let needs: Vec<Vec<usize>> = flags
        .iter()
        .map(|flag| flag.prerequisites.iter().filter_map(|one| places.get(&one.key).copied()).collect())
        .collect();
    let mut needed_by = vec![Vec::new(); flags.len()];
    for (flag, needs) in needs.iter().enumerate() {
        for need in needs {
            if let Some(list) = needed_by.get_mut(*need) {
                list.push(flag);
            }
        }
    }
    let mut open: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut asked: Vec<usize> = vec![1; flags.len()];
    let mut ready: VecDeque<usize> = (0..flags.len()).filter(|flag| open.get(*flag) == Some(&0)).collect();
    // Each flag becomes ready once.
    while let Some(place) = ready.pop_front() {
        let its_own = asked.get(place).copied().unwrap_or(1);
        if let Some(flag) = flags.get(place).filter(|_| its_own > FLAGS_ASKED_MAX) {
            let message =
                format!("with its prerequisites it asks {its_own} flags, more than {FLAGS_ASKED_MAX}");
            problems.say(path.name(&flag.key).name("prerequisites"), "too-many-prerequisites", message);
        }
        for flag in needed_by.get(place).into_iter().flatten() {
            if let (Some(open), Some(asked)) = (open.get_mut(*flag), asked.get_mut(*flag)) {
                *asked = asked.saturating_add(its_own);
                *open -= 1;
                if *open == 0 {
                    ready.push_back(*flag);
                }
            }
        }
    }
    let mut told = BTreeSet::new();
    for start in (0..flags.len()).filter(|flag| open.get(*flag).is_some_and(|open| *open > 0)) {
        let Some(mut circle) = circle(&needs, start) else { continue };
        let smallest = circle.iter().enumerate().min_by_key(|(_, flag)| **flag).map_or(0, |(index, _)| index);
        circle.rotate_left(smallest);
        if told.insert(circle.clone()) {
            let names: Vec<&str> = circle
                .iter()
                .chain(circle.first())
                .filter_map(|flag| flags.get(*flag))
                .map(Flag::key)
                .collect();
            let message = format!("the prerequisites go round in a circle: {}", names.join(" → "));
            let first = names.first().copied().unwrap_or_default();
            problems.say(path.name(first).name("prerequisites"), "circular-prerequisites", message);
        }
    }
}

/// The shortest way from a flag back to itself.
fn circle(needs: &[Vec<usize>], start: usize) -> Option<Vec<usize>> {
    let mut came_from: Vec<Option<usize>> = vec![None; needs.len()];
    let mut next = VecDeque::from([start]);
    // Each flag is entered once.
    while let Some(flag) = next.pop_front() {
        for need in needs.get(flag).into_iter().flatten().copied() {
            if need == start {
                let before = |flag: &usize| came_from.get(*flag).copied().flatten();
                let mut way: Vec<usize> = std::iter::successors(Some(flag), before).collect();
                way.reverse();
                return Some(way);
            }
            if let Some(entry) = came_from.get_mut(need).filter(|entry| entry.is_none()) {
                *entry = Some(flag);
                next.push_back(need);
            }
        }
    }
    None
}
