//! What may be done to each kind of text: the `compression_config` of every door, read in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use headroom_core::{CountTokens, Kind, Language, Reason};
use serde_json::Value;

use crate::Level;

/// A kind of text as the configuration names it: all languages of code are one.
struct Family {
    name: &'static str,
    /// The names its compressor goes by; the first is the one that is shown.
    compressors: &'static [&'static str],
    /// The key that only this kind takes, beside [`COMMON_KEYS`].
    own_key: Option<&'static str>,
}

const FAMILIES: &[Family] = &[
    Family { name: "code", compressors: &["CodeCompressor", "code"], own_key: Some(LANGUAGES) },
    Family { name: "command", compressors: &["CommandCompressor", "command"], own_key: None },
    Family { name: "diff", compressors: &["DiffCompressor", "diff"], own_key: None },
    Family { name: "html", compressors: &["HtmlCompressor", "html"], own_key: None },
    Family { name: "json", compressors: &["SmartCrusher", "json"], own_key: None },
    Family { name: "log", compressors: &["LogCompressor", "log"], own_key: None },
    Family { name: "prose", compressors: &["Kompress", "prose"], own_key: Some(RATIO) },
    Family { name: "search", compressors: &["SearchCompressor", "search"], own_key: None },
    Family { name: "table", compressors: &["TableCompressor", "table"], own_key: None },
];

const COMPRESSOR: &str = "compressor";
const ENABLED: &str = "enabled";
const LEVEL: &str = "level";
const THRESHOLD: &str = "threshold";
const LANGUAGES: &str = "languages";
const RATIO: &str = "ratio";

/// The keys that every kind takes.
const COMMON_KEYS: &[&str] = &[COMPRESSOR, ENABLED, LEVEL, THRESHOLD];

const LEVELS: &[(&str, Level)] =
    &[("lossless", Level::Lossless), ("light", Level::Light), ("standard", Level::Standard)];

/// What may be done to each kind of text. By default everything that the level of a request or call allows.
///
/// Written as a JSON object or a TOML table: for each kind (`code`, `command`, `diff`, `html`, `json`, `log`, `prose`, `search`, `table`)
///
/// | key | value | meaning |
/// |---|---|---|
/// | `compressor` | name | the kind's compressor, by its own name or the kind's; a name that does not fit is refused |
/// | `enabled` | `true`, `false` | `false`: texts of this kind pass as they are |
/// | `threshold` | tokens | texts of fewer tokens pass as they are |
/// | `level` | `lossless`, `light`, `standard` | goes no further than this, whatever the request allows |
/// | `languages` | list of names | `code` only: code in other languages passes as it is |
/// | `ratio` | above 0, at most 1 | `prose` only: the share of a text's bytes that may stay, in steps of a thousandth; what states a failure stays in any case |
///
/// These settings are part of what names a rendering: the same conversation under other settings is another conversation, and neither
/// is sent what was decided for the other.
///
/// ```
/// use headroom::Kinds;
///
/// let said = serde_json::json!({"json": {"compressor": "SmartCrusher", "threshold": 1000}, "prose": {"ratio": 0.4}});
/// assert!(Kinds::from_json(&said, "compression_config").is_ok());
///
/// let said = serde_json::json!({"json": {"treshold": 1000}});
/// let refused = Kinds::from_json(&said, "compression_config").unwrap_err().to_string();
/// assert!(refused.starts_with(r#"compression_config.json: unknown key "treshold"; did you mean "threshold"?"#), "{refused}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// By the name of the family. What says nothing is not in it.
    rules: BTreeMap<&'static str, Rule>,
}

/// What was said about one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    disabled: bool,
    /// Tokens.
    threshold: Option<usize>,
    level: Option<Level>,
    languages: Option<BTreeSet<Language>>,
    /// In thousandths, so that settings can be compared.
    ratio: Option<u16>,
}

/// Everything that is wrong with a configuration, one sentence each: where it is, what it is, what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// An error with these sentences.
    pub fn new(problems: Vec<String>) -> Self {
        Self { problems }
    }
}

impl Kinds {
    /// Nothing said.
    pub const DEFAULT: Self = Self { rules: BTreeMap::new() };

    /// Reads the settings; `at` is what the caller calls the place where they stand, for messages.
    ///
    /// # Errors
    ///
    /// When a kind, a key or a compressor is unknown, or a value has the wrong type or range. All mistakes are reported together.
    pub fn from_json(said: &Value, at: &str) -> Result<Self, ConfigError> {
        let mut reader = Reader::default();
        let mut kinds = Self::DEFAULT;
        let Value::Object(said) = said else {
            let example = r#"{"json": {"threshold": 1000}}"#;
            return Err(ConfigError::new(vec![format!(
                "{at}: expected settings by kind such as {example}, not {said}"
            )]));
        };
        for (name, settings) in said {
            let Some(family) = FAMILIES.iter().find(|family| family.name == name) else {
                let known = FAMILIES.iter().map(|family| family.name);
                reader.unknown(at, "kind of text", name, known);
                continue;
            };
            let rule = reader.rule(&format!("{at}.{name}"), family, settings);
            if rule != Rule::default() {
                kinds.rules.insert(family.name, rule);
            }
        }
        if reader.problems.is_empty() { Ok(kinds) } else { Err(ConfigError::new(reader.problems)) }
    }

    /// Whether nothing was said that differs from the default.
    pub fn is_default(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a text of this kind may be touched; if not, why.
    pub(crate) fn admits(&self, kind: Kind, text: &str, tokens: &dyn CountTokens) -> Result<(), Reason> {
        let Some(rule) = self.rule(kind) else { return Ok(()) };
        let other_language =
            || matches!((kind, &rule.languages), (Kind::Code(language), Some(named)) if !named.contains(&language));
        if rule.disabled || other_language() {
            return Err(Reason::Policy);
        }
        match rule.threshold {
            // A token has at least one byte: most short texts need not be counted.
            Some(least) if text.len() < least || tokens.count(text) < least => Err(Reason::BelowFloor),
            _ => Ok(()),
        }
    }

    /// The furthest level for texts of this kind.
    pub(crate) fn level(&self, kind: Kind) -> Level {
        self.rule(kind).and_then(|rule| rule.level).unwrap_or(Level::Standard)
    }

    /// The share of prose that may stay, if it was said.
    pub(crate) fn prose_ratio(&self) -> Option<f32> {
        self.rule(Kind::Prose)?.ratio.map(|thousandths| f32::from(thousandths) / 1000.0)
    }

    /// The settings in one line that is the same for equal settings in every version; `None` for the default.
    pub(crate) fn canonical(&self) -> Option<String> {
        let mut line = String::new();
        for (name, rule) in &self.rules {
            line.push_str(name);
            rule.write_to(&mut line);
            line.push(';');
        }
        (!line.is_empty()).then_some(line)
    }

    fn rule(&self, kind: Kind) -> Option<&Rule> {
        self.rules.get(family_of(kind)?)
    }
}

impl Rule {
    /// What was said, in the order of the fields. Lineages hang on this notation: it only ever grows at its end.
    fn write_to(&self, line: &mut String) {
        if self.disabled {
            line.push_str(" disabled");
        }
        if let Some(threshold) = self.threshold {
            let _ = write!(line, " threshold={threshold}");
        }
        if let Some((name, _)) = LEVELS.iter().find(|(_, level)| Some(*level) == self.level) {
            let _ = write!(line, " level={name}");
        }
        if let Some(languages) = &self.languages {
            let mut names: Vec<_> = languages.iter().map(|language| language.name()).collect();
            names.sort_unstable();
            let _ = write!(line, " languages={}", names.join(","));
        }
        if let Some(ratio) = self.ratio {
            let _ = write!(line, " ratio={ratio}");
        }
    }
}

/// The name of a kind in the configuration; `None` for what is never touched.
fn family_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Code(_) => "code",
        Kind::Command => "command",
        Kind::Diff => "diff",
        Kind::Html => "html",
        Kind::Json => "json",
        Kind::Log => "log",
        Kind::Prose => "prose",
        Kind::Search => "search",
        Kind::Table => "table",
        Kind::Opaque => return None,
    })
}

/// The known name that was probably meant.
pub fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let given = given.to_ascii_lowercase();
    let likeness = |name: &'k str| (strsim::jaro_winkler(&name.to_ascii_lowercase(), &given), name);
    let best = known.into_iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.75).map(|(_, name)| name)
}

#[derive(Default)]
struct Reader {
    problems: Vec<String>,
}

impl Reader {
    fn wrong(&mut self, at: &str, key: &str, expected: &str, given: &Value) {
        self.problems.push(format!("{at}.{key}: expected {expected}, not {given}"));
    }

    fn unknown<'k>(&mut self, at: &str, what: &str, given: &str, known: impl Iterator<Item = &'k str> + Clone) {
        let meant = nearest(given, known.clone()).map(|meant| format!("did you mean {meant:?}? ")).unwrap_or_default();
        let known: Vec<_> = known.collect();
        self.problems.push(format!("{at}: unknown {what} {given:?}; {meant}known: {}", known.join(", ")));
    }

    fn rule(&mut self, at: &str, family: &Family, settings: &Value) -> Rule {
        let mut rule = Rule::default();
        let Value::Object(settings) = settings else {
            self.problems.push(format!(r#"{at}: expected settings such as {{"enabled": false}}, not {settings}"#));
            return rule;
        };
        for (key, value) in settings {
            match key.as_str() {
                COMPRESSOR => self.compressor(at, family, value),
                ENABLED => match value {
                    Value::Bool(enabled) => rule.disabled = !enabled,
                    other => self.wrong(at, key, "true or false", other),
                },
                LEVEL => rule.level = self.level(at, value),
                THRESHOLD => match value.as_u64().and_then(|tokens| usize::try_from(tokens).ok()) {
                    Some(tokens) => rule.threshold = (tokens > 0).then_some(tokens),
                    None => self.wrong(at, key, "a whole number of tokens", value),
                },
                LANGUAGES if family.own_key == Some(LANGUAGES) => rule.languages = self.languages(at, value),
                RATIO if family.own_key == Some(RATIO) => {
                    match value.as_f64().filter(|share| *share >= 0.001 && *share <= 1.0) {
                        // Between 1 and 1000.
                        Some(share) => rule.ratio = Some((share * 1000.0).round() as u16),
                        None => self.wrong(at, key, "the share that may stay, from 0.001 to 1", value),
                    }
                }
                other => match FAMILIES.iter().find(|family| family.own_key == Some(other)) {
                    Some(whose) => {
                        self.problems.push(format!("{at}: {other:?} is a setting of {:?} only", whose.name));
                    }
                    None => self.unknown(at, "key", other, COMMON_KEYS.iter().copied().chain(family.own_key)),
                },
            }
        }
        rule
    }

    fn compressor(&mut self, at: &str, family: &Family, value: &Value) {
        let Value::String(name) = value else {
            return self.wrong(at, COMPRESSOR, &format!("{:?}", family.compressors[0]), value);
        };
        if family.compressors.contains(&name.as_str()) {
            return;
        }
        match FAMILIES.iter().find(|other| other.compressors.contains(&name.as_str())) {
            Some(other) => self.problems.push(format!(
                "{at}.{COMPRESSOR}: {name} is for {}; did you mean {:?}? To leave {} alone, write \"{ENABLED}\": false",
                other.name, family.compressors[0], family.name
            )),
            None => self.unknown(&format!("{at}.{COMPRESSOR}"), "compressor", name, family.compressors.iter().copied()),
        }
    }

    fn level(&mut self, at: &str, value: &Value) -> Option<Level> {
        let known = LEVELS.iter().map(|(name, _)| *name);
        let Value::String(name) = value else {
            self.wrong(at, LEVEL, "lossless, light or standard", value);
            return None;
        };
        let found = LEVELS.iter().find(|(known, _)| known == name);
        if found.is_none() {
            self.unknown(&format!("{at}.{LEVEL}"), "level", name, known);
        }
        // The furthest level is no limit.
        found.map(|(_, level)| *level).filter(|level| *level != Level::Standard)
    }

    fn languages(&mut self, at: &str, value: &Value) -> Option<BTreeSet<Language>> {
        let Value::Array(names) = value else {
            self.wrong(at, LANGUAGES, r#"a list of names such as ["python"]"#, value);
            return None;
        };
        let built: Vec<Language> = crate::route::languages().collect();
        let mut languages = BTreeSet::new();
        for name in names {
            let Value::String(name) = name else {
                self.wrong(at, LANGUAGES, "names of languages in it", name);
                continue;
            };
            match built.iter().find(|language| language.name() == name) {
                Some(language) => _ = languages.insert(*language),
                None => {
                    let known = built.iter().map(|language| language.name());
                    self.unknown(&format!("{at}.{LANGUAGES}"), "language", name, known);
                }
            }
        }
        Some(languages)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(said: &Value) -> Result<Kinds, String> {
        Kinds::from_json(said, "compression_config").map_err(|error| error.to_string())
    }

    #[test]
    fn a_setting_that_says_the_default_is_none() {
        let said = json!({
            "json": {"compressor": "SmartCrusher", "threshold": 0}, "code": {"enabled": true}, "log": {"level": "standard"}, "diff": {},
        });
        assert_eq!(read(&said), Ok(Kinds::DEFAULT));
        assert_eq!(Kinds::DEFAULT.canonical(), None);
    }

    #[test]
    fn equal_settings_are_written_the_same_way() {
        let one =
            read(&json!({"prose": {"ratio": 0.4}, "code": {"languages": ["typescript", "python"], "level": "light"}}));
        let other =
            read(&json!({"code": {"level": "light", "languages": ["python", "typescript"]}, "prose": {"ratio": 0.4}}));
        assert_eq!(one, other);
        assert_eq!(
            one.unwrap().canonical().as_deref(),
            Some("code level=light languages=python,typescript;prose ratio=400;")
        );
    }

    #[test]
    fn mistakes_are_named_with_what_was_probably_meant() {
        let cases = [
            (json!([]), "compression_config: expected settings by kind"),
            (json!({"jason": {}}), r#"unknown kind of text "jason"; did you mean "json"? known: code, command"#),
            (json!({"opaque": {}}), r#"unknown kind of text "opaque""#),
            (json!({"json": 3}), "compression_config.json: expected settings"),
            (json!({"json": {"treshold": 3}}), r#"json: unknown key "treshold"; did you mean "threshold"?"#),
            (json!({"json": {"ratio": 0.4}}), r#""ratio" is a setting of "prose" only"#),
            (json!({"json": {"threshold": -1}}), "json.threshold: expected a whole number of tokens, not -1"),
            (json!({"json": {"threshold": true}}), "json.threshold: expected a whole number of tokens, not true"),
            (json!({"json": {"compressor": "smartcrusher"}}), r#"did you mean "SmartCrusher"?"#),
            (json!({"json": {"compressor": "Kompress"}}), "Kompress is for prose; did you mean \"SmartCrusher\"?"),
            (json!({"json": {"compressor": null}}), r#"expected "SmartCrusher", not null"#),
            (json!({"prose": {"ratio": 0}}), "prose.ratio: expected the share that may stay, from 0.001 to 1, not 0"),
            (json!({"prose": {"ratio": "0.4"}}), "prose.ratio: expected"),
            (json!({"log": {"level": "losless"}}), r#"did you mean "lossless"?"#),
            (json!({"log": {"level": 1}}), "log.level: expected lossless, light or standard"),
            (json!({"log": {"enabled": "no"}}), "log.enabled: expected true or false"),
            (json!({"code": {"languages": "python"}}), "code.languages: expected a list"),
            (json!({"code": {"languages": ["pyton"]}}), r#"unknown language "pyton"; did you mean "python"?"#),
            (json!({"code": {"languages": [1]}}), "expected names of languages"),
        ];
        for (said, expected) in cases {
            let refused = read(&said).unwrap_err();
            assert!(refused.contains(expected), "{said}: {refused}");
        }
        let all = read(&json!({"json": {"treshold": 3, "level": 1}, "x": {}})).unwrap_err();
        assert_eq!(all.lines().count(), 3, "{all}");
    }
}
