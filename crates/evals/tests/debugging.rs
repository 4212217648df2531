//! The debugging session of `headroom demo debugging`.

use headroom_evals::debugging;

#[test]
fn a_debugging_session_is_far_cheaper_and_shows_every_error_and_the_reason() {
    let shown = debugging::play();
    assert_eq!(shown.requests, 50);
    assert!(shown.log_bytes >= 200_000);
    assert!(shown.retrievals >= 4 && shown.retrieval_cost > 0.0 && shown.retrieval_misses == 0, "{shown:?}");
    assert!(shown.saved_share >= 0.85, "{shown:?}");
    assert!(shown.root_cause_inline && shown.error_lines >= 20, "{shown:?}");
    assert_eq!(shown.error_lines_inline, shown.error_lines, "{shown:?}");
    assert!((shown.stated_direct / shown.direct - 1.0).abs() < 0.05, "the ledger says otherwise: {shown:?}");
}
