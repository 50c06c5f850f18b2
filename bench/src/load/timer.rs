//! Wakes the loop at a moment: the poll's own timeout is whole milliseconds, and a message may be due within
//! microseconds.

use std::{
    io,
    time::{Duration, Instant},
};

use mio::{Registry, Token};

#[cfg(target_os = "linux")]
pub struct Timer {
    timer: nix::sys::timerfd::TimerFd,
    /// When it fires: handling events rarely changes what is due next.
    at: Option<Instant>,
}

#[cfg(target_os = "linux")]
impl Timer {
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use std::os::fd::{AsFd as _, AsRawFd as _};

        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_NONBLOCK)?;
        let fd = timer.as_fd().as_raw_fd();
        registry.register(&mut mio::unix::SourceFd(&fd), token, mio::Interest::READABLE)?;
        Ok(Self { timer, at: None })
    }

    /// Returns the timeout for the poll.
    pub fn set(&mut self, now: Instant, wait: Duration) -> Option<Duration> {
        use nix::sys::{
            time::TimeSpec,
            timerfd::{Expiration, TimerSetTimeFlags},
        };
        let at = now + wait;
        if self.at == Some(at) {
            return None;
        }
        // Zero would disarm the timer.
        let wait = wait.max(Duration::from_nanos(1));
        let set =
            self.timer.set(Expiration::OneShot(TimeSpec::from_duration(wait)), TimerSetTimeFlags::empty());
        self.at = set.is_ok().then_some(at);
        if set.is_ok() { None } else { Some(wait) }
    }
}

/// On other systems what is due waits for the next whole millisecond.
#[cfg(not(target_os = "linux"))]
pub struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub fn new(_: &Registry, _: Token) -> io::Result<Self> {
        Ok(Self)
    }

    pub fn set(&mut self, _: Instant, wait: Duration) -> Option<Duration> {
        Some(wait)
    }
}
