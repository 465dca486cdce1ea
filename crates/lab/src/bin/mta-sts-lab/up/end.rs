//! The end of `up`: Ctrl-C, a request to terminate, or the end of the standard input.

use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use mta_sts_terminal::exit::Failure;

/// Reports the first of the three events.
#[derive(Debug)]
pub(super) struct End(Receiver<()>);

impl End {
    /// Returns after one of the events.
    pub(super) fn wait(self) {
        // The threads that hold the senders end after one of the events only.
        let _ = self.0.recv();
    }
}

/// Begins to watch for the events. From then on a signal no longer ends the program by itself.
pub(super) fn watch() -> Result<End, Failure> {
    let (sender, receiver) = mpsc::sync_channel(1);
    signals(sender.clone())?;
    // A thread, because a read of the standard input cannot be cancelled. It dies with the program.
    thread::Builder::new()
        .name("standard input".to_owned())
        .spawn(move || {
            let mut ignored = [0; 1024];
            let mut stdin = io::stdin().lock();
            loop {
                match stdin.read(&mut ignored) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                }
            }
            let _ = sender.try_send(());
        })
        .map_err(|error| Failure::unknown("a thread", error))?;
    Ok(End(receiver))
}

fn signals(sender: SyncSender<()>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::unknown("signals", error);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    // Registered before the caller prints anything: a signal that comes early is not lost.
    let signal = {
        let _inside = runtime.enter();
        signal().map_err(failed)?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(signal);
            let _ = sender.try_send(());
        })
        .map_err(failed)?;
    Ok(())
}

#[cfg(unix)]
fn signal() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        let (interrupt, terminate) = (interrupt.recv(), terminate.recv());
        futures_util::future::select(std::pin::pin!(interrupt), std::pin::pin!(terminate)).await;
    })
}

#[cfg(windows)]
fn signal() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
