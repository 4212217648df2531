//! Lines that programs append over time.

use super::Sample;
use crate::log::{omit, stamp};

/// Whether the text is a log: most lines carry a time near their start and time goes on from line to line, or most
/// lines start with a level. Lines below a dated one (stack traces, dumps) are counted with it.
pub(super) fn is_log(sample: &Sample<'_>) -> bool {
    dated(sample) || levelled(sample)
}

fn dated(sample: &Sample<'_>) -> bool {
    let (mut stamped, mut continued, mut others) = (0_usize, 0_usize, 0_usize);
    let mut last = None;
    let (mut forward, mut backward, mut changes) = (0_usize, 0_usize, 0_usize);
    for line in sample.filled() {
        match stamp::time(line).or_else(|| uptime(line)) {
            Some(time) => {
                stamped += 1;
                if let Some(last) = last {
                    forward += usize::from(time >= last);
                    backward += usize::from(time < last);
                    changes += usize::from(time != last);
                }
                last = Some(time);
            }
            None if stamped > 0 && (line.starts_with([' ', '\t']) || omit::is_frame(line)) => continued += 1,
            None => others += 1,
        }
    }
    // A column that happens to hold times (`ps`) does not move forward with the lines, nor stands it at their start.
    let moves = forward >= backward * 3 && (changes > 0 || starts_with_date(sample));
    stamped >= 3 && moves && (stamped + continued) * 10 >= (stamped + continued + others) * 6 && stamped * 10 >= continued
}

/// Whether lines start with something that holds digits, as dates do.
fn starts_with_date(sample: &Sample<'_>) -> bool {
    sample.mostly(60, 3, |line| line.bytes().take(10).filter(u8::is_ascii_digit).count() >= 2)
}

/// `[   12.345678] ` at the start of a kernel message, in milliseconds.
fn uptime(line: &str) -> Option<u64> {
    let (seconds, rest) = line.strip_prefix('[')?.split_once('.')?;
    let (fraction, _) = rest.split_once(']')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(fraction) && digits(seconds.trim_start())).then(|| seconds.trim_start().parse::<u64>().ok())?.map(|s| s * 1000)
}

/// Most lines start with a level, and more than one level occurs or the lines are alike otherwise.
fn levelled(sample: &Sample<'_>) -> bool {
    sample.mostly(70, 6, |line| level(line).is_some())
}

/// `INFO x`, `[WARN] x`, `ERROR: x`, `D/Tag: x`, `level=info`.
fn level(line: &str) -> Option<&str> {
    const LEVELS: [&str; 12] = [
        "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "ERR", "FATAL", "CRITICAL", "SEVERE", "PANIC",
    ];
    let rest = line.trim_start_matches(['[', '<', '(']);
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    let found = LEVELS.iter().any(|level| *level == word || (word.eq_ignore_ascii_case(level) && line.len() > rest.len()));
    let logfmt = word == "level" && after.starts_with('=');
    ((found && after.starts_with([':', ' ', ']', '>', ')', '\t', '-', '|'])) || logfmt).then_some(word)
}
