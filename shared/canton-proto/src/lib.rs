//! GENERATED: Canton's gRPC messages, clients and servers, from our own `.proto` files. No logic is written here.
#![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications, rustdoc::all)]

mod generated {
    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use generated::{com::daml, com::digitalasset::canton, google};

/// The compiled descriptors of all `.proto` files, as a serialized `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
