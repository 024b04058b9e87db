//! The backend `command` with real programs: one that signs with openssl, the vectors of its protocol, and programs that
//! lie, hang, flood and fork.
#![allow(clippy::unwrap_used)]

mod asking;
mod hostile;
mod vectors;

use std::{fs, path::Path, process::Command};

use canton_topology::key::KeySpec;
use custody::keys::NewKey;
use tests::backend_conformance::conforms_with_keys_taken;

use self::asking::opened;

/// Makes a key as a holder would, with openssl; its name comes back.
fn made(folder: &Path, number: usize, wanted: &NewKey) -> String {
    let reference = format!("key-{number}");
    let algorithm: &[&str] = match wanted.spec {
        KeySpec::Ed25519 => &["-algorithm", "ed25519"],
        KeySpec::P256 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        KeySpec::P384 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
        KeySpec::Secp256k1 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    };
    let output = Command::new("openssl")
        .arg("genpkey")
        .args(algorithm)
        .arg("-out")
        .arg(folder.join(format!("{reference}.pem")))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    reference
}

#[test]
fn the_signer_with_openssl_conforms() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: openssl is not installed, and no key is made beside the backend");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let signer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/custody/openssl-signer.sh");
    let signer = fs::canonicalize(signer).unwrap();
    let arguments = [signer.to_str().unwrap(), folder.path().to_str().unwrap()];
    let mut count = 0;

    conforms_with_keys_taken(&mut || opened("/bin/sh", &arguments, ""), &mut |wanted| {
        count += 1;
        made(folder.path(), count, wanted)
    });
}
