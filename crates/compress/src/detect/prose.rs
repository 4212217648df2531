//! Sentences.

use super::Sample;

/// Whether the text is written in sentences: nearly all of its characters are letters, blanks and the marks of writing, its words are
/// plain words, and several sentences end.
pub(super) fn is_prose(sample: &Sample<'_>) -> bool {
    let (mut letters, mut written, mut all) = (0_usize, 0_usize, 0_usize);
    let mut words = Words::default();
    for line in sample.filled() {
        for c in line.chars() {
            all += 1;
            if let Ok(byte @ 0..0x80) = u8::try_from(c) {
                let letter = byte.is_ascii_alphabetic();
                letters += usize::from(letter);
                written += usize::from(letter || WRITTEN.contains(&byte));
                continue;
            }
            letters += usize::from(c.is_alphabetic());
            written += usize::from(c.is_alphabetic() || c == '’') + usize::from(is_mark_without_blank(c));
            words.ends += usize::from(matches!(c, '。' | '！' | '？' | '؟' | '।'));
        }
        if line.is_ascii() {
            words.count_ascii(line.as_bytes());
        } else {
            words.count(line);
        }
    }
    let Words { all: words, plain, ends } = words;
    let long_words = all >= words * 3;
    // Headings are few; more rows that begin like one are the comments of a file.
    let hashes = sample.filled().filter(|line| line.trim_start().starts_with("# ")).count();
    ends >= 3
        && hashes * 4 <= sample.filled().count()
        && long_words
        && letters * 100 >= all * 65
        && written * 100 >= all * 90
        && plain * 100 >= words * 80
        && words <= ends * 60
}

/// How many words there are, how many of them are plain, and how many sentences end.
#[derive(Default)]
struct Words {
    all: usize,
    plain: usize,
    ends: usize,
}

impl Words {
    fn count(&mut self, line: &str) {
        for word in line.split(|c: char| c.is_whitespace() || is_mark_without_blank(c)).filter(|word| !word.is_empty())
        {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            self.all += 1;
            self.plain += usize::from(
                !bare.is_empty() && bare.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-')),
            );
            self.ends += usize::from(
                word.ends_with(['.', '!', '?']) && bare.len() + 1 >= word.len() && bare.chars().count() > 1,
            );
        }
    }

    /// The same for lines in ASCII, which are nearly all.
    fn count_ascii(&mut self, line: &[u8]) {
        for word in line.split(|byte| matches!(byte, 0x09..=0x0d | b' ')).filter(|word| !word.is_empty()) {
            let bare = bare_ascii(word);
            self.all += 1;
            self.plain += usize::from(
                !bare.is_empty() && bare.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'\'' | b'-')),
            );
            let sentence = matches!(word, [.., b'.' | b'!' | b'?']);
            self.ends += usize::from(sentence && bare.len() + 1 >= word.len() && bare.len() > 1);
        }
    }
}

/// A word without the signs around it.
fn bare_ascii(word: &[u8]) -> &[u8] {
    let start = word.iter().position(u8::is_ascii_alphanumeric).unwrap_or(word.len());
    let end = word.iter().rposition(u8::is_ascii_alphanumeric).map_or(start, |last| last + 1);
    &word[start..end]
}

/// What writing consists of besides letters, in ASCII.
const WRITTEN: &[u8] = b" .,;:!?'\"-";

/// The marks of scripts that put no blanks between words.
const fn is_mark_without_blank(c: char) -> bool {
    matches!(c, '、' | '。' | '，' | '！' | '？' | '「' | '」' | '『' | '』' | '（' | '）' | '；' | '：')
}
