//! What tools report step by step: lines of one message, of which the first and the last say enough.

use crate::log::lex::Quotes;
use crate::log::mine;
use crate::matter::matters;

/// A message of more lines than this is a series of steps.
const SERIES: usize = 4;

/// Takes the middle lines of every series out of `keep`. Lines that matter, and lines for which `guarded` holds, stay.
///
/// Only for the output of tools whose job is to do something (tests, builds, package managers): there a line that comes again and again is
/// progress. In a listing or the answer to a query it would be data.
pub(crate) fn fold(lines: &[&str], guarded: &[bool], keep: &mut [bool]) {
    let mined = mine::mine(lines, Quotes::Open);
    let free: Vec<bool> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| keep[at] && !guarded[at] && !line.trim().is_empty() && !matters(line))
        .collect();
    let mut ends = vec![(usize::MAX, 0, 0_usize); mined.templates.len()];
    for at in (0..lines.len()).filter(|at| free[*at]) {
        let Some(id) = mined.template(at) else { continue };
        let (first, last, count) = &mut ends[id];
        *first = (*first).min(at);
        *last = at;
        *count += 1;
    }
    for at in (0..lines.len()).filter(|at| free[*at]) {
        let Some(id) = mined.template(at) else { continue };
        let (first, last, count) = ends[id];
        keep[at] = count <= SERIES || at == first || at == last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_series_the_ends_stay_and_what_matters() {
        let text = [
            "building a.x1 now",
            "building b.x2 now",
            "building c.x3 now",
            "building d.x4 failed",
            "building e.x5 now",
            "building f.x6 now",
            "done",
        ];
        let mut keep = [true; 7];
        fold(&text, &[false; 7], &mut keep);
        assert_eq!(keep, [true, false, false, true, false, true, true]);
        let mut keep = [true; 7];
        fold(&text, &[true; 7], &mut keep);
        assert_eq!(keep, [true; 7]);
    }
}
