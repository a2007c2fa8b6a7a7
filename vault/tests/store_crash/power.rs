//! Power cuts: the file system under the store goes down at a random moment, without its last writes.

use std::io::BufRead;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::child::{self, Orders, acknowledged};
use crate::random::Random;
use crate::volume::Volume;
use crate::{say, setting};

#[test]
fn nothing_acknowledged_is_lost_to_power_cuts() {
    let cuts = setting("STORE_POWER_CUTS", 20);
    let mut volume = match Volume::new(512) {
        Ok(volume) => volume,
        Err(why) => return say(&format!("SKIPPED: power cuts under the store: {why}")),
    };
    let mut random = Random::seeded("power cuts");
    let started = Instant::now();
    let (mut acked, mut total) = (Vec::new(), 0);
    for cycle in 1..=cuts {
        // Every check walks the whole store: begin a new one now and then.
        if cycle % 5 == 1 {
            child::verify(volume.path(), &acked, None);
            drop(volume);
            volume = Volume::new(512).unwrap();
            acked.clear();
        }
        let cutter = volume.arm();
        let orders = Orders {
            parent: volume.path(),
            acked: &acked,
            cycle,
            die_at: None,
            url: None,
        };
        let (mut process, mut lines) = child::start(&orders);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let reader = thread::spawn({
            let heard = Arc::clone(&heard);
            move || {
                let mut line = String::new();
                while lines.read_line(&mut line).unwrap_or(0) > 0 {
                    heard.lock().unwrap().extend(acknowledged(&line));
                    line.clear();
                }
            }
        });
        thread::sleep(Duration::from_millis(random.between(100, 900)));
        // Only what was heard before the cut counts: a later word may have crossed it.
        let before_the_cut = heard.lock().unwrap().clone();
        cutter.cut();
        process.kill().unwrap();
        process.wait().unwrap();
        reader.join().unwrap();
        total += before_the_cut.len();
        acked.extend(before_the_cut);
        volume.remount();
    }
    child::verify(volume.path(), &acked, None);
    say(&format!(
        "{cuts} power cuts, {total} acknowledged commits, none lost, {:.0?}",
        started.elapsed()
    ));
    assert!(total > 0, "no cycle got as far as a commit");
}
