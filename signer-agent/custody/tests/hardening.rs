//! What a process gives up before it opens keys, each thing by itself. They are the whole process's: here is one test alone.
#![allow(clippy::unwrap_used)]

use rustix::{
    fs::{Mode, OFlags},
    io::{FdFlags, fcntl_getfd},
    process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, getrlimit, set_dumpable_behavior, setrlimit},
};

#[test]
fn a_hardened_process_leaves_no_core_is_not_looked_into_and_hands_no_descriptor_down() {
    // As a shell leaves it that has a file open for whoever is started.
    let handed_down = rustix::fs::open("/dev/null", OFlags::RDONLY, Mode::empty()).unwrap();
    assert_eq!(fcntl_getfd(&handed_down).unwrap(), FdFlags::empty());
    set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
    let most = getrlimit(Resource::Core).maximum;
    if most == Some(0) {
        println!("skipped: this process may leave no core anyway, and how that is turned off does not show");
    }
    setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).unwrap();

    custody::hardening::harden().unwrap();

    assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    assert_eq!(fcntl_getfd(&handed_down).unwrap(), FdFlags::CLOEXEC);
    for open in [0, 1, 2] {
        // A program that is started talks to us by these.
        let flags = std::fs::read_to_string(format!("/proc/self/fdinfo/{open}")).unwrap();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim().to_owned();
        assert_eq!(u32::from_str_radix(&flags, 8).unwrap() & OFlags::CLOEXEC.bits(), 0, "{open}: {flags}");
    }
}
