//! Where the words of markers stand, so that none covers another.

use super::Marker;

/// A label with its place.
pub(super) struct Placed<'a> {
    pub(super) marker: &'a Marker,
    /// Where its marker is.
    pub(super) x: f64,
    /// Where its words begin or end.
    pub(super) text_x: f64,
    pub(super) anchor: &'static str,
    pub(super) text: String,
    /// Which line above the picture; 0 is the highest.
    pub(super) lane: usize,
}

/// More lines than this would be a list, which the page has anyhow. Whatever finds no room has its rule alone.
const LANES_MAX: usize = 5;
const LABEL_MAX: usize = 34;
const GAP: f64 = 9.0;

/// Gives each label the lowest line in which it has room: to the right of its marker, or to the left of it near the edge.
pub(super) fn place<'a>(
    wanted: impl Iterator<Item = (f64, &'a Marker)>,
    left: f64,
    right: f64,
) -> Vec<Placed<'a>> {
    let mut taken: Vec<Vec<(f64, f64)>> = vec![Vec::new(); LANES_MAX];
    let mut placed = Vec::new();
    for (x, marker) in wanted {
        let text = cut(&marker.label, LABEL_MAX);
        let length = width_of(&text);
        let to_the_right = (x + length <= right).then_some(("start", x, x + length));
        let to_the_left = (x - length >= left).then_some(("end", x - length, x));
        let room = to_the_right.or(to_the_left).and_then(|(anchor, from, to)| {
            let is_free =
                |lane: &Vec<(f64, f64)>| lane.iter().all(|(a, b)| to + GAP <= *a || *b + GAP <= from);
            taken.iter().position(is_free).map(|lane| (lane, anchor, from, to))
        });
        let Some((lane, anchor, from, to)) = room else { continue };
        if let Some(lane) = taken.get_mut(lane) {
            lane.push((from, to));
        }
        let text_x = if anchor == "start" { x + 3.0 } else { x - 3.0 };
        placed.push(Placed { marker, x, text_x, anchor, text, lane });
    }
    placed
}

/// How wide a text is at most, in the size that pictures use. Letters beyond ASCII may be twice as wide.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 6.9 } else { 13.0 }).sum::<f64>() + 6.0
}

/// A text of so many letters at most, the last of which says that it was cut. Line breaks go, and what would turn the
/// direction of the words after it.
pub(super) fn cut(text: &str, length_max: usize) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut letters = text.chars().map(|c| if c.is_control() || turns(c) { ' ' } else { c });
    let mut kept: String = letters.by_ref().take(length_max).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}
