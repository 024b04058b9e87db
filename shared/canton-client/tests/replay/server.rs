//! A server that answers what was recorded, byte for byte, and keeps what it was asked.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use axum::http;
use prost::bytes::{Buf as _, BufMut as _, Bytes};
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, StreamingService},
    service::Routes,
    transport::Server,
};

/// One answer: messages, or a refusal.
#[derive(Clone)]
pub struct Answer(pub Result<Vec<Vec<u8>>, Status>);

impl Answer {
    pub fn of(message: Vec<u8>) -> Self {
        Self(Ok(vec![message]))
    }
}

type Asked = (String, Vec<Vec<u8>>);

/// Answers for each `Service/Rpc` in order; the last one stays.
#[derive(Clone, Default)]
pub struct Replay {
    answers: Arc<Mutex<BTreeMap<String, VecDeque<Answer>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Replay {
    pub fn answer(&self, rpc: &str, answer: Answer) -> &Self {
        self.answers.lock().unwrap().entry(rpc.to_owned()).or_default().push_back(answer);
        self
    }

    /// Every request of one rpc, each as its messages.
    pub fn asked(&self, rpc: &str) -> Vec<Vec<Vec<u8>>> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(name, _)| name == rpc).map(|(_, messages)| messages.clone()).collect()
    }

    pub async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Routes::from(axum::Router::new().fallback_service(self.clone()));
        let served = Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(served);
        address
    }

    fn take(&self, rpc: &str, messages: Vec<Vec<u8>>) -> Answer {
        self.asked.lock().unwrap().push((rpc.to_owned(), messages));
        let mut answers = self.answers.lock().unwrap();
        let Some(queue) = answers.get_mut(rpc) else {
            return Answer(Err(Status::new(Code::Unimplemented, format!("Method not found: {rpc}"))));
        };
        if queue.len() > 1 { queue.pop_front().unwrap() } else { queue[0].clone() }
    }
}

impl tower::Service<http::Request<axum::body::Body>> for Replay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        // `/package.Service/Rpc` without the package.
        let rpc = request.uri().path().rsplit('.').next().unwrap().to_owned();
        let one = One { replay: self.clone(), rpc };
        Box::pin(async move { Ok(Grpc::new(Raw).streaming(one, request).await) })
    }
}

struct One {
    replay: Replay,
    rpc: String,
}

type Messages = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<Bytes, Status>> + Send>>;

impl StreamingService<Bytes> for One {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response<Messages>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (replay, rpc) = (self.replay.clone(), self.rpc.clone());
        Box::pin(async move {
            let mut messages = Vec::new();
            let mut asked = request.into_inner();
            while let Some(message) = asked.next().await {
                messages.push(message?.to_vec());
            }
            let answer = replay.take(&rpc, messages).0?;
            let stream = tokio_stream::iter(answer.into_iter().map(|message| Ok(Bytes::from(message))));
            Ok(Response::new(Box::pin(stream) as Messages))
        })
    }
}

/// Messages as the bytes that they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
