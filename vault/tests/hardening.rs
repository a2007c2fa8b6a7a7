//! The process hardens itself; each test in a child of its own, since what it does cannot be undone. Apart from the unit
//! tests, because a child holds the locks of all stores that are open in its parent until it has become another program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::process::Command;

use rustix::process::{DumpableBehavior, Resource, Rlimit, dumpable_behavior, setrlimit};
use vault::environment::Environment;
use vault::hardening::{HardeningError, harden};
use vault::secret::MemoryNotLocked;

/// Changes its process for good, so it runs in a child: see the test below.
#[test]
#[ignore = "run by the_process_is_hardened in a process of its own"]
fn child() {
    let dumpable_before = dumpable_behavior().unwrap();
    assert_eq!(dumpable_before, DumpableBehavior::Dumpable);
    let report = harden(Environment::Production).unwrap();
    assert!(report.core_dumps_off && report.not_dumpable && report.memory_locked);
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    println!("{}", fs::read_to_string("/proc/self/limits").unwrap());
    println!("{}", fs::read_to_string("/proc/self/status").unwrap());
}

/// The same without the right to lock memory; the parent lowers the limit.
#[test]
#[ignore = "run by without_locked_memory_only_development_starts in a process of its own"]
fn child_without_locked_memory() {
    setrlimit(
        Resource::Memlock,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .unwrap();
    rustix::thread::set_capabilities(None, no_capabilities()).unwrap();
    assert_eq!(harden(Environment::Production), Err(MemoryNotLocked.into()));
    assert!(!harden(Environment::Development).unwrap().memory_locked);
    println!("refused as it should");
}

/// `CAP_IPC_LOCK` lets root lock memory beyond any limit.
fn no_capabilities() -> rustix::thread::CapabilitySets {
    let none = rustix::thread::CapabilitySet::empty();
    rustix::thread::CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    }
}

fn run_child(name: &str, environment: Option<(&str, &str)>) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .envs(environment)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text
}

/// Runs in a process of its own: see the test below.
#[test]
#[ignore = "run by backtraces_are_refused_in_production in a process of its own"]
fn child_with_backtraces() {
    assert_eq!(
        harden(Environment::Production).unwrap_err(),
        HardeningError::Backtraces
    );
    harden(Environment::Development).unwrap();
}

#[test]
fn backtraces_are_refused_in_production() {
    run_child("child_with_backtraces", Some(("RUST_BACKTRACE", "1")));
}

#[test]
fn the_process_is_hardened() {
    let text = run_child("child", None);
    let words = |start: &str| -> Vec<String> {
        let line = text.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        line.split_whitespace().map(str::to_owned).collect()
    };
    assert_eq!(words("Max core file size"), ["0", "0", "bytes"]);
    assert_eq!(words("Umask:"), ["0077"]);
}

#[test]
fn without_locked_memory_only_development_starts() {
    assert!(run_child("child_without_locked_memory", None).contains("refused as it should"));
}
