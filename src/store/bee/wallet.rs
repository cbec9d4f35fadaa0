use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::store::StoreError;
use crate::store::bee::Bee;
use crate::store::bee::http::Ask;
use crate::store::bee::refusal::refusal;
use crate::types::limits::{BEE_JSON_MAX, BLOCK_TIME};

/// The smallest part of the token that pays for storage; 10^16 of them are one xBZZ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plur(pub u128);

impl Plur {
    /// How many of them are one xBZZ.
    pub const PER_BZZ: u128 = 10_000_000_000_000_000;

    /// What a batch of 2^`depth` slots costs at so much for each slot.
    pub fn for_depth(self, depth: u8) -> Option<Self> {
        let slots = 1_u128.checked_shl(u32::from(depth))?;
        self.0.checked_mul(slots).map(Self)
    }
}

impl std::fmt::Display for Plur {
    /// In xBZZ, with as many digits as it takes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.0 / Self::PER_BZZ, self.0 % Self::PER_BZZ);
        let digits = format!("{part:016}");
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { "" } else { "." };
        write!(f, "{whole}{point}{digits} xBZZ")
    }
}

/// Numbers arrive as decimal strings, because they do not fit where JSON numbers are floating.
impl<'de> Deserialize<'de> for Plur {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Text(String),
            Plain(u64),
        }
        match Option::<Number>::deserialize(deserializer)? {
            None => Ok(Self(0)),
            Some(Number::Plain(number)) => Ok(Self(u128::from(number))),
            Some(Number::Text(text)) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

/// `GET /chainstate`: what storage costs now. The price floats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Chain {
    /// The newest block of the chain.
    pub chain_tip: u64,
    /// The block that the node has got to.
    pub block: u64,
    /// For one chunk and one block.
    pub current_price: Plur,
}

impl Chain {
    /// The amount for each slot of a batch that shall last so long at today's price, rounded up; nothing while the
    /// price is not known.
    pub fn amount_for(&self, time: Duration) -> Option<Plur> {
        let blocks = time.as_secs().div_ceil(BLOCK_TIME.as_secs());
        let amount = self.current_price.0.checked_mul(u128::from(blocks))?;
        (self.current_price.0 > 0).then_some(Plur(amount))
    }

    /// How long an amount for each slot lasts at today's price.
    pub fn time_for(&self, amount: Plur) -> Option<Duration> {
        let blocks = amount.0.checked_div(self.current_price.0)?;
        let seconds = blocks.saturating_mul(u128::from(BLOCK_TIME.as_secs()));
        Some(Duration::from_secs(
            u64::try_from(seconds).unwrap_or(u64::MAX),
        ))
    }
}

/// `GET /wallet`: what the node can spend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Wallet {
    /// For storage.
    pub bzz_balance: Plur,
    /// For transactions, in the smallest part of the chain's own coin.
    pub native_token_balance: Plur,
    /// Where to send more.
    pub wallet_address: String,
}

impl Bee {
    /// What storage costs now.
    ///
    /// # Errors
    /// From a node without the blockchain, and from gateways: refused.
    pub async fn chain(&self) -> Result<Chain, StoreError> {
        self.fetch(&["chainstate"]).await
    }

    /// What the node can spend.
    ///
    /// # Errors
    /// From a node without the blockchain, and from gateways: refused.
    pub async fn wallet(&self) -> Result<Wallet, StoreError> {
        self.fetch(&["wallet"]).await
    }

    async fn fetch<T: serde::de::DeserializeOwned>(&self, path: &[&str]) -> Result<T, StoreError> {
        let ask = Ask::get(path, self.deadlines().ask, BEE_JSON_MAX);
        let reply = self.http.send(ask).await?;
        match reply.status {
            200 => reply.json(),
            _ => Err(refusal(&reply)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_fit_each_other() {
        let chain = Chain {
            current_price: Plur(24_000),
            ..Chain::default()
        };
        let year = Duration::from_secs(365 * 86_400);
        let amount = chain.amount_for(year).unwrap();
        assert_eq!(amount, Plur(24_000 * 365 * 86_400 / 5));
        assert_eq!(chain.time_for(amount), Some(year));
        assert_eq!(amount.for_depth(20), Some(Plur(amount.0 << 20)));
        assert_eq!(Chain::default().amount_for(year), None);
        assert_eq!(Chain::default().time_for(amount), None);
        assert_eq!(Plur(u128::MAX).for_depth(1), None);
    }

    #[test]
    fn numbers_come_as_text_or_plain() {
        let text = r#"{"bzzBalance":"12500000000000000","nativeTokenBalance":7,"walletAddress":"0x1","new":[]}"#;
        let wallet: Wallet = serde_json::from_str(text).unwrap();
        assert_eq!(wallet.bzz_balance.to_string(), "1.25 xBZZ");
        assert_eq!(wallet.native_token_balance, Plur(7));
        assert_eq!(Plur(0).to_string(), "0 xBZZ");
        assert!(serde_json::from_str::<Wallet>(r#"{"bzzBalance":"-1"}"#).is_err());
        let none: Wallet = serde_json::from_str(r#"{"bzzBalance":null}"#).unwrap();
        assert_eq!(none.bzz_balance, Plur(0));
    }
}
