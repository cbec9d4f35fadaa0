//! When the rent of batches is due, and what is paid for by itself. Money is reckoned in whole Plur.

mod money;
#[cfg(test)]
mod tests;

pub use money::Money;

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::store::bee::BatchId;
use crate::store::bee::Chain;
use crate::store::bee::Plur;
use crate::types::limits::POSTAGE_WARNING;

const DAY: u64 = 86_400;
/// Days that are left when there is a warning, first to last.
const WARNINGS: [u64; 3] = [POSTAGE_WARNING, 14, 7];
/// No more than the cap is paid in any 31 days, and so in no month, in seconds.
const MONTH: i64 = 31 * 86_400;

/// `[rent]` of `nodes.toml`: what the daemon may pay without being asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rent {
    /// A batch that lasts less is topped up; 0: none is.
    pub topup_below_days: u32,
    /// It lasts that long afterwards.
    pub topup_to_days: u32,
    /// Most that is paid in any 31 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_xbzz_per_month: Option<Money>,
    /// What was paid, or may have been.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
}

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    /// When, in seconds since 1970.
    pub at: i64,
    /// How much.
    pub xbzz: Money,
}

/// A batch that is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rented {
    /// Which.
    pub id: BatchId,
    /// It has 2^depth slots.
    pub depth: u8,
    /// How long it lasts at today's price; nothing when it is not known.
    pub left: Option<Duration>,
}

/// What is to be done today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Tell that it ends.
    Warn {
        /// Which.
        batch: BatchId,
        /// Whole days that are left.
        days: u64,
        /// The warning that this is: 30, 14 or 7.
        threshold: u64,
    },
    /// Pay.
    TopUp {
        /// Which.
        batch: BatchId,
        /// For each slot.
        amount: Plur,
        /// In all.
        price: Plur,
    },
    /// Tell that the cap does not allow what the rule asks for.
    Capped {
        /// Which.
        batch: BatchId,
        /// What it would cost.
        price: Plur,
        /// What may still be paid in these 31 days.
        allowed: Plur,
    },
}

impl Rent {
    /// Whether anything is paid by itself.
    pub const fn is_on(&self) -> bool {
        self.topup_below_days > 0
    }

    /// What makes no sense.
    ///
    /// # Errors
    /// A sentence that says it.
    pub fn check(&self) -> Result<(), String> {
        if !self.is_on() {
            return Ok(());
        }
        if self.topup_to_days <= self.topup_below_days {
            return Err("a batch must last longer after a top-up than before".to_owned());
        }
        if self.cap_xbzz_per_month.unwrap_or_default() == Money::default() {
            return Err("a top-up needs a cap: the most that may be paid in a month".to_owned());
        }
        Ok(())
    }

    /// What was paid in the 31 days before `now`, or may have been. A clock that was set back makes it no less.
    pub fn spent(&self, now: i64) -> Plur {
        let recent = self
            .spent
            .iter()
            .filter(|spent| spent.at > now.saturating_sub(MONTH));
        let amounts = recent.map(|spent| spent.xbzz.0.0);
        Plur(amounts.fold(0, u128::saturating_add))
    }

    /// Takes a payment down, before it is made, and forgets those that do not count any more.
    pub fn pay(&mut self, now: i64, price: Plur) {
        self.spent
            .retain(|spent| spent.at > now.saturating_sub(MONTH));
        self.spent.push(Spent {
            at: now,
            xbzz: Money(price),
        });
    }

    /// Strikes out a payment that was refused.
    pub fn unpay(&mut self, now: i64, price: Plur) {
        let is_it = |spent: &Spent| spent.at == now && spent.xbzz == Money(price);
        if let Some(at) = self.spent.iter().rposition(is_it) {
            self.spent.remove(at);
        }
    }
}

/// What is to be done at `price` for a chunk and a block, at `now` in seconds since 1970. The most urgent batch comes
/// first; the top-ups together keep to the cap.
pub fn due(batches: &[Rented], price: Plur, now: i64, rules: &Rent) -> Vec<Step> {
    let chain = Chain {
        current_price: price,
        ..Chain::default()
    };
    let cap = rules.cap_xbzz_per_month.unwrap_or_default().0;
    let mut allowed = Plur(cap.0.saturating_sub(rules.spent(now).0));
    let mut steps = Vec::new();
    let mut known: Vec<(Duration, &Rented)> = batches
        .iter()
        .filter_map(|batch| Some((batch.left?, batch)))
        .collect();
    known.sort_by_key(|(left, _)| *left);
    for (left, batch) in known {
        let mut warn = true;
        // What has ended cannot be topped up.
        if !left.is_zero() && rules.is_on() && left < days(rules.topup_below_days) {
            let more = days(rules.topup_to_days).saturating_sub(left);
            let (step, rest) = pay(&chain, batch, more, allowed);
            warn = !matches!(step.as_slice(), [Step::TopUp { .. }]);
            allowed = rest;
            steps.extend(step);
        }
        let days = left.as_secs() / DAY;
        let threshold = WARNINGS.iter().rev().find(|threshold| days <= **threshold);
        if let Some(threshold) = threshold.filter(|_| warn) {
            steps.push(Step::Warn {
                batch: batch.id,
                days,
                threshold: *threshold,
            });
        }
    }
    steps
}

/// A top-up by so much time, or as much of it as is allowed when that is a day at least; and what is allowed then.
fn pay(chain: &Chain, batch: &Rented, more: Duration, allowed: Plur) -> (Vec<Step>, Plur) {
    let wanted = chain.amount_for(more);
    let wanted = wanted.and_then(|amount| Some((amount, amount.for_depth(batch.depth)?)));
    let Some((amount, price)) = wanted else {
        return (Vec::new(), allowed);
    };
    let topup = |amount, price| Step::TopUp {
        batch: batch.id,
        amount,
        price,
    };
    if price <= allowed {
        let rest = Plur(allowed.0.saturating_sub(price.0));
        return (vec![topup(amount, price)], rest);
    }
    let capped = Step::Capped {
        batch: batch.id,
        price,
        allowed,
    };
    let part = Plur(allowed.0.checked_shr(u32::from(batch.depth)).unwrap_or(0));
    let lasts = chain.time_for(part).unwrap_or_default();
    match part
        .for_depth(batch.depth)
        .filter(|_| lasts.as_secs() >= DAY)
    {
        Some(price) => {
            let rest = Plur(allowed.0.saturating_sub(price.0));
            (vec![topup(part, price), capped], rest)
        }
        None => (vec![capped], allowed),
    }
}

/// What a GiB costs in a year at this price for a chunk and a block.
pub fn for_gib_and_year(price: Plur) -> Plur {
    let chain = Chain {
        current_price: price,
        ..Chain::default()
    };
    let year = Duration::from_secs(365 * DAY);
    let amount = chain
        .amount_for(year)
        .and_then(|amount| amount.for_depth(18));
    amount.unwrap_or_default()
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * DAY)
}
