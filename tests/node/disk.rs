//! A node's chunks on disk: one log of checked records. A reply that says "stored" waits until it is durable.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use podfs::types::Address;
use tokio::sync::watch;

use crate::node::chain::Batch;
use crate::node::hash::Chunk;
use crate::node::network::Slot;
use crate::node::record::{HEADER, Record, STAMP_LEN, encode, stamp_body};

/// Where the bytes of a chunk are.
#[derive(Clone)]
pub enum Held {
    Memory(Arc<[u8]>),
    Disk {
        file: Arc<File>,
        at: u64,
        len: usize,
    },
}

impl Held {
    pub fn read(&self) -> Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes.to_vec(),
            Self::Disk { file, at, len } => {
                let mut bytes = vec![0; *len];
                // A reader checks what it gets; bytes that cannot be read are as good as wrong ones.
                if file.read_exact_at(&mut bytes, *at).is_err() {
                    bytes.clear();
                }
                bytes
            }
        }
    }
}

/// The log, at whose end everything is written.
pub struct Log {
    file: Arc<File>,
    end: u64,
    flusher: Arc<Flusher>,
    durable: watch::Receiver<u64>,
}

/// Makes the log durable, as often as the disk can.
struct Flusher {
    /// Where the log ends, and whether the node has ended.
    wanted: Mutex<(u64, bool)>,
    news: Condvar,
}

/// Becomes true when everything written so far is durable.
pub struct Durable(Option<(u64, watch::Receiver<u64>)>);

impl Log {
    /// Opens the log below `dir` and shows each record to `replay`; what a crash left half written at the end is cut.
    pub fn open(dir: &Path, mut replay: impl FnMut(Record, &Arc<File>)) -> io::Result<Self> {
        let path = dir.join("chunks.log");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let file = Arc::new(file);
        let end = crate::node::record::scan(&file, |record| replay(record, &file))?;
        file.set_len(end)?;
        file.sync_all()?;
        File::open(dir)?.sync_all()?;
        let (sender, durable) = watch::channel(end);
        let flusher = Arc::new(Flusher {
            wanted: Mutex::new((end, false)),
            news: Condvar::new(),
        });
        let (thread_file, thread_flusher) = (Arc::clone(&file), Arc::clone(&flusher));
        std::thread::spawn(move || thread_flusher.run(&thread_file, &sender));
        Ok(Self {
            file,
            end,
            flusher,
            durable,
        })
    }

    fn append(&mut self, kind: u8, parts: &[&[u8]]) -> u64 {
        let record = encode(kind, parts);
        let at = self.end;
        // A node that cannot write must not go on answering "stored".
        self.file
            .write_all_at(&record, at)
            .expect("the node's folder takes what is written");
        self.end += record.len() as u64;
        self.flusher.wanted.lock().0 = self.end;
        self.flusher.news.notify_one();
        at + HEADER as u64
    }

    /// A chunk with its stamp, or another stamp for bytes that stand here already.
    pub fn chunk(
        &mut self,
        chunk: &Chunk,
        slot: &Slot,
        tag: Option<u64>,
        same: Option<Held>,
    ) -> Held {
        let stamp = stamp_body(chunk, slot, tag.unwrap_or(0));
        if let Some(held) = same {
            self.append(Record::STAMP, &[&stamp]);
            return held;
        }
        let at = self.append(Record::CHUNK, &[&stamp, &chunk.bytes]);
        Held::Disk {
            file: Arc::clone(&self.file),
            at: at + STAMP_LEN as u64,
            len: chunk.bytes.len(),
        }
    }

    pub fn seen(&mut self, tag: u64) {
        self.append(Record::SEEN, &[&tag.to_le_bytes()]);
    }

    pub fn forgotten(&mut self, address: &Address) {
        self.append(Record::FORGOTTEN, &[&address.0]);
    }

    /// A batch as it stands now, with its label and what is left in the wallet.
    pub fn batch(&mut self, batch: &Batch, label: &str, funds: u128) {
        let head = crate::node::record::batch_body(batch, funds);
        self.append(Record::BATCH, &[&head, label.as_bytes()]);
    }

    pub fn tag(&mut self, uid: u64, started: u64, address: Option<Address>) {
        let address = address.map_or([0; 32], |address| address.0);
        let parts: [&[u8]; 3] = [&uid.to_le_bytes(), &started.to_le_bytes(), &address];
        self.append(Record::TAG, &parts);
    }

    pub fn tag_gone(&mut self, uid: u64) {
        self.append(Record::TAG_GONE, &[&uid.to_le_bytes()]);
    }

    pub fn pin(&mut self, address: &Address, pinned: bool) {
        self.append(Record::PIN, &[&address.0, &[u8::from(pinned)]]);
    }

    pub fn durable(&self) -> Durable {
        Durable(Some((self.end, self.durable.clone())))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flusher.wanted.lock().1 = true;
        self.flusher.news.notify_one();
    }
}

impl Durable {
    /// Of a node that keeps its chunks in memory.
    pub fn at_once() -> Self {
        Self(None)
    }

    pub async fn wait(self) {
        if let Some((end, mut durable)) = self.0 {
            // The flusher ends only with the node, and then no reply is sent.
            if durable.wait_for(|done| *done >= end).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Flusher {
    fn run(&self, file: &File, durable: &watch::Sender<u64>) {
        loop {
            let end = {
                let mut wanted = self.wanted.lock();
                while wanted.0 == *durable.borrow() && !wanted.1 {
                    self.news.wait(&mut wanted);
                }
                if wanted.0 == *durable.borrow() {
                    return;
                }
                wanted.0
            };
            if file.sync_data().is_err() {
                return;
            }
            durable.send_replace(end);
        }
    }
}
