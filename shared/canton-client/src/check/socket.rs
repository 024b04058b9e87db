//! The way to the address: name, port, HTTP/2. tonic says only that it did not get through; here each part is done by hand,
//! so that it can be named.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tonic::transport::Uri;

use super::{Line, Subject, tls};

/// What an HTTP/2 client says first: its greeting, and settings that change nothing.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// The type of the frame that a server answers with.
const SETTINGS: u8 = 4;
/// How a TLS alert begins.
const ALERT: u8 = 21;

pub(super) async fn look(subject: &Subject<'_>) -> Vec<Line> {
    let (options, access) = (subject.options, &subject.options.access);
    let tried = format!("address {}", options.address);
    let address: Uri = match options.address.parse() {
        Ok(address) => address,
        Err(error) => return vec![Line::wrong(tried, format!("{error}"), "write it like https://host:5002")],
    };
    if let Err(error) = access.tls(&address) {
        return vec![Line::wrong(tried, error.to_string(), "mend the configuration")];
    }
    let (Some(host), is_https) = (address.host(), address.scheme_str() == Some("https")) else {
        return vec![Line::wrong(tried, "no host in it", "write it like https://host:5002")];
    };
    let port = address.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let stream = match reach(host, port, options.timeout).await {
        Ok(stream) => stream,
        Err(line) => return vec![Line { tried, ..line }],
    };
    let reached = Line::right(tried, "something listens there");
    let line = if is_https {
        tls::look(stream, host, access, options.timeout).await
    } else {
        plain(stream, options.timeout).await
    };
    vec![reached, line]
}

async fn reach(host: &str, port: u16, patience: Duration) -> Result<TcpStream, Line> {
    match timeout(patience, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Line::unknown(
            "",
            "nothing listens there",
            "start the participant, or mend the port; nodes listen on 127.0.0.1 only unless their configuration says otherwise",
        )),
        Ok(Err(error)) => Err(Line::unknown("", error.to_string(), "mend the host name or the route to it")),
        Err(_) => Err(Line::unknown("", "no answer in time", "a firewall may swallow it; mend the route")),
    }
}

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

async fn plain(mut stream: TcpStream, patience: Duration) -> Line {
    let tried = "gRPC without TLS";
    match greet(&mut stream, patience).await {
        First::Settings => Line::right(tried, "it answers"),
        First::Alert | First::Closed => Line::wrong(
            tried,
            "the connection is closed at once: most likely it wants TLS",
            "write https:// and `ca`, the certificate of the authority that vouches for it",
        ),
        First::Other => {
            Line::wrong(tried, "what answers does not speak gRPC", "is this the JSON API or another program?")
        }
        First::Nothing => Line::unknown(tried, "connected, and no answer in time", "is this a gRPC port?"),
        First::Failed(error) => Line::unknown(tried, error.to_string(), "try again; then see the node's log"),
    }
}
