//! Compiles the `.proto` files with a compiler in Rust, so that nobody has to install one.

use std::{error::Error, path::PathBuf};

const FILES: [&str; 6] = [
    "com/digitalasset/canton/admin/participant/v30/synchronizer_connectivity_service.proto",
    "com/digitalasset/canton/topology/admin/v30/initialization_service.proto",
    "com/digitalasset/canton/topology/admin/v30/topology_manager_read_service.proto",
    "com/digitalasset/canton/topology/admin/v30/topology_manager_write_service.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("proto");
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, [&root])?;
    let descriptor_file = PathBuf::from(std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(descriptor_file, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().include_file("all.rs").compile_fds(descriptors)?;
    Ok(())
}
