//! What tokens cost.

use std::collections::HashMap;

use serde::Deserialize;

use crate::Usage;

/// Prices of one model, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input at full price.
    pub input: f64,
    /// Input read from the provider's cache.
    pub read: f64,
    /// Input written to the cache for five minutes.
    pub write: f64,
    /// Input written to the cache for an hour.
    pub write_1h: f64,
    /// Output, reasoning included.
    pub output: f64,
}

impl Price {
    /// In proportion as most models are priced, for what only has to be compared: an uncached input token is a hundredth of a cent.
    pub(crate) const TYPICAL: Self = Self { input: 100.0, read: 10.0, write: 125.0, write_1h: 200.0, output: 500.0 };

    /// Dollars for what was billed.
    pub fn of(&self, usage: &Usage) -> f64 {
        (self.input * usage.input_tokens as f64
            + self.read * usage.cache_read_tokens as f64
            + self.write * usage.cache_write_tokens as f64
            + self.write_1h * usage.cache_write_1h_tokens as f64
            + self.output * usage.output_tokens as f64)
            / 1e6
    }
}

/// The prices of all models that have one.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    as_of: String,
    models: HashMap<String, Price>,
}

/// Why a price table cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "not a price table: {0}; it looks like: as_of = \"2026-10-20\" and, for each model, [[price]] with model, input, read, write, write_1h and output in dollars for a million tokens"
)]
pub struct PricesError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    as_of: String,
    price: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    model: String,
    #[serde(flatten)]
    price: Price,
}

impl Prices {
    /// The list prices that come with this version.
    pub fn listed() -> Self {
        // The table is part of this crate and a test reads it; without it no figure in money is shown.
        Self::parse(include_str!("prices.toml"))
            .unwrap_or_else(|_| Self { as_of: String::new(), models: HashMap::new() })
    }

    /// The list prices, with those of a table in the same form in place of theirs.
    ///
    /// # Errors
    ///
    /// When the text is no price table, or a price is negative or no number.
    pub fn listed_and(own: &str) -> Result<Self, PricesError> {
        let mut prices = Self::listed();
        let own = Self::parse(own)?;
        prices.models.extend(own.models);
        prices.as_of = own.as_of;
        Ok(prices)
    }

    fn parse(text: &str) -> Result<Self, PricesError> {
        let table: Table = toml::from_str(text).map_err(|error| PricesError(error.message().to_owned()))?;
        let mut models = HashMap::new();
        for Row { model, price } in table.price {
            let Price { input, read, write, write_1h, output } = price;
            if ![input, read, write, write_1h, output].iter().all(|dollars| dollars.is_finite() && *dollars >= 0.0) {
                return Err(PricesError(format!("a price of {model} is negative or no number")));
            }
            models.insert(plain_name(&model), price);
        }
        Ok(Self { as_of: table.as_of, models })
    }

    /// The date of the table, as it states it.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// The price of a model, by its name as sent to the provider.
    pub fn of_model(&self, model: &str) -> Option<&Price> {
        self.models.get(&plain_name(model))
    }
}

/// A model's name without vendor, date, and what only says which build of it is meant.
fn plain_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let mut parts: Vec<&str> = name.split('-').collect();
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    loop {
        match parts.as_slice() {
            [.., "latest" | "preview"] => parts.truncate(parts.len() - 1),
            [.., day] if digits(day, 8) => parts.truncate(parts.len() - 1),
            [.., year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => {
                parts.truncate(parts.len() - 3);
            }
            _ => return parts.join("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_find_their_price_and_unknown_ones_none() {
        let prices = Prices::listed();
        assert!(!prices.as_of().is_empty());
        for (model, input) in [
            ("claude-sonnet-4-5-20250929", Some(3.0)),
            ("anthropic/claude-opus-4-1", Some(15.0)),
            ("claude-3-5-haiku-latest", Some(0.8)),
            ("gpt-5-2025-08-07", Some(1.25)),
            ("gpt-5-codex", Some(1.25)),
            ("GPT-4o", Some(2.5)),
            ("gpt-5.9", None),
            ("claude-opus-4-99", None),
            ("o3-pro", None),
            ("llama-3", None),
            ("", None),
        ] {
            assert_eq!(prices.of_model(model).map(|price| price.input), input, "{model}");
        }
    }

    /// No provider sells what is read from its cache for more than what it reads anew, or an hour for less than five minutes.
    #[test]
    fn the_listed_prices_are_in_order() {
        for (model, price) in &Prices::listed().models {
            assert!(price.read <= price.input && price.input <= price.write, "{model}");
            assert!(price.write <= price.write_1h && price.input < price.output, "{model}");
        }
    }

    #[test]
    fn own_prices_take_the_place_of_listed_ones() {
        let own = "as_of = \"today\"\n[[price]]\nmodel = \"llama-3\"\ninput = 1\nread = 1\nwrite = 1\nwrite_1h = 1\noutput = 2";
        let prices = Prices::listed_and(own).unwrap();
        assert_eq!(prices.of_model("meta/llama-3-latest").unwrap().output, 2.0);
        assert!(prices.of_model("gpt-4o").is_some());
        for (wrong, said) in [
            ("x = 1", "unknown field"),
            (
                "as_of = \"d\"\n[[price]]\nmodel = \"m\"\ninput = -1\nread = 1\nwrite = 1\nwrite_1h = 1\noutput = 2",
                "negative",
            ),
        ] {
            let error = Prices::listed_and(wrong).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("[[price]]"), "{error}");
        }
    }
}
