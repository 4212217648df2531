//! Sentences.

use super::Sample;

/// Whether the text is written in sentences: nearly all of its characters are letters, blanks and the marks of writing, its words are
/// plain words, and several sentences end.
pub(super) fn is_prose(sample: &Sample<'_>) -> bool {
    let (mut letters, mut written, mut all) = (0_usize, 0_usize, 0_usize);
    let (mut plain, mut words, mut ends) = (0_usize, 0_usize, 0_usize);
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
            ends += usize::from(matches!(c, '。' | '！' | '？' | '؟' | '।'));
        }
        for word in line.split(|c: char| c.is_whitespace() || is_mark_without_blank(c)).filter(|word| !word.is_empty())
        {
            words += 1;
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            plain += usize::from(
                !bare.is_empty() && bare.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-')),
            );
            ends += usize::from(
                word.ends_with(['.', '!', '?']) && bare.len() + 1 >= word.len() && bare.chars().count() > 1,
            );
        }
    }
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

/// What writing consists of besides letters, in ASCII.
const WRITTEN: &[u8] = b" .,;:!?'\"-";

/// The marks of scripts that put no blanks between words.
const fn is_mark_without_blank(c: char) -> bool {
    matches!(c, '、' | '。' | '，' | '！' | '？' | '「' | '」' | '『' | '』' | '（' | '）' | '；' | '：')
}
