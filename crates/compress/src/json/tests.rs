//! The notation, as a property: whatever is written reads back as the same value.

use proptest::prelude::*;

use super::*;

/// Encodes, decodes, and compares; returns the encoding.
#[track_caller]
fn there_and_back(text: &str) -> Option<String> {
    let strings = embed::strings(text);
    let source = Source::parse(text, &strings)?;
    let (Source::Value(node) | Source::Lines(node)) = &source;
    let written = source.write(Extent::Whole)?.text;
    let long = alias::lengthen(&written).unwrap_or_else(|| panic!("cannot be lengthened:\n{text}\n{written}"));
    let back = read::read(&long, node.size()).unwrap_or_else(|| panic!("cannot be read:\n{text}\n{written}"));
    assert!(back.equals(node), "{text}\n{written}");
    Some(written)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(there_and_back(text).as_deref(), Some(expected));
}

/// JSON texts of the shapes that APIs answer with, filled with values that are easily confused with each other.
fn any_json() -> impl Strategy<Value = String> {
    let scalar = || {
        prop_oneof![
            3 => prop::sample::select(vec![
                "null", "true", "false", "0", "-0", "1", "1.0", "1e5", "1E+5", "12345678901234567890", "1e400", "-1.5e-7",
                "\"\"", "\"1\"", "\"1.0\"", "\"null\"", "\"true\"", "\"-\"", "\"-1\"", "\" \"", "\" a\"", "\"a \"", "\"a b\"",
                "\"a,b\"", "\"a;b\"", "\"a=b\"", "\"=a\"", "\"a.b=c\"", "\"[a]\"", "\"{a}\"", "\"a]\"", "\"a\\\"b\"", "\"\\\\\"",
                "\"\\n\"", "\"\\u0000\"", "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"é 日本\"", "\"\u{a0}\"", "\"\u{2028}x\"", "\"\u{feff}\"",
                "\"*a\"", "\"#a\"", "\"a:str\"", "\"?\"", "\"https://x.org/a?b=c&d=e\"", "\"https://x.org/a/{id}\"", "\"a,\"", "\",\"",
                "\"{\\\"a\\\":1}\"", "\"[1, 2]\"", "\"-a\"", "\"01\"", "\"2024-05-21\"", "{}", "[]", "[[]]", "[{}]", "[null]",
            ]).prop_map(str::to_owned),
            1 => "\"[ -!#-\\[\\]-~]{0,12}\"",
            1 => "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,2})?",
        ]
    };
    let key = || {
        prop_oneof![
            6 => prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned),
            1 => prop::sample::select(vec!["", "a.b", "a b", "a=b", "a?", "x:str", "-", "1", "é", "{", "]", "\\n", "\\\"", "ab/c"])
                .prop_map(str::to_owned),
        ]
    };
    let object = move |pairs: Vec<(String, String)>| {
        let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    scalar().prop_recursive(4, 60, 8, move |inner| {
        let record = {
            // Objects with the same keys in the same order, some left out, some added.
            let cell = prop_oneof![3 => Just(None), 8 => inner.clone().prop_map(Some)];
            let extra = prop::option::weighted(0.15, (key(), inner.clone(), 0..6_usize));
            (prop::collection::vec(cell, 4), extra).prop_map(move |(cells, extra)| {
                let names = ["a", "b", "c", "d"];
                let mut pairs: Vec<_> =
                    names.iter().zip(cells).filter_map(|(name, cell)| Some(((*name).to_owned(), cell?))).collect();
                if let Some((key, value, place)) = extra {
                    pairs.insert(place.min(pairs.len()), (key, value));
                }
                object(pairs)
            })
        };
        let constants = inner.clone().prop_flat_map(move |constant| {
            let other = prop_oneof![6 => Just(constant), 1 => scalar()];
            prop::collection::vec((other, scalar(), scalar()), 1..12).prop_map(move |rows| {
                let row = |(a, b, c): (String, String, String)| {
                    object(vec![
                        ("a".to_owned(), object(vec![("b".to_owned(), a.clone()), ("c".to_owned(), a)])),
                        ("b".to_owned(), b),
                        ("c".to_owned(), c),
                    ])
                };
                format!("[{}]", rows.into_iter().map(row).collect::<Vec<_>>().join(","))
            })
        });
        let addresses = {
            let name =
                prop::sample::select(vec!["ann", "bob", "a-b", "1", "12", "", "-", "null", "x y", "{b}", "a/b", "a,b"]);
            let tail =
                prop::sample::select(vec!["", "", "", "", "/posts{/id}", "{/b}", "/{a}", ".git", "?q=1,2", " x", "]"]);
            let other = prop_oneof![12 => Just(None), 1 => scalar().prop_map(Some)];
            prop::collection::vec((name, other), 2..8).prop_flat_map(move |rows| (Just(rows), tail.clone())).prop_map(
                move |(rows, tail)| {
                    let row = |(name, other): (&str, Option<String>)| {
                        let address = format!("\"https://x.org/u/{name}{tail}\"");
                        object(vec![
                            ("a".to_owned(), format!("\"{name}\"")),
                            ("b".to_owned(), other.unwrap_or_else(|| address.clone())),
                            ("c".to_owned(), address),
                        ])
                    };
                    format!("[{}]", rows.into_iter().map(row).collect::<Vec<_>>().join(","))
                },
            )
        };
        let kinds = {
            let row = (0..3_usize, scalar(), scalar(), prop::option::weighted(0.1, scalar())).prop_map(
                move |(kind, one, two, extra)| {
                    let keys: &[&str] = [&["a", "b", "c"][..], &["c", "x", "a"], &["y", "z"]][kind];
                    let mut pairs: Vec<_> = keys
                        .iter()
                        .zip([one.clone(), two, one])
                        .map(|(key, value)| ((*key).to_owned(), value))
                        .collect();
                    pairs.extend(extra.map(|extra| ("w".to_owned(), extra)));
                    object(pairs)
                },
            );
            prop::collection::vec(prop_oneof![20 => row, 1 => scalar()], 4..16)
                .prop_map(|rows| format!("[{}]", rows.join(",")))
        };
        let repeats =
            (prop::collection::vec((inner.clone(), inner.clone()), 1..3), prop::collection::vec(0..3_usize, 2..9))
                .prop_map(move |(values, picks)| {
                    let long = "\"a text that is long enough to be worth a reference when it comes again\"".to_owned();
                    let one = |pick: usize| {
                        let (first, second) = values[pick % values.len()].clone();
                        object(vec![("a".to_owned(), first), ("b".to_owned(), second), ("c".to_owned(), long.clone())])
                    };
                    let rows: Vec<_> = picks
                        .iter()
                        .enumerate()
                        .map(|(id, pick)| {
                            object(vec![("id".to_owned(), id.to_string()), ("by".to_owned(), one(*pick))])
                        })
                        .collect();
                    format!("[[{}],{},{{\"again\":{}}}]", rows.join(","), one(0), one(1))
                });
        let wrapped = (inner.clone(), 0..6_usize).prop_map(|(text, style)| {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else { return text };
            let inner = match style {
                0 => value.to_string(),
                1 => serde_json::to_string_pretty(&value).unwrap_or_default(),
                2 => format!("{value}\n"),
                3 => serde_json::to_string_pretty(&value).unwrap_or_default().replace("\n", " "),
                4 => format!("{} ", value),
                _ => value.to_string().replace("\":", "\": ").replace(",\"", ", \""),
            };
            format!("{{\"type\":\"text\",\"text\":{},\"a\":\"json{{x\"}}", serde_json::Value::String(inner))
        });
        let lists = {
            let value = prop_oneof![8 => scalar(), 1 => inner.clone()];
            let row = prop_oneof![9 => prop::collection::vec(value, 3), 1 => prop::collection::vec(scalar(), 0..5)];
            (prop::collection::vec(row, 3..10), scalar()).prop_map(|(rows, constant)| {
                let row = |row: Vec<String>| format!("[{},{constant}]", row.join(","));
                format!("[{}]", rows.into_iter().filter(|row| !row.is_empty()).map(row).collect::<Vec<_>>().join(","))
            })
        };
        prop_oneof![
            addresses,
            lists,
            wrapped,
            kinds,
            repeats,
            prop::collection::vec((key(), inner.clone()), 0..6).prop_map(object),
            prop::collection::vec(inner, 0..6).prop_map(|elements| format!("[{}]", elements.join(", "))),
            prop::collection::vec(record, 1..8).prop_map(|elements| format!("[{}]", elements.join(",\n"))),
            constants,
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_reads_back_as_the_same_value(text in any_json()) {
        let node = parse::parse(&text, &[]).expect("the generator makes JSON");
        let has_parts = match &node.value {
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(pairs) => !pairs.is_empty(),
            _ => false,
        };
        prop_assert_eq!(there_and_back(&text).is_some(), has_parts);
    }

    #[test]
    fn reading_any_text_is_total(text in headroom_testkit::generate::any_text(), cut in 0..200_usize) {
        let _ = alias::lengthen(&text);
        let _ = read::read(&text, 10_000);
        let written = there_and_back(r#"{"a":[{"b":1,"c":{"d":[{"e":"x y"},{"e":null}]}},{"b":2,"c":{"d":[]}}],"f":"g"}"#).unwrap();
        let _ = read::read(written.get(..cut).unwrap_or_default(), 10_000);
    }
}

#[test]
fn the_corpus_comes_back() {
    for path in headroom_testkit::corpus::files("json_api") {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(there_and_back(&text).is_some() || path.extension().is_some_and(|end| end == "ndjson"), "{path:?}");
    }
}

#[test]
fn types_that_look_alike_are_kept_apart() {
    check(
        r#"{"a":null,"b":"null","c":"","d":"1","e":1,"f":1.0,"g":1e0,"h":-0,"i":12345678901234567890,"j":"true","k":true}"#,
        r#"a=null b="null" c="" d="1" e=1 f=1.0 g=1e0 h=-0 i=12345678901234567890 j="true" k=true"#,
    );
}

#[test]
fn rows_take_their_keys_from_the_header() {
    check(
        r#"{"flights":[{"n":"HAT028","date":"2024-05-21","price":140},{"n":"HAT277","date":"2024-05-21","price":101},
           {"n":"HAT3","date":"2024-05-22","seats":3,"price":null}]}"#,
        "flights=[{n date=2024-05-21 price}\nHAT028 140\nHAT277 101\nHAT3 date=2024-05-22 seats=3 null]",
    );
}

#[test]
fn duplicate_keys_and_other_orders_are_written_on_their_own() {
    check(
        r#"[{"a":1,"b":2},{"a":3,"b":4},{"b":5,"a":6},{"a":7,"a":8},{"a":9,"b":0},{"a":1,"b":1},null,"x"]"#,
        "[{a b}\n1 2\n3 4\n={b=5 a=6}\n={a=7 a=8}\n9 0\n1 1\n=null\n=x]",
    );
}

#[test]
fn arrays_of_one_length_are_rows_too() {
    check(
        r#"{"values":[["name","city","n"],["Mia","Rome",1],["Omar","Rome",2],["Ann Li","Rome",30],["Raj","Rome"]]}"#,
        "values=[#{0 1=Rome 2}\nname 1=city n\nMia 1\nOmar 2\n\"Ann Li\" 30\n=[Raj Rome]]",
    );
}

#[test]
fn json_in_strings_is_unwrapped() {
    check(
        r#"{"content":[{"type":"text","text":"{\"id\": 7, \"names\": [\"Mia Li\", \"Omar\"], \"ok\": true}"}]}"#,
        r#"content=[{type=text text=json:{id=7 names=["Mia Li" Omar] ok=true}}]"#,
    );
    check(
        r#"{"text":"{\"id\":7,  \"names\":[\"Mia Li\",\"Omar\"],\"ok\":true,\"no\":\"usual style\"}"}"#,
        r#"text="{\"id\":7,  \"names\":[\"Mia Li\",\"Omar\"],\"ok\":true,\"no\":\"usual style\"}""#,
    );
}

#[test]
fn too_deep_a_value_is_left_alone() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(there_and_back(&deep), None);
}
