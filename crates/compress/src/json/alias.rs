//! Short names for the beginnings that many addresses share: `$1=https://api.example.org/repos/mia/site` on a line of its own
//! before the value, and `$1/issues` where it is used.
//!
//! This is a substitution on the written text, undone before it is read. Addresses are only ever cut before a slash.

use std::collections::HashMap;

use super::cost;

/// More names than this would have to be looked up too often.
const MAX_NAMES: usize = 9;

/// Estimated tokens that a name must save.
const MIN_GAIN: usize = 20;

/// The text with names for shared beginnings, or as it is when there are none worth it.
pub(super) fn shorten(text: String) -> String {
    if !text.contains("://") || has_name(&text) {
        return text;
    }
    let addresses: Vec<_> = addresses(&text).collect();
    let names = choose(&addresses);
    if names.is_empty() {
        return text;
    }
    let mut short = String::with_capacity(text.len());
    for (place, name) in names.iter().enumerate() {
        short.push_str(&format!("${}={name}\n", place + 1));
    }
    let mut at = 0;
    for (start, address) in addresses {
        let longest =
            names.iter().enumerate().filter(|(_, name)| starts(address, name)).max_by_key(|(_, name)| name.len());
        let Some((place, name)) = longest else { continue };
        short.push_str(&text[at..start]);
        short.push_str(&format!("${}", place + 1));
        at = start + name.len();
    }
    short.push_str(&text[at..]);
    short
}

/// Undoes [`shorten`].
pub(super) fn lengthen(text: &str) -> Option<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(name) = rest.strip_prefix(&format!("${}=", names.len() + 1)).filter(|_| names.len() < MAX_NAMES) {
        let (name, after) = name.split_once('\n')?;
        names.push(name);
        rest = after;
    }
    let mut long = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for (place, _) in rest.match_indices('$') {
        let Some(name) = rest
            .as_bytes()
            .get(place + 1)
            .filter(|_| stands_alone(rest, place))
            .and_then(|digit| names.get(usize::from(digit.checked_sub(b'1')?)))
        else {
            continue;
        };
        long.push_str(&rest[at..place]);
        long.push_str(name);
        at = place + 2;
    }
    long.push_str(&rest[at..]);
    Some(long)
}

/// Whether something in the text would be taken for a name.
fn has_name(text: &str) -> bool {
    text.match_indices('$')
        .any(|(place, _)| stands_alone(text, place) && text.as_bytes().get(place + 1).is_some_and(u8::is_ascii_digit))
}

/// Whether an address or a name may start at `place`.
fn stands_alone(text: &str, place: usize) -> bool {
    place == 0 || matches!(text.as_bytes()[place - 1], b' ' | b'=' | b'"' | b'\n' | b',' | b'[' | b';')
}

/// Every address that is a whole value, or starts one, with its place. Addresses inside sentences are left in them.
fn addresses(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut quotes = Quotes { text, at: 0, open: None };
    text.match_indices("://").filter_map(move |(place, _)| {
        let scheme = text[..place].bytes().rev().take_while(u8::is_ascii_lowercase).count();
        let start = place - scheme;
        let ends =
            |byte: u8| matches!(byte, 0..=b' ' | b'"' | b',' | b';' | b']' | b'{' | b'}' | b'\\' | b'<' | b'>' | 127..);
        let end = text[place..].bytes().position(ends).map_or(text.len(), |length| place + length);
        let starts_value = quotes.open_at(start).is_none_or(|open| open + 1 == start);
        (scheme > 0 && starts_value && stands_alone(text, start)).then(|| (start, &text[start..end]))
    })
}

/// Follows the quotes of a written text.
struct Quotes<'t> {
    text: &'t str,
    at: usize,
    open: Option<usize>,
}

impl Quotes<'_> {
    /// Place of the quote that is open at `place`, which never goes back.
    fn open_at(&mut self, place: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        while let Some(length) = bytes.get(self.at..place).and_then(|ahead| memchr::memchr2(b'"', b'\\', ahead)) {
            let sign = self.at + length;
            self.at = sign + 1;
            match (bytes[sign], self.open) {
                (b'"', None) => self.open = Some(sign),
                (b'"', Some(_)) => self.open = None,
                (_, Some(_)) => self.at += 1,
                (_, None) => {}
            }
        }
        self.at = self.at.max(place);
        self.open
    }
}

/// Whether `address` starts with the segments of `name`.
fn starts(address: &str, name: &str) -> bool {
    address.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The beginnings worth a name, the most worthwhile first.
fn choose<'t>(addresses: &[(usize, &'t str)]) -> Vec<&'t str> {
    let mut counts = HashMap::<&str, usize>::new();
    let mut order = Vec::new();
    for (_, address) in addresses {
        let host = address.find("://").map_or(0, |scheme| scheme + 3);
        let cuts =
            address[host..].bytes().enumerate().filter(|(_, byte)| *byte == b'/').map(|(cut, _)| host + cut).take(8);
        for cut in cuts.chain([address.len()]) {
            let beginning = &address[..cut];
            let count = counts.entry(beginning).or_insert(0);
            *count += 1;
            if *count == 3 {
                order.push(beginning);
            }
        }
    }
    // Each beginning with its estimated cost, computed once.
    let order: Vec<_> = order.into_iter().map(|beginning| (beginning, cost::of_text(beginning) as usize)).collect();
    let mut names: Vec<(&str, usize)> = Vec::new();
    while names.len() < MAX_NAMES {
        let gain = |(beginning, cost): &(&str, usize)| {
            // What a shorter chosen name already saves of it is not gained again.
            let chosen = names.iter().filter(|(name, _)| starts(beginning, name)).map(|(_, cost)| cost - 1).max();
            (counts[*beginning] * cost.saturating_sub(2 + chosen.unwrap_or(0))).saturating_sub(cost + 4)
        };
        let Some(best) = order.iter().filter(|known| !names.contains(known)).max_by_key(|known| gain(known)) else {
            break;
        };
        if gain(best) < MIN_GAIN {
            break;
        }
        let best = *best;
        // Addresses under a longer name no longer use a shorter one.
        let taken = counts[best.0];
        for (beginning, count) in &mut counts {
            if beginning.len() < best.0.len() && starts(best.0, beginning) {
                *count = count.saturating_sub(taken);
            }
        }
        names.push(best);
    }
    names.into_iter().map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_beginnings_are_named_once() {
        let text: String = ["issues", "pulls", "forks", "hooks", "teams"]
            .iter()
            .map(|end| format!("{end}_url=https://api.example.org/repos/mia/site/{end} "))
            .collect();
        let short = shorten(text.clone());
        assert!(
            short.starts_with("$1=https://api.example.org/repos/mia/site\nissues_url=$1/issues pulls_url=$1/pulls "),
            "{short}"
        );
        assert_eq!(lengthen(&short).as_ref(), Some(&text));
    }

    #[test]
    fn sentences_keep_their_addresses() {
        let text = "note=\"see https://api.example.org/repos/mia/site/x\" ".repeat(9);
        assert_eq!(shorten(text.clone()), text);
    }

    #[test]
    fn a_text_with_names_of_its_own_is_left_alone() {
        let text = "price=$1 ".to_owned() + &"a=https://api.example.org/repos/mia/site/x ".repeat(9);
        assert_eq!(shorten(text.clone()), text);
    }
}
