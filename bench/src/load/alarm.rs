//! Wakes the loop at a moment: the poll's own timeout is whole milliseconds, and a message may be due within
//! microseconds.

use std::{io, time::Duration};

use mio::{Registry, Token};

#[cfg(target_os = "linux")]
pub struct Alarm(nix::sys::timerfd::TimerFd);

#[cfg(target_os = "linux")]
impl Alarm {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use std::os::fd::{AsFd as _, AsRawFd as _};

        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut mio::unix::SourceFd(&fd), token, mio::Interest::READABLE)?;
        Ok(Self(timer))
    }

    /// Returns the timeout for the poll.
    pub fn set(&self, wait: Duration) -> Option<Duration> {
        use nix::sys::{
            time::TimeSpec,
            timerfd::{Expiration, TimerSetTimeFlags},
        };
        // A zero would take the alarm off.
        let at = TimeSpec::from_duration(wait.max(Duration::from_nanos(1)));
        match self.0.set(Expiration::OneShot(at), TimerSetTimeFlags::empty()) {
            Ok(()) => None,
            Err(_) => Some(wait),
        }
    }
}

/// Elsewhere what is due waits for the next whole millisecond.
#[cfg(not(target_os = "linux"))]
pub struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    pub fn set(&self, wait: Duration) -> Option<Duration> {
        Some(wait)
    }
}
