//! What a clock in the instructions of recorded sessions costs: `cargo run --release -p headroom-evals --example clock -- FILE...`

#![allow(clippy::print_stdout, reason = "it is here to print")]

use headroom_evals::{ClockCosts, clock_costs, load};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut all = ClockCosts::default();
    let mut dearer = 0;
    println!("{:44} {:>8} {:>8} {:>8}  worst aligned", "relative to no clock", "sessions", "aligned", "as came");
    for path in std::env::args().skip(1) {
        let sessions = load(path.as_ref())?;
        let (mut sum, mut worst) = (ClockCosts::default(), 0.0_f64);
        for session in &sessions {
            let costs = clock_costs(session);
            sum.without += costs.without;
            sum.aligned += costs.aligned;
            sum.unaligned += costs.unaligned;
            worst = worst.max(costs.aligned / costs.without);
            dearer += usize::from(costs.aligned > costs.unaligned);
        }
        let (aligned, unaligned) = (sum.aligned / sum.without, sum.unaligned / sum.without);
        println!("{path:44} {:8} {aligned:8.4} {unaligned:8.4}  {worst:.4}", sessions.len());
        all.without += sum.without;
        all.aligned += sum.aligned;
        all.unaligned += sum.unaligned;
    }
    let (aligned, unaligned) = (all.aligned / all.without, all.unaligned / all.without);
    println!("{:44} {:8} {aligned:8.4} {unaligned:8.4}", "all", "");
    println!("sessions that cost more aligned than as they came: {dearer}");
    Ok(())
}
