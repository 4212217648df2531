//! Times at the start of log lines.

/// How far into a line a time is looked for, in bytes.
const REACH: usize = 72;

/// The first time of day in the first bytes of a line, in milliseconds since midnight: `18:01:53,885`, `18:01:53.885`,
/// `18:01:53`, or `224234` after a date of six digits. Epoch seconds count too, so that they can be subtracted.
pub(crate) fn time(line: &str) -> Option<u64> {
    let bytes = &line.as_bytes()[..line.len().min(REACH)];
    let mut from = 0;
    while let Some(offset) = memchr::memchr(b':', &bytes[from..]) {
        let colon = from + offset;
        if let Some(time) = clock(bytes, colon) {
            return Some(time);
        }
        from = colon + 1;
    }
    compact(bytes).or_else(|| epoch(bytes))
}

/// `HH:MM:SS` whose first colon is at `colon`, with what follows it. Some programs write `0:5:36`.
fn clock(bytes: &[u8], colon: usize) -> Option<u64> {
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let before = bytes[..colon].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let hour = number(&bytes[colon - before..colon])?;
    let minute_at = colon + 1;
    let second_at = minute_at + digits(minute_at) + 1;
    // `2:0:0:0` is an address of a device, not a time.
    if before > 2
        || before + digits(minute_at) < 3
        || second_at > minute_at + 3
        || bytes.get(second_at - 1) != Some(&b':')
    {
        return None;
    }
    let end = second_at + digits(second_at);
    let (minute, second) = (number(&bytes[minute_at..second_at - 1])?, number(&bytes[second_at..end])?);
    if hour > 23 || minute > 59 || second > 60 || end > second_at + 2 {
        return None;
    }
    let fraction = match bytes.get(end) {
        Some(b'.' | b',' | b':') => bytes.get(end + 1..end + 4).and_then(number).unwrap_or(0),
        _ => 0,
    };
    Some(((hour * 60 + minute) * 60 + second) * 1000 + fraction)
}

/// `081109 203615`: a date and a time of six digits each at the start.
fn compact(bytes: &[u8]) -> Option<u64> {
    if bytes.len() < 14 || bytes[6] != b' ' || bytes[13] != b' ' {
        return None;
    }
    number(&bytes[..6])?;
    let (hour, minute, second) = (number(&bytes[7..9])?, number(&bytes[9..11])?, number(&bytes[11..13])?);
    (hour < 24 && minute < 60 && second <= 60).then_some(((hour * 60 + minute) * 60 + second) * 1000)
}

/// Ten or thirteen digits from 2001 to 2033 that stand alone: seconds or milliseconds since 1970.
fn epoch(bytes: &[u8]) -> Option<u64> {
    let start = bytes.iter().take(40).position(u8::is_ascii_digit)?;
    let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = number(&bytes[start..start + digits])?;
    match digits {
        10 if (1_000_000_000..2_000_000_000).contains(&value) => Some(value * 1000),
        13 if (1_000_000_000_000..2_000_000_000_000).contains(&value) => Some(value),
        _ => None,
    }
}

/// Whether a date stands right before the time: a year, a month's name, or a day and a month.
pub(crate) fn is_dated(line: &str) -> bool {
    let bytes = &line.as_bytes()[..line.len().min(REACH)];
    let Some(colon) = memchr::memchr_iter(b':', bytes).find(|colon| clock(bytes, *colon).is_some()) else {
        return compact(bytes).is_some();
    };
    let before = &bytes[colon.saturating_sub(15)..colon.saturating_sub(2)];
    let parted = before.windows(4).any(|four| {
        four[0].is_ascii_digit()
            && four[1].is_ascii_digit()
            && matches!(four[2], b'-' | b'/' | b'.')
            && four[3].is_ascii_digit()
    });
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    // `I0501 10:00:00.123456`: level, month and day, as Kubernetes writes them.
    let joined = matches!(bytes, [b'I' | b'W' | b'E' | b'F', date @ .., ] if date.len() > 4 && date[..4].iter().all(u8::is_ascii_digit) && date[4] == b' ');
    parted
        || joined
        || before.windows(8).any(|eight| eight.iter().all(u8::is_ascii_digit))
        || before.windows(3).any(|three| MONTHS.contains(&three))
}

/// Whether the time stands at the very start of the line, or behind one bracket.
pub(crate) fn is_leading(line: &str) -> bool {
    let bytes = line.trim_start_matches(['[', '(', '<', ' ']).as_bytes();
    let bytes = &bytes[..bytes.len().min(16)];
    memchr::memchr(b':', bytes).is_some_and(|colon| colon <= 2 && clock(bytes, colon).is_some())
}

/// Whether the time is a count of seconds since 1970.
pub(crate) fn is_epoch(line: &str) -> bool {
    time(line).is_some_and(|time| time > 1_000_000_000_000)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<u64>) {
        assert_eq!(time(line), expected, "{line}");
    }

    #[test]
    fn times_are_found_in_the_usual_places() {
        check("2015-10-18 18:01:53,885 INFO x", Some(64_913_885));
        check("Dec 10 07:28:37 LabSZ sshd", Some(26_917_000));
        check("[Sun Dec 04 05:04:03 2005] [notice]", Some(18_243_000));
        check("081109 000001 3638 WARN", Some(1000));
        check("20171223-22:15:36:356|Step", Some(80_136_356));
        check("20171223-22:18:0:356|Step", Some(80_280_356));
        check("target2:0:0-2:0:0:0", None);
        check("1.2.3.4 - - [10/Oct/2023:08:32:31 +0000] \"GET", Some(30_751_000));
        check("1688048710.899 x", Some(1_688_048_710_000));
        check("error at src/main.rs:12:5", None);
        check("aa:bb:cc 99:99:99", None);
        check("", None);
    }

    #[test]
    fn dates_are_told_from_columns_of_times() {
        for line in [
            "Dec 10 07:28:37 a",
            "2015-10-18 18:01:53,885",
            "1.2.3.4 - - [10/Oct/2023:08:32:31 +0000]",
            "03-17 16:13:46.144  1 2",
        ] {
            assert!(is_dated(line), "{line}");
        }
        let process = "root         1     0  0 Nov01 ?        00:00:11 init";
        assert!(!is_dated("12:00:01 x") && is_leading("[12:00:01] x") && !is_leading(process));
    }
}
