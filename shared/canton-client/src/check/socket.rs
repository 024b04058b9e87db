//! The way to the address: name, port, HTTP/2. tonic says only that it did not get through; here each part is done by hand,
//! so that it can be named.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tonic::transport::Uri;

use super::{
    Line, Subject,
    greeting::{First, greet},
    tls,
};

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
