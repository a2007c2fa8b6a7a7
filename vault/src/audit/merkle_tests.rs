//! Against a naive tree written straight from the definition, and against the published vectors of certificate
//! transparency (google/certificate-transparency, `merkletree/merkle_tree_test.cc`).

use std::cell::Cell;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

thread_local! {
    static HASHES: Cell<u32> = const { Cell::new(0) };
}

pub(super) fn count_a_hash() {
    HASHES.with(|hashes| hashes.set(hashes.get() + 1));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// MTH of RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        more => {
            let middle = usize::try_from(split(more.len() as u64)).unwrap();
            node(&naive_root(&more[..middle]), &naive_root(&more[middle..]))
        }
    }
}

/// PATH of RFC 6962 §2.1.1.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = usize::try_from(split(leaves.len() as u64)).unwrap();
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - middle, right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// SUBPROOF of RFC 6962 §2.1.2.
fn naive_subproof(from: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole {
            Vec::new()
        } else {
            vec![naive_root(leaves)]
        };
    }
    let middle = usize::try_from(split(leaves.len() as u64)).unwrap();
    let (left, right) = leaves.split_at(middle);
    let (mut proof, sibling) = if from <= middle {
        (naive_subproof(from, left, whole), naive_root(right))
    } else {
        (naive_subproof(from - middle, right, false), naive_root(left))
    };
    proof.push(sibling);
    proof
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
}

fn reader(leaves: &[Hash]) -> impl FnMut(Subtree) -> Result<Hash, Infallible> {
    |Subtree { level, index }| {
        let width = 1 << level;
        let begin = usize::try_from(index).unwrap() * width;
        Ok(naive_root(&leaves[begin..begin + width]))
    }
}

const CT_INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const CT_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digits).collect()
}

fn ct_leaves() -> Vec<Hash> {
    CT_INPUTS.iter().map(|input| leaf(&unhex(input))).collect()
}

#[test]
fn the_roots_are_those_of_certificate_transparency() {
    assert_eq!(
        hex(&CompactRange::default().root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    let mut range = CompactRange::default();
    for (leaf, root) in ct_leaves().into_iter().zip(CT_ROOTS) {
        range.append(leaf, |_, _| {});
        assert_eq!(hex(&range.root()), root, "{} leaves", range.size());
    }
}

#[test]
fn the_proofs_are_those_of_certificate_transparency() {
    let leaves = ct_leaves();
    let paths: [(u64, u64, &[&str]); 4] = [
        (0, 1, &[]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            3,
            &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
        ),
    ];
    for (index, size, expected) in paths {
        let Ok(proof) = inclusion_proof(index, size, &mut reader(&leaves));
        let proof: Vec<String> = proof.iter().map(|hash| hex(hash)).collect();
        assert_eq!(proof, expected, "leaf {index} of {size}");
    }
    let consistencies: [(u64, u64, &[&str]); 3] = [
        (1, 1, &[]),
        (
            1,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ];
    for (from, to, expected) in consistencies {
        let Ok(proof) = consistency_proof(from, to, &mut reader(&leaves));
        let proof: Vec<String> = proof.iter().map(|hash| hex(hash)).collect();
        assert_eq!(proof, expected, "{from} in {to}");
    }
}

#[test]
fn every_small_proof_is_that_of_the_definition_and_verifies() {
    for size in 1..40_u64 {
        let all = leaves(size);
        let root = naive_root(&all);
        for index in 0..size {
            let place = usize::try_from(index).unwrap();
            let Ok(proof) = inclusion_proof(index, size, &mut reader(&all));
            assert_eq!(proof, naive_path(place, &all), "{index} of {size}");
            assert!(is_included(&all[place], index, size, &proof, &root));
            for wrong in (0..size).filter(|wrong| *wrong != index) {
                assert!(
                    !is_included(&all[place], wrong, size, &proof, &root),
                    "{index} as {wrong} of {size}"
                );
            }
        }
        for from in 1..=size {
            let place = usize::try_from(from).unwrap();
            let old = naive_root(&all[..place]);
            let Ok(proof) = consistency_proof(from, size, &mut reader(&all));
            assert_eq!(proof, naive_subproof(place, &all, true), "{from} in {size}");
            assert!(
                is_consistent((from, &old), (size, &root), &proof),
                "{from} in {size}"
            );
            let other = leaf(b"another history");
            assert!(
                !is_consistent((from, &other), (size, &root), &proof),
                "{from} in {size}"
            );
            assert!(
                !is_consistent((from, &old), (size, &other), &proof),
                "{from} in {size}"
            );
            let longer = [proof.as_slice(), &[other]].concat();
            assert!(
                !is_consistent((from, &old), (size, &root), &longer),
                "{from} in {size}"
            );
        }
    }
}

#[test]
fn an_empty_tree_is_consistent_with_all_and_includes_nothing() {
    let (empty, root) = (empty_root(), naive_root(&leaves(3)));
    assert!(is_consistent((0, &empty), (3, &root), &[]));
    assert!(!is_consistent((0, &root), (3, &root), &[]));
    assert!(!is_consistent((4, &root), (3, &root), &[]));
    assert!(!is_included(&leaves(1)[0], 0, 0, &[], &empty));
}

#[test]
fn appending_costs_few_hashes() {
    let mut range = CompactRange::default();
    let (mut most, mut total) = (0, 0);
    let events: u32 = 1 << 17;
    for number in 0..events {
        HASHES.with(|hashes| hashes.set(0));
        range.append(leaf(&number.to_be_bytes()), |_, _| {});
        let _ = range.root();
        let cost = HASHES.with(Cell::get);
        most = most.max(cost);
        total += cost;
    }
    assert!(most <= 18, "{most} hashes for one event");
    assert!(
        total / events <= 10,
        "{} hashes an event on average",
        total / events
    );
}

proptest! {
    #[test]
    fn a_range_that_grew_is_the_range_that_is_read(size in 0_u64..700) {
        let all = leaves(size);
        let mut grown = CompactRange::default();
        let mut completed = Vec::new();
        for leaf in &all {
            grown.append(*leaf, |subtree, hash| completed.push((subtree, *hash)));
        }
        let Ok(read) = CompactRange::read(size, &mut reader(&all));
        prop_assert_eq!(&grown, &read);
        prop_assert_eq!(grown.root(), naive_root(&all));
        let Ok(root) = root_at(size, &mut reader(&all));
        prop_assert_eq!(root, naive_root(&all));
        let mut read = reader(&all);
        for (subtree, hash) in completed {
            prop_assert_eq!(read(subtree), Ok(hash));
        }
    }

    #[test]
    fn proofs_of_large_trees_are_those_of_the_definition(size in 1_u64..900, at in 0_u64..900) {
        let at = at % size;
        let place = usize::try_from(at).unwrap();
        let all = leaves(size);
        let Ok(path) = inclusion_proof(at, size, &mut reader(&all));
        prop_assert_eq!(path, naive_path(place, &all));
        let Ok(proof) = consistency_proof(at + 1, size, &mut reader(&all));
        prop_assert_eq!(proof, naive_subproof(place + 1, &all, true));
    }

    #[test]
    fn no_proof_makes_the_verifiers_panic(index: u64, from: u64, size: u64, proof in proptest::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let (one, two) = ([1; 32], [2; 32]);
        prop_assert!(!is_included(&one, index, size, &proof, &two) || size == 0);
        prop_assert!(!is_consistent((from, &one), (size, &two), &proof));
    }
}
