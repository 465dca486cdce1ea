//! The loop of every server over TCP.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::lifetime::{LIFETIME, PAUSE};

/// Serves each connection in a task of its own, for [`LIFETIME`] at most. At most `most` are served
/// at once; further ones wait in the backlog.
pub(crate) async fn serve_each<F>(
    listener: TcpListener,
    most: usize,
    connection: impl Fn(TcpStream) -> F,
) where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(most));
    let mut tasks = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: asking again at once would only burn time.
            sleep(PAUSE).await;
            continue;
        };
        while tasks.try_join_next().is_some() {}
        let connection = connection(stream);
        tasks.spawn(async move {
            // A client that goes away, or refuses the certificate, is what the lab is for.
            let _ = timeout(LIFETIME, connection).await;
            drop(place);
        });
    }
}
