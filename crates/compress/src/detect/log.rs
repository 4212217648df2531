//! Lines that programs append over time.

use super::Sample;
use crate::log::{omit, stamp};

/// Whether the text is a log: most lines carry a time near their start and time goes on from line to line, or most
/// lines start with a level. Lines below a dated one (stack traces, dumps) are counted with it.
pub(super) fn is_log(sample: &Sample<'_>) -> bool {
    dated(sample) || levelled(sample)
}

/// Whether the lines are rows of a register, as of who was logged in: a name, padded, and the time further on. What is written to a log begins
/// with the time, or has single blanks before it.
pub(super) fn is_register(sample: &Sample<'_>) -> bool {
    const NAME: usize = 20;
    sample.mostly(70, 6, |line| {
        let name = line.bytes().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let head = line.char_indices().nth(NAME).map_or(line, |(end, _)| &line[..end]);
        name > 0
            && line[name..].starts_with("  ")
            && stamp::time(head).is_none()
            && stamp::time(&line[name..]).is_some()
    })
}

fn dated(sample: &Sample<'_>) -> bool {
    let stamped = |line: &str| stamp::time(line).is_some() || uptime(line).is_some();
    if !sample.filled().take(4).any(stamped) {
        return false;
    }
    let (mut stamped, mut certain, mut continued, mut others) = (0_usize, 0_usize, 0_usize, 0_usize);
    let (mut forward, mut backward) = (0_usize, 0_usize);
    let mut last = None;
    for line in sample.filled() {
        match stamp::time(line).or_else(|| uptime(line)) {
            Some(time) => {
                stamped += 1;
                // A date needs no further proof; a time of day alone may be any column of a table (`ps`).
                certain += usize::from(stamp::is_dated(line));
                if stamp::is_leading(line) || uptime(line).is_some() || stamp::is_epoch(line) {
                    forward += usize::from(last.is_some_and(|last| time >= last));
                    backward += usize::from(last.is_some_and(|last| time < last));
                }
                last = Some(time);
            }
            None if stamped > 0 && (line.starts_with([' ', '\t']) || omit::is_frame(line)) => continued += 1,
            None => others += 1,
        }
    }
    let believed = certain * 2 >= stamped || (forward * 10 >= stamped * 6 && forward >= backward * 4);
    stamped >= 3
        && believed
        && (stamped + continued) * 10 >= (stamped + continued + others) * 6
        && stamped * 40 >= continued
}

/// `[   12.345678] ` at the start of a kernel message, in milliseconds.
fn uptime(line: &str) -> Option<u64> {
    let (seconds, rest) = line.strip_prefix('[')?.split_once('.')?;
    let (fraction, _) = rest.split_once(']')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(fraction) && digits(seconds.trim_start()))
        .then(|| seconds.trim_start().parse::<u64>().ok())?
        .map(|s| s * 1000)
}

/// Most lines start with a level, and more than one level occurs or the lines are alike otherwise.
fn levelled(sample: &Sample<'_>) -> bool {
    sample.mostly(70, 6, |line| level(line).is_some())
}

/// `INFO x`, `[WARN] x`, `ERROR: x`, `D/Tag: x`, `level=info`.
fn level(line: &str) -> Option<&str> {
    const LEVELS: [&str; 12] =
        ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "ERR", "FATAL", "CRITICAL", "SEVERE", "PANIC"];
    let rest = line.trim_start_matches(['[', '<', '(']);
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    let found =
        LEVELS.iter().any(|level| *level == word || (word.eq_ignore_ascii_case(level) && line.len() > rest.len()));
    let logfmt = word == "level" && after.starts_with('=');
    ((found && after.starts_with([':', ' ', ']', '>', ')', '\t', '-', '|'])) || logfmt).then_some(word)
}
