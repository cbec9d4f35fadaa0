use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::crypto::swarm::SealedChunk;
use crate::store::breaker::Admission;
use crate::store::endpoints::{Endpoint, Endpoints};
use crate::store::{Answer, Outage, Receipt, Rejection, Store, StoreError};
use crate::types::Address;
use crate::types::limits::PULSE_DEADLINE;

impl Store for Endpoints {
    fn put<'a>(&'a self, _chunk: &'a SealedChunk) -> Answer<'a, Receipt> {
        Box::pin(async { Err(StoreError::Rejected(Rejection::NoBatch)) })
    }

    /// Asks the first endpoint that is up; the next one too when there is no answer for a while or a bad one; takes
    /// the first good one. Within [`Patience`](crate::store::endpoints::Patience), whatever happens.
    fn get(&self, address: Address) -> Answer<'_, SealedChunk> {
        Box::pin(async move {
            if self.list.is_empty() {
                return Err(StoreError::unavailable(Outage::Nobody));
            }
            let now = Instant::now();
            let mut race = Race {
                endpoints: self,
                address,
                until: now + self.patience.read,
                left: self.list.iter().cloned().collect(),
                running: JoinSet::new(),
                failure: None,
            };
            race.run().await
        })
    }

    /// Whether the first endpoint that is up holds it.
    fn has(&self, address: Address) -> Answer<'_, bool> {
        Box::pin(async move {
            let up = self.list.iter().find(|endpoint| endpoint.is_up());
            let endpoint = up.or_else(|| self.list.first());
            let endpoint = endpoint.ok_or(StoreError::unavailable(Outage::Nobody))?;
            endpoint.holds(address).await
        })
    }
}

/// One read through several endpoints.
struct Race<'a> {
    endpoints: &'a Endpoints,
    address: Address,
    until: Instant,
    /// Not asked yet, in order.
    left: Vec<Arc<Endpoint>>,
    running: JoinSet<Result<SealedChunk, StoreError>>,
    /// The most telling failure so far.
    failure: Option<StoreError>,
}

impl Race<'_> {
    async fn run(&mut self) -> Result<SealedChunk, StoreError> {
        loop {
            if !self.start_next() && self.running.is_empty() {
                self.wait_for_a_pulse().await?;
                continue;
            }
            let hedge = Instant::now() + self.endpoints.patience.hedge;
            tokio::select! {
                Some(answer) = self.running.join_next() => match answer {
                    Ok(Ok(chunk)) => {
                        // Whoever was too slow is noted as such before the next read begins.
                        self.running.shutdown().await;
                        return Ok(chunk);
                    }
                    Ok(Err(failure)) => self.remember(failure),
                    Err(_) => self.remember(StoreError::unavailable(Outage::Cut)),
                },
                () = tokio::time::sleep_until(hedge), if !self.left.is_empty() => {}
            }
        }
    }

    /// Asks the first endpoint in the order that is up; false when there is none left that is.
    fn start_next(&mut self) -> bool {
        let up = |endpoint: &Arc<Endpoint>| endpoint.knock() == Admission::Pass;
        let Some(next) = self.left.iter().position(up) else {
            return false;
        };
        let (endpoint, address, until) = (self.left.remove(next), self.address, self.until);
        self.running
            .spawn(async move { endpoint.read(address, until).await });
        true
    }

    /// Nobody is asked and nobody is up: waits whether somebody shows signs of life. When nobody was asked at all, for
    /// a moment; else as long as pulses are being felt, for whoever was asked did not have the chunk.
    async fn wait_for_a_pulse(&mut self) -> Result<(), StoreError> {
        let nobody_asked = self.left.len() == self.endpoints.list.len();
        let patience = if nobody_asked {
            self.endpoints.patience.known_down
        } else {
            PULSE_DEADLINE.min(self.until.duration_since(Instant::now()))
        };
        let mut pulses = JoinSet::new();
        for endpoint in &self.left {
            let endpoint = Arc::clone(endpoint);
            pulses.spawn(async move { endpoint.enter(patience).await });
        }
        while let Some(felt) = pulses.join_next().await {
            match felt {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(down)) => self.remember(down),
                Err(_) => {}
            }
        }
        let nobody = StoreError::unavailable(Outage::Nobody);
        Err(self.failure.take().unwrap_or(nobody))
    }

    fn remember(&mut self, failure: StoreError) {
        let telling = |failure: &StoreError| match failure {
            StoreError::Unavailable {
                why: Outage::Down, ..
            } => 0,
            StoreError::Unavailable { .. } => 1,
            StoreError::Rejected(_) => 2,
            StoreError::Corrupt => 3,
            StoreError::NotFound => 4,
        };
        let before = self.failure.as_ref().map(telling);
        if before.is_none_or(|before| before < telling(&failure)) {
            self.failure = Some(failure);
        }
    }
}
