//! HTTP/2's first words, and what the other end says to them.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

/// What an HTTP/2 client says first: its greeting, and settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The type of the frame that a server answers with.
const SETTINGS: u8 = 4;
/// How a TLS alert begins.
const ALERT: u8 = 21;

/// What came first from the other end.
pub(super) enum First {
    Settings,
    Alert,
    Closed,
    Other,
    Nothing,
    Failed(io::Error),
}

/// Greets, and waits for what comes first.
pub(super) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), patience: Duration) -> First {
    let said = async {
        stream.write_all(PREFACE).await?;
        stream.flush().await?;
        let mut head = [0; 9];
        let mut read = 0;
        while read < head.len() {
            let count = stream.read(&mut head[read..]).await?;
            if count == 0 {
                break;
            }
            read += count;
        }
        Ok::<_, io::Error>((head, read))
    };
    match timeout(patience, said).await {
        Err(_) => First::Nothing,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => First::Closed,
        Ok(Err(error)) => First::Failed(error),
        Ok(Ok((_, 0))) => First::Closed,
        Ok(Ok((head, _))) if head[0] == ALERT && head[1] == 3 => First::Alert,
        Ok(Ok((head, 9))) if head[3] == SETTINGS => First::Settings,
        Ok(Ok(_)) => First::Other,
    }
}
