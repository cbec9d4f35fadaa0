use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What the store asks of its file, so that tests can put a disk in its place that fails.
pub(super) trait Medium: Send + Sync {
    /// Bytes of the file.
    fn size(&self) -> io::Result<u64>;

    /// Fills all of `bytes` from `at` on.
    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `at`.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Brings what was written beyond a power cut. When that fails, the kernel does not try again.
    fn sync(&self) -> io::Result<()>;
}

impl Medium for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(bytes, at)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
