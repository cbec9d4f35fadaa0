use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::crypto::publish::Reference;
use crate::sync::fetch::{Family, FetchError, Opened, Sort};
use crate::sync::reader::Reader;
use crate::types::Address;
use crate::types::limits::NODE_READS_MAX;

/// Chunks that are being fetched, so that nobody fetches them a second time.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Address, Weak<OnceCell<Opened>>>>);

impl Flights {
    fn join(&self, address: Address) -> Arc<OnceCell<Opened>> {
        let mut flights = self.0.lock();
        if let Some(cell) = flights.get(&address).and_then(Weak::upgrade) {
            return cell;
        }
        if flights.len() > 4 * NODE_READS_MAX {
            flights.retain(|_, flight| flight.strong_count() > 0);
        }
        let cell = Arc::new(OnceCell::new());
        flights.insert(address, Arc::downgrade(&cell));
        cell
    }
}

impl Reader {
    /// A page or node from memory or from the network. Whoever asks for the same meanwhile waits for the same answer.
    pub(super) async fn open(
        &self,
        sort: Sort,
        reference: &Reference,
        family: &Family,
    ) -> Result<Opened, FetchError> {
        let address = reference.address();
        let flight = self.flights.join(address);
        let opened = flight.get_or_try_init(|| async {
            let known = self.memory.lock().page(&address);
            if let Some(known) = known {
                return Ok(known);
            }
            let opened = Arc::new(self.fetcher.open(sort, reference, family).await?);
            self.memory.lock().put_page(address, &opened);
            Ok(opened)
        });
        opened.await.map(Arc::clone)
    }
}
