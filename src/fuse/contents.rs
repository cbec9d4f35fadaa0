use std::cell::RefCell;

use crate::pod::{Pod, PodError};
use crate::types::Ino;

thread_local! {
    /// What this thread read last: the next read needs no new memory.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What was read, on its way to the kernel.
pub(super) struct Contents(Vec<u8>);

impl Contents {
    pub(super) fn read(pod: &Pod, ino: Ino, offset: u64, size: u32) -> Result<Self, PodError> {
        let mut contents = Self(BUFFER.take());
        pod.read(ino, offset, size, &mut contents.0)?;
        Ok(contents)
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        BUFFER.set(std::mem::take(&mut self.0));
    }
}
