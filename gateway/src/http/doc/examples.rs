//! Examples of what several operations show. The card numbers are of the test range 9999.

use serde_json::{Value, json};

/// A masked card.
pub fn masked_card() -> Value {
    json!({
        "id": 1125, "type": "VIRTUAL", "origin": "ISSUED", "state": "ACTIVE", "name": "Groceries", "balanceId": 1042,
        "allowedActions": ["REVEAL", "RESET_CVV", "LOCK", "REMOVE"], "createdAt": "2026-11-26T21:30:00Z",
        "automaticRenewal": true, "token": "crd_k3vq7m2ax5tnd4wz6hyb2cpgfe", "maskedCardNo": "999900******0017", "exp": "2029-11-30",
    })
}

/// A masked card that is locked.
pub fn locked_card() -> Value {
    let mut card = masked_card();
    if let Some(card) = card.as_object_mut() {
        card.insert("state".to_owned(), json!("LOCKED"));
        card.insert("allowedActions".to_owned(), json!(["UNLOCK", "LOCK", "REMOVE"]));
        card.insert("lock".to_owned(), lock());
    }
    card
}

fn lock() -> Value {
    json!({
        "reasonCode": 3, "reason": "Pending query", "actionCode": 1000, "irreversible": false, "placedBy": "USER",
        "placedAt": "2026-11-26T21:31:00Z",
    })
}

/// A balance with its cards.
pub fn balance() -> Value {
    json!({
        "id": 1042, "currency": "EUR", "value": 12_500, "available": 12_000, "state": "ACTIVE", "cards": [masked_card()],
    })
}

/// A user as the partner registered them.
pub fn profile() -> Value {
    json!({
        "id": 1001, "kycStatus": "ACCEPTED", "standing": "OPEN", "externalId": "cust-77", "email": "jan.kowalski@example.com",
        "phoneNumber": "+48600100200", "firstName": "Jan", "lastName": "Kowalski", "dateOfBirth": "1990-05-17",
        "nationality": "PL", "address": address(),
    })
}

/// A postal address.
pub fn address() -> Value {
    json!({ "line1": "ul. Prosta 1", "line2": "m. 7", "city": "Warszawa", "postalCode": "00-001", "country": "PL" })
}

/// A customer as operators see them.
pub fn customer() -> Value {
    let mut customer = profile();
    if let Some(customer) = customer.as_object_mut() {
        customer.insert("partner".to_owned(), json!("acme"));
        customer.insert("program".to_owned(), json!("acme-debit"));
    }
    customer
}

/// An operator.
pub fn operator() -> Value {
    json!({ "id": 1003, "login": "admin@example.com", "role": "ADMIN", "partner": null, "state": "ACTIVE" })
}

/// A device of a user, as the user sees it.
pub fn installation() -> Value {
    json!({
        "id": 1031, "deviceName": "Jan's phone", "state": "ACTIVE", "createdAt": "2026-11-26T21:30:00Z",
        "holderKey": {
            "thumbprint": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "state": "PENDING",
            "maturesAt": "2026-11-27T21:30:00Z",
        },
    })
}

/// A document for KYC.
pub fn kyc_document() -> Value {
    json!({
        "id": 1088, "kind": "IDENTITY_FRONT", "contentType": "image/jpeg", "size": 182_044, "submitted": true,
        "createdAt": "2026-11-26T19:58:00Z",
    })
}

/// An order of plastic.
pub fn order() -> Value {
    json!({
        "cardId": 1125, "order": "ord_k3vq7m2ax5tnd4wz6hyb2cpgfe", "kind": "PHYSICAL", "state": "SHIPPED",
        "placedAt": "2026-11-24T09:00:00Z", "changedAt": "2026-11-26T21:30:00Z", "overdue": false, "carrier": "Post",
        "trackingReference": "LT-77",
    })
}
