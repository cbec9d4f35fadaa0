use std::sync::Arc;

/// Seconds and nanoseconds since 1970-01-01 UTC; before it `secs` is negative and `nanos` still counts forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timespec {
    /// Whole seconds, rounded towards minus infinity.
    pub secs: i64,
    /// 0 to 999 999 999.
    pub nanos: u32,
}

/// The wall clock as a parameter, so that tests can move it.
pub type Clock = Arc<dyn Fn() -> Timespec + Send + Sync>;

/// The machine's wall clock (`CLOCK_REALTIME`).
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
        Timespec {
            secs: now.tv_sec,
            nanos: u32::try_from(now.tv_nsec).unwrap_or(0),
        }
    })
}
