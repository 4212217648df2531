use headroom_core::Reason;
use headroom_store::{Batch, Rendering, Replacement, Scope, Store};
use headroom_wire::{Dialect, Request, parse};

use super::lineages;
use crate::{Engine, Kinds, Mode, Policy};

fn send(engine: &Engine, request: &Request) -> Option<Vec<u8>> {
    engine.prepare(&Scope::default(), request, &Policy::of(Mode::Lossless)).body
}

/// T025: an upgrade that would decide otherwise finds what the older version sent, and sends it.
#[test]
fn what_an_older_version_sent_is_sent_again() {
    let body = |turns: usize| {
        let rows: String = (0..400).map(|n| format!("{{\\\"id\\\":{n},\\\"state\\\":\\\"up\\\"}},")).collect();
        let results: String = (0..turns)
            .map(|n| {
                format!(
                    r#",{{"role":"assistant","content":null,"tool_calls":[{{"id":"c{n}","type":"function","function":{{"name":"ls","arguments":"{{}}"}}}}]}},{{"role":"tool","tool_call_id":"c{n}","content":"[{rows}{n}]"}}"#
                )
            })
            .collect();
        let system = "x".repeat(8000);
        format!(
            r#"{{"model":"gpt-4o","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"q"}}{results}]}}"#
        )
    };
    let scope = Scope::default();
    let engine = Engine::new(Store::memory());
    let first = parse(Dialect::OpenAiChat, body(1));
    assert!(send(&engine, &first).is_some(), "the text is one that this version compresses");
    let lineage = lineages(&first, b"", &Kinds::DEFAULT).slots[1];
    // A store in which an older version decided to send the slot another way.
    let store = Store::memory();
    let mut batch = Batch::at(1);
    let older = Replacement { range: 0..5, text: "OLD".to_owned() };
    batch.render(lineage, Rendering { replacements: vec![older], ..Rendering::kept(Reason::Compressed) });
    store.write(&scope, batch).unwrap();
    let upgraded = Engine::new(store);
    for turns in 1..4 {
        let sent = send(&upgraded, &parse(Dialect::OpenAiChat, body(turns))).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains("\"content\":\"OLD"), "{turns}");
    }
}
