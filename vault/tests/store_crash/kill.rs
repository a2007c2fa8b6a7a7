//! SIGKILL: at random moments under load, and at each named point of a commit.

use std::io::BufRead;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{self, Orders, acknowledged};
use crate::engine::Engine;
use crate::random::Random;
use crate::{say, setting};

#[test]
fn nothing_acknowledged_is_lost_to_kills_at_random_moments() {
    at_random_moments(Engine::Sled);
}

#[test]
fn on_postgres_nothing_acknowledged_is_lost_to_kills_at_random_moments() {
    at_random_moments(Engine::Postgres);
}

fn at_random_moments(engine: Engine) {
    let mut random = Random::seeded("kills");
    let cycles = setting("STORE_CRASH_CYCLES", 50);
    let home = tempfile::tempdir().unwrap();
    let mut parent = home.path().to_owned();
    let Some(mut data) = engine.data() else { return };
    let started = Instant::now();
    let (mut acked, mut total) = (Vec::new(), 0);
    for cycle in 1..=cycles {
        // Every check walks the whole store: begin a new one now and then.
        if cycle % 10 == 1 {
            child::verify(&parent, &acked, data.url());
            parent = home.path().join(cycle.to_string());
            data = engine.data().unwrap();
            acked.clear();
        }
        let (mut process, mut lines) = child::start(&Orders {
            parent: &parent,
            acked: &acked,
            cycle,
            die_at: None,
            url: data.url(),
        });
        let before = acked.len();
        let reader = thread::spawn(move || {
            let (mut numbers, mut line) = (Vec::new(), String::new());
            while lines.read_line(&mut line).unwrap_or(0) > 0 {
                numbers.extend(acknowledged(&line));
                line.clear();
            }
            numbers
        });
        thread::sleep(Duration::from_millis(random.between(2, 500)));
        process.kill().unwrap();
        process.wait().unwrap();
        acked.extend(reader.join().unwrap());
        total += acked.len() - before;
    }
    child::verify(&parent, &acked, data.url());
    say(&format!(
        "{engine:?}: {cycles} kills, {total} acknowledged commits, none lost, {:.0?}",
        started.elapsed()
    ));
    assert!(total > 0, "no cycle got as far as a commit");
}

#[test]
fn nothing_acknowledged_is_lost_to_kills_at_named_points() {
    at_named_points(Engine::Sled);
}

#[test]
fn on_postgres_nothing_acknowledged_is_lost_to_kills_at_named_points() {
    at_named_points(Engine::Postgres);
}

fn at_named_points(engine: Engine) {
    let Some(data) = engine.data() else { return };
    let home = tempfile::tempdir().unwrap();
    let mut acked = Vec::new();
    let mut cycle = 0;
    for batch in [1, 2, 7] {
        for point in [
            "before-begin",
            "after-begin",
            "before-write",
            "before-sync",
            "in-sync",
            "after-sync",
        ] {
            cycle += 1;
            let die_at = Some(format!("{point}:{batch}"));
            let (mut process, lines) = child::start(&Orders {
                parent: home.path(),
                acked: &acked,
                cycle,
                die_at,
                url: data.url(),
            });
            acked.extend(
                lines
                    .lines()
                    .filter_map(|line| acknowledged(&format!("{}\n", line.unwrap()))),
            );
            assert!(
                !process.wait().unwrap().success(),
                "{point}:{batch} was never reached"
            );
        }
    }
    child::verify(home.path(), &acked, data.url());
    assert!(!acked.is_empty());
}
