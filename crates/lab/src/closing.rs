//! The ends of connections.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::https::Fate;
use crate::response::{stall, write};

/// How long a closed connection waits for the client to close too. Without that wait, unread
/// octets would turn the close into a reset.
const LINGER: Duration = Duration::from_secs(5);

pub(crate) async fn fail(mut stream: TcpStream, fate: Fate) -> io::Result<()> {
    match fate {
        Fate::Close => {
            stream.shutdown().await?;
            linger(&mut stream).await
        }
        Fate::Reset => stream.set_zero_linger(),
        Fate::Stall => stall(&mut stream).await,
    }
}

/// Writes octets below TLS and closes.
pub(crate) async fn say(mut stream: TcpStream, octets: &[u8]) -> io::Result<()> {
    write(&mut stream, octets).await?;
    fail(stream, Fate::Close).await
}

pub(crate) async fn linger(stream: &mut TcpStream) -> io::Result<()> {
    timeout(LINGER, stall(stream)).await.unwrap_or(Ok(()))
}
