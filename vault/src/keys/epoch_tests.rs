//! The files of the epoch secret: every copy agrees, none is lost, and a dropped secret is overwritten.

use std::fs;

use ring::rand::SystemRandom;

use super::*;

struct Place {
    _directory: tempfile::TempDir,
    files: EpochFiles,
}

fn place(copies: usize) -> Place {
    let directory = tempfile::tempdir().unwrap();
    let paths = (0..copies)
        .map(|copy| directory.path().join(format!("epoch-{copy}")))
        .collect();
    let files = EpochFiles::new(paths, &directory.path().join("store")).unwrap();
    Place {
        _directory: directory,
        files,
    }
}

fn secret() -> EpochSecret {
    EpochSecret::first(&SystemRandom::new()).unwrap()
}

fn secret_again(secret: &EpochSecret) -> EpochSecret {
    EpochSecret::from_parts(secret.number, secret.expose()).unwrap()
}

fn next(secret: &EpochSecret) -> EpochSecret {
    EpochSecret::next(secret.number, &SystemRandom::new()).unwrap()
}

#[test]
fn a_change_of_epoch_survives_a_crash_at_every_step() {
    let place = place(2);
    let (first, second) = {
        let first = secret();
        let second = next(&first);
        (first, second)
    };
    place.files.create(&first).unwrap();
    // One copy has both, the other the former alone.
    replace(&place.files.paths()[0], &[&first, &second]).unwrap();
    let loaded = place.files.load().unwrap();
    assert_eq!(loaded.of(1), Some(&first));
    assert_eq!(loaded.of(2), Some(&second));
    place.files.add(&second).unwrap();
    assert_eq!(place.files.load().unwrap().secrets.len(), 2);
    // One copy has dropped the former.
    replace(&place.files.paths()[0], &[&second]).unwrap();
    assert_eq!(place.files.load().unwrap().of(2), Some(&second));
    place.files.settle(&second).unwrap();
    for path in place.files.paths() {
        assert_eq!(read(path).unwrap().unwrap(), [secret_again(&second)]);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!path.with_file_name(format!("{name}.new")).exists());
    }
    // A change that was prepared and never came about is dropped.
    let third = next(&second);
    place.files.add(&third).unwrap();
    place.files.settle(&second).unwrap();
    assert_eq!(place.files.load().unwrap().secrets, [second]);
}

#[test]
fn a_dropped_secret_is_overwritten() {
    let place = place(1);
    let (first, path) = (secret(), &place.files.paths()[0]);
    place.files.create(&first).unwrap();
    let mut former = File::open(path).unwrap();
    place.files.settle(&next(&first)).unwrap();
    let mut bytes = Vec::new();
    former.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, [0; FILE_BYTES]);
}

#[test]
fn all_copies_hold_the_secret_for_the_owner_alone() {
    let place = place(2);
    let secret = secret();
    place.files.create(&secret).unwrap();
    for path in place.files.paths() {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(path).unwrap().unwrap(), [secret_again(&secret)]);
    }
    assert_eq!(place.files.load().unwrap().secrets, [secret_again(&secret)]);
    assert_eq!(
        format!("{secret:?}"),
        "EpochSecret { number: 1, secret: SecretBytes }"
    );
}

#[test]
fn a_missing_copy_is_restored_and_no_copy_is_an_error() {
    let place = place(2);
    let secret = secret();
    place.files.create(&secret).unwrap();
    for path in place.files.paths() {
        fs::remove_file(path).unwrap();
        assert_eq!(place.files.load().unwrap().secrets, [secret_again(&secret)]);
        assert_eq!(read(path).unwrap().unwrap(), [secret_again(&secret)]);
    }
    place
        .files
        .paths()
        .iter()
        .for_each(|path| fs::remove_file(path).unwrap());
    assert!(matches!(place.files.load(), Err(EpochError::Missing)));
}

#[test]
fn a_changed_or_cut_copy_is_named_and_not_repaired() {
    let place = place(2);
    place.files.create(&secret()).unwrap();
    let path = &place.files.paths()[1];
    let bytes = fs::read(path).unwrap();
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        fs::write(path, &changed).unwrap();
        assert!(
            matches!(place.files.load(), Err(EpochError::Damaged(damaged)) if damaged == *path),
            "byte {index}"
        );
    }
    fs::write(path, &bytes[1..]).unwrap();
    assert!(matches!(place.files.load(), Err(EpochError::Damaged(_))));
}

#[test]
fn copies_that_disagree_are_refused() {
    let place = place(2);
    place.files.create(&secret()).unwrap();
    fs::write(&place.files.paths()[1], secret().to_file_bytes()).unwrap();
    assert!(matches!(place.files.load(), Err(EpochError::Disagree(..))));
}

#[test]
fn an_existing_file_is_never_overwritten_and_nothing_is_left_behind() {
    let place = place(2);
    fs::write(&place.files.paths()[1], b"precious").unwrap();
    assert!(
        matches!(place.files.create(&secret()), Err(EpochError::Exists(path)) if path == place.files.paths()[1])
    );
    assert!(!place.files.paths()[0].exists());
    assert_eq!(fs::read(&place.files.paths()[1]).unwrap(), b"precious");
}

#[test]
fn a_copy_that_others_may_read_is_refused() {
    let place = place(1);
    place.files.create(&secret()).unwrap();
    fs::set_permissions(&place.files.paths()[0], fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(place.files.load(), Err(EpochError::Readable(_))));
}

#[test]
fn paths_in_the_store_or_twice_or_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    fs::create_dir(&store).unwrap();
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&store, &link).unwrap();
    for inside in [store.join("epoch"), link.join("epoch"), store.join("deep/epoch")] {
        assert!(matches!(
            EpochFiles::new(vec![inside], &store),
            Err(EpochError::InsideStore(_))
        ));
    }
    let path = directory.path().join("epoch");
    assert!(matches!(
        EpochFiles::new(vec![path.clone(), path], &store),
        Err(EpochError::Paths)
    ));
    assert!(matches!(EpochFiles::new(vec![], &store), Err(EpochError::Paths)));
}
