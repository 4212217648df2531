//! Who may use a proxy: grants, of whose secrets only hashes are kept.

use std::fmt;
use std::str::FromStr;

/// Characters that are kept of a grant's names.
const NAME_CHARS: usize = 100;

/// What a holder may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Send requests to providers.
    Proxy,
    /// Read originals back and use the memory of agents.
    Retrieve,
    /// Read figures and receipts. They hold no content.
    Stats,
    /// Everything.
    Admin,
}

impl Right {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Proxy, Self::Retrieve, Self::Stats, Self::Admin];

    /// Its name in commands and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Retrieve => "retrieve",
            Self::Stats => "stats",
            Self::Admin => "admin",
        }
    }
}

/// A set of rights, written as their names with commas between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// Whether a holder may do this.
    pub const fn allow(self, right: Right) -> bool {
        self.0 & (1 << right as u8 | 1 << Right::Admin as u8) != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().fold(0, |set, right| set | 1 << right as u8))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> =
            Right::ALL.into_iter().filter(|right| self.0 & 1 << *right as u8 != 0).map(Right::name).collect();
        f.write_str(&names.join(","))
    }
}

impl FromStr for Rights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let right = |name: &str| {
            Right::ALL.into_iter().find(|right| right.name() == name).ok_or_else(|| {
                format!("there is no right {name:?}; the rights are {}", Right::ALL.map(Right::name).join(", "))
            })
        };
        text.split(',').map(|name| right(name.trim())).collect()
    }
}

/// What a secret allows, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name it is managed by. A rotated grant has two secrets under one name for a while.
    pub name: String,
    /// Whose requests they are: receipts and figures say so.
    pub user: String,
    /// What it allows.
    pub rights: Rights,
    /// Milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When it ends, if it does.
    pub ends_ms: Option<u64>,
}

impl Grant {
    /// Whether it holds at a time (milliseconds since the Unix epoch).
    pub fn holds_at(&self, now_ms: u64) -> bool {
        self.ends_ms.is_none_or(|end| now_ms < end)
    }

    /// The same with its names cut to what is kept of them.
    pub(crate) fn bounded(&self) -> Self {
        let cut = |text: &str| text.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
        Self { name: cut(&self.name), user: cut(&self.user), ..self.clone() }
    }
}

/// What a holder sends. Shown once, when it is made; nobody can read it from the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one: 256 bits from the operating system.
    ///
    /// # Errors
    ///
    /// When the operating system has no randomness to give.
    pub fn fresh() -> std::io::Result<Self> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        Ok(Self(random.iter().fold("hrt_".to_owned(), |text, byte| text + &format!("{byte:02x}"))))
    }

    /// What is to be handed to the holder.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is kept of a secret. Secrets have 256 random bits, so that a fast hash is as good as a slow one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of what somebody sent.
    pub fn of(secret: &[u8]) -> Self {
        Self(blake3::derive_key("headroom 2026 access token", secret))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_written_and_read_and_admins_have_all() {
        let rights: Rights = "stats, proxy".parse().unwrap();
        assert_eq!(rights.to_string(), "proxy,stats");
        assert!(rights.allow(Right::Proxy) && rights.allow(Right::Stats));
        assert!(!rights.allow(Right::Retrieve) && !rights.allow(Right::Admin));
        let admin: Rights = [Right::Admin].into_iter().collect();
        assert!(Right::ALL.into_iter().all(|right| admin.allow(right)));
        assert!(!Right::ALL.into_iter().any(|right| Rights::default().allow(right)));
        for wrong in ["", "root", "proxy,", "Proxy"] {
            let error = wrong.parse::<Rights>().unwrap_err();
            assert!(error.contains("proxy, retrieve, stats, admin"), "{error}");
        }
    }

    #[test]
    fn secrets_differ_and_are_not_printed() {
        let (one, other) = (Secret::fresh().unwrap(), Secret::fresh().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 4 + 64);
        assert_eq!(one.hash(), SecretHash::of(one.expose().as_bytes()));
        assert!(!format!("{one:?}").contains(&one.expose()[4..12]));
    }
}
