//! Keeps the checked-in gRPC code equal to what its `.proto` files say, without a protoc and without a build script.

use std::collections::BTreeMap;
use std::path::Path;

use prost_types::FileDescriptorSet;

use crate::process::{Result, root, target_dir};

/// Where `.proto` files are, and where what comes of them goes.
struct Source {
    protos: &'static str,
    files: &'static [&'static str],
    out: &'static str,
}

const SOURCES: &[Source] = &[Source {
    protos: "systems/ncr/contracts/proto",
    files: &["fact.proto", "math/v1/factorial.proto"],
    out: "systems/ncr/contracts/src/generated",
}];

/// The descriptors of all files of a source, for reflection.
const DESCRIPTORS: &str = "descriptors.bin";

/// File name to content.
type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn command(arguments: &[String]) -> Result {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => SOURCES.iter().try_for_each(write),
        ["--check"] => step().map(|note| println!("{note}")),
        _ => Err("usage: cargo xtask proto [--check]".into()),
    }
}

pub(crate) fn step() -> Result<String> {
    let mut count = 0;
    for source in SOURCES {
        let (then, now) = (committed(source)?, generate(source)?);
        let differ = now.keys().chain(then.keys()).find(|name| now.get(*name) != then.get(*name));
        if let Some(name) = differ {
            let (out, protos) = (source.out, source.protos);
            return Err(format!("{out}/{name} is not what {protos} says: cargo xtask proto"));
        }
        count += now.len();
    }
    Ok(format!("{count} files"))
}

fn write(source: &Source) -> Result {
    let out = root().join(source.out);
    let failed = |e: std::io::Error| format!("{}: {e}", out.display());
    std::fs::create_dir_all(&out).map_err(failed)?;
    let now = generate(source)?;
    for name in committed(source)?.keys().filter(|name| !now.contains_key(*name)) {
        std::fs::remove_file(out.join(name)).map_err(failed)?;
        println!("{}/{name} removed", source.out);
    }
    for (name, content) in &now {
        std::fs::write(out.join(name), content).map_err(failed)?;
        println!("{}/{name} written", source.out);
    }
    Ok(())
}

fn generate(source: &Source) -> Result<Files> {
    let protos = root().join(source.protos);
    let compiled = protox::Compiler::new([&protos])
        .and_then(|mut compiler| {
            // Comments become documentation.
            compiler.include_imports(true).include_source_info(true).open_files(source.files)?;
            Ok(compiler.encode_file_descriptor_set())
        })
        .map_err(|e| format!("{}: {e}", source.protos))?;
    let descriptors: FileDescriptorSet =
        prost::Message::decode(&compiled[..]).map_err(|e| format!("{}: {e}", source.protos))?;
    let scratch = target_dir()?.join("xtask").join("proto");
    let failed = |e: std::io::Error| format!("{}: {e}", scratch.display());
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).map_err(failed)?;
    }
    std::fs::create_dir_all(&scratch).map_err(failed)?;
    tonic_prost_build::configure()
        .out_dir(&scratch)
        .build_transport(false)
        .bytes(".")
        .compile_fds(descriptors.clone())
        .map_err(failed)?;
    let mut files = Files::new();
    for (name, content) in read(&scratch)? {
        let package = name.trim_end_matches(".rs");
        let (package, module) = match package {
            // What has no package has no name either.
            "_" => ("no package", "no_package".to_owned()),
            package => (package, package.replace('.', "_")),
        };
        let purpose =
            format!("//! The messages and services of {package}, as `cargo xtask proto` writes them.\n");
        files.insert(format!("{module}.rs"), [purpose.into_bytes(), content].concat());
    }
    files.insert(DESCRIPTORS.to_owned(), prost::Message::encode_to_vec(&without_comments(descriptors)));
    Ok(files)
}

/// Reflection needs no comments.
fn without_comments(mut descriptors: FileDescriptorSet) -> FileDescriptorSet {
    descriptors.file.iter_mut().for_each(|file| file.source_code_info = None);
    descriptors
}

fn committed(source: &Source) -> Result<Files> {
    let out = root().join(source.out);
    if out.exists() { read(&out) } else { Ok(Files::new()) }
}

fn read(dir: &Path) -> Result<Files> {
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    let mut files = Files::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        files.insert(name, std::fs::read(&path).map_err(failed)?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_current() {
        step().unwrap();
    }
}
