//! A connector: takes messages by HTTP, asks the device in software, and answers as it was ordered to.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use yubihsm::{Connector, Uuid};

/// Between the bytes of an answer that drips, and the segments of one that comes in two.
const BETWEEN: Duration = Duration::from_millis(100);
/// Little less than the client keeps of an answer.
const TOO_MUCH: usize = 65_530;

/// What it does to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The answer to another command, in the same session: such a one has no MAC.
    WithoutMac,
    /// Headers that never seem to end, and then do.
    HeadersWithoutEnd,
    /// Headers first, and the body later.
    TwoSegments,
    /// No message of the device's.
    Nonsense,
    /// The connection ends without an answer.
    Closed,
    /// One byte at a time.
    Drips,
}

/// What is ordered, and after how many right answers.
type Order = Arc<Mutex<Option<(usize, Fault)>>>;

/// The relay.
pub struct Relay {
    address: SocketAddr,
    order: Order,
}

impl Relay {
    /// Listens, with a new device behind it, for as long as the process lives.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (order, device) = (Order::default(), Connector::mockhsm());
        let ordered = order.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (device, order) = (device.clone(), ordered.clone());
                thread::spawn(move || serve(stream.unwrap(), &device, &order));
            }
        });
        Self { address, order }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn order(&self, fault: Fault) {
        self.order_after(0, fault);
    }

    pub fn order_after(&self, right_answers: usize, fault: Fault) {
        *self.order.lock().unwrap() = Some((right_answers, fault));
    }

    pub fn lift(&self) {
        *self.order.lock().unwrap() = None;
    }
}

fn serve(stream: TcpStream, device: &Connector, order: &Order) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    while let Some(message) = request(&mut from) {
        let session = message.get(3).copied().unwrap_or_default();
        // What the device makes of a message is one thing, and what is told of it another.
        let Ok(answer) = device.send_message(Uuid::nil(), message.into()) else { return };
        let fault = due(order);
        if respond(&stream, answer.as_ref(), session, fault).is_err() || fault == Some(Fault::Closed) {
            return;
        }
    }
}

fn due(order: &Order) -> Option<Fault> {
    let mut order = order.lock().unwrap();
    match order.as_mut()? {
        (0, fault) => Some(*fault),
        (left, _) => {
            *left -= 1;
            None
        }
    }
}

/// The body of the next request; `None` where there is none.
fn request(from: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(number) = line.strip_prefix("Content-Length: ") {
            length = number.trim().parse().ok()?;
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            from.read_exact(&mut body).ok()?;
            return Some(body);
        }
    }
}

fn respond(mut to: &TcpStream, answer: &[u8], session: u8, fault: Option<Fault>) -> std::io::Result<()> {
    let headers = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    let whole = |body: &[u8]| [&*headers(body.len()), body].concat();
    match fault {
        None => to.write_all(&whole(answer)),
        // A session was created, says its code.
        Some(Fault::WithoutMac) => to.write_all(&whole(&[0x83, 0, 1, session])),
        Some(Fault::Nonsense) => to.write_all(&whole(b"good morning")),
        Some(Fault::Closed) => Ok(()),
        Some(Fault::TwoSegments) => {
            to.write_all(&headers(answer.len()))?;
            thread::sleep(BETWEEN);
            to.write_all(answer)
        }
        Some(Fault::HeadersWithoutEnd) => {
            let mut long = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
            long.resize(TOO_MUCH, b'x');
            to.write_all(&long)?;
            thread::sleep(BETWEEN);
            to.write_all(&whole(answer))
        }
        Some(Fault::Drips) => whole(answer).chunks(1).try_for_each(|byte| {
            thread::sleep(BETWEEN);
            to.write_all(byte)
        }),
    }
}
