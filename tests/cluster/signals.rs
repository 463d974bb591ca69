//! Interrupts: caught once, for ever, so that none ends us while we clean up.

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpgrp, tcgetpgrp},
};
use std::{
    fs::File,
    process::{ExitCode, ExitStatus},
    time::Duration,
};
use tokio::{
    process::Child,
    signal::unix::{self, SignalKind, signal},
    time::{Instant, sleep_until},
};

/// How long a command that was told to stop may take: as long as Kubernetes' clients take to let go.
const GRACE: Duration = Duration::from_secs(10);
/// After this an interrupt that only we have seen is passed on.
const UNSEEN: Duration = Duration::from_secs(3);

/// The signals that mean "stop".
pub(crate) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    /// From now on these signals no longer end the process.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.hang_up.recv() => Signal::SIGHUP,
        }
    }

    /// Waits for the command, passing signals on. The second value is the signal that we got.
    pub(crate) async fn supervise(&mut self, child: &mut Child) -> std::io::Result<(ExitStatus, Option<Signal>)> {
        let got = tokio::select! {
            status = child.wait() => return Ok((status?, None)),
            got = self.next() => got,
        };
        // The terminal gives Ctrl-C to everybody in its foreground; a second one means "at once" to many.
        let at = Instant::now();
        let first = if got == Signal::SIGINT && in_foreground() {
            at + UNSEEN
        } else {
            at
        };
        for (when, what) in [(first, got), (at + GRACE, Signal::SIGKILL)] {
            tokio::select! {
                status = child.wait() => return Ok((status?, Some(got))),
                () = sleep_until(when) => send(child, what),
            }
        }
        Ok((child.wait().await?, Some(got)))
    }
}

fn send(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()) {
        kill(Pid::from_raw(pid), signal).ok(); // gone meanwhile
    }
}

fn in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

/// As shells tell that a signal ended a command.
pub(crate) fn exit_code_of(signal: Signal) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX))
}
