//! Witnesses and the mirror over a real vault and real files: what they take, what they notice, and that none disturbs
//! another.

use std::fs;
use std::path::Path;

use shared::clock::Clock;

use super::*;
use crate::audit::checkpoint::{Checkpoint, verifier_key};
use crate::audit::event::{Event, Operation};
use crate::audit::note::VerifierKey;
use crate::audit::verify::{self, Tampered};
use crate::flows::tests::Stage;

fn witnesses(stage: &Stage, files: &[&Path], mirror: Option<&Path>) -> Witnesses {
    let section = |file: &&Path| WitnessSection::File {
        file: file.to_path_buf(),
    };
    let settings = Audit {
        witnesses: files.iter().map(section).collect(),
        mirror: mirror.map(Path::to_path_buf),
        ..Audit::default()
    };
    Witnesses::new(&settings, &Clock::Manual(stage.clock.clone())).unwrap()
}

fn vkey(stage: &Stage) -> VerifierKey {
    verifier_key(
        stage.vault.keyring().audit_key(),
        &stage.vault.surroundings.origin,
    )
    .unwrap()
}

/// A note that the vault's own key signed over any head.
fn signed(stage: &Stage, head: Head) -> String {
    let origin = stage.vault.surroundings.origin.to_string();
    Checkpoint { origin, head }
        .sign(stage.vault.keyring().audit_keys())
        .unwrap()
}

fn code(refused: Result<Option<u64>, Error>) -> &'static str {
    refused.unwrap_err().status_and_code().1
}

async fn happens(stage: &Stage, times: usize) {
    for _ in 0..times {
        let event = stage.event(Operation::Challenge);
        stage.vault.commit(event, |_, _| Ok(())).await.unwrap();
    }
}

/// The mirror's lines.
fn mirrored(directory: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

fn judge(lines: &str, notes: &str, key: &VerifierKey) -> Vec<Tampered> {
    verify::verify(verify::entries(lines.lines()), &verify::notes(notes), key).findings
}

#[tokio::test]
async fn a_file_gets_a_note_when_the_log_grew_and_none_when_it_did_not() {
    let stage = Stage::new().await;
    let file = stage.directory.path().join("notes");
    let witnesses = witnesses(&stage, &[&file], None);
    assert_eq!(witnesses.check(&stage.vault, false).await.unwrap(), None);
    witnesses.tell_all(&stage.vault).await;
    witnesses.tell_all(&stage.vault).await;
    happens(&stage, 1).await;
    witnesses.tell_all(&stage.vault).await;
    let notes = verify::notes(&fs::read_to_string(&file).unwrap());
    let sizes: Vec<u64> = notes
        .iter()
        .map(|note| Checkpoint::verify(note, &vkey(&stage)).unwrap().head.size)
        .collect();
    let size = stage.vault.durable_head().await.unwrap().size;
    assert_eq!(sizes, [size - 1, size]);
    assert_eq!(witnesses.standings()[0].size, Some(size));
    assert_eq!(witnesses.check(&stage.vault, false).await.unwrap(), None);
}

#[tokio::test]
async fn an_old_disk_and_another_history_are_noticed_at_the_next_unlock() {
    let stage = Stage::new().await;
    let file = stage.directory.path().join("notes");
    let head = stage.vault.durable_head().await.unwrap();
    let note = |size, root| fs::write(&file, signed(&stage, Head { size, root }) + "\n").unwrap();
    note(head.size + 1, head.root);
    let witnesses = witnesses(&stage, &[&file], None);
    assert_eq!(
        code(witnesses.check(&stage.vault, false).await),
        "LOG_BEHIND_WITNESS"
    );
    note(head.size, [7; 32]);
    assert_eq!(code(witnesses.check(&stage.vault, false).await), "LOG_FORKED");
    note(head.size, head.root);
    assert_eq!(witnesses.check(&stage.vault, false).await.unwrap(), None);
    let other = Stage::new().await;
    fs::write(&file, signed(&other, head) + "\n").unwrap();
    assert_eq!(
        code(witnesses.check(&stage.vault, false).await),
        "WITNESS_NOT_OURS"
    );
}

#[tokio::test]
async fn a_deliberate_restore_opens_and_is_an_event_that_names_what_was_given_up() {
    let stage = Stage::new().await;
    let file = stage.directory.path().join("notes");
    let mut head = stage.vault.durable_head().await.unwrap();
    head.size += 10;
    fs::write(&file, signed(&stage, head) + "\n").unwrap();
    let witnesses = witnesses(&stage, &[&file], None);
    assert_eq!(
        witnesses.check(&stage.vault, true).await.unwrap(),
        Some(head.size)
    );
    let mut event = Event::done(Operation::Restore, stage.vault.surroundings.clock.now());
    event.note = Some(format!("from a backup of January witnessed={}", head.size));
    stage.vault.commit(event, |_, _| Ok(())).await.unwrap();
    let mirror = stage.directory.path().join("mirror");
    let both = self::witnesses(&stage, &[&file], Some(&mirror));
    both.tell_all(&stage.vault).await;
    assert_eq!(
        judge(
            &mirrored(&mirror),
            &fs::read_to_string(&file).unwrap(),
            &vkey(&stage)
        ),
        []
    );
}

#[tokio::test]
async fn a_witness_that_cannot_be_written_alarms_and_disturbs_no_other() {
    let stage = Stage::new().await;
    let missing = stage.directory.path().join("volume");
    let (bad, good) = (missing.join("notes"), stage.directory.path().join("notes"));
    let witnesses = witnesses(&stage, &[&bad, &good], None);
    witnesses.tell_all(&stage.vault).await;
    let standings = witnesses.standings();
    assert!(standings[0].failing_since.is_some() && standings[0].size.is_none());
    assert!(standings[1].failing_since.is_none() && good.exists());
    happens(&stage, 1).await;
    fs::create_dir(&missing).unwrap();
    witnesses.tell_all(&stage.vault).await;
    let size = stage.vault.durable_head().await.unwrap().size;
    for standing in witnesses.standings() {
        assert_eq!((standing.size, standing.failing_since), (Some(size), None));
    }
}

#[tokio::test]
async fn a_full_disk_fails_a_witness_and_not_the_service() {
    let stage = Stage::new().await;
    let witnesses = witnesses(&stage, &[Path::new("/dev/full")], None);
    witnesses.tell_all(&stage.vault).await;
    assert!(witnesses.standings()[0].failing_since.is_some());
    happens(&stage, 1).await;
}

#[tokio::test]
async fn half_a_note_is_left_behind_and_the_next_one_is_read() {
    let stage = Stage::new().await;
    let file = stage.directory.path().join("notes");
    let head = stage.vault.durable_head().await.unwrap();
    fs::write(&file, &signed(&stage, head)[..40]).unwrap();
    let witnesses = witnesses(&stage, &[&file], None);
    assert_eq!(witnesses.check(&stage.vault, false).await.unwrap(), None);
    witnesses.tell_all(&stage.vault).await;
    assert_eq!(verify::notes(&fs::read_to_string(&file).unwrap()).len(), 1);
}

#[tokio::test]
async fn the_mirror_goes_on_where_it_stopped_and_takes_back_half_a_line() {
    let stage = Stage::new().await;
    let (file, mirror) = (
        stage.directory.path().join("notes"),
        stage.directory.path().join("mirror"),
    );
    witnesses(&stage, &[&file], Some(&mirror))
        .tell_all(&stage.vault)
        .await;
    let path = fs::read_dir(&mirror).unwrap().next().unwrap().unwrap().path();
    let before = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{before}{{\"index\":")).unwrap();
    happens(&stage, 3).await;
    let again = witnesses(&stage, &[&file], Some(&mirror));
    again.tell_all(&stage.vault).await;
    let size = stage.vault.durable_head().await.unwrap().size;
    assert_eq!(mirrored(&mirror).lines().count() as u64, size);
    assert_eq!(again.standings().last().unwrap().size, Some(size));
    assert_eq!(
        judge(
            &mirrored(&mirror),
            &fs::read_to_string(&file).unwrap(),
            &vkey(&stage)
        ),
        []
    );
}

#[tokio::test]
async fn a_mirror_of_another_log_is_not_written() {
    let (stage, other) = (Stage::new().await, Stage::new().await);
    let mirror = stage.directory.path().join("mirror");
    other.phone().await;
    witnesses(&other, &[], Some(&mirror)).tell_all(&other.vault).await;
    let before = mirrored(&mirror);
    let own = witnesses(&stage, &[], Some(&mirror));
    own.tell_all(&stage.vault).await;
    assert!(own.standings()[0].failing_since.is_some());
    assert_eq!(mirrored(&mirror), before);
}

#[tokio::test]
async fn tampering_with_real_exported_files_is_named() {
    let stage = Stage::new().await;
    let (file, mirror) = (
        stage.directory.path().join("notes"),
        stage.directory.path().join("mirror"),
    );
    let both = witnesses(&stage, &[&file], Some(&mirror));
    both.tell_all(&stage.vault).await;
    let signed_before = stage.vault.durable_head().await.unwrap().size;
    let phone = stage.phone().await;
    stage.card(&phone).await;
    both.tell_all(&stage.vault).await;
    let (lines, notes, key) = (
        mirrored(&mirror),
        fs::read_to_string(&file).unwrap(),
        vkey(&stage),
    );
    assert_eq!(judge(&lines, &notes, &key), []);
    let place = usize::try_from(signed_before).unwrap() + 1;
    let size = lines.lines().count() as u64;

    let flipped: String = lines
        .lines()
        .enumerate()
        .map(|(at, line)| {
            if at == place {
                line.replacen("gateway", "gatewaY", 1) + "\n"
            } else {
                line.to_owned() + "\n"
            }
        })
        .collect();
    let named = judge(&flipped, &notes, &key);
    assert!(
        named.contains(&Tampered::Changed { index: place as u64 }),
        "{named:?}"
    );
    assert!(
        named.contains(&Tampered::Rewritten {
            from: signed_before,
            to: size
        }),
        "{named:?}"
    );

    what_is_left_out_is_named(&lines, &notes, &key, place);
}

/// A line that was dropped, an end that was cut off, a file that is gone.
fn what_is_left_out_is_named(lines: &str, notes: &str, key: &VerifierKey, place: usize) {
    let size = lines.lines().count() as u64;
    let last = lines.lines().last().unwrap();
    let dropped: String = lines
        .lines()
        .enumerate()
        .filter(|(at, _)| *at != place)
        .map(|(_, line)| line.to_owned() + "\n")
        .collect();
    let named = judge(&dropped, notes, key);
    assert!(
        named.contains(&Tampered::Gap {
            expected: place as u64,
            found: place as u64 + 1
        }),
        "{named:?}"
    );

    let cut = lines.strip_suffix(&format!("{last}\n")).unwrap();
    let named = judge(cut, notes, key);
    assert!(
        named.contains(&Tampered::Cut {
            expected: size,
            found: size - 1,
            note: 2
        }),
        "{named:?}"
    );
    assert_eq!(
        judge("", notes, key),
        [Tampered::Cut {
            expected: size,
            found: 0,
            note: 2
        }]
    );
}
