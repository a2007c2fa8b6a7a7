"""Transparency logs in another language: signed notes and checkpoints (C2SP), Merkle proofs (RFC 9162 §2.1), from their
specifications and nothing taken from the Rust code."""

import base64
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    """A note that is not signed by the log, or a proof that does not hold."""


def leaf(event: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + event).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Key:
    """`name+hex(id)+base64(0x01 || public key)`."""

    def __init__(self, vkey: str):
        self.name, identifier, encoded = vkey.split("+", 2)
        typed = base64.b64decode(encoded, validate=True)
        own = hashlib.sha256(self.name.encode() + b"\n" + typed).digest()[:4]
        if typed[0] != 1 or len(typed) != 33 or own.hex() != identifier:
            raise Refused("not a key of a log")
        self.id = own
        self.public_key = Ed25519PublicKey.from_public_bytes(typed[1:])


def checkpoint(note: str, key: Key):
    """Size and root that the log's key signed."""
    text, signatures = note.split("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        signature = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and name == key.name and signature[:4] == key.id:
            try:
                key.public_key.verify(signature[4:], text.encode())
            except InvalidSignature as error:
                raise Refused("forged") from error
            origin, size, root = text.splitlines()[:3]
            if origin != key.name:
                raise Refused("another log")
            return int(size), base64.b64decode(root, validate=True)
    raise Refused("not signed by the log")


def check_inclusion(entry: bytes, index: int, size: int, proof, root: bytes):
    """RFC 9162 §2.1.3.2."""
    if index >= size:
        raise Refused("beyond the log")
    fn, sn, r = index, size - 1, entry
    for p in proof:
        if sn == 0:
            raise Refused("too long")
        if fn & 1 or fn == sn:
            r = node(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn or r != root:
        raise Refused("not in the log")


def check_consistency(old, new, proof):
    """RFC 9162 §2.1.4.2; `old` and `new` are sizes with roots."""
    (first, first_hash), (second, second_hash) = old, new
    if not 0 < first <= second:
        raise Refused("not a longer log")
    if first == second:
        if proof or first_hash != second_hash:
            raise Refused("forked")
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_hash)
    if not path:
        raise Refused("too short")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise Refused("too long")
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn or fr != first_hash or sr != second_hash:
        raise Refused("forked")
