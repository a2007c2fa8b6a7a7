//! What the vault seals about a card: the gateway's members with those that are the vault's to say. No type of this process
//! holds them; they are described here and nowhere else.

use serde_json::json;

use crate::domain::card::OwnMembers;
use crate::http::doc::shape::{Shape, object, optional, pattern, required, text};
use crate::http::doc::words;

/// Of the test range 9999.
const CARD_NO: &str = "9999000000000017";

pub(in crate::http) fn card_no() -> Shape {
    pattern("^[0-9]{12,19}$", CARD_NO).saying("The whole number.")
}

fn cvv() -> Shape {
    pattern("^[0-9]{3}$", "017")
}

pub(in crate::http) fn exp() -> Shape {
    pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2029-11-30")
        .with("format", "date")
        .saying("The last day on which the card is valid.")
}

fn token() -> Shape {
    pattern("^crd_[a-z2-7]{26}$", "crd_k3vq7m2ax5tnd4wz6hyb2cpgfe")
}

fn own() -> Shape {
    Shape::of::<OwnMembers<'static>>(json!({
        "id": 1125, "type": "VIRTUAL", "origin": "ISSUED", "state": "ACTIVE", "name": "Groceries", "balanceId": 1042,
        "allowedActions": ["REVEAL", "RESET_CVV", "LOCK", "REMOVE"], "createdAt": "2026-11-26T21:30:00Z",
        "automaticRenewal": true,
    }))
}

/// A masked card.
pub(in crate::http) fn masked() -> Shape {
    let masked_card_no = pattern("^[0-9]{1,6}[*]{6,9}[0-9]{4}$", "999900******0017");
    own()
        .and([
            required("token", token()),
            required("maskedCardNo", masked_card_no),
            required("exp", exp()),
        ])
        .named("SealedMaskedCard")
}

/// A new card: masked, and with number and CVV where a proof came along.
pub(in crate::http) fn created() -> Shape {
    masked()
        .and([
            optional("cardNo", card_no().saying("With a `Holder-Proof` only.")),
            optional("cvv", cvv().saying("With a `Holder-Proof` only.")),
        ])
        .named("SealedNewCard")
}

/// A revealed card.
pub(in crate::http) fn full() -> Shape {
    let open = object([
        required("id", words::id()),
        required("type", Shape::of_schema(words::card_type())),
        required("state", text(1, 32, "ACTIVE")),
        required("token", token()),
        required("cardNo", card_no()),
        optional(
            "cvv",
            cvv().saying("Missing where the card was brought in without one, or by another issuer."),
        ),
        required("exp", exp()),
    ]);
    open.with("additionalProperties", true).named("SealedFullCard")
}

/// A new CVV.
pub(in crate::http) fn new_cvv() -> Shape {
    object([required("id", words::id()), required("cvv", cvv())])
        .with("additionalProperties", true)
        .named("SealedCvv")
}

/// That there is a new CVV.
pub(in crate::http) fn cvv_unseen() -> Shape {
    object([required("id", words::id())])
        .with("additionalProperties", true)
        .named("SealedCvvReset")
}

/// That a PIN was set.
pub(in crate::http) fn pin_set() -> Shape {
    let notice = "The new PIN reaches the chip of your card with the next chip & PIN transaction, best made at an ATM.";
    object([
        required("id", words::id()),
        required("offlinePinSync", text(1, 32, "PENDING")),
        required("notice", text(1, 500, notice)),
    ])
    .with("additionalProperties", true)
    .named("SealedPinSet")
}
