//! Built with the feature `libfuzzer`: one target under LLVM's libFuzzer, named by `FUZZ_TARGET`; its seeds are written
//! into the folder `FUZZ_SEEDS` first. `run` sets both.
//!
//! Built as an ordinary program: `fuzz TARGET [FILE…]` gives each file, or else each seed, to the target once. So a
//! crash is looked at without any instrumentation.
#![cfg_attr(feature = "libfuzzer", no_main)]

#[cfg(feature = "libfuzzer")]
mod under_libfuzzer {
    use std::sync::OnceLock;

    use fuzz::{TARGETS, Target};

    static TARGET: OnceLock<&Target> = OnceLock::new();

    fn begin() {
        let name = std::env::var("FUZZ_TARGET").expect("`run` names the target in FUZZ_TARGET");
        if name == "--list" {
            TARGETS.iter().for_each(|target| println!("{}", target.name));
            std::process::exit(0);
        }
        let target = Target::named(&name).expect("`run` names a target that exists");
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            for (index, seed) in (target.seeds)().iter().enumerate() {
                let path = std::path::Path::new(&folder).join(format!("seed-{index:04}"));
                std::fs::write(path, seed).expect("the seeds' folder can be written");
            }
        }
        let _ = TARGET.set(target);
    }

    libfuzzer_sys::fuzz_target!(
        init: begin(),
        |bytes: &[u8]| {
            if let Some(target) = TARGET.get() {
                (target.run)(bytes);
            }
        }
    );
}

#[cfg(not(feature = "libfuzzer"))]
fn main() -> std::process::ExitCode {
    use std::process::ExitCode;

    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    let Some(target) = fuzz::Target::named(&name) else {
        let names: Vec<&str> = fuzz::TARGETS.iter().map(|target| target.name).collect();
        if name == "--list" {
            println!("{}", names.join("\n"));
            return ExitCode::SUCCESS;
        }
        eprintln!("usage: fuzz TARGET [FILE…]; without a file, its seeds. Targets: {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    let mut given = Vec::new();
    for path in arguments {
        match std::fs::read(&path) {
            Ok(bytes) => given.push(bytes),
            Err(error) => {
                eprintln!("cannot read {path}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let inputs = if given.is_empty() { (target.seeds)() } else { given };
    inputs.iter().for_each(|bytes| (target.run)(bytes));
    println!("{name}: {} inputs hold", inputs.len());
    ExitCode::SUCCESS
}
