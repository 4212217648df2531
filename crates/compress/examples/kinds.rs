//! What each file of a corpus folder is found to be: `cargo run -p headroom-compress --example kinds -- FOLDER...`.
#![allow(clippy::print_stdout, reason = "a report")]

use headroom_compress::detect;
use headroom_core::Segment;
use headroom_testkit::corpus;

fn main() {
    for folder in std::env::args().skip(1) {
        for path in corpus::files(&folder) {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            println!("{} {folder} {name}", detect(&Segment::bare(&text)).kind);
        }
    }
}
