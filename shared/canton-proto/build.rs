//! Compiles the `.proto` files with a compiler in Rust, so that nobody has to install one.

use std::{error::Error, path::PathBuf};

const FILES: [&str; 18] = [
    "com/daml/ledger/api/v2/admin/party_management_service.proto",
    "com/daml/ledger/api/v2/state_service.proto",
    "com/daml/ledger/api/v2/update_service.proto",
    "com/daml/ledger/api/v2/version_service.proto",
    "com/digitalasset/canton/admin/participant/v30/active_contract.proto",
    "com/digitalasset/canton/admin/participant/v30/package_service.proto",
    "com/digitalasset/canton/admin/participant/v30/participant_status_service.proto",
    "com/digitalasset/canton/admin/participant/v30/party_management_service.proto",
    "com/digitalasset/canton/admin/participant/v30/pruning_service.proto",
    "com/digitalasset/canton/admin/participant/v30/synchronizer_connectivity_service.proto",
    "com/digitalasset/canton/connection/v30/api_info.proto",
    "com/digitalasset/canton/crypto/admin/v30/vault_service.proto",
    "com/digitalasset/canton/topology/admin/v30/initialization_service.proto",
    "com/digitalasset/canton/topology/admin/v30/topology_manager_read_service.proto",
    "com/digitalasset/canton/topology/admin/v30/topology_manager_write_service.proto",
    "com/digitalasset/canton/version/v1/untyped_versioned_message.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from("proto");
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, [&root])?;
    let descriptor_file = PathBuf::from(std::env::var("OUT_DIR")?).join("descriptors.bin");
    std::fs::write(descriptor_file, prost::Message::encode_to_vec(&descriptors))?;
    // What the sandbox does not serve answers UNIMPLEMENTED, as a node does.
    tonic_prost_build::configure().generate_default_stubs(true).include_file("all.rs").compile_fds(descriptors)?;
    Ok(())
}
