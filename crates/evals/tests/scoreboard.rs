//! The scoreboard over the cases of this repository: nothing is lost, anywhere.

use headroom_evals::scoreboard::{Options, markdown, run};
use headroom_testkit::corpus;

#[test]
fn no_case_of_the_repository_loses_a_fact() {
    let board = run(&[&corpus::repository().join("corpus/cases")], &Options::default());
    assert!(board.families.len() >= 5, "{}", markdown(&board));
    assert!(board.losses.is_empty(), "{:#?}", board.losses);
    let (files, facts) =
        board.families.iter().fold((0, 0), |(files, facts), score| (files + score.files, facts + score.standard.facts));
    assert!(files >= 40 && facts > files, "{files} files, {facts} facts");
    let within = |score: &headroom_evals::scoreboard::Score| {
        score.lossless.tokens <= score.tokens && score.standard.tokens <= score.tokens
    };
    assert!(board.families.iter().all(within));
}
