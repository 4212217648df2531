//! HTML pages.

/// Whether the text is an HTML page: it opens as one, or its start is thick with HTML's own elements that are closed again.
pub(super) fn is_html(text: &str) -> bool {
    let mut start = super::head(text, 16 * 1024).trim_start_matches('\u{feff}').trim_start();
    while let Some(comment) = start.strip_prefix("<!--") {
        let Some((_, rest)) = comment.split_once("-->") else { break };
        start = rest.trim_start();
    }
    let opens = |tag: &str| start.get(..tag.len()).is_some_and(|given| given.eq_ignore_ascii_case(tag));
    if opens("<!doctype html") || opens("<html") {
        return true;
    }
    if !start.starts_with('<') || opens("<?xml") {
        return false;
    }
    let tags = memchr::memmem::find_iter(start.as_bytes(), b"</").filter(|at| closes_element(&start[at + 2..])).count();
    tags >= 8 && tags * 400 >= start.len()
}

fn closes_element(text: &str) -> bool {
    const ELEMENTS: [&str; 20] = [
        "a", "p", "div", "span", "li", "ul", "ol", "td", "tr", "th", "table", "h1", "h2", "h3", "body", "head",
        "section", "article", "script", "nav",
    ];
    text.split_once('>').is_some_and(|(name, _)| ELEMENTS.iter().any(|element| element.eq_ignore_ascii_case(name)))
}
