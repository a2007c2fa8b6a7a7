//! Slots and unlocking: who may give what, when, and that nothing short of the threshold opens.

use ring::rand::SystemRandom;
use shared::clock::{Clock, ManualClock};
use shared::mtls::identity::Identity;
use shared::mtls::peer::SpkiThumbprint;
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::key_file::{self, KeyFileError};
use super::shamir::{self, NewCustodian, ShamirError};
use super::share::{Share, ShareError, ShareText};
use super::unlock::{Opened, Progress, SESSION_SECONDS, UnlockError, UnlockSession};
use super::{Keeping, Replaces, Slot, SlotError, Standing, verify_all};
use crate::environment::Environment;
use crate::keys::root::RootKey;
use crate::secret::SecretBytes;

const DEVELOPMENT: Environment = Environment::Development;

fn identity(name: &str) -> Identity {
    format!("spiffe://tessera/officer/{name}").parse().unwrap()
}

fn thumbprint(of: u8) -> SpkiThumbprint {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .encode([of; 32])
        .parse()
        .unwrap()
}

fn custodian(number: u8) -> NewCustodian {
    NewCustodian {
        identity: identity(&format!("o{number}")),
        key: thumbprint(number),
    }
}

fn custodians(count: u8) -> Vec<NewCustodian> {
    (1..=count).map(custodian).collect()
}

fn root() -> RootKey {
    RootKey::generate(DEVELOPMENT, &SystemRandom::new()).unwrap()
}

fn copy(text: &ShareText) -> ShareText {
    ShareText::new(Zeroizing::new(text.expose().to_owned()))
}

/// A slot of 2 of 3 custodians with its session.
struct Vault {
    root: RootKey,
    slot: Slot,
    shares: Vec<ShareText>,
    clock: ManualClock,
    session: UnlockSession,
}

impl Vault {
    fn new(threshold: u8, count: u8) -> Self {
        let root = root();
        let made = shamir::create(
            DEVELOPMENT,
            &root,
            threshold,
            &custodians(count),
            Standing::Active,
            1,
            &SystemRandom::new(),
        );
        let (slot, shares) = made.unwrap();
        let clock = ManualClock::starting_at(OffsetDateTime::UNIX_EPOCH);
        let session = UnlockSession::new(DEVELOPMENT, vec![slot.clone()], Clock::Manual(clock.clone()));
        Self {
            root,
            slot,
            shares: shares.into_iter().map(|(_, text)| text).collect(),
            clock,
            session,
        }
    }

    /// Custodian `who` (from 1) gives the share of `whose`.
    fn give(&mut self, who: u8, whose: u8) -> Result<Progress, UnlockError> {
        let text = copy(&self.shares[usize::from(whose) - 1]);
        self.session
            .submit(&custodian(who).identity, &custodian(who).key, &text)
    }

    fn give_text(&mut self, who: u8, text: &ShareText) -> Result<Progress, UnlockError> {
        self.session
            .submit(&custodian(who).identity, &custodian(who).key, text)
    }
}

#[track_caller]
fn opened(progress: Result<Progress, UnlockError>) -> RootKey {
    match progress.unwrap() {
        Progress::Complete(Opened { root, .. }) => root,
        Progress::Waiting { given, needed, .. } => panic!("{given} of {needed}"),
    }
}

#[test]
fn every_threshold_of_custodians_opens_in_any_order() {
    for (first, second) in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 3), (3, 2)] {
        let mut vault = Vault::new(2, 3);
        assert_eq!((vault.session.given(), vault.session.needed()), (0, Some(2)));
        let progress = vault.give(first, first).unwrap();
        assert!(matches!(
            progress,
            Progress::Waiting {
                given: 1,
                needed: 2,
                until: SESSION_SECONDS
            }
        ));
        assert_eq!(vault.session.given(), 1);
        assert_eq!(opened(vault.give(second, second)), vault.root);
        assert_eq!(vault.session.given(), 0, "the session is wiped");
    }
}

#[test]
fn the_largest_slot_opens_with_all_its_shares() {
    let mut vault = Vault::new(16, 16);
    for number in 1..=15 {
        assert!(matches!(vault.give(number, number), Ok(Progress::Waiting { .. })));
    }
    assert_eq!(opened(vault.give(16, 16)), vault.root);
}

#[test]
fn a_custodian_gives_one_share_once_and_only_their_own() {
    let mut vault = Vault::new(3, 3);
    vault.give(1, 1).unwrap();
    assert!(matches!(vault.give(1, 1), Err(UnlockError::AlreadyGiven(1))));
    assert!(matches!(vault.give(1, 2), Err(UnlockError::NotYours(2))));
    assert!(matches!(vault.give(2, 1), Err(UnlockError::NotYours(1))));
    let share = copy(&vault.shares[1]);
    let stranger = vault
        .session
        .submit(&identity("stranger"), &thumbprint(2), &share);
    assert!(matches!(stranger, Err(UnlockError::NotACustodian(who)) if who == identity("stranger")));
    let other_key = vault
        .session
        .submit(&custodian(2).identity, &thumbprint(3), &share);
    assert!(matches!(other_key, Err(UnlockError::OtherKey(_))));
    assert_eq!(vault.session.given(), 1, "refusals neither add nor forget");
}

#[test]
fn a_mistyped_a_wrong_and_a_foreign_share_are_told_apart() {
    let mut vault = Vault::new(2, 3);
    let text = vault.shares[0].expose().to_owned();
    let mistyped = if text.ends_with('a') { "b" } else { "a" };
    let mistyped = format!("{}{mistyped}", &text[..text.len() - 1]);
    let mistyped = vault.give_text(1, &ShareText::new(Zeroizing::new(mistyped)));
    assert!(matches!(mistyped, Err(UnlockError::Share(ShareError::Mistyped))));

    let mut forged = Share::parse(&vault.shares[0]).unwrap();
    forged.point.value.expose_mut()[31] ^= 1;
    assert!(matches!(
        vault.give_text(1, &forged.to_text()),
        Err(UnlockError::WrongShare(1))
    ));

    let foreign = copy(&Vault::new(2, 3).shares[0]);
    assert!(matches!(
        vault.give_text(1, &foreign),
        Err(UnlockError::UnknownSlot(_))
    ));
}

#[test]
fn shares_of_two_slots_do_not_mix() {
    let mut vault = Vault::new(2, 3);
    let (other, other_shares) = shamir::create(
        DEVELOPMENT,
        &vault.root,
        2,
        &custodians(3),
        Standing::Active,
        1,
        &SystemRandom::new(),
    )
    .unwrap();
    let slots = vec![vault.slot.clone(), other.clone()];
    vault.session = UnlockSession::new(DEVELOPMENT, slots, Clock::Manual(vault.clock.clone()));
    vault.give(1, 1).unwrap();
    let mixed = vault.give_text(2, &other_shares[1].1);
    assert!(
        matches!(mixed, Err(UnlockError::OtherSlot { given, running }) if given == other.id && running == vault.slot.id)
    );
    assert_eq!(opened(vault.give(2, 2)), vault.root);
    // The other slot opens the same root key.
    vault.give_text(1, &other_shares[0].1).unwrap();
    assert_eq!(opened(vault.give_text(3, &other_shares[2].1)), vault.root);
}

#[test]
fn shares_are_forgotten_after_ten_minutes() {
    let mut vault = Vault::new(2, 3);
    vault.give(1, 1).unwrap();
    vault.clock.advance(Duration::seconds(SESSION_SECONDS - 1));
    vault.session.forget_expired();
    assert_eq!(vault.session.given(), 1);
    vault.clock.advance(Duration::seconds(1));
    vault.session.forget_expired();
    assert_eq!(vault.session.given(), 0);
    // Who comes next is told, once: the others must come again too.
    assert!(matches!(vault.give(2, 2), Err(UnlockError::SessionExpired)));
    assert!(matches!(vault.give(2, 2), Ok(Progress::Waiting { given: 1, .. })));
    // Without a timer too, and a clock that is turned back buys no time.
    for seconds in [SESSION_SECONDS, -1] {
        vault.clock.advance(Duration::seconds(seconds));
        assert!(matches!(vault.give(1, 1), Err(UnlockError::SessionExpired)));
        assert!(matches!(vault.give(1, 1), Ok(Progress::Waiting { given: 1, .. })));
    }
}

#[test]
fn a_pending_slot_opens_nothing_until_each_share_was_shown() {
    let mut vault = Vault::new(2, 2);
    vault.slot.standing = Standing::Pending {
        replaces: Replaces::Nothing,
    };
    vault.session.refresh(vec![vault.slot.clone()]);
    assert_eq!(vault.session.needed(), None, "nobody can open");
    for number in [1, 2] {
        assert!(matches!(vault.give(number, number), Err(UnlockError::Pending(id)) if id == vault.slot.id));
    }
    vault.slot.remember_shown(&[1]);
    assert!(!vault.slot.is_verified());
    vault.slot.remember_shown(&[2]);
    assert!(vault.slot.is_verified() && !vault.slot.is_active());
    vault.slot.activate(5);
    assert_eq!(vault.slot.proved_at, Some(5));
    vault.session.refresh(vec![vault.slot.clone()]);
    vault.give(1, 1).unwrap();
    assert_eq!(opened(vault.give(2, 2)), vault.root);
}

#[test]
fn shares_of_a_slot_that_went_away_are_wiped() {
    let mut vault = Vault::new(2, 3);
    vault.give(1, 1).unwrap();
    vault.session.refresh(vec![vault.slot.clone()]);
    assert_eq!(vault.session.given(), 1, "nothing has changed");
    vault.session.refresh(Vec::new());
    assert_eq!(vault.session.given(), 0);
    assert!(matches!(vault.give(2, 2), Err(UnlockError::UnknownSlot(_))));
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    let id = super::SlotId::from_bytes([0; 5]);
    let who = custodian(1).identity;
    let refusals = [
        UnlockError::Share(ShareError::NotAShare),
        UnlockError::Share(ShareError::Mistyped),
        UnlockError::UnknownSlot(id),
        UnlockError::Pending(id),
        UnlockError::SessionExpired,
        UnlockError::OtherSlot {
            given: id,
            running: id,
        },
        UnlockError::NotACustodian(who.clone()),
        UnlockError::OtherKey(who),
        UnlockError::NotYours(1),
        UnlockError::AlreadyGiven(1),
        UnlockError::WrongShare(1),
        UnlockError::Slot(SlotError::DoesNotOpen(id)),
    ];
    let codes: std::collections::BTreeSet<_> = refusals.iter().map(UnlockError::code).collect();
    assert_eq!(codes.len(), refusals.len());
    assert!(!codes.contains(&None));
}

#[test]
fn custodians_must_be_distinct_officers_and_more_than_one_must_act() {
    let create = |threshold, custodians: &[NewCustodian]| {
        shamir::create(
            DEVELOPMENT,
            &root(),
            threshold,
            custodians,
            Standing::Active,
            1,
            &SystemRandom::new(),
        )
        .map(|_| ())
    };
    for (threshold, count) in [(0, 3), (1, 3), (1, 1), (4, 3), (2, 0), (2, 17)] {
        assert!(
            matches!(
                create(threshold, &custodians(count)),
                Err(ShamirError::Threshold { .. })
            ),
            "{threshold}/{count}"
        );
    }
    assert!(create(2, &custodians(2)).is_ok());
    let same_identity = [
        custodian(1),
        NewCustodian {
            identity: custodian(1).identity,
            key: thumbprint(2),
        },
    ];
    assert!(matches!(
        create(2, &same_identity),
        Err(ShamirError::IdentityTwice(_))
    ));
    let same_key = [
        custodian(1),
        NewCustodian {
            identity: custodian(2).identity,
            key: thumbprint(1),
        },
    ];
    assert!(matches!(create(2, &same_key), Err(ShamirError::KeyTwice(who)) if who == custodian(2).identity));
    let gateway = [
        custodian(1),
        NewCustodian {
            identity: Identity::Gateway,
            key: thumbprint(2),
        },
    ];
    assert!(matches!(
        create(2, &gateway),
        Err(ShamirError::NotAnOfficer(Identity::Gateway))
    ));
}

#[test]
fn a_slot_does_not_open_with_another_secret_nor_under_another_id_nor_elsewhere() {
    let vault = Vault::new(2, 3);
    let points = || {
        vault.shares[..2]
            .iter()
            .map(|text| Share::parse(text).unwrap().point)
            .collect::<Vec<_>>()
    };
    let secret = super::gf256::combine(&points());
    assert_eq!(vault.slot.open(DEVELOPMENT, &secret).unwrap(), vault.root);
    let zero = SecretBytes::zeroed();
    assert!(matches!(
        vault.slot.open(DEVELOPMENT, &zero),
        Err(SlotError::DoesNotOpen(_))
    ));
    assert!(vault.slot.open(Environment::Production, &secret).is_err());
    let renamed = Slot {
        id: super::SlotId::from_bytes([0; 5]),
        ..vault.slot.clone()
    };
    assert!(renamed.open(DEVELOPMENT, &secret).is_err());
    let one_share = super::gf256::combine(&points()[..1]);
    assert!(vault.slot.open(DEVELOPMENT, &one_share).is_err());
}

#[test]
fn a_record_that_was_changed_while_locked_is_noticed() {
    let vault = Vault::new(2, 3);
    let entry = vault.slot.to_entry(&vault.root).unwrap();
    assert_eq!(Slot::from_entry(&entry).unwrap(), vault.slot);
    verify_all(&vault.root, std::slice::from_ref(&entry)).unwrap();
    for index in 0..entry.1.len() {
        let mut changed = entry.clone();
        changed.1[index] ^= 1;
        assert!(verify_all(&vault.root, &[changed]).is_err(), "byte {index}");
    }
    // A custodian's key exchanged for an attacker's: loads, collects shares, and is refused in the end.
    let mut taken_over = vault.slot.clone();
    let Keeping::Shamir { custodians, .. } = &mut taken_over.keeping else {
        unreachable!()
    };
    custodians[0].key_thumbprint = thumbprint(99);
    let json = serde_json::to_vec(&taken_over).unwrap();
    let forged = (entry.0.clone(), [&entry.1[..32], &json].concat());
    assert_eq!(Slot::from_entry(&forged).unwrap(), taken_over);
    assert!(matches!(verify_all(&vault.root, &[forged]), Err(SlotError::Changed(id)) if id == vault.slot.id));
    assert!(verify_all(&root(), &[entry]).is_err(), "another vault's root key");
}

#[test]
fn nothing_secret_is_in_the_record_and_nothing_prints() {
    let vault = Vault::new(2, 3);
    let (_, record) = vault.slot.to_entry(&vault.root).unwrap();
    let contains = |needle: &[u8]| record.windows(needle.len()).any(|window| window == needle);
    assert!(!contains(vault.root.expose()));
    for text in &vault.shares {
        let share = Share::parse(text).unwrap();
        assert!(!contains(share.point.value.expose()));
        assert!(!contains(&text.expose().as_bytes()[28..]));
        assert!(format!("{share:?}").contains("value: SecretBytes"));
    }
    assert_eq!(format!("{:?}", vault.root), "RootKey(LockedBytes)");
}

#[test]
fn a_key_file_opens_in_development_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let (root, rng) = (root(), SystemRandom::new());
    let refused = key_file::create(Environment::Production, &root, &path, Standing::Active, 1, &rng);
    assert!(matches!(refused, Err(KeyFileError::NotInProduction)));
    assert!(!path.exists());

    let slot = key_file::create(DEVELOPMENT, &root, &path, Standing::Active, 1, &rng).unwrap();
    assert_eq!(key_file::open(DEVELOPMENT, &slot).unwrap(), root);
    assert!(matches!(
        key_file::open(Environment::Production, &slot),
        Err(KeyFileError::NotInProduction)
    ));
    assert!(matches!(
        key_file::create(DEVELOPMENT, &root, &path, Standing::Active, 1, &rng),
        Err(KeyFileError::Io(..))
    ));
    assert!(matches!(
        key_file::open(DEVELOPMENT, &Vault::new(2, 2).slot),
        Err(KeyFileError::OtherKeeping(_))
    ));

    let mut content = std::fs::read(&path).unwrap();
    content.push(0);
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(
        key_file::open(DEVELOPMENT, &slot),
        Err(KeyFileError::Damaged(_))
    ));
    content.pop();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &content).unwrap();
    assert!(matches!(
        key_file::open(DEVELOPMENT, &slot),
        Err(KeyFileError::Slot(SlotError::DoesNotOpen(_)))
    ));
}
