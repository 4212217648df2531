//! Recorded conversations as agents of OpenAI Responses and Gemini would have had them: the same gates as for the dialects they were recorded in.

use headroom::{Engine, Mode, Policy};
use headroom_evals::{Prices, Report, Session, parse_session, replay};
use headroom_store::{Scope, Store};
use headroom_testkit::corpus;
use headroom_wire::{Dialect, parse_at};
use serde_json::{Value, json};

/// The recorded sessions, of agents with tools and instructions long enough that originals may be fetched back.
fn sessions() -> Vec<Session> {
    let recorded = std::fs::read_to_string(corpus::repository().join("corpus/sessions/demo.jsonl")).unwrap();
    let equipped = recorded.lines().map(|line| {
        let mut session: Value = serde_json::from_str(line).unwrap();
        let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}});
        session["tools"] = json!([{"name": "Bash", "description": "Runs a command.", "input_schema": schema}]);
        session["system"] = json!([{"type": "text", "text": "You are an operator. ".repeat(1500)}]);
        parse_session(&session.to_string()).unwrap()
    });
    equipped.collect()
}

fn played(session: &Session, prices: &Prices) -> Report {
    let engine = Engine::new(Store::memory());
    replay(session, &engine, &Scope::default(), &Policy::of(Mode::Standard), prices).report
}

#[test]
fn the_gates_hold_in_every_dialect() {
    for recorded in sessions() {
        let own = played(&recorded, &Prices::OPENAI);
        for dialect in [Dialect::OpenAiResponses, Dialect::Gemini] {
            let session = recorded.clone().spoken_in(dialect).unwrap();
            let report = played(&session, &Prices::OPENAI);
            let found = format!("{dialect} {}: {report:?}", session.id);
            assert_eq!(report.turns, own.turns, "{found}");
            assert_eq!(
                (report.prefix_violations, report.integrity_violations, report.handles_lost),
                (0, 0, 0),
                "{found}"
            );
            assert!(report.handles > 0 && report.tokens_ours < report.tokens_direct * 9 / 10, "{found}");
            assert!(report.dearer == 0 && report.net() < 1.0, "{found}");
            assert!(report.atoms >= own.atoms * 9 / 10 && report.recall() >= own.recall() - 0.005, "{found}\n{own:?}");
        }
    }
}

/// Every result of the recording is a slot with the call it belongs to.
#[test]
fn a_conversation_says_the_same_in_another_dialect() {
    for recorded in sessions() {
        let last = recorded.turns().last().unwrap();
        let slots = |session: &Session| {
            let request = parse_at(session.dialect, &session.path(), session.request(last));
            let results = request.slots().iter().filter(|slot| slot.tool().is_some());
            results.map(|slot| (slot.tool().unwrap().to_owned(), slot.text().to_owned())).collect::<Vec<_>>()
        };
        let own = slots(&recorded);
        assert!(own.len() > 20, "{}", own.len());
        for dialect in [Dialect::OpenAiResponses, Dialect::Gemini] {
            let session = recorded.clone().spoken_in(dialect).unwrap();
            assert_eq!(slots(&session), own, "{dialect}");
            let request: Value = serde_json::from_str(&session.request(last)).unwrap();
            assert!(!request.to_string().contains("cache_control"));
            // One turn is the beginning of the next.
            let bodies: Vec<String> = session.turns().map(|turn| session.request(turn)).collect();
            assert!(bodies.windows(2).all(|pair| pair[1].starts_with(pair[0].trim_end_matches("]}"))), "{dialect}");
        }
    }
    assert!(sessions()[0].clone().spoken_in(Dialect::OpenAiChat).is_none(), "sessions are recorded in that one");
}
