//! One request with its figures in money.

use serde::{Deserialize, Serialize};

use super::{Account, Prices};
use crate::Receipt;

/// Why a request was treated as it was, and what that cost: for the proxy's page, the command line, and whoever reads its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What happened.
    pub receipt: Receipt,
    /// What it cost; `None` when its model has no price or the provider did not say what it billed.
    pub account: Option<Account>,
    /// Dollars that were paid because the provider's cache did not hold what it could have held.
    pub miss_dollars: Option<f64>,
    /// What each of the receipt's volatile values costs, in the same order.
    pub volatile: Vec<Option<Cost>>,
    /// Date of the prices.
    pub prices_as_of: String,
}

/// What a value that changes on every request costs where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Dollars for this request.
    pub dollars: f64,
    /// Dollars a day, at the rate at which the conversation makes requests.
    pub dollars_per_day: f64,
}

impl Why {
    /// The figures of a receipt.
    pub fn of(receipt: &Receipt, prices: &Prices) -> Self {
        let cost = |value| {
            let dollars = Account::of_volatile(value, receipt, prices)?;
            Some(Cost { dollars, dollars_per_day: dollars * receipt.drift.requests_per_day as f64 })
        };
        Self {
            account: Account::of(receipt, prices),
            miss_dollars: Account::of_miss(receipt, prices),
            volatile: receipt.drift.volatile.iter().map(cost).collect(),
            prices_as_of: prices.as_of().to_owned(),
            receipt: receipt.clone(),
        }
    }
}
