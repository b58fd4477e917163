//! Compiles the protocol definitions to Rust and to a descriptor set for reflection, without `protoc`.

use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message;

/// The definitions that Lictor publishes, relative to `proto/`.
const PROTOS: [&str; 3] = ["lictor/v1/decision.proto", "lictor/v1/approval.proto", "google/rpc/error_details.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_SERVER").is_none() {
        return Ok(());
    }
    let mut descriptors = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure().build_server(false).compile_fds(descriptors.clone())?;

    // Reflection has no use for comments and positions, which are most of the set.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(folder.join("descriptors.bin"), descriptors.encode_to_vec())?;
    Ok(())
}
