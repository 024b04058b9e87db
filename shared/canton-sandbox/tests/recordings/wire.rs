//! Calls of raw bytes: what was recorded is sent as it is, and read as it comes.
#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, net::SocketAddr};

use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::http::uri::PathAndQuery,
    transport::Channel,
};

/// Hands bytes through.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
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
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        use prost::bytes::Buf as _;
        let mut item = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

/// Connections to the nodes by their recorded names.
pub struct Wire(HashMap<String, Channel>);

impl Wire {
    pub async fn connect(addresses: HashMap<String, SocketAddr>) -> Self {
        let mut channels = HashMap::new();
        for (name, address) in addresses {
            let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
            channels.insert(name, channel);
        }
        Self(channels)
    }

    /// All messages that come back for these.
    pub async fn call(&self, node: &str, path: &str, requests: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        let mut grpc = Grpc::new(self.0[node].clone()).max_decoding_message_size(usize::MAX);
        grpc.ready().await.unwrap();
        let path: PathAndQuery = path.parse().unwrap();
        let messages = Request::new(tokio_stream::iter(requests));
        let mut stream = grpc.streaming(messages, path, Raw).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await? {
            answers.push(answer);
        }
        Ok(answers)
    }
}
