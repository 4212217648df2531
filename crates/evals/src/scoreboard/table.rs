//! The scoreboard as Markdown.

use std::fmt::Write as _;

use super::{LevelScore, Score, Scoreboard};

/// Two tables (families, folders) and the list of losses.
pub fn markdown(board: &Scoreboard) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "## By what a text is for its reader\n");
    rows(&mut text, &board.families);
    let _ = writeln!(text, "\n## By folder\n");
    rows(&mut text, &board.sets);
    if !board.losses.is_empty() {
        let _ = writeln!(text, "\n## Files that lost a fact (they count as unshortened)\n");
        for loss in &board.losses {
            let first = loss.missing.first().map_or(String::new(), |fact| fact.chars().take(100).collect());
            let _ = writeln!(
                text,
                "- {} at `{}`: {} missing, first `{}`",
                loss.name,
                loss.level,
                loss.count,
                first.replace('`', "'")
            );
        }
    }
    text
}

/// One table of a few columns, for people who want to know what to expect.
pub fn summary(board: &Scoreboard) -> String {
    let mut text = String::from(
        "| | files | tokens | saved, lossless | saved, standard | files that lost a fact |\n|---|---|---|---|---|---|\n",
    );
    for score in &board.families {
        let lost = 2 * score.files - score.lossless.faithful - score.standard.faithful;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} % | {:.1} % | {lost} |",
            score.name,
            score.files,
            score.tokens,
            score.lossless.saving(score.tokens),
            score.standard.saving(score.tokens),
        );
    }
    text
}

/// Writing to a string cannot fail; the results of `writeln!` are dropped for that reason throughout.
fn rows(text: &mut String, scores: &[Score]) {
    let _ = writeln!(
        text,
        "| | files | tokens | lossless | standard | saved, lossless | saved, standard | changed exactly | with omissions | faithful | facts | MB/s |"
    );
    let _ = writeln!(text, "|---|---|---|---|---|---|---|---|---|---|---|---|");
    for score in scores {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {:.1} % | {:.1} % | {} / {} | {} | {} / {} | {} | {:.0} / {:.0} |",
            score.name,
            score.files,
            score.tokens,
            score.lossless.tokens,
            score.standard.tokens,
            score.lossless.saving(score.tokens),
            score.standard.saving(score.tokens),
            score.lossless.exact,
            score.standard.exact,
            score.standard.omitting,
            faithful(&score.lossless, score.files),
            faithful(&score.standard, score.files),
            score.standard.facts,
            speed(&score.lossless, score.bytes),
            speed(&score.standard, score.bytes),
        );
    }
}

fn faithful(level: &LevelScore, files: usize) -> String {
    if level.faithful == files { "all".to_owned() } else { level.faithful.to_string() }
}

fn speed(level: &LevelScore, bytes: usize) -> f64 {
    bytes as f64 / 1e6 / level.seconds.max(1e-9)
}
