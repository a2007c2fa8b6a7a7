//! Migrations are embedded into the binary: a new file means a new build.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
