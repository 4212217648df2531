//! `cargo xtask scoreboard`: what each kind of text saves, and whether what counts in it is still there.
//!
//! ```text
//! cargo xtask scoreboard [--kind K] [--dir D]... [--as-files] [--json] [--losses] [--files] [--write]
//! ```
//!
//! Without `--dir` it scores the shared corpus (where a checkout has one beside it) and what `cargo xtask corpus` made, else the
//! repository's own cases. `--write` files the tables under `bench/results` and puts the first one into README.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use headroom_evals::scoreboard::{Options, Scoreboard, markdown, run as score, summary};

use crate::corpus;

/// The README's table stands between these lines.
const START: &str = "<!-- scoreboard: cargo xtask scoreboard --write -->";
const END: &str = "<!-- end of scoreboard -->";

/// Scores and prints.
///
/// # Errors
///
/// Unknown arguments; a folder without texts; files that cannot be written.
#[allow(clippy::print_stdout, reason = "the table is the command's output")]
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut options = Options::default();
    let mut folders = Vec::new();
    let (mut json, mut losses, mut files, mut write) = (false, false, false, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().cloned().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--kind" => options.kind = Some(value()?),
            "--dir" => folders.push(PathBuf::from(value()?)),
            "--as-files" => options.as_files = true,
            "--json" => json = true,
            "--losses" => losses = true,
            "--files" => files = true,
            "--write" => write = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no folder above it")?;
    if folders.is_empty() {
        folders = standing(root);
    }
    let paths: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let board = score(&paths, &options);
    if board.families.is_empty() {
        return Err(format!("no texts in {folders:?}"));
    }
    if json {
        println!("{}", serde_json::to_string_pretty(&board).map_err(|error| error.to_string())?);
    } else {
        println!("{}", markdown(&board));
    }
    if losses {
        for loss in &board.losses {
            println!("{} at {}: {} missing", loss.name, loss.level, loss.count);
            loss.missing.iter().for_each(|fact| println!("    {}", fact.chars().take(200).collect::<String>()));
        }
    }
    if files {
        println!("tokens, lossless, standard, what it is, what it was taken for, file");
        for file in &board.files {
            let (tokens, lossless, standard) = (file.tokens, file.lossless, file.standard);
            println!("{tokens:>7} {lossless:>7} {standard:>7} {:<16} {:<16} {}", file.family, file.kind, file.name);
        }
    }
    if write { file(root, &board) } else { Ok(()) }
}

/// The folders that this machine has.
fn standing(root: &Path) -> Vec<PathBuf> {
    let full = [root.join("../shared/corpus"), corpus::folder(root)];
    let found: Vec<_> = full.into_iter().filter(|folder| folder.is_dir()).collect();
    if found.is_empty() { vec![root.join("corpus")] } else { found }
}

fn file(root: &Path, board: &Scoreboard) -> Result<(), String> {
    let date = today();
    let build = if cfg!(debug_assertions) { "development build: MB/s mean nothing" } else { "release build" };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |name| name.trim_start_matches([' ', '\t', ':']));
    let page = format!(
        "# Scoreboard of {date}\n\n`cargo xtask scoreboard --write`, {build}, one core of {cpu}. Pairs are lossless / standard. MB/s are those of \
         the whole library call: detection, encoding, decoding what was encoded, counting tokens.\n\n{}",
        markdown(board)
    );
    let path = root.join(format!("bench/results/scoreboard-{date}.md"));
    fs::write(&path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).map_err(|error| format!("README.md: {error}"))?;
    let (before, rest) = text.split_once(START).ok_or("README.md has no place for the scoreboard")?;
    let (_, after) = rest.split_once(END).ok_or("README.md: the scoreboard's place has no end")?;
    fs::write(&readme, format!("{before}{START}\n{}{END}{after}", summary(board)))
        .map_err(|error| format!("README.md: {error}"))
}

/// The day in UTC, as `2026-01-31`.
fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let (year, month, day) = civil(days);
    format!("{year}-{month:02}-{day:02}")
}

/// Year, month and day of a count of days since 1970 (the algorithm of Howard Hinnant's `civil_from_days`, for days after the epoch).
const fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    (year_of_era + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }
}
